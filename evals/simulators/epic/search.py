"""Searches: which parameters each type takes, how much a caller must say, and pages behind opaque links whose session ends.

Which parameters there are is public (systems.md 2.1). Assumed: how many demographics are enough, that an appointment search by
date needs a location or a practitioner, and that a page holds 100 rows by default and 1000 at most.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from evals.simulators.epic.outcomes import Refused, issue, operation_outcome
from evals.simulators.epic.people import Resource
from evals.simulators.epic.resources import BUILDERS, ID_PREFIX, STATUSES, organization_resource
from evals.simulators.practice import Practice, shown
from evals.simulators.records import Patient, Record, State

Parameters = list[tuple[str, str]]
Test = Callable[[Any], bool]
Parameter = Callable[[Practice, str], Test]  # a parameter's value, read once, gives the test of a row
PAGE_ROWS, MOST_ROWS = 100, 1000
MOST_PATIENTS = 100
COMMON = frozenset(["_id", "_count", "_format"])
DATE = re.compile(r"(eq|lt|le|gt|ge)?(\d{4}-\d\d-\d\d)(T\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)?)?")


def ids(value: str) -> list[str]:
    """Ids of a reference parameter: `1001`, `Patient/1001`, or several with commas (which mean or)."""
    return [part.rpartition("/")[2] for part in value.split(",")]


def names(field_name: str) -> Parameter:
    """The start of a name, without regard to case."""

    def compile_(practice: Practice, value: str) -> Test:
        start = value.casefold()
        return lambda record: str(shown(record, field_name) or "").casefold().startswith(start)

    return compile_


def same(value_of: Callable[[Any], object], read: Callable[[str], str] = str) -> Parameter:
    """One of several values with commas (which mean or), each read by `read`."""

    def compile_(practice: Practice, value: str) -> Test:
        wanted = {read(part) for part in value.split(",")}
        return lambda record: str(value_of(record)) in wanted

    return compile_


def reference(value_of: Callable[[Any], object]) -> Parameter:
    return same(value_of, lambda part: part.rpartition("/")[2])


def token(value_of: Callable[[Any], object]) -> Parameter:
    """A code or identifier, with or without its system."""
    return same(value_of, lambda part: part.rpartition("|")[2])


def patient(practice: Practice, value: str) -> Test:
    wanted = set(ids(value))
    return lambda record: practice.survivor(record.patient_id) in wanted


def anywhere(practice: Practice, value: str) -> Test:
    part = value.casefold()
    return lambda record: part in f"{record.first_name} {record.last_name}".casefold()


def telephone(practice: Practice, value: str) -> Test:
    digits = re.sub(r"\D", "", value)[-10:]

    def test(record: Patient) -> bool:
        reached = [record.phone_home, record.phone_mobile, record.phone_work]
        return record.email == value or any(digits and (number or "").endswith(digits) for number in reached)

    return test


def on(field_name: str) -> Parameter:
    """A date or an instant against a field; a day means the whole day in the practice's zone."""

    def compile_(practice: Practice, value: str) -> Test:
        prefix, first, after = span(practice, value)
        fits: Callable[[datetime], bool] = {
            "eq": lambda moment: first <= moment < after,
            "lt": lambda moment: moment < first,
            "le": lambda moment: moment < after,
            "gt": lambda moment: moment >= after,
            "ge": lambda moment: moment >= first,
        }[prefix]

        def test(record: Any) -> bool:
            held = getattr(record, field_name)
            if held is None:
                return False
            at = held if isinstance(held, datetime) else datetime.combine(held, datetime.min.time())
            return fits(practice.utc(at) if at.tzinfo is None else at)

        return test

    return compile_


def span(practice: Practice, value: str) -> tuple[str, datetime, datetime]:
    """Prefix, first instant meant, first instant after. Refuses other prefixes than eq lt le gt ge (4115)."""
    found = DATE.fullmatch(value)
    try:
        if found is None:
            raise ValueError("no date")
        prefix, day, clock = found[1] or "eq", date.fromisoformat(found[2]), found[3]
        midnight = datetime.combine(day, datetime.min.time())
        if clock is None:
            return prefix, practice.utc(midnight), practice.utc(midnight + timedelta(days=1))
        moment = datetime.fromisoformat(f"{day}{clock}")
        moment = (practice.utc(moment) if moment.tzinfo is None else moment).astimezone(UTC)
    except ValueError:
        raise Refused("4115", f"{value!r} is no date this server reads.") from None
    return prefix, moment, moment + timedelta(seconds=1)


@dataclass(frozen=True)
class Rules:
    """The parameters of a type; `enough` lists what must be given together (one line of it), `_id` always is enough."""

    tests: dict[str, Parameter] = field(default_factory=dict)
    enough: tuple[frozenset[str], ...] = ()


def _alone(*parameters: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset([each]) for each in parameters)


