"""A Dentrix office: the practice, its keys, its limit, and what it may suffer."""

import math
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from evals.simulators.face import Face, UnknownFault
from evals.simulators.practice import TruthRow, as_json
from evals.simulators.records import Record
from evals.simulators.serving import Port

VERSION = "24.2.1"
CALLS_PER_MINUTE = 600

PATIENT = (
    "id chart_number title first_name middle_name last_name name_suffix preferred_name birth_date sex marital_status language "
    "national_id email phone_home phone_mobile phone_work address_line1 address_line2 city state postal_code country "
    "emergency_contact_name emergency_contact_phone employer occupation guarantor_id primary_provider_id location_id active "
    "deceased deceased_date first_visit_date last_visit_date balance notes created_at updated_at"
)
APPOINTMENT = (
    "id patient_id provider_id location_id operatory_id start end duration_minutes status confirmed is_new_patient reason notes "
    "cancellation_reason created_at updated_at"
)
COVERAGE = (
    "id patient_id priority payer_name payer_id plan_name plan_type member_id group_number group_name subscriber_id "
    "subscriber_name subscriber_birth_date relationship start_date end_date active copay annual_maximum deductible"
)
CHARGE = (
    "id patient_id provider_id location_id appointment_id service_date code code_system description diagnosis_code tooth surface "
    "quantity unit_amount amount currency status created_at updated_at"
)


def fields(names: str) -> list[str]:
    return names.split()


CARRIED: dict[str, Sequence[str]] = {
    "Location": fields(
        "id name site_number address_line1 address_line2 city state postal_code country phone fax email timezone active"
    ),
    "Operatory": ["id", "location_id", "name", "abbreviation", "is_hygiene", "active"],
    "Provider": fields(
        "id title first_name last_name full_name abbreviation specialty license_number national_provider_id email phone active"
    ),
    "Patient": fields(PATIENT),
    "Coverage": fields(COVERAGE),
    "Appointment": fields(APPOINTMENT),
    "TreatmentCode": fields("code code_system description abbreviation category price valid_from valid_to"),
    "Charge": fields(CHARGE),
    "Payment": ["id", "patient_id", "payer_name", "payment_date", "amount", "currency", "method", "reference", "notes"],
}


@dataclass(eq=False)
class Keys:
    """What a caller must present."""

    username: str = "patchbay"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    database: str = "DTXMAIN"
    api_key: str = field(default_factory=lambda: secrets.token_hex(16))


class Throttle:
    """So many calls in so many seconds for each API key; after that, how long to wait."""

    def __init__(self, calls: int, seconds: int) -> None:
        self.calls, self.seconds = calls, seconds
        self._windows: dict[str, tuple[float, int]] = {}

    def wait(self, key: str) -> int:
        """Whole seconds to wait before the next call, 0 where this one may pass."""
        now = time.monotonic()
        began, used = self._windows.get(key, (now, 0))
        if now - began >= self.seconds:
            began, used = now, 0
        if used >= self.calls:
            return max(1, math.ceil(self.seconds - (now - began)))
        self._windows[key] = (began, used + 1)
        return 0


@dataclass(eq=False)
class Dentrix(Face):
    """Faults: `auth.forbidden` takes `resource` (patients, appointments, ledger …); `auth.credentials_rejected` an optional new
    `password`; `rate.limited` `retry_after` seconds and `requests` allowed in them; `upstream.slow` `seconds`;
    `schema.column_renamed` `from` and `to`; `data.silent_zero` an optional `resource`; `write.unconfirmed` nothing: it ends
    with the next write."""

    system: ClassVar[str] = "dentrix"
    carried: ClassVar[Mapping[str, Sequence[str]]] = CARRIED
    fault_codes: ClassVar[frozenset[str]] = frozenset(
        {
            "net.refused",
            "net.proxy_interference",
            "auth.credentials_rejected",
            "auth.forbidden",
            "auth.session_limit",
            "rate.limited",
            "upstream.slow",
            "upstream.down",
            "schema.column_renamed",
            "write.unconfirmed",
            "data.silent_zero",
        }
    )

    keys: Keys = field(default_factory=Keys)
    throttle: Throttle = field(default_factory=lambda: Throttle(CALLS_PER_MINUTE, 60))
    data: Port | None = None
    _password_before: str | None = None

    def told(self, record: Record) -> TruthRow:
        """Stamps lose their offset on this wire: in the doubled hour they all mean the first."""
        practice = self.practice
        return {
            "created_at": as_json(practice.as_told_locally(record.created_at)),
            "updated_at": as_json(practice.as_told_locally(record.updated_at)),
        }

    async def start_fault(self, code: str, parameters: Mapping[str, object]) -> None:
        self._check(code, parameters)
        await super().start_fault(code, parameters)
        if code == "auth.credentials_rejected":
            self._password_before = self._password_before or self.keys.password
            self.keys.password = str(parameters.get("password") or secrets.token_urlsafe(12))
        if code == "rate.limited":
            self.throttle = Throttle(_whole(parameters, "requests", 3), _whole(parameters, "retry_after", 60))
        if code == "net.refused" and self.data is not None:
            await self.data.close()

    def _check(self, code: str, parameters: Mapping[str, object]) -> None:
        needed = {"auth.forbidden": ("resource",), "schema.column_renamed": ("from", "to")}.get(code, ())
        for name in needed:
            if not isinstance(parameters.get(name), str):
                raise UnknownFault(f"The fault {code} needs the parameter {name!r}.")
        for name in ("requests", "retry_after"):
            _whole(parameters, name, 1)

    async def end_faults(self) -> None:
        """Everything as before; also the password."""
        await super().end_faults()
        self.throttle = Throttle(CALLS_PER_MINUTE, 60)
        if self._password_before is not None:
            self.keys.password, self._password_before = self._password_before, None
        if self.data is not None:
            await self.data.open()

    def renamed(self, row: dict[str, object]) -> dict[str, object]:
        """A row with the key renamed that `schema.column_renamed` names."""
        fault = self.faults.get("schema.column_renamed")
        if fault is None:
            return row
        return {str(fault["to"]) if key == fault["from"] else key: value for key, value in row.items()}

    def unrenamed(self, row: dict[str, object]) -> dict[str, object]:
        """What a caller sends, under the names from before the renaming; the old name is unknown then."""
        fault = self.faults.get("schema.column_renamed")
        if fault is None:
            return row
        names = {str(fault["to"]): str(fault["from"]), str(fault["from"]): f"{fault['from']} (gone)"}
        return {names.get(key, key): value for key, value in row.items()}


def _whole(parameters: Mapping[str, object], name: str, default: int) -> int:
    value = parameters.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UnknownFault(f"The parameter {name!r} is a whole number from 1.")
    return value
