"""What columns need to become their fields, alone and together; what samples leave open is asked with every reading."""

from __future__ import annotations

import re

import pytest

from knowledge.canonical import canonical_model
from mappings.needs import column_needs, single_need
from mappings.placing import Need
from mappings.records import PracticeFacts
from mappings.schema import (
    Boolean,
    CodeMap,
    Column,
    Concat,
    Copy,
    Datetime,
    FieldMapping,
    Lookup,
    Number,
    Scalar,
    Schema,
    Split,
    Table,
    Transpose,
    Unit,
    Unpivot,
)  # fmt: skip
from mappings.transforms import Bad, compile_transform
from mappings.transforms.columns import reader_of

FIELD = canonical_model().field
PRACTICE = PracticeFacts("Europe/Berlin", "DE", "EUR")


def needs_of(**columns: tuple[str, list[Scalar]]) -> dict[str, Need]:
    """The needs of a table's columns, each given as target and samples."""
    table = Table(
        name="T", columns=tuple(Column(name=name, samples=tuple(values)) for name, (_, values) in columns.items())
    )
    targets = {("T", name): FIELD(target) for name, (target, _) in columns.items()}
    return {name: need for (_, name), need in column_needs(Schema(tables=(table,)), targets, PRACTICE).items()}


def made(need: Need, target: str, row: dict[str, Scalar], column: str) -> object:
    field = FIELD(target)
    pair = FieldMapping(table="T", column=column, entity=field.entity, field=field.name, transform=need.transform)
    read = reader_of(pair)
    return compile_transform(need.transform, field, PRACTICE)(read(row, {}) if read else row[column])


@pytest.mark.parametrize(
    ("target", "samples", "value", "converted"),
    [
        ("Prescription.right_sphere", [-225, 150, 0], -225, "-2.25"),
        ("Prescription.right_sphere", ["-2,25", "1,50"], "-2,25", "-2.25"),
        ("Prescription.pupillary_distance", ["6,2", "6,45"], "6,45", "64.5"),
        ("Prescription.pupillary_distance", ["62 mm", "6.3 cm"], "6.3 cm", "63"),
        ("Appointment.duration_minutes", [1800, 2700], 2700, 45),
        ("Appointment.duration_minutes", ["0,5", "1,5"], "0,5", 30),
        ("Appointment.duration_minutes", [30, 45, 60], 45, 45),
        ("Lens.refractive_index", [150, 167], 167, "1.67"),
        ("Frame.temple", ["13,5", "14"], "13,5", 135),
    ],
)
def test_a_unit_is_found_by_what_is_usual_of_the_field(
    target: str, samples: list[Scalar], value: Scalar, converted: object
) -> None:
    need = needs_of(X=(target, samples))["X"]
    assert need.doubt is None
    assert made(need, target, {"X": value}, "X") == converted


def test_a_unit_that_the_mapping_does_not_name_is_refused() -> None:
    need = needs_of(PD=("Prescription.pupillary_distance", ["62 mm", "63 mm"]))["PD"]
    assert isinstance(made(need, "Prescription.pupillary_distance", {"PD": "6.2 cm"}, "PD"), Bad)


def test_whole_amounts_may_be_cents_until_a_fraction_or_the_name_tells() -> None:
    amount = "Charge.amount"
    assert needs_of(X=(amount, [1250, 8999]))["X"].readings == (Copy(), Number(divisor=100))
    assert needs_of(X=(amount, [1250, 8999]))["X"].doubt is not None
    assert needs_of(X=(amount, [1250, 89.5]))["X"] == Need()
    assert needs_of(amount_cents=(amount, [1250, 8999]))["amount_cents"] == Need((Number(divisor=100),))


def test_slots_of_unknown_length_come_with_every_length() -> None:
    need = needs_of(SLOTS=("Appointment.duration_minutes", [3, 6, 9]))["SLOTS"]
    assert need.doubt is not None
    assert all(Unit(factor=factor) in need.readings for factor in ("5", "10", "15"))


def test_an_empty_text_beside_one_mark_means_no() -> None:
    need = needs_of(OK=("Appointment.confirmed", ["X", "", "X"]))["OK"]
    assert made(need, "Appointment.confirmed", {"OK": ""}, "OK") is False
    assert made(need, "Appointment.confirmed", {"OK": "X"}, "OK") is True


