"""A FHIR R4 server's client: reads, searches by opaque links, creates; OperationOutcomes become typed errors.

Resources stay plain JSON: real servers commit small sins that a validating model would refuse. Source: HL7 FHIR R4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from knowledge.manifest import Method
from tools.address import Address
from tools.credentials import missing_fields
from tools.errors import (
    CredentialsMissing,
    CredentialsRejected,
    CursorLost,
    EndpointMoved,
    Forbidden,
    PmsError,
    QuotaExhausted,
    RateLimited,
    TokenExpired,
    UnexpectedAnswer,
    UpstreamDown,
    WriteRefused,
)
from tools.protocols.http import HttpAnswer, HttpClient, Params, open_http
from tools.protocols.rest import base_url
from tools.protocols.smart import BackendLogin
from tools.resilience import retry_after_seconds

Resource = Mapping[str, Any]
JSON = "application/fhir+json"
REDIRECTS = (301, 302, 303, 307, 308)
GONE = (404, 410)
MOST_PAGES = 10_000
_REFERENCE = re.compile(r"\b([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})")
_NUMBER = re.compile(r"\d{1,5}")  # what vendors number their errors by; anything longer could be a patient's
# HL7 FHIR R4, value set issue-type: a kind outside of it is the server's own word and is not repeated.
_KINDS = frozenset(
    [
        "invalid",
        "structure",
        "required",
        "value",
        "invariant",
        "security",
        "login",
        "unknown",
        "expired",
        "forbidden",
        "suppressed",
        "processing",
        "not-supported",
        "duplicate",
        "multiple-matches",
        "not-found",
        "deleted",
        "too-long",
        "code-invalid",
        "extension",
        "too-costly",
        "business-rule",
        "conflict",
        "transient",
        "lock-error",
        "no-store",
        "exception",
        "timeout",
        "incomplete",
        "throttled",
        "informational",
    ]
)
# What a manifest's `settings.errors` may call a vendor's code, by fault code.
_ERRORS: dict[str, type[PmsError]] = {
    error.code: error for error in (CredentialsRejected, Forbidden, QuotaExhausted, CursorLost, UpstreamDown)
}


@dataclass(eq=False)
class TokenRefused(TokenExpired):
    """A 401 to a token. The same token is not sent again, so the call as it stands is not worth repeating."""

    transient: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Issue:
    """One issue of an OperationOutcome; `codes` are the vendor's, `kind` is FHIR's own. Display, text and diagnostics
    may quote a patient: of these nothing is ever said on."""

    severity: str
    codes: tuple[str, ...]
    kind: str
    diagnostics: str


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of a search: what matched, the next page's opaque address, and the codes of warnings beside the matches."""

    resources: tuple[Resource, ...]
    following: str | None
    total: int | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """What reading one id showed: the resource, or that it is `deleted`, `merged_into` another, or `unknown`."""

    resource: Resource | None = None
    deleted: bool = False
    merged_into: str | None = None


