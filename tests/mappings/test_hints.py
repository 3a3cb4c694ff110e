"""A hint is evidence that the values confirm, or contradict."""

from __future__ import annotations

import pytest

from mappings.records import PracticeFacts
from mappings.schema import (
    Boolean,
    CodeMap,
    Column,
    ColumnMapping,
    Date,
    Datetime,
    Hint,
    Scalar,
    Schema,
    Split,
    Table,
    Transform,
)  # fmt: skip
from mappings.suggest import suggest

# column: target, transform, samples as a practice has them (dirt included)
PRACTICE: dict[str, tuple[str, Transform | None, tuple[Scalar, ...]]] = {
    "PATNR": ("Patient.id", None, (1001, 1002, 1003, 1004)),
    "NAME": ("Patient.last_name", None, ("Müller", "Groß-Gerau", "Yılmaz", "von der Tann", "O'Neill")),
    "VORNAME": ("Patient.first_name", None, ("Jörg", "Änne", "Hans-Peter", "Søren")),
    "GEBDAT": ("Patient.birth_date", Date(from_="%d.%m.%Y"), ("12.03.1961", "31.02.1961", "", "01.11.1980")),
    "GESCHL": ("Patient.sex", CodeMap(map={"m": "male", "w": "female"}), ("m", "w", "w", "d", "m")),
    "PLZ": ("Patient.postal_code", None, ("10115", "20095", "80331")),
    "ORT": ("Patient.city", None, ("Berlin", "Bad Homburg v.d.H.", "Köln")),
    "STRASSE": ("Patient.address_line1", None, ("Torstr. 1", "Am Markt 7a", "Weg 12")),
    "TEL": ("Patient.phone_home", None, ("030 23125000", "+49 30 23125001", "", "069/90009002")),
    "EMAIL": ("Patient.email", None, ("a@mail.example", "", "b.c@mail.example")),
    "AKTIV": ("Patient.active", Boolean(), ("J", "N", "J", "J")),
    "BEMERK": ("Patient.notes", None, ("Penicillin!", "bevorzugt nachmittags", "ruft am 12.03. zurück", "")),
    "VERSNR": ("Coverage.member_id", None, ("A123456780", "PKV0000017", None)),
    "BALANCE": ("Patient.balance", None, ("12.50", "0.00", "-3.00")),
    "STATUS": ("Appointment.status", CodeMap(map={"G": "booked", "E": "fulfilled", "A": "cancelled"}), ("G", "E", "A")),
    "UHR": ("Appointment.start", Datetime(from_="%d.%m.%Y %H:%M", parts=("TAG", "UHR")), ("09:30", "14:15")),
    "TAG": ("Appointment.start", Datetime(from_="%d.%m.%Y %H:%M", parts=("TAG", "UHR")), ("01.07.2026", "25.10.2026")),
    "WOHNORT": (
        "Patient.city", Split(pattern=r"(?P<postal_code>\d{5}) (?P<city>.+)"), ("10115 Berlin", "20095 Hamburg"),
    ),
    "ACHSE": ("Prescription.right_axis", None, ("90", "270", "180", "5")),
    "BEHANDLER": ("Appointment.provider_id", None, ("1", "2", "DR3")),
    "GUID": ("Location.id", None, ("a3f0c1de-0000-4000-8000-000000000001", "a3f0c1de-0000-4000-8000-000000000002")),
    "GEAENDERT": ("Patient.updated_at", Datetime(), ("2026-07-01T09:00:00", "2026-10-25T02:30:00")),
    "LAND": ("Patient.country", None, ("D", "Österreich", "DE")),
}  # fmt: skip

SWAPS = [
    ("GEBDAT", "NAME"), ("TEL", "PLZ"), ("EMAIL", "ORT"), ("AKTIV", "BEMERK"), ("STATUS", "GEBDAT"), ("ORT", "GEBDAT"),
    ("TEL", "GEBDAT"), ("TEL", "NAME"), ("PATNR", "NAME"), ("PATNR", "GEBDAT"), ("PLZ", "ORT"), ("GUID", "NAME"),
    ("VERSNR", "VORNAME"), ("GESCHL", "ORT"), ("GEAENDERT", "NAME"), ("UHR", "NAME"), ("TAG", "TEL"), ("EMAIL", "TEL"),
    ("AKTIV", "NAME"), ("STATUS", "NAME"), ("BALANCE", "NAME"), ("LAND", "TEL"), ("STRASSE", "AKTIV"), ("UHR", "TAG"),
    ("WOHNORT", "TEL"), ("GEBDAT", "PLZ"), ("GEBDAT", "EMAIL"), ("BEHANDLER", "EMAIL"), ("ACHSE", "TEL"),
    ("PATNR", "EMAIL"), ("BEMERK", "GEAENDERT"), ("GEBDAT", "GEAENDERT"), ("STRASSE", "TEL"), ("GESCHL", "GEBDAT"),
]  # fmt: skip


