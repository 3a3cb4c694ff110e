"""Where the service may be sent: never into its own network unless an admin named it, never to a cloud's metadata."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.errors import BadInput
from tools.address import parse_address
from tools.errors import NameUnknown
from tools.outgoing import AddressRefused, outgoing_of

PUBLIC = outgoing_of(None, None)
EVERYWHERE = outgoing_of("0.0.0.0/0, ::/0", None)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1", "http://localhost:8000", "http://[::1]/", "http://10.1.2.3", "postgresql://192.168.0.4/db",
        "172.16.0.1:104", "http://169.254.10.10", "http://[fe80::1]/", "http://[fd12::1]/", "http://0.0.0.0",
        "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://100.64.0.1",
        "http://[64:ff9b:1::a9fe:a9fe]/", "http://[64:ff9b:1::5db8:d822]/", "http://[::a9fe:a9fe]/", "http://[::93.184.216.34]/", "http://2130706433/", "http://0x7f000001/", "http://127.1/", "http://224.0.0.1",
    ],
)  # fmt: skip
async def test_what_lies_inside_is_refused(address: str) -> None:
    with pytest.raises((AddressRefused, NameUnknown)):
        await PUBLIC.check(parse_address(address))


@pytest.mark.parametrize("address", ["http://169.254.169.254/latest", "http://[fd00:ec2::254]/", "http://metadata.google.internal/",
                                     "http://[::ffff:169.254.169.254]/", "http://[64:ff9b:1::a9fe:a9fe]/", "http://[::a9fe:a9fe]/", "http://100.100.100.200/"])  # fmt: skip
async def test_metadata_is_refused_whatever_is_allowed(address: str) -> None:
    with pytest.raises(AddressRefused, match="metadata"):
        await EVERYWHERE.check(parse_address(address))


async def test_a_public_address_is_allowed_and_so_is_a_named_network() -> None:
    await PUBLIC.check(parse_address("http://93.184.216.34/"))
    await PUBLIC.check(parse_address("http://[2606:2800:220:1::1]/"))
    await outgoing_of("::1/128", None).check(parse_address("http://[::1]/"))
    practice = outgoing_of("10.20.0.0/16", None)
    await practice.check(parse_address("mllp://10.20.3.4:2575"))
    with pytest.raises(AddressRefused, match="PATCHBAY_ALLOWED_NETWORKS"):
        await practice.check(parse_address("mllp://10.21.3.4:2575"))


async def test_files_of_the_service_are_refused_outside_the_allowed_folders(tmp_path: Path) -> None:
    inside, outside = tmp_path / "gdt", tmp_path / "secret"
    inside.mkdir()
    outside.mkdir()
    (inside / "link").symlink_to(outside)
    allowed = outgoing_of(None, str(inside))
    await allowed.check(parse_address(f"file://{inside}"))
    for path in (outside, inside / "link", inside / ".." / "secret"):
        with pytest.raises(AddressRefused):
            await allowed.check(parse_address(f"file://{path}"))
    with pytest.raises(AddressRefused):
        await PUBLIC.check(parse_address(f"sqlite:///{inside}/praxis.db"))


def test_what_is_no_network_is_said_at_the_start() -> None:
    with pytest.raises(BadInput, match="PATCHBAY_ALLOWED_NETWORKS"):
        outgoing_of("somewhere", None)