def test_which_way_a_flag_says_active_is_asked_where_its_name_is_unknown() -> None:
    assert needs_of(AKTIV=("Patient.active", [True, False]))["AKTIV"].doubt is None
    inactive = needs_of(inactive=("Patient.active", [True, False]))["inactive"]
    assert (inactive.doubt, inactive.transform) == (None, Boolean(invert=True))
    for unclear in ("qzx", "qzx_kz", "sin_uso"):
        assert len(needs_of(**{unclear: ("Patient.active", [True, False])})[unclear].readings) == 2


def test_a_day_and_an_hour_are_joined_and_both_orders_of_the_day_stay_open() -> None:
    start = "Appointment.start"
    sure = needs_of(D=(start, ["23.04.2026"]), H=(start, ["09:15"]))
    assert sure["D"] == sure["H"] == Need((Datetime(from_="%d.%m.%Y %H:%M", parts=("D", "H")),))
    american = needs_of(D=(start, ["04/23/2026"]), H=(start, ["02:15 PM"]))["H"]
    assert made(american, start, {"D": "04/23/2026", "H": "02:15 PM"}, "H") == "2026-04-23T12:15:00Z"
    both = needs_of(D=(start, ["03/04/2026"]), H=(start, ["09:15"]))["D"]
    assert both.doubt is not None
    assert [each.from_ for each in both.readings if isinstance(each, Datetime)] == ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"]


def test_a_day_whose_hour_shows_no_value_is_no_instant_yet() -> None:
    assert needs_of(D=("Appointment.start", ["23.04.2026"]), H=("Appointment.start", []))["D"].doubt is not None


def test_street_and_number_make_the_line_and_copies_of_one_value_do_not() -> None:
    line = "Patient.address_line1"
    parts = needs_of(STR=(line, ["Am Ring", "Weg"]), NR=(line, ["4", "15a"]))
    assert parts["STR"] == parts["NR"] == Need((Concat(columns=("STR", "NR")),))
    copies = needs_of(A=(line, ["Am Ring 4"]), B=(line, ["Am Ring 4"]))
    assert copies["A"] == Need()


def test_a_street_without_numbers_beside_a_column_of_them_is_asked() -> None:
    table = Table(name="T", columns=(
        Column(name="STR", samples=("Am Ring", "Lindenweg")), Column(name="N", samples=("4", "15a")),
    ))  # fmt: skip
    street = {("T", "STR"): FIELD("Patient.address_line1")}
    assert "N may hold them" in str(column_needs(Schema(tables=(table,)), street, PRACTICE)["T", "STR"].doubt)
    counted = {**street, ("T", "N"): FIELD("Coverage.priority")}
    assert column_needs(Schema(tables=(table,)), counted, PRACTICE)["T", "STR"] == Need()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Müller, Anna", (None, "Anna", "Müller")),
        ("Dr. Müller, Anna", ("Dr.", "Anna", "Müller")),
        ("Müller, Dr. med. Anna", ("Dr. med.", "Anna", "Müller")),
        ("von der Heide, Anna Maria", (None, "Anna Maria", "von der Heide")),
        ("Müller, Anna, Dr.", ("Dr.", "Anna", "Müller")),
    ],
)
def test_names_the_other_way_round_give_title_and_parts(text: str, parts: tuple[str | None, ...]) -> None:
    samples: list[Scalar] = ["Dr. Berg, Jörg", "Drexler, Uwe", text]
    transform = needs_of(N=("Patient.full_name", samples))["N"].transform
    assert isinstance(transform, Split)
    found = re.fullmatch(transform.pattern, text)
    assert found is not None
    assert (found["title"], found["first_name"], found["last_name"]) == parts


def test_a_last_name_in_capitals_tells_the_order() -> None:
    transform = needs_of(NOM=("Patient.full_name", ["DURAND Anne", "LE GALL Noël"]))["NOM"].transform
    assert isinstance(transform, Split)
    assert transform.pattern.startswith("(?P<last_name>")


def test_whole_names_in_a_last_name_leave_the_order_open() -> None:
    need = needs_of(N=("Patient.last_name", ["Anna Müller", "Uwe Berg"]))["N"]
    assert need.doubt is not None
    assert len(need.readings) == 2


