"""What a person types as an address, taken apart: `https://host/r4`, `postgresql://host/db`, `/srv/gdt`, `host:port`."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from pydantic import BaseModel, ConfigDict

from knowledge.errors import BadInput
from tools.text_file import named_path

MOST_LETTERS = 2000
KNOWN_SCHEMES = frozenset(
    [
        "http",
        "https",
        "postgresql",
        "postgres",
        "mysql",
        "mariadb",
        "mssql",
        "sqlite",
        "file",
        "mllp",
        "mllps",
        "sftp",
        "ftps",
        "ftp",
        "tcp",
    ]
)


class Address(BaseModel):
    """One address. `scheme` is None where only a host (and port) was given; `path` is a folder or file for `file`."""

    model_config = ConfigDict(frozen=True)

    text: str  # as typed, without any password
    scheme: str | None = None
    host: str | None = None
    port: int | None = None
    path: str = ""
    user: str | None = None

    @property
    def is_folder(self) -> bool:
        return self.scheme == "file"

    @property
    def database(self) -> str:
        """The database name of a database URL, "" where none was given."""
        return self.path.strip("/")

    @property
    def where(self) -> str:
        """Host and port, or the path: for messages."""
        if self.host is None:
            return self.path
        return f"{self.host}:{self.port}" if self.port else self.host

    def with_(self, **changes: object) -> Address:
        """The same address with parts changed and `text` written anew."""
        changed = self.model_copy(update=changes)
        return changed.model_copy(update={"text": changed.url})

    @property
    def url(self) -> str:
        """The address as a URL, without a password: read again it is the same address."""
        path = self.path.replace("%", "%25")
        if self.scheme in {"file", "sqlite"}:
            return f"{self.scheme}://{path}"
        path = path.replace("?", "%3F").replace("#", "%23")
        user = f"{quote(self.user)}@" if self.user else ""
        scheme = f"{self.scheme}://" if self.scheme else ""
        host = f"[{self.host}]" if self.host and ":" in self.host else self.host or ""
        return f"{scheme}{user}{host}{f':{self.port}' if self.port else ''}{path}"


def parse_address(text: str) -> Address:
    """Take an address apart. Raises `BadInput` with the mend. A password inside it is refused, never kept."""
    stripped = text.strip()
    if not stripped or not stripped.isprintable() or not unquote(stripped).isprintable():
        raise BadInput("address", "it is empty or holds control characters.", "Give a URL, a host or a folder.")
    if len(stripped) > MOST_LETTERS:
        raise BadInput("address", f"it is longer than {MOST_LETTERS} letters.", "Give a URL, a host or a folder.")
    if "://" not in stripped:
        return _without_scheme(stripped)
    scheme = stripped.partition("://")[0].lower()
    if scheme not in KNOWN_SCHEMES:
        raise BadInput(
            "address", f"the scheme {scheme!r} is not known.", f"Use one of {', '.join(sorted(KNOWN_SCHEMES))}."
        )
    return _with_scheme(stripped, "postgresql" if scheme == "postgres" else scheme)


def require_local(address: Address) -> None:
    """Raises `BadInput` where an address names a folder or file of this machine that is not there."""
    if address.scheme in {"file", "sqlite"} and not _is_there(address.path):
        raise BadInput(
            f"address {address.path}", "there is no such file or folder here.", "Check the path; is the share mounted?"
        )


def _with_scheme(text: str, scheme: str) -> Address:
    if scheme in {"file", "sqlite"}:
        # sqlite:///relative and sqlite:////absolute, as SQLAlchemy writes them; file:///absolute
        path = unquote(text.partition("://")[2])
        path = (
            path[1:]
            if scheme == "sqlite" and path.startswith("/") and not path.startswith("//") and not _is_there(path)
            else path
        )
        return _folder(path.replace("//", "/", 1) if path.startswith("//") else path, scheme, text)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # its words would quote what stands there, and that may be a password
        raise BadInput("address", "its host or port is malformed.", "Write it as scheme://host:port/path.") from None
    if parts.password or ":" in unquote(parts.username or ""):
        raise BadInput("address", "it contains a password.", "Put it into a credentials file (--credentials FILE).")
    if parts.query or parts.fragment:
        raise BadInput(
            "address",
            "it has a part behind ? or # that would be lost.",
            "Leave it out; a secret belongs into a credentials file.",
        )
    _check_host(parts.hostname, port)
    user = unquote(parts.username) if parts.username else None
    address = Address(text="", scheme=scheme, host=parts.hostname, port=port, path=unquote(parts.path), user=user)
    return address.with_()


def _check_host(host: str | None, port: int | None) -> None:
    form = "Write it as scheme://host:port/path."
    if not host:
        raise BadInput("address", "it names no host.", form)
    if port == 0:
        raise BadInput("address", "nothing can listen at port 0.", form)
    try:
        well_formed = " " not in host and bool(host.rstrip(".").encode("idna"))
    except UnicodeError:  # an empty label, one of more than 63 letters, or signs that no name may have
        well_formed = False
    if not well_formed:
        raise BadInput("address", f"{host[:80]!r} is no name of a host.", form)


def _without_scheme(text: str) -> Address:
    if text.startswith(("/", "./", "../", "~")) or "\\" in text or _is_there(text):
        return _folder(text, "file", text)
    if " " in text:
        raise BadInput("address", "it contains a blank.", "Give a URL, a host, host:port, or a path in quotes.")
    return _with_scheme(f"tcp://{text}", "tcp").with_(scheme=None)


def _is_there(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # longer than any name may be
        return False


def _folder(path: str, scheme: str, typed: str) -> Address:
    if (not path.strip("/") and scheme == "sqlite") or not path:
        raise BadInput("address", f"{typed!r} names no path.", "Write file:///folder or sqlite:///FILE.")
    where = named_path("address", path, "Write file:///folder or sqlite:///FILE.").absolute()
    return Address(text="", scheme=scheme, path=str(where)).with_()
