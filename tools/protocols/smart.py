"""SMART backend services: a signed assertion buys a short-lived token. Source: HL7 SMART App Launch, backend services."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from knowledge.errors import BadInput
from tools.credentials import is_document
from tools.errors import CredentialsRejected, Forbidden, PmsError, ProxyInterference, RateLimited, UnexpectedAnswer
from tools.protocols.http import HttpAnswer, HttpClient, status_error
from tools.protocols.web_address import where_of

DISCOVERY = "/.well-known/smart-configuration"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 240  # at most 300 are allowed
EARLY_SECONDS = 60  # a token is renewed so long before its end, or after four fifths of a shorter life
MOST_SKEW_SECONDS = 300
LEAST_SKEW_SECONDS = 5

SigningKey = RSAKey | ECKey
_REJECTED = frozenset({"invalid_client", "invalid_grant"})
_FORBIDDEN = frozenset({"invalid_scope", "unauthorized_client", "access_denied", "unsupported_grant_type"})


def load_key(credentials: Mapping[str, str]) -> SigningKey:
    """The private key of `private_key_file` (PEM, the file or its contents): RSA signs RS384, an elliptic curve P-384 ES384. Raises `BadInput`."""
    place = "credentials file, field private_key_file"
    try:
        given = credentials["private_key_file"]
        pem = given if is_document(given) else Path(given).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(place, "the file cannot be read.", "Name the client's private key as a PEM file.") from error
    for kind in (RSAKey, ECKey):
        try:
            key: SigningKey = kind.import_key(pem)
        except (JoseError, ValueError, TypeError):
            continue
        if key.is_private and (isinstance(key, RSAKey) or key.curve_name == "P-384"):
            return key
    raise BadInput(place, "it holds no private RSA or P-384 key.", "Name the key that the vendor has registered.")


def sign_assertion(
    key: SigningKey, client_id: str, key_id: str, audience: str, now: float, jti: str | None = None
) -> str:
    """A client assertion (JWT), good for one use in the next four minutes; `now` is seconds since 1970."""
    algorithm = "RS384" if isinstance(key, RSAKey) else "ES384"
    claims: dict[str, Any] = {
        "iss": client_id, "sub": client_id, "aud": audience, "iat": int(now), "exp": int(now) + ASSERTION_SECONDS,
        "jti": jti or uuid4().hex,
    }  # fmt: skip
    return jwt.encode({"alg": algorithm, "kid": key_id, "typ": "JWT"}, claims, key, algorithms=[algorithm])


class BackendLogin:
    """The access token of one practice: kept in memory, renewed early, by one caller at a time.

    A rejected client is remembered: nothing is sent again with the same key. The server's clock is taken from its Date
    header and used for our assertions where it is off by at most five minutes.
    """

    def __init__(
        self,
        http: HttpClient,
        credentials: Mapping[str, str],
        scopes: Sequence[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http, self._scopes, self._clock = http, tuple(scopes), clock
        self._client_id, self._key_id = credentials["client_id"], credentials["key_id"]
        self._key = load_key(credentials)
        self._lock = asyncio.Lock()
        self._endpoint: str | None = None
        self._skew = 0.0
        self._token: str | None = None
        self._renew_at = 0.0
        self._ended_early = 0
        self._rejected: CredentialsRejected | None = None
        self.scopes_granted: frozenset[str] = frozenset()

    async def token(self, refused: str | None = None) -> str:
        """A token that still holds; `refused` is one that the server no longer takes, so another is bought."""
        async with self._lock:
            if self._rejected is not None:
                raise CredentialsRejected(self._rejected.where, self._rejected.detail)
            if refused is not None and self._token == refused and self._clock() < self._renew_at:
                self._ended_early += 1
            if self._token is None or self._token == refused or self._clock() >= self._renew_at:
                self._token = await self._buy()
            return self._token

    def take_ended_early(self) -> int:
        """How many tokens the server refused before their stated life had ended, since this was asked last."""
        count, self._ended_early = self._ended_early, 0
        return count

    def reject(self, where: str) -> CredentialsRejected:
        """A fresh token was refused: remember it, and hand back the error to raise."""
        self._rejected = CredentialsRejected(where, "A token just issued is not accepted.")
        return self._rejected

    async def endpoint(self) -> str:
        """The token endpoint, by the server's own SMART configuration. Raises `EndpointMoved` for another host."""
        if self._endpoint is None:
            answer = await self._http.get(DISCOVERY)
            found = answer.json()
            url = found.get("token_endpoint") if isinstance(found, dict) else None
            if not isinstance(url, str):
                raise UnexpectedAnswer(answer.where, "it names no token_endpoint")
            self._learn_skew(answer)
            self._endpoint = self._http.address(url)
        return self._endpoint

    async def _buy(self) -> str:
        url = await self.endpoint()
        assertion = sign_assertion(self._key, self._client_id, self._key_id, url, self._clock() + self._skew)
        form = {
            "grant_type": "client_credentials",
            "scope": " ".join(self._scopes),
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion,
        }
        answer = await self._http.request("POST", url, form=form, headers={"Accept": "application/json"}, raw=True)
        if answer.status != 200 or answer.is_web_page:
            error = token_error(answer)
            if isinstance(error, CredentialsRejected):
                self._rejected = error
            raise error
        return self._keep(answer)

    def _keep(self, answer: HttpAnswer) -> str:
        body = answer.json()
        token = body.get("access_token") if isinstance(body, dict) else None
        if not isinstance(token, str) or not token:
            raise UnexpectedAnswer(answer.where, "the token endpoint gave no token")
        life = body.get("expires_in", 300)
        seconds = float(life) if isinstance(life, int | float) and not isinstance(life, bool) else 300.0
        self._renew_at = self._clock() + seconds - min(EARLY_SECONDS, seconds / 5)
        self.scopes_granted = frozenset(str(body.get("scope") or " ".join(self._scopes)).split())
        return token

    def _learn_skew(self, answer: HttpAnswer) -> None:
        try:
            theirs = parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except ValueError:
            return
        skew = theirs - self._clock()
        self._skew = skew if LEAST_SKEW_SECONDS < abs(skew) <= MOST_SKEW_SECONDS else 0.0


def token_error(answer: HttpAnswer) -> PmsError:
    """The typed error of a token endpoint's refusal, by OAuth's own code (RFC 6749) before the status."""
    where = where_of(answer.url)
    if answer.is_web_page:
        return ProxyInterference(where, f"Status {answer.status} with a web page.")
    code = _oauth_code(answer)
    if code in _REJECTED:
        return CredentialsRejected(where, f"The token endpoint says {code}.")
    if code in _FORBIDDEN:
        return Forbidden(where, f"The token endpoint says {code}.")
    error = status_error(answer)
    return error if isinstance(error, RateLimited) or answer.status in {401, 403} or answer.status >= 500 else (
        UnexpectedAnswer(where, f"the token endpoint answered status {answer.status}{f', {code}' if code else ''}")
    )  # fmt: skip


def _oauth_code(answer: HttpAnswer) -> str:
    try:
        body = answer.json()
    except UnexpectedAnswer:
        body = {name: values[0] for name, values in parse_qs(answer.text).items()}
    code = body.get("error") if isinstance(body, dict) else None
    return code if isinstance(code, str) and code.replace("_", "").isalpha() else ""
