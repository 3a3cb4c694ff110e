"""A Dental Suite practice: its truth, its login, and what it may suffer."""

import math
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from evals.simulators.dental_suite.export import write_export
from evals.simulators.dental_suite.rows import Files, Row
from evals.simulators.face import Face, UnknownFault
from evals.simulators.practice import TruthRow
from evals.simulators.serving import Port
from evals.simulators.work import Change

VERSION = "3.8.1"
LISTS = ("patients", "appointments", "staff", "rooms", "services")

CARRIED: Mapping[str, Sequence[str]] = {
    "Patient": [
        *("id", "last_name", "first_name", "birth_date", "sex", "address_line1", "postal_code", "city"),
        *("phone_home", "phone_mobile", "email", "updated_at"),
    ],
    "Coverage": ["id", "patient_id", "plan_type", "member_id"],
    "Appointment": [
        *("id", "patient_id", "provider_id", "operatory_id", "start", "end", "status", "notes", "updated_at"),
    ],
    "Provider": [
        *("id", "title", "last_name", "first_name", "abbreviation", "specialty", "national_provider_id", "phone"),
        *("email", "active"),
    ],
    "Operatory": ["id", "name", "abbreviation", "is_hygiene", "active"],
    "TreatmentCode": [
        *(
            "code",
            "code_system",
            "description",
            "abbreviation",
            "category",
            "points",
            "price",
            "valid_from",
            "valid_to",
        ),
    ],
}
WORK = (
    *(("Patient", kind) for kind in ("new", "changed", "merged", "deleted")),
    *(("Appointment", kind) for kind in ("new", "changed", "moved", "cancelled", "deleted")),
)


class Gateway:
    """So many calls in so many seconds; after that, how long to wait."""

    def __init__(self, calls: int, seconds: int) -> None:
        self.calls, self.seconds = calls, seconds
        self._began, self._used = time.monotonic(), 0

    def wait(self) -> int:
        """Whole seconds to wait before the next call, 0 where this one may pass."""
        now = time.monotonic()
        if now - self._began >= self.seconds:
            self._began, self._used = now, 0
        self._used += 1
        return max(1, math.ceil(self.seconds - (now - self._began))) if self._used > self.calls else 0


@dataclass(eq=False)
class DentalSuite(Face):
    """Faults: `auth.forbidden` takes `resource` (patients, staff …); `auth.credentials_rejected` an optional new `password`;
    `rate.limited` `retry_after` seconds and `requests` allowed in them; `upstream.slow` `seconds`; `schema.column_renamed`
    `from` and `to`; `data.silent_zero` an optional `resource`."""

    system: ClassVar[str] = "dental_suite"
    carried: ClassVar[Mapping[str, Sequence[str]]] = CARRIED
    work_kinds: ClassVar[Sequence[tuple[str, str]]] = WORK
    fault_codes: ClassVar[frozenset[str]] = frozenset(
        {
            "net.refused",
            "net.proxy_interference",
            "auth.credentials_rejected",
            "auth.forbidden",
            "rate.limited",
            "upstream.slow",
            "upstream.down",
            "schema.column_renamed",
            "data.silent_zero",
        }
    )

    username: str = "patchbay"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    gateway: Gateway | None = None
    data: Port | None = None
    export_folder: Path | None = None
    files: Files = field(init=False)
    _password_before: str | None = None

    def __post_init__(self) -> None:
        self.files = Files(self.practice)

    async def pass_night(self) -> None:
        """Write the export anew."""
        if self.export_folder is not None:
            write_export(self.files, self.export_folder)

    def truth(self, entity: str) -> list[TruthRow]:
        return self.files.coverage_truth() if entity == "Coverage" else super().truth(entity)

    async def work(self, count: int, *, ordinary: bool = False) -> list[Change]:
        """Work; visits of a patient who was merged are moved to the survivor, so each of them counts as changed."""
        before = {visit.id: self.practice.survivor(visit.patient_id) for visit in self.practice.appointments.values()}
        changes = await super().work(count, ordinary=ordinary)
        for visit in self.practice.appointments.values():
            if before.get(visit.id, visit.patient_id) != self.practice.survivor(visit.patient_id):
                self.practice.touch(visit)
        return changes

    async def start_fault(self, code: str, parameters: Mapping[str, object]) -> None:
        self._check(code, parameters)
        await super().start_fault(code, parameters)
        if code == "auth.credentials_rejected":
            self._password_before = self._password_before or self.password
            self.password = str(parameters.get("password") or secrets.token_urlsafe(12))
        if code == "rate.limited":
            self.gateway = Gateway(_whole(parameters, "requests", 3), _whole(parameters, "retry_after", 60))
        if code == "net.refused" and self.data is not None:
            await self.data.close()

    def _check(self, code: str, parameters: Mapping[str, object]) -> None:
        needed = {"auth.forbidden": ("resource",), "schema.column_renamed": ("from", "to")}.get(code, ())
        for name in needed:
            if not isinstance(parameters.get(name), str):
                raise UnknownFault(f"The fault {code} needs the parameter {name!r}.")
        if parameters.get("resource", LISTS[0]) not in LISTS:
            raise UnknownFault(f"There is no list {parameters['resource']!r}; there are {', '.join(LISTS)}.")
        for name in ("requests", "retry_after"):
            _whole(parameters, name, 1)

    async def end_faults(self) -> None:
        """Everything as before; also the password."""
        await super().end_faults()
        self.gateway = None
        if self._password_before is not None:
            self.password, self._password_before = self._password_before, None
        if self.data is not None:
            await self.data.open()

    def renamed(self, row: Row) -> Row:
        """A row with the key renamed that `schema.column_renamed` names."""
        fault = self.faults.get("schema.column_renamed")
        if fault is None:
            return row
        return {str(fault["to"]) if key == fault["from"] else key: value for key, value in row.items()}


def _whole(parameters: Mapping[str, object], name: str, default: int) -> int:
    value = parameters.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UnknownFault(f"The parameter {name!r} is a whole number from 1.")
    return value
