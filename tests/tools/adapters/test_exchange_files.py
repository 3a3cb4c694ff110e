"""When a file of an exchange folder is taken, waited for, or set aside."""

from __future__ import annotations

import pytest

from tools.adapters.exchange_files import judge, kinds_of
from tools.protocols.charset import CANDIDATES
from tools.protocols.gdt import GdtRecord, write_gdt

HEADER = "MSH|^~\\&|PRAXIDENT|P|||20261121070000||{kind}|1|{mode}|2.5||||||8859/1\r"
FRESH, OLD = 3.0, 61.0  # seconds since somebody wrote


def patient(name: str = "Müller", number: str = "4711") -> bytes:
    fields = (("8000", "6301"), ("9206", "3"), ("3000", number), ("3101", name), ("3102", "Anna"))
    return write_gdt(GdtRecord("6301", fields), "iso8859-1")


def adt(kind: str = "ADT^A04^ADT_A01", mode: str = "P", body: str = "PID|1||4711||Müller^Anna\r") -> bytes:
    return (HEADER.format(kind=kind, mode=mode) + body).encode("latin-1")


def judged(data: bytes, age: float = FRESH) -> tuple[str, list[str], int]:
    """State, fault codes, units."""
    result = judge(data, age, 60.0, CANDIDATES)
    return result.state, [flaw.code for flaw in result.flaws], len(result.units)


@pytest.mark.parametrize("data", [patient(), patient() * 3, adt(), adt() + adt()])
def test_a_whole_file_is_taken_however_fresh(data: bytes) -> None:
    state, flaws, units = judged(data)
    assert (state, flaws) == ("whole", [])
    assert units >= 1


@pytest.mark.parametrize("data", [patient()[:-3], adt()[:-4], b"", patient()[: len(patient()) // 2 - 1]])
def test_a_file_that_ends_inside_a_line_is_waited_for_and_given_up_after_a_minute(data: bytes) -> None:
    assert judged(data, FRESH) == ("waiting", [], 0)
    assert judged(data, OLD) == ("bad", ["data.truncated_file"], 0)


def test_a_file_cut_at_a_line_end_is_told_by_its_length_alone() -> None:
    cut = b"\r\n".join(patient().split(b"\r\n")[:-2]) + b"\r\n"
    assert judged(cut, FRESH) == ("waiting", [], 0)
    assert judged(cut, OLD) == ("bad", ["data.truncated_file"], 0)


def test_a_cut_record_takes_the_whole_records_before_it_along() -> None:
    cut = patient() + b"\r\n".join(patient().split(b"\r\n")[:-2]) + b"\r\n"
    assert judged(cut, OLD) == ("bad", ["data.truncated_file"], 0)


def test_wrong_lengths_alone_leave_a_note() -> None:
    wrong = patient().replace(b"0153101", b"0333101")
    result = judge(wrong, FRESH, 60.0, CANDIDATES)
    assert result.state == "whole"
    assert result.notes == ("data.length_wrong: line lengths do not match their lines",)


def test_a_record_that_does_not_parse_is_set_aside_and_the_others_are_taken() -> None:
    file = patient() + patient().replace(b"0133102", b"01#3102") + patient(number="4713")
    assert judged(file) == ("whole", ["data.poison_record"], 2)


@pytest.mark.parametrize("data", [b"hello\r\n", b"<html></html>\n", b"0138000\r\n", adt(kind="")])
def test_what_is_neither_gdt_nor_hl7_is_bad(data: bytes) -> None:
    assert judged(data) == ("bad", ["data.poison_record"], 0)


def test_a_message_without_its_segment_says_nothing() -> None:
    assert judged(adt(body="PV1|1|O\r")) == ("bad", ["data.poison_record"], 0)
    assert judged(adt(kind="SIU^S12^SIU_S12")) == ("bad", ["data.poison_record"], 0)


@pytest.mark.parametrize("mode", ["T", "D"])
def test_a_message_for_trying_things_out_is_not_data(mode: str) -> None:
    assert judged(adt(mode=mode)) == ("whole", [], 0)


def test_bytes_that_no_charset_explains_are_an_encoding_fault() -> None:
    junk = adt(body="PID|1||4711||").replace(b"||\r", b"||") + b"a\x9d\xc3\xb0\x8d\r"
    assert judge(junk, FRESH, 60.0, ("iso8859-1", "utf-8")).flaws[0].code == "data.encoding"


def test_a_flaws_reason_never_holds_what_the_file_says() -> None:
    for data in (patient()[:-3], patient().replace(b"0133102", b"01#3102"), adt(body="PV1|1|Müller\r")):
        flaws = judge(data, OLD, 60.0, CANDIDATES).flaws
        assert flaws
        for flaw in flaws:
            assert not any(word in flaw.reason for word in ("Müller", "Anna", "4711"))


def test_kinds_are_told_without_reading_the_file_through() -> None:
    assert kinds_of(patient() + patient()) == {"6301"}
    assert kinds_of(adt()) == {"ADT^A04"}
    assert kinds_of(b"hello") == frozenset()