class FhirClient:
    """One server. `login` gives the token for everything but metadata; without one the server is open."""

    def __init__(self, http: HttpClient, login: BackendLogin | None) -> None:
        self.http, self.login = http, login

    async def close(self) -> None:
        await self.http.close()

    async def metadata(self) -> Resource:
        """The CapabilityStatement, which needs no login. Raises `EndpointMoved` where none lies there."""
        answer = await self.http.get("/metadata")
        body = answer.json()
        if not isinstance(body, dict) or body.get("resourceType") != "CapabilityStatement":
            raise EndpointMoved(answer.where, "No CapabilityStatement lies there.")
        return body

    async def request(self, verb: str, path: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> HttpAnswer:  # fmt: skip
        """One call with a token. A 401 renews the token once; a fresh one that is refused is `CredentialsRejected`."""
        sent = {"Accept": JSON, **(headers or {})}
        if self.login is None:
            return await self.http.request(verb, path, headers=sent, **options)
        token = await self.login.token()
        try:
            return await self.http.request(verb, path, headers={**sent, "Authorization": f"Bearer {token}"}, **options)
        except TokenRefused:
            token = await self.login.token(refused=token)
        try:
            return await self.http.request(verb, path, headers={**sent, "Authorization": f"Bearer {token}"}, **options)
        except TokenRefused as refused:
            raise self.login.reject(refused.where) from refused

    async def search(self, kind: str, params: Params) -> SearchPage:
        """The first page of a search."""
        return searchset(await self.request("GET", f"/{kind}", params=params))

    async def follow(self, link: str) -> SearchPage:
        """A further page, at the opaque address that the page before gave. Raises `CursorLost` when its session ended."""
        return searchset(await self.request("GET", link))

    async def search_all(self, kind: str, params: Params) -> list[Resource]:
        """Every match, page after page."""
        page = await self.search(kind, params)
        found = list(page.resources)
        for _ in range(MOST_PAGES):
            if page.following is None:
                return found
            page = await self.follow(page.following)
            found += page.resources
        raise UnexpectedAnswer(self.http.base, "a search does not end")

    async def read(self, kind: str, id_: str) -> Found:
        """One resource by its id; a redirect or an outcome that names another is a merger."""
        answer = await self.request("GET", f"/{kind}/{id_}", accept=(*REDIRECTS, *GONE))
        if answer.status == 200:
            body = _object(answer)
            other = body.get("id") if body.get("id") != id_ else None
            return Found(resource=body, merged_into=str(other) if other else None)
        issues = issues_of(answer)
        if answer.status in REDIRECTS:
            survivor = _survivor(kind, [answer.headers.get("location", ""), *(each.diagnostics for each in issues)])
            if survivor is None or survivor == id_:
                raise EndpointMoved(answer.where, "It redirects, but not to another record.")
            return Found(merged_into=survivor)
        survivor = _survivor(kind, [each.diagnostics for each in issues])
        if survivor not in {None, id_}:
            return Found(merged_into=survivor)
        return Found(deleted=answer.status == 410)

    async def create(self, resource: Resource) -> str:
        """Write once; returns the new id. Raises `WriteRefused` with the kinds of its issues, or an error of the net."""
        kind = str(resource["resourceType"])
        answer = await self.request(
            "POST", f"/{kind}", json=dict(resource), headers={"Content-Type": JSON}, accept=(400, 405, 409, 412, 422)
        )
        if answer.status >= 400:
            raise WriteRefused(answer.where, said_of(issues_of(answer), f"status {answer.status}"))
        made = _REFERENCE.findall(answer.headers.get("location", ""))
        if made and made[-1][0] == kind:
            return str(made[-1][1])
        body = _object(answer) if answer.body else {}
        if not body.get("id"):
            raise UnexpectedAnswer(answer.where, "the answer to a create names no resource")
        return str(body["id"])


def open_fhir(address: Address, method: Method, credentials: Mapping[str, str]) -> FhirClient:
    """The client of one practice by its manifest. Raises `CredentialsMissing`, or `BadInput` for an unusable file."""
    if missing := missing_fields(method, credentials):
        raise CredentialsMissing(address.where, ", ".join(missing))
    meanings = method.settings.get("errors")
    known = {str(code): str(fault) for code, fault in meanings.items()} if isinstance(meanings, dict) else {}
    http = open_http(
        base_url(address, method),
        headers={"Accept": JSON},
        timeout_seconds=method.timeout_seconds,
        ca_file=credentials.get("ca_file"),
        limits=method.limits,
        explain=lambda answer: explained(answer, known),
    )
    scopes = method.settings.get("scopes")
    if method.auth.kind != "smart_backend":
        return FhirClient(http, None)
    return FhirClient(http, BackendLogin(http, credentials, scopes if isinstance(scopes, list) else ["system/*.rs"]))


def explained(answer: HttpAnswer, meanings: Mapping[str, str]) -> PmsError | None:
    """The error that a refusal's vendor code names, by the manifest's `errors`; None where its status must tell."""
    if answer.status == 401:
        return TokenRefused(answer.where)
    issues = issues_of(answer)
    for code, kind in ((code, each.kind) for each in issues for code in each.codes):
        fault, said = meanings.get(code), f"{code} {kind}".strip()
        if fault in _ERRORS:
            return _ERRORS[fault](answer.where, said)
        if fault == RateLimited.code:
            return RateLimited(answer.where, said, retry_after_seconds(answer.headers.get("retry-after")))
    if answer.status == 400 and issues:
        return UnexpectedAnswer(answer.where, said_of(issues, "status 400"))
    return None


def said_of(issues: Sequence[Issue], otherwise: str) -> str:
    """The vendor's numbers of the issues and their kinds in FHIR's words, or what we ourselves can say."""
    words = [" ".join([*filter(_NUMBER.fullmatch, each.codes), each.kind]).strip() for each in issues]
    return ", ".join(dict.fromkeys(filter(None, words))) or otherwise


def issues_of(answer: HttpAnswer) -> list[Issue]:
    """The issues of an OperationOutcome; nothing for any other body."""
    try:
        return outcome_issues(answer.json())
    except UnexpectedAnswer:
        return []


def outcome_issues(body: object) -> list[Issue]:
    """The issues of a parsed OperationOutcome; a malformed one has those that can be read."""
    if not isinstance(body, dict) or body.get("resourceType") != "OperationOutcome":
        return []
    found = []
    for each in _objects(body.get("issue")):
        details = each.get("details")
        details = details if isinstance(details, dict) else {}
        coding = list(_objects(details.get("coding")))
        codes = tuple(str(coded["code"]) for coded in coding if coded.get("code"))
        kind = str(each.get("code") or "")
        found.append(
            Issue(
                str(each.get("severity") or ""),
                codes,
                kind if kind in _KINDS else "",
                str(each.get("diagnostics") or ""),
            )
        )
    return found


def searchset(answer: HttpAnswer) -> SearchPage:
    """The page inside a searchset Bundle. An OperationOutcome in it is a warning, unless it says error or fatal."""
    body = _object(answer)
    if body.get("resourceType") != "Bundle":
        raise UnexpectedAnswer(answer.where, "no Bundle")
    matches: list[Resource] = []
    warnings: list[str] = []
    for entry in _objects(body.get("entry")):
        resource = entry.get("resource")
        if not isinstance(resource, dict):
            continue
        if resource.get("resourceType") == "OperationOutcome":
            warnings += _warnings(answer, resource)
        elif _mode(entry) != "include":
            matches.append(resource)
    links = {link.get("relation"): link.get("url") for link in _objects(body.get("link"))}
    total, following = body.get("total"), links.get("next")
    return SearchPage(
        tuple(matches),
        str(following) if following else None,
        total if isinstance(total, int) else None,
        tuple(warnings),
    )


def _warnings(answer: HttpAnswer, outcome: Resource) -> list[str]:
    issues = outcome_issues(outcome)
    if grave := [each for each in issues if each.severity in {"fatal", "error"}]:
        raise UnexpectedAnswer(answer.where, said_of(grave, "an OperationOutcome of severity error"))
    return [code for each in issues for code in each.codes]


def _mode(entry: Mapping[str, Any]) -> str:
    search = entry.get("search")
    return str(search.get("mode") or "match") if isinstance(search, dict) else "match"


def _survivor(kind: str, texts: Sequence[str]) -> str | None:
    return next((id_ for text in texts for found, id_ in _REFERENCE.findall(text) if found == kind), None)


def _objects(value: object) -> Iterable[dict[str, Any]]:
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def _object(answer: HttpAnswer) -> dict[str, Any]:
    body = answer.json()
    if not isinstance(body, dict):
        raise UnexpectedAnswer(answer.where, "no FHIR resource")
    return body
