"""An Epic organisation's FHIR server: the practice, its one registered client, its open searches and exports, its faults."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from evals.simulators.epic.bulk import Exports
from evals.simulators.epic.login import TokenServer
from evals.simulators.epic.search import Sessions
from evals.simulators.face import Counts, Face, UnknownFault
from evals.simulators.practice import TruthRow
from evals.simulators.records import Appointment, Document, Record
from evals.simulators.serving import Port
from evals.simulators.test_ca import TestCertificate, issue_certificate

VERSION = "May 2026"
GROUP_ID = "egroup-lakeside"
CLIENT_ID = "5f0c1d2e-patchbay-backend"

PATIENT = (
    "id chart_number title first_name middle_name last_name name_suffix preferred_name birth_name birth_date sex marital_status "
    "language national_id email phone_home phone_mobile phone_work address_line1 address_line2 city state postal_code country "
    "emergency_contact_name emergency_contact_phone primary_provider_id active deceased deceased_date"
)
APPOINTMENT = (
    "id patient_id provider_id location_id visit_type_id start end duration_minutes status confirmed reason notes "
    "cancellation_reason created_at"
)
COVERAGE = (
    "id patient_id priority payer_name payer_id plan_name plan_type member_id group_number group_name subscriber_id "
    "subscriber_name relationship start_date end_date active copay deductible"
)
CLAIM = (
    "id patient_id coverage_id provider_id claim_number claim_type service_date submitted_date billed_amount allowed_amount "
    "paid_amount patient_amount denial_reason status"
)


def fields(names: str) -> list[str]:
    return names.split()


CARRIED: dict[str, Sequence[str]] = {
    "Location": fields(
        "id name site_number address_line1 address_line2 city state postal_code country phone fax email timezone active"
    ),
    "Provider": fields(
        "id title first_name last_name full_name specialty license_number national_provider_id email phone active"
    ),
    "Patient": fields(PATIENT),
    "Coverage": fields(COVERAGE),
    "Appointment": fields(APPOINTMENT),
    "Document": fields("id patient_id author_id title category mime_type created_at uri size_bytes"),
    "Claim": fields(CLAIM),
}
KINDS = [(entity, kind) for entity in ("Patient", "Appointment") for kind in ("new", "changed", "deleted")]
KINDS += [("Patient", "merged"), ("Appointment", "moved"), ("Appointment", "cancelled"), ("Coverage", "changed")]


@dataclass(eq=False)
class LoginCounts(Counts):
    """Also what the token endpoint saw."""

    rejected_assertions: int = 0
    repeated_jti: int = 0

    def as_json(self) -> dict[str, object]:
        more = {"rejected_assertions": self.rejected_assertions, "repeated_jti": self.repeated_jti}
        return super().as_json() | more


@dataclass(eq=False)
class Epic(Face):
    """Faults: `auth.credentials_rejected` unregisters the client's key and ends its tokens; `auth.token_expired` ends all tokens
    now and, with `calls`, every further one after so many calls; `auth.forbidden` takes `resource` (Coverage …);
    `rate.limited` `requests` allowed in `retry_after` seconds; `upstream.slow` `seconds`; `data.silent_zero` an optional
    `resource`; `cursor.lost` ends search sessions and export jobs at once; `write.unconfirmed` ends with the next write;
    `tls.certificate_expired` shows a certificate that ended yesterday, `tls.untrusted` one of another authority,
    `auth.clock_skew` one that ended an hour ago, on a server whose clock is two hours behind.
    """

    system: ClassVar[str] = "epic"
    carried: ClassVar[Mapping[str, Sequence[str]]] = CARRIED
    work_kinds: ClassVar[Sequence[tuple[str, str]]] = KINDS
    fault_codes: ClassVar[frozenset[str]] = frozenset(
        {
            "net.refused",
            "net.proxy_interference",
            "tls.certificate_expired",
            "tls.untrusted",
            "auth.clock_skew",
            "auth.credentials_rejected",
            "auth.token_expired",
            "auth.forbidden",
            "rate.limited",
            "rate.quota_exhausted",
            "upstream.slow",
            "upstream.down",
            "cursor.lost",
            "data.silent_zero",
            "write.unconfirmed",
        }
    )

    prefix: str = ""
    login: TokenServer = field(default_factory=lambda: TokenServer("", {}, {}))
    sessions: Sessions = field(default_factory=Sessions)
    exports: Exports = field(default_factory=Exports)
    counts: LoginCounts = field(default_factory=LoginCounts)
    data: Port | None = None
    certificate: TestCertificate | None = None
    versions: dict[str, int] = field(default_factory=dict)  # "Patient/1001" → n of its ETag W/"n"
    _registered: dict[str, dict[str, dict[str, str]]] | None = None
    _calls: list[float] = field(default_factory=list)

    @property
    def base(self) -> str:
        """The FHIR base as it is seen from outside."""
        return (self.data.url if self.data else "") + self.prefix

    @property
    def oauth(self) -> str:
        """Where the login stands: beside `/api/FHIR/R4`."""
        return self.base.removesuffix("/api/FHIR/R4") + "/oauth2"

    def told(self, record: Record) -> TruthRow:
        """FHIR has no status for a confirmed or a running visit; documents lie at their Binary."""
        if isinstance(record, Appointment):
            return {"status": {"confirmed": "booked", "in_progress": "arrived"}.get(record.status, record.status)}
        return {"uri": f"Binary/{record.id}"} if isinstance(record, Document) else {}

    async def start_fault(self, code: str, parameters: Mapping[str, object]) -> None:
        _check(code, parameters)
        await super().start_fault(code, parameters)
        if code == "auth.credentials_rejected" and self._registered is None:
            self._registered, self.login.registered = self.login.registered, {}
        if code in ("auth.credentials_rejected", "auth.token_expired"):
            self.login.tokens.clear()
        if code == "auth.token_expired":
            calls = parameters.get("calls")
            self.login.calls_per_token = calls if isinstance(calls, int) else None
        if code == "cursor.lost":
            self.sessions.end_all()
            self.exports.end_all()
        if code == "net.refused" and self.data is not None:
            await self.data.close()
        if code in _CERTIFICATES and self.data is not None and self.certificate is not None:
            shown, ahead = _wrong_certificate(code, self.certificate)
            await self.data.present(shown.certificate, shown.key, ahead)

    async def end_faults(self) -> None:
        """Everything as before; the key is registered again."""
        if _CERTIFICATES & self.faults.keys() and self.data is not None and self.certificate is not None:
            await self.data.present(self.certificate.certificate, self.certificate.key)
        await super().end_faults()
        self.login.calls_per_token = None
        self._calls.clear()
        if self._registered is not None:
            self.login.registered, self._registered = self._registered, None
        if self.data is not None:
            await self.data.open()

    def throttle(self) -> int:
        """Seconds to wait before the next call; 0 where it may pass. Only the fault limits: the vendor publishes no figure."""
        fault = self.faults.get("rate.limited")
        if fault is None:
            return 0
        now, seconds = time.monotonic(), _whole(fault, "retry_after", 1)
        self._calls = [called for called in self._calls if now - called < seconds]
        if len(self._calls) >= _whole(fault, "requests", 3):
            return seconds
        self._calls.append(now)
        return 0

    def is_silent(self, kind: str) -> bool:
        fault = self.faults.get("data.silent_zero")
        return fault is not None and fault.get("resource", kind) == kind


_CERTIFICATES = frozenset({"tls.certificate_expired", "tls.untrusted", "auth.clock_skew"})


def _wrong_certificate(code: str, usual: TestCertificate) -> tuple[TestCertificate, float]:
    """What the server shows under a fault, and how far its clock is ahead (seconds)."""
    if code == "tls.untrusted":
        return issue_certificate(usual.ca_file.parent, prefix="other-"), 0.0
    now = datetime.now(UTC)
    ended, ahead = (now - timedelta(days=1), 0.0) if code != "auth.clock_skew" else (now - timedelta(hours=1), -7200.0)
    return usual.renewed("ended", now - timedelta(days=90), ended), ahead


def _check(code: str, parameters: Mapping[str, object]) -> None:
    if code == "auth.forbidden" and not isinstance(parameters.get("resource"), str):
        raise UnknownFault("The fault auth.forbidden needs the parameter 'resource', such as Coverage.")
    for name in ("requests", "retry_after", "calls"):
        _whole(parameters, name, 1)


def _whole(parameters: Mapping[str, object], name: str, default: int) -> int:
    value = parameters.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UnknownFault(f"The parameter {name!r} is a whole number from 1.")
    return value
