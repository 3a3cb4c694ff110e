"""What an address says by its own shape; nothing is sent."""

from __future__ import annotations

from tools.address import Address
from tools.probes.base import Finding


def read_shape(address: Address) -> Finding:
    """`address.shape`: facts `scheme`, `host`, `port`, `path`."""
    facts = {"scheme": address.scheme, "host": address.host, "port": address.port, "path": address.path}
    return Finding("address.shape", address.text, dict(facts), requests=0)