def judged(swap: tuple[str, str] | None = None, only: str | None = None) -> dict[str, ColumnMapping]:
    """The suggestions for the practice above, with the values of two columns swapped."""
    other = {} if swap is None else {swap[0]: swap[1], swap[1]: swap[0]}
    names = [name for name in PRACTICE if only in (None, name)]
    columns = tuple(Column(name=name, samples=PRACTICE[other.get(name, name)][2]) for name in names)
    hints = [Hint(table="t", column=name, target=PRACTICE[name][0], transform=PRACTICE[name][1]) for name in names]
    schema = Schema(system="dampsoft", tables=(Table(name="t", columns=columns),))
    lines = suggest(schema, hints=hints, practice=PracticeFacts("Europe/Berlin", "DE", "EUR"))
    return {line.source_column: line for line in lines}


def test_every_hint_of_an_undisturbed_practice_is_accepted() -> None:
    assert {name: line.decision for name, line in judged().items()} == dict.fromkeys(PRACTICE, "accept")


def test_an_accepted_hint_says_why_and_is_sure() -> None:
    for line in judged().values():
        assert line.best is not None
        assert line.best.confidence >= 0.97
        assert {"hint", "values"} <= {each.signal for each in line.best.evidence}
        assert sum(each.confidence for each in line.candidates) + line.no_match <= 1.0001


@pytest.mark.parametrize("swap", SWAPS, ids=lambda swap: "-".join(swap))
def test_swapped_values_of_different_kinds_send_both_columns_to_review(swap: tuple[str, str]) -> None:
    lines = judged(swap)
    assert {name: lines[name].decision for name in swap} == dict.fromkeys(swap, "review")
    others = {name: line.decision for name, line in lines.items() if name not in swap}
    assert set(others.values()) == {"accept"}


@pytest.mark.parametrize("samples", [(), (None, ""), ("  ",)])
def test_a_column_whose_values_are_silent_is_accepted_on_the_manifests_word(samples: tuple[Scalar, ...]) -> None:
    column = Column(name="GEBDAT", samples=samples)
    hint = Hint(table="t", column="GEBDAT", target="Patient.birth_date", transform=Date(from_="%d.%m.%Y"))
    (line,) = suggest(Schema(tables=(Table(name="t", columns=(column,)),)), hints=[hint])
    assert line.decision == "accept"
    assert line.best is not None
    assert line.best.confidence >= 0.97


def test_a_hint_without_a_transform_takes_the_one_that_the_samples_need() -> None:
    column = Column(name="d", samples=("12.03.1961", "24.12.1980"))
    schema = Schema(tables=(Table(name="t", columns=(column,)),))
    (line,) = suggest(schema, hints=[Hint(table="t", column="d", target="Patient.birth_date")])
    assert line.best is not None
    assert (line.decision, line.best.transform) == ("accept", Date(from_="%d.%m.%Y"))


def test_a_hint_without_a_transform_whose_samples_could_be_two_dates_is_reviewed() -> None:
    column = Column(name="d", samples=("03/04/1961",))
    schema = Schema(tables=(Table(name="t", columns=(column,)),))
    (line,) = suggest(schema, hints=[Hint(table="t", column="d", target="Patient.birth_date")])
    assert line.decision == "review"


def test_a_column_may_feed_two_fields() -> None:
    start = Datetime(from_="%d.%m.%Y %H:%M", parts=("DATUM", "VON"))
    end = Datetime(from_="%d.%m.%Y %H:%M", parts=("DATUM", "BIS"))
    column = Column(name="DATUM", samples=("01.07.2026",))
    hints = [
        Hint(table="t", column="DATUM", target="Appointment.start", transform=start),
        Hint(table="t", column="DATUM", target="Appointment.end", transform=end),
    ]
    (line,) = suggest(Schema(tables=(Table(name="t", columns=(column,)),)), hints=hints)
    assert line.decision == "accept"
    assert [each.target_column for each in line.also] == ["end"]
