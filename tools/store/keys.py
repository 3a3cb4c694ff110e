"""The master key and the tenants' keys that it wraps."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from knowledge.errors import BadInput
from tools.store.errors import KeyWrong
from tools.store.settings import Settings
from tools.store.vault import KEY_BYTES, KEY_ID_BYTES


@dataclass(frozen=True)
class MasterKey:
    """The key that wraps all others, and where it came from (never printed)."""

    secret: bytes
    source: str

    def __repr__(self) -> str:
        return f"MasterKey({self.id})"

    @property
    def id(self) -> str:
        """Names the key without telling it."""
        return hashlib.sha256(b"patchbay master key" + self.secret).hexdigest()[:16]


def find_master_key(settings: Settings) -> MasterKey | None:
    """The key of the environment, else that of the home's file, else None. Raises `BadInput` where it is no key."""
    if settings.key is not None:
        return MasterKey(_decoded(settings.key, "PATCHBAY_KEY"), "PATCHBAY_KEY")
    try:
        text = settings.key_file.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(str(settings.key_file), "cannot be read as a key.", "Restore the key file.") from error
    return MasterKey(_decoded(text, str(settings.key_file)), str(settings.key_file))


def make_master_key(settings: Settings) -> MasterKey:
    """Write a new key, readable by its owner only; where another process was faster, take its key."""
    text = base64.b64encode(secrets.token_bytes(KEY_BYTES))
    partial = settings.key_file.with_name(f".master.{secrets.token_hex(4)}.key")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text + b"\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, settings.key_file)  # appears whole or not at all, and never over another one
    except FileExistsError:
        pass
    finally:
        partial.unlink()
    found = find_master_key(settings)
    assert found is not None
    return found


def make_home(home: Path) -> None:
    """The home folder, for its owner only. Raises `BadInput` where a file is in its place."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise BadInput(
            f"PATCHBAY_HOME {home}", "is a file, or lies in one, where a folder is needed.", "Name a folder."
        ) from error
    if home.stat().st_mode & 0o077:
        home.chmod(0o700)


def wrap(master: MasterKey, tenant: str, purpose: str, key_id: bytes, secret: bytes) -> bytes:
    """A tenant's key sealed by the master key, bound to tenant, purpose and both keys' ids."""
    nonce = os.urandom(12)
    return nonce + AESGCM(master.secret).encrypt(nonce, secret, _bound(master.id, tenant, purpose, key_id))


def unwrap(master: MasterKey, master_id: str, tenant: str, purpose: str, key_id: bytes, wrapped: bytes) -> bytes:
    """Raises `KeyWrong` where this is not the master key that wrapped it."""
    try:
        return AESGCM(master.secret).decrypt(wrapped[:12], wrapped[12:], _bound(master_id, tenant, purpose, key_id))
    except InvalidTag:
        raise KeyWrong(master.source, master_id) from None


def new_key() -> tuple[bytes, bytes]:
    """A random key id and a random key."""
    return secrets.token_bytes(KEY_ID_BYTES), secrets.token_bytes(KEY_BYTES)


def _bound(master_id: str, tenant: str, purpose: str, key_id: bytes) -> bytes:
    return "\x00".join((master_id, tenant, purpose, key_id.hex())).encode()


def _decoded(text: str, place: str) -> bytes:
    try:
        secret = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != KEY_BYTES:
        raise BadInput(place, "is not a key.", f"Give {KEY_BYTES} random bytes in base64.")
    return secret
