"""Other readings of an address that failed, within narrow limits: the same host, and only what the manifest names."""

from __future__ import annotations

import ipaddress

from knowledge.manifest import Manifest, Method
from tools.address import Address
from tools.errors import (
    ConnectionRefused,
    ConnectionReset,
    EndpointMoved,
    PmsError,
    ProxyInterference,
    UnexpectedAnswer,
)
from tools.probes.plan import WEB


def repair_candidates(manifest: Manifest, method: Method, address: Address, error: PmsError) -> list[Address]:
    """Addresses worth one try after `error`, best first; empty where only a person can mend it.

    A wrong path leads to the other base paths of the method, a refused port to its other ports, a service that does not
    speak this scheme to the other one. Never another host, never a way around a certificate or a rejected login. A
    missing database is no matter of the address alone: see `tools.detection.databases`.
    """
    if address.host is None or manifest.generic:
        return []
    tried: list[Address] = []
    if isinstance(error, ConnectionRefused):
        tried = _other_ports(method, address)
    elif method.method in WEB and isinstance(error, EndpointMoved | ProxyInterference | UnexpectedAnswer):
        tried = _other_paths(method, address) + _other_scheme(address, error)
    elif method.method in WEB and isinstance(error, ConnectionReset):
        tried = _other_scheme(address, error)
    return [each for each in dict.fromkeys(tried) if each.url != address.url]


def _other_paths(method: Method, address: Address) -> list[Address]:
    given = address.path.rstrip("/")
    named = [base.rstrip("/") for base in method.base_paths]
    return [address.with_(path=path) for path in dict.fromkeys([*named, *(given + base for base in named)])]


def _other_ports(method: Method, address: Address) -> list[Address]:
    return [address.with_(port=port) for port in method.ports if port != address.port]


def _other_scheme(address: Address, error: PmsError) -> list[Address]:
    """http becomes https anywhere; https becomes http only where the line does not leave the practice's network.

    An answer that merely has the wrong content says nothing against the scheme.
    """
    if isinstance(error, EndpointMoved):
        return []
    if address.scheme == "http":
        return [address.with_(scheme="https")]
    if address.scheme == "https" and stays_private(address.host or ""):
        return [address.with_(scheme="http")]
    return []


def stays_private(host: str) -> bool:
    """Whether a host is the loopback or a private network's, by its literal address or the name `localhost`."""
    if host.casefold() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