DEMOGRAPHICS: dict[str, Parameter] = {
    "family": names("last_name"),
    "given": names("first_name"),
    "name": anywhere,
    "birthdate": same(lambda record: record.birth_date),
    "telecom": telephone,
    "phone": telephone,
    "email": same(lambda record: record.email),
    "address-postalcode": names("postal_code"),
    "gender": token(lambda record: record.sex),
}
RULES: dict[str, Rules] = {
    "Patient": Rules({"identifier": token(lambda record: record.chart_number), **DEMOGRAPHICS}, _alone("identifier")),
    "Appointment": Rules(
        {
            "patient": patient,
            "location": reference(lambda record: record.location_id),
            "practitioner": reference(lambda record: record.provider_id),
            "actor": patient,
            "date": on("start"),
            "status": same(lambda record: STATUSES.get(record.status, record.status)),
            "identifier": token(lambda record: record.id),
        },
        (
            *_alone("patient", "identifier", "actor"),
            frozenset(["date", "location"]),
            frozenset(["date", "practitioner"]),
        ),
    ),
    "Practitioner": Rules(
        {
            "family": names("last_name"),
            "given": names("first_name"),
            "name": names("last_name"),
            "identifier": token(lambda record: record.national_provider_id),
        },
        _alone("family", "name", "identifier"),
    ),
    "PractitionerRole": Rules(
        {"practitioner": reference(lambda record: record.id), "specialty": token(lambda record: record.specialty)},
        _alone("practitioner", "specialty"),
    ),
    "Coverage": Rules({"patient": patient, "beneficiary": patient}, _alone("patient", "beneficiary")),
    "ExplanationOfBenefit": Rules(
        {
            "patient": patient,
            "created": on("submitted_date"),
            "service-date": on("service_date"),
            "identifier": token(lambda record: record.claim_number),
        },
        _alone("patient", "identifier"),
    ),
    "DocumentReference": Rules(
        {"patient": patient, "subject": patient, "date": on("created_at")}, _alone("patient", "subject")
    ),
    "Location": Rules(),
    "Organization": Rules(),
    "Claim": Rules(),
    "Account": Rules(),
    "Binary": Rules(),
}


def search(practice: Practice, kind: str, parameters: Parameters) -> tuple[list[Resource], list[Resource]]:
    """All resources that match, and the warnings about the request. Raises `Refused`."""
    rules = RULES[kind]
    known = [(name, value) for name, value in parameters if name in rules.tests or name in COMMON]
    warnings = [issue("4122", name) for name, _ in parameters if name not in rules.tests and name not in COMMON]
    given = {name for name, _ in known} - {"_count", "_format"}
    if not given:
        raise Refused("4110")
    if "_id" not in given:
        _check_enough(kind, rules, given)
    if kind == "Organization":
        organization = organization_resource(practice)
        return [organization] if organization["id"] in ids(dict(known)["_id"]) else [], warnings
    tests = _tests(practice, kind, known)
    found = [record for record in living(practice, kind) if all(test(record) for test in tests)]
    if kind == "Patient" and len(found) > MOST_PATIENTS:
        raise Refused("4127")
    build = BUILDERS[kind][1]
    return [build(practice, record) for record in found], warnings


def living(practice: Practice, kind: str) -> Iterator[Record]:
    """The rows of a type that the wire still shows."""
    for record in practice.table(BUILDERS[kind][0]).values():
        if record.state is State.ACTIVE:
            yield record


def _check_enough(kind: str, rules: Rules, given: set[str]) -> None:
    if any(needed <= given for needed in rules.enough):
        return
    if kind == "Patient" and len(given & (set(DEMOGRAPHICS) - {"gender"})) >= 2:
        return
    if kind == "Patient":
        raise Refused("4111", "Not enough demographics: give an identifier, or two of name, birth date, contact.")
    raise Refused("4112" if given else "4111", f"Give one of: {'; '.join('+'.join(sorted(s)) for s in rules.enough)}.")


def _tests(practice: Practice, kind: str, given: Parameters) -> list[Test]:
    """The tests of these parameters, the cheap ones (in the order of the rules) first."""
    prefix = ID_PREFIX.get(kind, "")
    by_id = same(lambda record: prefix + record.id, lambda part: part.rpartition("/")[2])
    known = {"_id": by_id, **RULES[kind].tests}
    return [known[name](practice, value) for name in known for asked, value in given if asked == name]


@dataclass(eq=False)
class Sessions:
    """Results of searches that have further pages, for a while."""

    life_seconds: float = 600.0
    clock: Callable[[], float] = time.monotonic
    _open: dict[str, tuple[float, str, int, list[Resource]]] = field(default_factory=dict)

    def end_all(self) -> None:
        self._open.clear()

    def keep(self, kind: str, rows: int, found: list[Resource]) -> str:
        now = self.clock()
        self._open = {name: kept for name, kept in self._open.items() if kept[0] > now}
        name = f"36-{secrets.token_hex(12).upper()}"
        self._open[name] = (now + self.life_seconds, kind, rows, found)
        return name

    def page(self, kind: str, name: str, number: int) -> tuple[list[Resource], int, bool]:
        """One page of a session, the count of all, and whether more follow. Refuses an ended session (4113)."""
        until, of_kind, rows, found = self._open.get(name, (0.0, "", 1, []))
        if until <= self.clock() or of_kind != kind:
            raise Refused("4113")
        return found[(number - 1) * rows : number * rows], len(found), number * rows < len(found)


def bundle(
    base: str, kind: str, found: Iterable[Resource], total: int, warnings: list[Resource], next_link: str | None
) -> Resource:
    """A searchset. Nothing found is a warning inside it (4101), as any other."""
    entries: list[Resource] = [
        {"fullUrl": f"{base}/{kind}/{resource['id']}", "resource": resource, "search": {"mode": "match"}}
        for resource in found
    ]
    if not total:
        warnings = [issue("4101"), *warnings]
    if warnings:
        entries.append({"resource": operation_outcome(*warnings), "search": {"mode": "outcome"}})
    links = [{"relation": "self", "url": f"{base}/{kind}"}]
    if next_link:
        links.append({"relation": "next", "url": next_link})
    return {"resourceType": "Bundle", "type": "searchset", "total": total, "link": links, "entry": entries}
