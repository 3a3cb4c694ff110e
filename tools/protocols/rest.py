"""Reads a JSON API the way its manifest describes it; knows no system by name."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass

from knowledge.errors import BadInput
from knowledge.manifest import Method, Paging
from tools.address import Address
from tools.credentials import missing_fields
from tools.errors import (
    CredentialsMissing,
    CredentialsRejected,
    EndpointMoved,
    Forbidden,
    PmsError,
    QuotaExhausted,
    RateLimited,
    TokenExpired,
    UnexpectedAnswer,
    UpstreamDown,
    WriteRefused,
    WrongDatabase,
)
from tools.protocols.http import SAFE_VERBS, HttpAnswer, HttpClient, open_http
from tools.protocols.json_path import scalar_at, value_at
from tools.resilience import retry_after_seconds

Json = Mapping[str, object]

_PLACE = re.compile(r"\{(\w+)\}")
_WORD = re.compile(r"\w+")

# What a manifest's `settings.errors` may call an answer, by fault code.
_ERRORS: dict[str, type[PmsError]] = {
    error.code: error
    for error in (
        CredentialsMissing, CredentialsRejected, TokenExpired, Forbidden, EndpointMoved, WrongDatabase, QuotaExhausted,
        UpstreamDown, WriteRefused,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a list: its records, the count that the answer claims, and the next page's address, where it says one."""

    records: tuple[Json, ...]
    total: int | None = None
    following: str | None = None


def base_url(address: Address, method: Method) -> str:
    """Scheme, host, port and base path of the service. Without a scheme, port 443 means https, else the method's first."""
    fallback = "https" if address.port == 443 or not method.schemes else method.schemes[0]
    return address.with_(scheme=address.scheme or fallback, user=None).url.rstrip("/")


def auth_headers(method: Method, credentials: Mapping[str, str], where: str) -> dict[str, str]:
    """The headers that prove who we are. Raises `CredentialsMissing` that names the fields."""
    if missing := missing_fields(method, credentials):
        raise CredentialsMissing(where, ", ".join(missing))
    known = {each.name: each.default for each in method.auth.ask if each.default is not None} | dict(credentials)
    headers = {"Accept": "application/json"}
    if method.auth.kind == "basic":
        pair = f"{known.get('username', '')}:{known.get('password', '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
    for name, template in method.auth.headers.items():
        value = fill(template, known)
        if value is None:
            continue
        if not str(value).isascii() or not str(value).isprintable():
            fields = ", ".join(sorted(places(template)))
            raise BadInput(f"credentials field {fields}", "holds what no header can carry.", "Copy it once more.")
        headers[name] = str(value)
    return headers


def open_rest(address: Address, method: Method, credentials: Mapping[str, str]) -> HttpClient:
    """The HTTP client of one practice, with its login, its limits and its own words for errors."""
    return open_http(
        base_url(address, method),
        headers=auth_headers(method, credentials, address.where),
        timeout_seconds=method.timeout_seconds,
        ca_file=credentials.get("ca_file"),
        limits=method.limits,
        explain=lambda answer: explained(answer, method),
    )


def explained(answer: HttpAnswer, method: Method) -> PmsError | None:
    """The error that an answer's own code names, by the manifest's `settings.errors`; None where status must tell.

    `settings.error` names the paths of code and message inside an error body.
    """
    paths = method.settings.get("error")
    if not isinstance(paths, dict) or answer.is_web_page:
        return None
    try:
        body = answer.json()
    except UnexpectedAnswer:
        return None
    told = str(scalar_at(body, str(paths.get("code", "error"))) or "")
    meanings = method.settings.get("errors")
    code = meanings.get(told) if isinstance(meanings, dict) else None
    if isinstance(code, str) and code in _ERRORS:
        return _ERRORS[code](answer.where, told)
    if isinstance(code, str) and code == RateLimited.code:
        return RateLimited(answer.where, told, retry_after_seconds(answer.headers.get("retry-after")))
    if answer.status not in {400, 409, 422} or not told:
        return None
    if answer.verb in SAFE_VERBS:
        return UnexpectedAnswer(answer.where, f"status {answer.status}")
    named = fields_named(str(scalar_at(body, str(paths.get("message", "message"))) or ""), method)
    return WriteRefused(answer.where, ", ".join([f"status {answer.status}", *named]))


def fields_named(message: str, method: Method) -> list[str]:
    """The manifest's fields that a refusal speaks of. Nothing else of it is repeated: it may quote any patient."""
    known = {name for stream in method.streams.values() for name in stream.fields}
    return [word for word in dict.fromkeys(_WORD.findall(message)) if word in known]


def listing(answer: HttpAnswer, paging: Paging, following: str | None = None) -> Listing:
    """The page inside an answer. Raises `UnexpectedAnswer` where the list is not where the manifest says."""
    body = answer.json()
    found = value_at(body, paging.records) if paging.records else body
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise UnexpectedAnswer(answer.where, f"no list of records at {paging.records or 'its root'}")
    total = scalar_at(body, paging.total) if paging.total else None
    link = scalar_at(body, following) if following else None
    count = total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None
    return Listing(tuple(found), count, str(link) if link else None)


def places(template: object) -> set[str]:
    """The names in braces of a template, which may be a text, a list or an object of templates."""
    if isinstance(template, str):
        return set(_PLACE.findall(template))
    if isinstance(template, Mapping):
        return {name for each in template.values() for name in places(each)}
    if isinstance(template, list | tuple):
        return {name for each in template for name in places(each)}
    return set()


def fill(template: object, values: Mapping[str, object]) -> object:
    """The template with its places filled; None where a place has no value.

    A text that is one place alone takes the value with its type; in an object, members without a value are left out.
    """
    if isinstance(template, Mapping):
        filled = {name: fill(each, values) for name, each in template.items()}
        return {name: value for name, value in filled.items() if value is not None}
    if isinstance(template, list | tuple):
        return [value for value in (fill(each, values) for each in template) if value is not None]
    if not isinstance(template, str):
        return template
    alone = _PLACE.fullmatch(template)
    if alone:
        return values.get(alone[1])
    if any(values.get(name) is None for name in _PLACE.findall(template)):
        return None
    return _PLACE.sub(lambda found: str(values[found[1]]), template)
