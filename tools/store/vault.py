"""Seals, blind indexes and content hashes of one tenant: AES-256-GCM and HMAC-SHA-256 under the tenant's own keys."""

from __future__ import annotations

import hashlib
import json
import os
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic_core import PydanticSerializationError, from_json, to_json

from tools.store.errors import SealBroken

KEY_BYTES = 32
KEY_ID_BYTES = 8
_NONCE = 12
_VERSION = b"\x01"
_HEAD = len(_VERSION) + KEY_ID_BYTES + _NONCE
_SEARCH_DIGEST = 8  # 64 bits: short, since every page writes thousands of them all over an index; hits are compared
_DIGEST = 16  # 128 bits: enough that no two contents of one tenant ever meet

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def canonical_json(value: object) -> bytes:
    """The same bytes for the same value, whatever the order of its keys. TypeError where it is not JSON."""
    return _encode(value).encode("utf-8", "surrogatepass")


class RowJson:
    """Flat rows as JSON with their keys in one order, so that equal rows are equal bytes.

    Rows of a page share their columns, so the order is worked out once for each set of columns.
    """

    def __init__(self) -> None:
        self._orders: dict[
            tuple[str, ...], tuple[tuple[str, ...], Callable[[Mapping[str, object]], Iterable[object]]]
        ] = {}

    def encode(self, row: Mapping[str, object]) -> bytes:
        """TypeError or ValueError where a value is not JSON."""
        names = tuple(row)
        order = self._orders.get(names)
        if order is None:
            order = self._orders[names] = _in_order(names)
        ordered, pick = order
        flat = dict(zip(ordered, pick(row), strict=True))
        try:
            return to_json(flat)
        except PydanticSerializationError:  # half a surrogate pair, as a torn UTF-16 text has it
            return canonical_json(flat)


def _in_order(names: tuple[str, ...]) -> tuple[tuple[str, ...], Callable[[Mapping[str, object]], Iterable[object]]]:
    """The names in their order, and a function that picks a row's values in it."""
    ordered = tuple(sorted(names))
    if len(ordered) < 2:  # a single value comes without a tuple around it
        return ordered, lambda row: [row[name] for name in ordered]
    return ordered, itemgetter(*ordered)


def read_json(data: bytes) -> object:
    """The value of what `RowJson` or `canonical_json` wrote."""
    try:
        value: object = from_json(data)
    except ValueError:  # the torn text above
        value = json.loads(data)
    return value


class _Hmac:
    """HMAC-SHA-256 under one key, its two keyed halves computed once."""

    def __init__(self, key: bytes) -> None:
        block = key.ljust(64, b"\x00")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def behind(self, start: bytes) -> _Hmac:
        """The digests of what begins with `start`, given what follows it."""
        made = _Hmac.__new__(_Hmac)
        made._inner, made._outer = self._inner.copy(), self._outer
        made._inner.update(start)
        return made

    def digest(self, data: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.digest()


def normalised(value: str) -> str:
    """A value as it is looked for: composed, casefolded, without blanks around it."""
    if value.isascii():
        return value.strip().lower()
    return unicodedata.normalize("NFC", value).strip().casefold()


class Vault:
    """One tenant's keys in use.

    A sealed value is version, key id, nonce and ciphertext; tenant, key id and `place` (which table, row and column it
    belongs to) are associated data, so a value moved elsewhere does not open. Older keys still open what they sealed.
    """

    def __init__(self, tenant: str, sealing: Mapping[bytes, bytes], current: bytes, index_key: bytes) -> None:
        self.tenant = tenant
        self._ciphers = {key_id: AESGCM(key) for key_id, key in sealing.items()}
        self._bound = {key_id: tenant.encode() + b"\x00" + key_id + b"\x00" for key_id in sealing}
        self._cipher, self._current = self._ciphers[current], current
        self._head, self._aad = _VERSION + current, self._bound[current]
        derive = _Hmac(index_key).digest
        self._content = _Hmac(derive(b"patchbay content hash"))
        self._search = _Hmac(derive(b"patchbay blind index"))
        self._of_field: dict[str, Callable[[bytes], bytes]] = {}  # fields are few, their values many
        self._chain = _Hmac(derive(b"patchbay audit chain"))

    def seal(self, data: bytes, place: str) -> bytes:
        """Encrypt for that place."""
        nonce = os.urandom(_NONCE)
        return (
            self._head + nonce + self._cipher.encrypt(nonce, data, self._aad + place.encode("utf-8", "surrogatepass"))
        )

    def open(self, sealed: bytes, place: str) -> bytes:
        """Decrypt what was sealed for that place. Raises `SealBroken` for anything else."""
        key_id = bytes(sealed[1 : 1 + KEY_ID_BYTES])
        cipher = self._ciphers.get(key_id)
        if cipher is None or sealed[:1] != _VERSION:
            raise SealBroken(place.partition("|")[0])
        try:
            return cipher.decrypt(
                sealed[_HEAD - _NONCE : _HEAD],
                sealed[_HEAD:],
                self._bound[key_id] + place.encode("utf-8", "surrogatepass"),
            )
        except InvalidTag:
            raise SealBroken(place.partition("|")[0]) from None

    def seal_json(self, value: object, place: str) -> bytes:
        return self.seal(canonical_json(value), place)

    def open_json(self, sealed: bytes, place: str) -> object:
        value: object = json.loads(self.open(sealed, place))
        return value

    def content_hash(self, data: bytes) -> bytes:
        """Keyed: says whether two contents of this tenant are equal, and nothing else to who lacks the key."""
        return self._content.digest(data)[:_DIGEST]

    def blind_index(self, field: str, value: str) -> bytes:
        """What a sealed field is found by: equal for values that are equal once normalised, rarely for others too."""
        of_field = self._of_field.get(field)
        if of_field is None:
            of_field = self._of_field[field] = self._search.behind(
                f"{field}\x00".encode("utf-8", "surrogatepass")
            ).digest
        return of_field(normalised(value).encode("utf-8", "surrogatepass"))[:_SEARCH_DIGEST]

    def chain(self, previous: bytes, entry: bytes) -> bytes:
        """The next link of the audit trail."""
        return self._chain.digest(previous + entry)