@pytest.mark.parametrize(
    ("target", "samples", "groups"),
    [
        ("Patient.address_line1", ["Am Ring 4, 80331 München"], {"address_line1", "postal_code", "city"}),
        ("Patient.city", ["80331 München"], {"postal_code", "city"}),
        ("Patient.address_line1", ["4 Elm St, Ashford, TX 62704"], {"address_line1", "postal_code", "city", "state"}),
    ],
)
def test_an_address_in_a_line_is_taken_apart(target: str, samples: list[Scalar], groups: set[str]) -> None:
    transform = needs_of(A=(target, samples))["A"].transform
    assert isinstance(transform, Split)
    assert set(re.compile(transform.pattern).groupindex) == groups


def test_a_street_number_before_a_name_is_no_postal_code() -> None:
    assert needs_of(A=("Patient.address_line1", ["10200 Park Ave", "4 Elm St"]))["A"] == Need()


def test_plus_cylinders_are_turned_with_their_sphere_and_axis() -> None:
    eye = {"S": "Prescription.right_sphere", "C": "Prescription.right_cylinder", "A": "Prescription.right_axis"}
    rows: dict[str, list[Scalar]] = {"S": ["-2,00", "plan"], "C": ["+0,75", "+1,00"], "A": ["10", "170"]}
    needs = needs_of(**{name: (target, rows[name]) for name, target in eye.items()})
    assert all(isinstance(need.transform, Transpose) and need.doubt is None for need in needs.values())
    turned = [
        [made(needs[name], eye[name], {each: rows[each][at] for each in eye}, name) for name in eye] for at in (0, 1)
    ]
    assert turned == [["-1.25", "-0.75", 100], ["1", "-1", 80]]
    two = needs_of(S=(eye["S"], rows["S"]), S2=(eye["S"], rows["S"]), C=(eye["C"], rows["C"]), A=(eye["A"], rows["A"]))
    assert all(need.doubt for need in two.values())  # which sphere is the cylinder's?
    alone = needs_of(S=(eye["S"], rows["S"]), C=(eye["C"], rows["C"]))
    assert all(need.doubt for need in alone.values())  # the axis would stay as it is


def test_measurements_side_by_side_say_their_kind_and_eye() -> None:
    value = "EyeMeasurement.value"
    needs = needs_of(IOP_OD=(value, ["14"]), IOP_OS=(value, ["15"]), QQ=(value, ["3"]))
    assert needs["IOP_OD"].transform == Unpivot(constants={"kind": "intraocular_pressure", "eye": "right"})
    assert needs["IOP_OS"].transform == Unpivot(constants={"kind": "intraocular_pressure", "eye": "left"})
    assert needs["QQ"].doubt is not None


def lookup_of(target: str, keys: list[Scalar], texts: list[Scalar]) -> Need:
    own = Table(name="P", columns=(Column(name="job", samples=tuple(keys), references="job.nr"),))
    other = Table(name="job", columns=(Column(name="nr", samples=(1, 2, 3)), Column(name="name", samples=tuple(texts))))
    return column_needs(Schema(tables=(own, other)), {("P", "job"): FIELD(target)}, PRACTICE)["P", "job"]


def test_a_key_is_followed_where_every_sample_is_found() -> None:
    texts: list[Scalar] = ["Lehrer", "Koch", "Maurer"]
    follow = Lookup(key="job", table="job", on="nr", column="name")
    assert lookup_of("Patient.occupation", [1, 3, 1], texts) == Need((follow,))
    lost = lookup_of("Patient.occupation", [1, 9], texts)
    assert (lost.readings, bool(lost.doubt)) == ((follow,), True)


def test_a_key_to_a_table_of_codes_becomes_a_code_table() -> None:
    need = lookup_of("Appointment.status", [1, 2], ["geplant", "abgesagt", "erschienen"])
    assert need == Need((CodeMap(map={"1": "booked", "2": "cancelled", "3": "arrived"}),))
    assert lookup_of("Appointment.status", [1, 2], ["geplant", "qqq", "zzz"]).doubt is not None
    assert lookup_of("Appointment.status", [1, 2], []).doubt is not None


def test_national_numbers_of_no_known_country_are_asked_for_that_reason() -> None:
    column = Column(name="telefone", samples=("(21) 98765-4321", "11 3456-7890"))
    assert "country is not known" in (single_need(FIELD("Patient.phone_home"), column, None).doubt or "")
    brazil = PracticeFacts("America/Sao_Paulo", "BR", "BRL")
    assert single_need(FIELD("Patient.phone_home"), column, brazil).doubt is None
