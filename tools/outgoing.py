"""Where a service may be sent: addresses that its callers name must not lead into its own network.

The command line trusts its user. The service refuses loopback, link-local, private and reserved addresses unless
PATCHBAY_ALLOWED_NETWORKS names them, cloud metadata always, and local files outside PATCHBAY_ALLOWED_FOLDERS.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from knowledge.errors import BadInput, PatchbayError
from knowledge.phrases import Language, words
from tools.address import Address
from tools.errors import NameUnknown

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Where clouds tell a machine its own secrets. Sources: the vendors' pages on instance metadata.
METADATA = tuple(
    ipaddress.ip_network(each)
    for each in (
        "169.254.169.254/32", "169.254.170.2/32", "169.254.170.23/32", "169.254.0.23/32", "100.100.100.200/32",
        "192.0.0.192/32", "168.63.129.16/32", "fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128",
    )
)  # fmt: skip
# IPv6 that stands for IPv4 within one network: translation of its own (RFC 8215), and the form RFC 4291 gave up.
TRANSLATED = (ipaddress.IPv6Network("64:ff9b:1::/48"), ipaddress.IPv6Network("::/96"))
METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog", "instance-data"})


# What this task checked: whoever asks the resolver a second time may be told another address (DNS rebinding).
_checked: ContextVar[Mapping[str, tuple[str, ...]]] = ContextVar("_checked", default=MappingProxyType({}))


def checked_addresses(host: str) -> tuple[str, ...]:
    """The addresses that `Outgoing.check_host` allowed for a name in this task; empty where nothing was checked."""
    return _checked.get().get(host.rstrip(".").lower(), ())


@dataclass(eq=False)
class AddressRefused(PatchbayError):
    code: ClassVar[str] = "address.refused"
    cause: ClassVar[str] = "The service does not go to {where[en]}: {why[en]}."
    mend: ClassVar[str] = "{remedy[en]}"
    where: dict[Language, str]
    why: dict[Language, str]
    remedy: dict[Language, str]


def _refused(why: str, remedy: str, where: str | None = None) -> AddressRefused:
    """`where` is a host's name; without, it is a place on the service's own machine."""
    named: dict[Language, str] = {"en": where, "de": where} if where is not None else words("outgoing.this_place")
    return AddressRefused(named, words(f"outgoing.{why}"), words(f"outgoing.{remedy}"))


@dataclass(frozen=True)
class Outgoing:
    """What is allowed beyond the public internet."""

    networks: tuple[IpNetwork, ...] = ()
    folders: tuple[Path, ...] = ()

    async def check(self, address: Address) -> None:
        """Raises `AddressRefused`, or `NameUnknown` for a host that nobody knows."""
        if address.scheme in {"file", "sqlite"}:
            self.check_path(address.path)
        elif address.host:
            await self.check_host(address.host, address.port)

    async def check_host(self, host: str, port: int | None = None) -> None:
        """Every address that the name stands for must be allowed: one that is not is enough to be led astray."""
        name = host.rstrip(".").lower()
        if name in METADATA_NAMES:
            raise _refused("metadata", "name_the_system", name)
        found = await _resolved(name, port)
        for ip in found:
            self.check_ip(ip, name)
        _checked.set({**_checked.get(), name: tuple(dict.fromkeys(map(str, found)))})

    def check_ip(self, ip: IpAddress, where: str) -> None:
        """Raises `AddressRefused`."""
        for each in _meant(ip):
            if any(each in network for network in METADATA if network.version == each.version):
                raise _refused("metadata", "name_the_system", where)
            named = any(each in network for network in self.networks if network.version == each.version)
            if not named and (not each.is_global or _is_translated(each)):
                raise _refused("private_network", "allow_network", where)
            if each.is_multicast or each.is_unspecified:
                raise _refused("no_single_system", "name_the_system", where)

    def check_path(self, path: str) -> None:
        """Raises `AddressRefused` for what lies outside the allowed folders, links followed."""
        real = Path(path).resolve()
        if not any(real.is_relative_to(folder) for folder in self.folders):
            raise _refused("own_machine", "allow_folder")


def outgoing_of(networks: str | None, folders: str | None) -> Outgoing:
    """Read the two settings: networks (CIDR) and folders, each separated by commas. Raises `BadInput`."""
    try:
        allowed = tuple(ipaddress.ip_network(each, strict=False) for each in _parts(networks))
    except ValueError:
        form = "Write networks such as 10.20.0.0/16, separated by commas."
        raise BadInput("PATCHBAY_ALLOWED_NETWORKS", "holds what is no network.", form) from None
    return Outgoing(allowed, tuple(Path(each).resolve() for each in _parts(folders)))


def _parts(text: str | None) -> list[str]:
    return [each.strip() for each in (text or "").split(",") if each.strip()]


async def _resolved(host: str, port: int | None) -> Sequence[IpAddress]:
    try:
        return [ipaddress.ip_address(host.strip("[]").partition("%")[0])]
    except ValueError:
        pass
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NameUnknown(host) from None
    return [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]


def _is_translated(ip: IpAddress) -> bool:
    return any(ip in network for network in TRANSLATED if network.version == ip.version)


def _meant(ip: IpAddress) -> list[IpAddress]:
    """The address, and the IPv4 address that an IPv6 one carries inside."""
    if isinstance(ip, ipaddress.IPv4Address):
        return [ip]
    inner = [ip.ipv4_mapped, ip.sixtofour, ip.teredo[1] if ip.teredo else None]
    nat64 = ipaddress.ip_network("64:ff9b::/96")
    embeds = ip in nat64 or (_is_translated(ip) and int(ip) > 1)  # `::` and `::1` carry none
    inner.append(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if embeds else None)
    carried: list[IpAddress] = [each for each in inner if each is not None]
    return carried if ip.ipv4_mapped else [ip, *carried]
