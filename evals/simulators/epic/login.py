"""SMART backend services, the server's side: assertions checked to the letter, tokens that end. Source: systems.md 4.2.

Signatures are checked with bare `cryptography`; no JWT library stands here, so that none is shared with who signs.
"""

import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MOST_SECONDS_AHEAD = 300
LEEWAY_SECONDS = 5
P384_BYTES = 48

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class InvalidClient(Exception):
    """The assertion proves nothing; the text is the `error_description`."""


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Raises ValueError."""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except BadBase64 as error:
        raise ValueError("not base64url") from error


def public_jwk(key: PublicKey, key_id: str) -> dict[str, str]:
    """A public key as a JSON Web Key, as a client registers it."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        size = (key.key_size + 7) // 8
        n, e = numbers.n.to_bytes(size, "big"), numbers.e.to_bytes(3, "big")
        return {"kty": "RSA", "kid": key_id, "alg": "RS384", "use": "sig", "n": base64url(n), "e": base64url(e)}
    point = key.public_numbers()
    x, y = (value.to_bytes(P384_BYTES, "big") for value in (point.x, point.y))
    return {
        "kty": "EC", "crv": "P-384", "kid": key_id, "alg": "ES384", "use": "sig", "x": base64url(x), "y": base64url(y)
    }  # fmt: skip


def key_of(jwk: dict[str, str]) -> PublicKey:
    """The public key of a JSON Web Key."""

    def number(name: str) -> int:
        return int.from_bytes(from_base64url(jwk[name]), "big")

    if jwk["kty"] == "RSA":
        return rsa.RSAPublicNumbers(number("e"), number("n")).public_key()
    return ec.EllipticCurvePublicNumbers(number("x"), number("y"), ec.SECP384R1()).public_key()


def check_signature(jwk: dict[str, str], algorithm: str, signed: bytes, signature: bytes) -> bool:
    """RS384 or ES384 and nothing else; a key serves only its own algorithm."""
    key = key_of(jwk)
    try:
        if algorithm == "RS384" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), SHA384())
            return True
        if algorithm == "ES384" and isinstance(key, ec.EllipticCurvePublicKey) and len(signature) == 2 * P384_BYTES:
            r, s = (int.from_bytes(part, "big") for part in (signature[:P384_BYTES], signature[P384_BYTES:]))
            key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA384()))
            return True
    except InvalidSignature:
        return False
    return False


@dataclass(eq=False)
class Token:
    """An access token: until when (server's clock, seconds), for what, and how many calls are left where a fault counts them."""

    ends_at: float
    scopes: frozenset[str]
    calls_left: int | None = None

    def allows(self, kind: str, letter: str) -> bool:
        """Whether some scope gives this right (c, r, u, d or s) on a resource type."""
        return any(named in ("*", kind) and letter in letters for named, letters in map(taken_apart, self.scopes))


@dataclass(eq=False)
class TokenServer:
    """The clients of one practice. `registered` maps client ids to their JWK Sets (keys by kid)."""

    audience: str
    registered: dict[str, dict[str, dict[str, str]]]
    offered: dict[str, str]  # resource type to the letters of what a client may do there, out of "cruds"
    life_seconds: int = 300
    clock: Callable[[], float] = time.time
    calls_per_token: int | None = None
    tokens: dict[str, Token] = field(default_factory=dict)
    repeated_jti: int = 0
    _used: dict[str, float] = field(default_factory=dict)

    def check_assertion(self, assertion: str) -> str:
        """The client id of a valid assertion; its `jti` is spent. Raises `InvalidClient`."""
        header, claims, signed, signature = _taken_apart(assertion)
        client = str(claims.get("iss") or "")
        jwk = self.registered.get(client, {}).get(str(header.get("kid") or ""))
        if claims.get("sub") != client or jwk is None:
            raise InvalidClient("The client or its key is not registered.")
        if not check_signature(jwk, str(header.get("alg")), signed, signature):
            raise InvalidClient("The signature does not verify.")
        self._check_claims(claims)
        return client

    def _check_claims(self, claims: dict[str, Any]) -> None:
        now, exp, jti = self.clock(), claims.get("exp"), claims.get("jti")
        if claims.get("aud") != self.audience:
            raise InvalidClient("aud is not this token endpoint.")
        if not isinstance(exp, int) or isinstance(exp, bool):
            raise InvalidClient("exp is missing.")
        if exp <= now - LEEWAY_SECONDS:
            raise InvalidClient("The assertion has expired.")
        if exp > now + MOST_SECONDS_AHEAD + LEEWAY_SECONDS:
            raise InvalidClient("exp lies more than five minutes ahead.")
        if not isinstance(jti, str) or not jti:
            raise InvalidClient("jti is missing.")
        self._used = {used: until for used, until in self._used.items() if until > now}
        if jti in self._used:
            self.repeated_jti += 1
            raise InvalidClient("This jti was used before.")
        self._used[jti] = float(exp) + LEEWAY_SECONDS

    def issue(self, wanted: str) -> tuple[str, Token] | None:
        """A token for those of the wanted scopes that are offered; None where none is."""
        granted = frozenset(scope for scope in wanted.split() if self._offers(scope))
        if not granted:
            return None
        name = secrets.token_urlsafe(24)
        self.tokens[name] = Token(self.clock() + self.life_seconds, granted, self.calls_per_token)
        return name, self.tokens[name]

    def _offers(self, scope: str) -> bool:
        kind, letters = taken_apart(scope)
        if kind == "*":
            return bool(letters) and letters <= {"r", "s"}
        return bool(letters) and letters <= set(self.offered.get(kind, ""))

    def use(self, name: str) -> Token | None:
        """The token of that name if it still holds, one call spent."""
        token = self.tokens.get(name)
        if token is None or token.ends_at <= self.clock() or token.calls_left == 0:
            self.tokens.pop(name, None)
            return None
        if token.calls_left is not None:
            token.calls_left -= 1
        return token


def taken_apart(scope: str) -> tuple[str, set[str]]:
    """Resource type and letters of a system scope, in either spelling (`system/Patient.rs`, `system/Patient.read`)."""
    context, _, rest = scope.partition("/")
    kind, _, rights = rest.partition("?")[0].partition(".")
    if context != "system" or not kind:
        return "", set()
    named = {"read": "rs", "write": "cud", "*": "cruds"}.get(rights, rights)
    return kind, set(named) if set(named) <= set("cruds") else set()


def _taken_apart(assertion: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    try:
        head, body, signature = assertion.split(".")
        header, claims = json.loads(from_base64url(head)), json.loads(from_base64url(body))
        if not isinstance(header, dict) or not isinstance(claims, dict):
            raise ValueError("no objects")
        return header, claims, f"{head}.{body}".encode(), from_base64url(signature)
    except ValueError as error:
        raise InvalidClient("The assertion is no JWT.") from error
