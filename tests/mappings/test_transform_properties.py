"""What holds for every value, not only for those that we thought of."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from knowledge.canonical import canonical_model
from mappings.compiled import compile_mapping
from mappings.records import PracticeFacts, RawRow
from mappings.schema import CodeMap, Concat, Copy, Date, Datetime, FieldMapping, Mapping, Number, Split, TableMapping
from mappings.transforms import Bad, Convert, Doubtful, compile_transform

BERLIN = PracticeFacts(time_zone="Europe/Berlin", country="DE")
FORMATS = ("%d.%m.%Y", "%Y-%m-%d", "%m/%d/%Y", "%Y%m%d", "%d%m%Y", "iso", "hl7", "%d-%b-%Y")
MODEL = canonical_model()
PATHS = [field.path for entity in MODEL.entities.values() for field in entity.fields.values()]
ANYTHING = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.datetimes() | st.binary()
)


@given(ANYTHING, st.sampled_from(PATHS))
def test_no_value_makes_a_copy_raise_and_every_answer_is_json(raw: object, path: str) -> None:
    outcome = compile_transform_of(path)(raw)
    assert outcome is None or isinstance(outcome, str | int | bool | Bad | Doubtful)


@given(st.dates(), st.sampled_from(FORMATS))
def test_a_date_comes_back_from_every_format(day: date, format_: str) -> None:
    mapping = one_pair("Patient.birth_date", Date(from_=format_))
    assert round_trip(mapping, "Patient", {"birth_date": day.isoformat()})["birth_date"] == day.isoformat()


@given(
    st.datetimes(datetime(1972, 1, 1), datetime(2037, 12, 31)), st.sampled_from(["UTC", "utc", "practice", "offset"])
)
def test_an_instant_comes_back_unless_its_clock_time_comes_twice(moment: datetime, zone: str) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    stated = moment.isoformat().replace("+00:00", "Z")
    mapping = one_pair("Appointment.start", Datetime(zone=zone))
    local = moment.astimezone(ZoneInfo("Europe/Berlin"))
    again = round_trip(mapping, "Appointment", {"start": stated})["start"]
    assert again == stated or (zone == "practice" and local.fold == 1)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**9), max_value=10**9))
def test_an_amount_comes_back_from_a_comma_and_from_cents(amount: Decimal) -> None:
    stated = format(amount if amount else abs(amount), "f")
    for transform in (Number(decimal=","), Number(divisor=100), Number()):
        mapping = one_pair("Charge.amount", transform)
        assert round_trip(mapping, "Charge", {"amount": stated})["amount"] == stated


@given(st.sampled_from(["male", "female", "other", "unknown"]))
def test_a_code_comes_back(word: str) -> None:
    mapping = one_pair("Patient.sex", CodeMap(map={"1": "male", "2": "female", "3": "other", "9": "unknown"}))
    assert round_trip(mapping, "Patient", {"sex": word})["sex"] == word


@given(st.datetimes(datetime(1990, 1, 1), datetime(2037, 12, 31)))
def test_a_time_of_two_columns_comes_back(moment: datetime) -> None:
    moment = moment.replace(second=0, microsecond=0, tzinfo=UTC)
    stated = moment.isoformat().replace("+00:00", "Z")
    parts = Datetime(from_="%d.%m.%Y %H:%M", parts=("DATUM", "VON"))
    fields = tuple(pair(column, "Appointment.start", parts) for column in ("DATUM", "VON"))
    again = round_trip(fields, "Appointment", {"start": stated})["start"]
    assert again == stated or moment.astimezone(ZoneInfo("Europe/Berlin")).fold == 1


@given(st.from_regex(r"\d{5}", fullmatch=True), st.from_regex(r"[A-ZÄÖÜ][a-zäöüß]{1,12}", fullmatch=True))
def test_a_split_column_is_joined_again(postal_code: str, city: str) -> None:
    fields = (pair("ORT", "Patient.city", Split(pattern=r"(?P<postal_code>\d{5})\s+(?P<city>.+)")),)
    again = round_trip(fields, "Patient", {"postal_code": postal_code, "city": city})
    assert (again["postal_code"], again["city"]) == (postal_code, city)


@given(st.from_regex(r"[A-Z][a-z]{2,9}", fullmatch=True), st.from_regex(r"[1-9][0-9]{0,2}", fullmatch=True))
def test_a_joined_address_falls_into_its_columns_again(street: str, number: str) -> None:
    join = Concat(columns=("STR", "NR"))
    fields = tuple(pair(column, "Patient.address_line1", join) for column in ("STR", "NR"))
    again = round_trip(fields, "Patient", {"address_line1": f"{street} {number}"})
    assert again["address_line1"] == f"{street} {number}"


def pair(column: str, path: str, transform: object) -> FieldMapping:
    entity, field = path.split(".")
    return FieldMapping.model_validate(
        {"table": "t", "column": column, "entity": entity, "field": field, "transform": transform}
    )


def one_pair(path: str, transform: object) -> tuple[FieldMapping, ...]:
    return (pair("V", path, transform),)


def round_trip(fields: tuple[FieldMapping, ...], entity: str, canonical: dict[str, object]) -> dict[str, object]:
    """to_raw, then apply: what a write would read back."""
    identity = tuple(
        pair("ID", f"{entity}.{name}", {"kind": "copy"}) for name in {"id", *MODEL.entities[entity].required}
    )
    table = TableMapping(table="t", key=("ID",), fields=(*identity, *fields))
    compiled = compile_mapping(Mapping(tables=(table,)), BERLIN)
    raw = compiled.to_raw("t", entity, canonical)  # type: ignore[arg-type]
    applied = compiled.apply("t", [RawRow("1", {"ID": "1", **raw})])
    assert not applied.notes
    return dict(applied.records[0].fields)


def compile_transform_of(path: str) -> Convert:
    return compile_transform(Copy(), MODEL.field(path), BERLIN)
