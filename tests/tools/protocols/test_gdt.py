"""GDT: lengths, charsets and the sins of real files. Expected bytes are the fact sheet's check record."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.protocols.charset import CP437, DIN66003, LATIN1, UTF8
from tools.protocols.gdt import GdtRecord, read_gdt, write_gdt

CHECK_RECORD = b"".join(
    line.encode("latin-1") + b"\r\n"
    for line in (
        "01380006301",
        "014810000192",
        "0178315PRAX_EDV",
        "0178316EYEWEAR1",
        "01092063",
        "014921802.10",
        "01330004711",
        "0153101Müller",
        "0133102Anna",
        "017310312031961",
        "021310610115 Berlin",
        "0183107Torstr. 1",
        "01031102",
    )
)

umlauts = "äöüÄÖÜß"
# contents: a letter beside every umlaut, so that the bytes speak; no control characters, which no field holds
words = st.text(alphabet=string.ascii_letters + string.digits + " .-/" + umlauts, max_size=60)
fields = st.lists(st.tuples(st.sampled_from(["3000", "3101", "3102", "3107", "6220"]), words), min_size=1, max_size=8)


def record_of(contents: list[tuple[str, str]], code: str) -> GdtRecord:
    return GdtRecord("6301", (("8000", "6301"), ("9206", code), *contents))


def plain(record: GdtRecord) -> list[tuple[str, str]]:
    return [(field, content) for field, content in record.fields if field != "8100"]


def test_the_check_record_of_the_fact_sheet_reads_and_writes_byte_for_byte() -> None:
    file = read_gdt(CHECK_RECORD)
    assert file.reading.charset == LATIN1
    assert not file.notes
    assert not file.bad
    assert file.promised == 0
    assert file.records[0].kind == "6301"
    assert file.records[0].first("3101") == "Müller"
    assert write_gdt(file.records[0], LATIN1) == CHECK_RECORD


@given(fields, st.sampled_from([("2", CP437), ("3", LATIN1), ("4", UTF8), ("1", DIN66003)]))
def test_what_is_written_is_read_again_and_every_length_is_right(
    contents: list[tuple[str, str]], coded: tuple[str, str]
) -> None:
    code, charset = coded
    record = record_of(contents, code)
    data = write_gdt(record, charset)
    for line in data.split(b"\r\n")[:-1]:
        assert int(line[:3]) == len(line) + 2
    assert int(data.split(b"\r\n")[1][7:]) == len(data)
    file = read_gdt(data, (charset,))  # charsets are told apart in test_charset
    assert plain(file.records[0]) == plain(record)
    assert file.promised == 0
    assert not file.notes


@given(fields)
def test_lf_instead_of_cr_lf_and_blank_lines_change_nothing(
    contents: list[tuple[str, str]],
) -> None:
    data = write_gdt(record_of(contents, "3"), LATIN1)
    lf = read_gdt(data.replace(b"\r\n", b"\n"), (LATIN1,))
    blank = read_gdt(data.replace(b"\r\n", b"\r\n\r\n"), (LATIN1,))
    straight = read_gdt(data, (LATIN1,))
    assert lf.records == blank.records == straight.records
    assert lf.promised == blank.promised == 0


def test_a_length_of_cr_lf_holds_for_a_file_that_was_turned_to_lf() -> None:
    assert read_gdt(CHECK_RECORD.replace(b"\r\n", b"\n")).promised == 0


def test_a_length_counted_in_another_charset_holds() -> None:
    utf8 = CHECK_RECORD.decode("latin-1").encode("utf-8")  # the ü has grown by a byte, 8100 still says 192
    file = read_gdt(utf8)
    assert file.promised == 0
    assert file.records[0].first("3101") == "Müller"


def test_a_record_that_promises_more_than_any_reading_says_by_how_much() -> None:
    short = CHECK_RECORD.removesuffix(b"01031102\r\n")
    assert read_gdt(short).promised == 9  # ten bytes are missing, but in UTF-8 the ü would have been one of them


def test_lengths_that_are_merely_wrong_leave_a_note_and_the_record() -> None:
    wrong = CHECK_RECORD.replace(b"014810000192", b"014810000090").replace(b"0153101", b"0993101")
    file = read_gdt(wrong)
    assert file.promised == 0
    assert file.records[0].first("3101") == "Müller"
    assert len(file.notes) == 2


def test_a_record_without_8100_is_taken() -> None:
    file = read_gdt(CHECK_RECORD.replace(b"014810000192\r\n", b""))
    assert file.records[0].first("3000") == "4711"
    assert not file.notes


def test_seven_digits_of_8100_are_a_number_too() -> None:
    assert read_gdt(CHECK_RECORD.replace(b"014810000192", b"01681000000194")).promised == 0


def test_one_broken_record_of_three_leaves_the_others() -> None:
    broken = CHECK_RECORD.replace(b"0153101", b"unreadable")
    file = read_gdt(CHECK_RECORD + broken + CHECK_RECORD)
    assert len(file.records) == 2
    assert [each.number for each in file.bad] == [2]
    assert "Müller" not in file.bad[0].reason


@pytest.mark.parametrize("data", [b"", b"\r\n", b"hello\r\n", b"\x00\x01"])
def test_what_is_no_gdt_makes_no_record(data: bytes) -> None:
    assert read_gdt(data).records == ()
