"""A throw-away certificate authority for stand-ins that speak https: nobody's system trusts it, so credentials name its file."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class TestCertificate:
    """PEM files: what a client must trust (`ca_file`), and what the server shows (chain) and holds (key)."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    ca_file: Path
    certificate: Path
    key: Path


def issue_certificate(folder: Path, *names: str) -> TestCertificate:
    """A new authority and one server certificate for `names` (default: localhost and 127.0.0.1), written into `folder`."""
    authority = trustme.CA(organization_name="Patchbay stand-ins")
    leaf = authority.issue_cert(*(names or ("localhost", "127.0.0.1")))
    made = TestCertificate(folder / "test-ca.pem", folder / "server-chain.pem", folder / "server-key.pem")
    authority.cert_pem.write_to_path(made.ca_file)
    made.certificate.write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
    made.key.touch(mode=0o600)
    leaf.private_key_pem.write_to_path(made.key)
    return made
