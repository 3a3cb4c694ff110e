"""A throw-away certificate authority for stand-ins that speak https: nobody's system trusts it, so credentials name its file."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import trustme


@dataclass(frozen=True)
class TestCertificate:
    """PEM files: what a client must trust (`ca_file`), and what the server shows (chain) and holds (key)."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    ca_file: Path
    certificate: Path
    key: Path
    authority: trustme.CA

    def renewed(
        self, name: str, not_before: datetime | None = None, not_after: datetime | None = None
    ) -> "TestCertificate":
        """Another server certificate of the same authority, under files of its own."""
        return _issue(self.ca_file.parent, self.authority, self.ca_file, name, (), not_before, not_after)


def issue_certificate(folder: Path, *names: str, prefix: str = "") -> TestCertificate:
    """A new authority and one server certificate for `names` (default: localhost and 127.0.0.1), written into `folder`."""
    authority = trustme.CA(organization_name="Patchbay stand-ins")
    ca_file = folder / f"{prefix}test-ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    return _issue(folder, authority, ca_file, f"{prefix}server", names, None, None)


def _issue(
    folder: Path, authority: trustme.CA, ca_file: Path, name: str, names: tuple[str, ...], not_before: datetime | None,
    not_after: datetime | None,
) -> TestCertificate:  # fmt: skip
    leaf = authority.issue_cert(*(names or ("localhost", "127.0.0.1")), not_before=not_before, not_after=not_after)
    made = TestCertificate(ca_file, folder / f"{name}-chain.pem", folder / f"{name}-key.pem", authority)
    made.certificate.write_bytes(b"".join(part.bytes() for part in leaf.cert_chain_pems))
    made.key.touch(mode=0o600)
    leaf.private_key_pem.write_to_path(made.key)
    return made
