"""How records of both forms become rows: what they say, what they leave, what they take away."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from knowledge.catalogue import manifest_of
from mappings.records import RawRow
from tools.adapters.exchange_files import judge
from tools.adapters.exchange_rows import FileTime, Nameless, stream_readers
from tools.adapters.wire_paths import built, parse_path
from tools.protocols.charset import CANDIDATES
from tools.protocols.gdt import GdtRecord, write_gdt

READERS = stream_readers(manifest_of("praxident").method("file"), ZoneInfo("Europe/Berlin"))
AT = FileTime("PDNT000001.gdt", datetime(2026, 11, 21, 6, 30, tzinfo=UTC))
HEADER = "MSH|^~\\&|PRAXIDENT|P|||20260721120000||{kind}|1|P|2.5||||||8859/1\r"


def rows(stream: str, data: bytes) -> list[RawRow]:
    found = [row for unit in judge(data, 0, 60, CANDIDATES).units for row in READERS[stream].rows(unit, AT)]
    assert all(isinstance(row, RawRow) for row in found), found
    return [row for row in found if isinstance(row, RawRow)]


def gdt(kind: str, *fields: tuple[str, str]) -> bytes:
    return write_gdt(GdtRecord(kind, (("8000", kind), ("9206", "3"), *fields)), "iso8859-1")


def hl7(kind: str, *segments: str) -> bytes:
    return (HEADER.format(kind=kind) + "".join(f"{each}\r" for each in segments)).encode("latin-1")


def test_both_forms_say_a_birth_date_in_the_same_column_and_spelling() -> None:
    (by_gdt,) = rows("patients", gdt("6301", ("3000", "7"), ("3103", "12031961")))
    (by_hl7,) = rows("patients", hl7("ADT^A04^ADT_A01", "PID|1||7||||19610312"))
    assert by_gdt.values["birth_date"] == by_hl7.values["birth_date"] == "1961-03-12"
    assert by_gdt.key == by_hl7.key == "7"


def test_an_impossible_date_arrives_as_written() -> None:
    (row,) = rows("patients", gdt("6301", ("3000", "7"), ("3103", "31021961")))
    assert row.values["birth_date"] == "1961-02-31"


def test_a_row_is_partial_and_ordered_by_msh_7_or_the_files_time() -> None:
    (by_gdt,) = rows("patients", gdt("6301", ("3000", "7")))
    (by_hl7,) = rows("patients", hl7("ADT^A08^ADT_A01", "PID|1||7"))
    assert by_gdt.partial
    assert by_hl7.partial
    assert by_gdt.as_of == "2026-11-21T06:30:00Z"
    assert by_hl7.as_of == "2026-07-21T10:00:00Z"  # noon in Berlin's summer


def test_an_empty_field_leaves_and_two_quotes_delete() -> None:
    (row,) = rows("patients", hl7("ADT^A08^ADT_A01", 'PID|1||7||Müller^^^^""||""||||'))
    assert row.values["last_name"] == "Müller"
    assert "first_name" not in row.values
    assert row.values["title"] is None
    assert row.values["birth_date"] is None


def test_a_telephone_is_told_by_its_use_and_taken_away_alone() -> None:
    phones = '0221 4710^PRN^PH~""^PRN^CP~^NET^Internet^a@b.example'
    (row,) = rows("patients", hl7("ADT^A08^ADT_A01", f"PID|1||7||||||||||{phones}|0221 4711^WPN^PH"))
    assert row.values["phone_home"] == "0221 4710"
    assert row.values["phone_mobile"] is None
    assert row.values["email"] == "a@b.example"
    assert row.values["phone_work"] == "0221 4711"


def test_town_and_postal_code_are_said_in_one_way_at_a_time() -> None:
    (joined,) = rows("patients", gdt("6301", ("3000", "7"), ("3106", "10115 Berlin")))
    (split,) = rows("patients", gdt("6301", ("3000", "7"), ("3112", "10115"), ("3113", "Berlin")))
    (silent,) = rows("patients", gdt("6301", ("3000", "7"), ("3101", "Müller")))
    assert (joined.values["postal_code_and_city"], joined.values["city"]) == ("10115 Berlin", None)
    assert (split.values["postal_code_and_city"], split.values["city"]) == (None, "Berlin")
    assert "city" not in silent.values


def test_a_merger_names_the_loser_and_says_nothing_of_the_survivor() -> None:
    (row,) = rows("patients", hl7("ADT^A40^ADT_A39", "PID|1||7^^^PRAXIDENT||Müller", "MRG|8^^^PRAXIDENT"))
    assert (row.key, row.merged_into) == ("8", "7")


def test_our_own_number_beside_the_systems_is_not_the_patients() -> None:
    (row,) = rows("patients", hl7("ADT^A04^ADT_A01", "PID|1||7^^^PRAXIDENT~abc^^^PATCHBAY"))
    assert (row.key, row.values["our_number"]) == ("7", "abc")


def test_every_policy_of_a_message_is_a_row_and_gdt_knows_the_first_ones_number() -> None:
    both = rows(
        "coverages", hl7("ADT^A04^ADT_A01", "PID|1||7", "IN1|1||108018007|AOK||||||||20240101", "IN1|2|||BARMER")
    )
    assert [(row.key, row.values["payer_name"]) for row in both] == [("7-1", "AOK"), ("7-2", "BARMER")]
    assert both[0].values["start_date"] == "2024-01-01"
    (one,) = rows("coverages", gdt("6301", ("3000", "7"), ("3105", "A123456780")))
    assert (one.key, one.values["member_id"], one.values["coverage_id"]) == ("7-1", "A123456780", "7-1")
    assert rows("coverages", gdt("6301", ("3000", "7"))) == []


def test_an_appointment_is_read_where_the_standard_puts_it() -> None:
    (row,) = rows(
        "appointments",
        hl7(
            "SIU^S12^SIU_S12",
            "SCH||5001^PRAXIDENT|||||^Kontrolle|1^Kontrolle^L|15|MIN|^^M15^202611211000^202611211015||||||||||||||Booked",
            "NTE|1||bitte anrufen",
            "PID|1||7",
            "RGS|1|A",
            "AIL|1||^2^^1",
            "AIP|1||4",
        ),
    )
    assert row.key == "5001"
    wanted = {
        "patient_number": "7", "start": "2026-11-21T10:00:00", "end": "2026-11-21T10:15:00", "duration": "15", "room": "2",
        "site": "1", "provider": "4", "visit_type": "1", "reason": "Kontrolle", "status": "Booked", "notes": "bitte anrufen",
    }  # fmt: skip
    assert {name: row.values[name] for name in wanted} == wanted


def test_a_cancellation_says_so_even_without_a_status_and_a_deletion_ends_the_row() -> None:
    (cancelled,) = rows("appointments", hl7("SIU^S15^SIU_S12", "SCH||5001", "PID|1||7"))
    (deleted,) = rows("appointments", hl7("SIU^S17^SIU_S12", "SCH||5001", "PID|1||7"))
    assert cancelled.values["status"] == "Cancelled"
    assert deleted.deleted


def test_each_test_of_a_record_is_a_result_of_its_own() -> None:
    both = rows(
        "results",
        gdt(
            "6310", ("8310", "901"), ("3000", "7"), ("6200", "21112026"), ("6220", "erste Zeile"), ("6220", "zweite Zeile"),
            ("8410", "K02.1"), ("8420", "5"), ("8421", "mm"), ("8410", "K04.0"), ("8420", "6"),
        ),
    )  # fmt: skip
    assert [(row.key, row.values["value"], row.values.get("unit")) for row in both] == [
        ("901", "5", "mm"),
        ("901-2", "6", None),
    ]
    assert both[1].values["finding"] == "erste Zeile\nzweite Zeile"
    assert both[1].values["result_date"] == "2026-11-21"


def test_a_result_without_a_request_is_known_by_patient_time_and_test() -> None:
    (row,) = rows("results", gdt("6310", ("3000", "7"), ("6200", "21112026"), ("8402", "EKG01"), ("6220", "o. B.")))
    assert row.key == "7-2026-11-21--EKG01-"


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        ("patients", gdt("6301", ("3101", "Müller"))),
        ("patients", hl7("ADT^A40^ADT_A39", "PID|1||7")),
        ("appointments", hl7("SIU^S12^SIU_S12", "SCH||", "PID|1||7")),
        ("results", gdt("6310", ("6200", "21112026"))),
    ],
)
def test_a_record_that_does_not_say_whose_it_is_is_named_as_such(stream: str, data: bytes) -> None:
    (unit,) = judge(data, 0, 60, CANDIDATES).units
    (found,) = READERS[stream].rows(unit, AT)
    assert isinstance(found, Nameless)
    assert "Müller" not in found.reason


def test_what_is_written_by_a_path_is_read_by_it() -> None:
    paths = [parse_path("mobile", "hl7:PID-13[2=PRN,3=CP].1"), parse_path("mail", "hl7:PID-13[2=NET].4")]
    segment = built(paths, {"mobile": "+49176", "mail": None}, "PID")
    assert segment.field(13) == (("+49176", "PRN", "CP"), ("", "NET", "", '""'))


@pytest.mark.parametrize("path", ["gdt:31", "hl7:PID5", "csv:3"])
def test_a_path_that_is_none_is_a_mistake_of_the_manifest(path: str) -> None:
    with pytest.raises(ValueError, match="no path"):
        parse_path("column", path)
