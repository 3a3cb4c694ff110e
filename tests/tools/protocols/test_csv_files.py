"""Tables in text files: what is found in them, and what is no table."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.probes.sniffing import csv_headers
from tools.protocols.csv_files import NoTable, key_column, read_csv, unique_columns

HEADERS = ["id", "name", "ort"]
cells = st.text(alphabet="abcÄöüß ,;|\t\"'\n-123", max_size=12).map(str.strip)
tables = st.lists(st.tuples(cells, cells, cells).filter(any), min_size=1, max_size=8)


def written(rows: list[tuple[str, ...]], delimiter: str) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter).writerows([HEADERS, *rows])
    return out.getvalue()


@given(tables, st.sampled_from([";", ",", "\t", "|"]))
def test_what_a_csv_writer_writes_is_read_again(rows: list[tuple[str, ...]], delimiter: str) -> None:
    table = read_csv(written(rows, delimiter).encode())
    assert table.headers == tuple(HEADERS)
    if table.delimiter == delimiter:  # cells full of another delimiter may look like that table
        assert [tuple(cell or "" for cell in row) for row in table.rows] == rows


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "cp1252", "cp437"])
def test_delimiter_and_charset_are_found(delimiter: str, charset: str) -> None:
    lines = [["id", "name", "ort"], ["1", "Müller", "Köln"], ["2", "Groß", "Würzburg"], ["3", "Jäger", "Fürth"]]
    table = read_csv("\r\n".join(delimiter.join(line) for line in lines).encode(charset))
    assert table.delimiter == delimiter
    assert table.column("name") == ["Müller", "Groß", "Jäger"]


def test_decimal_commas_do_not_make_columns() -> None:
    table = read_csv(b"id;betrag\n1;12,50\n2;1.300,00\n3;4,00\n")
    assert table.column("betrag") == ["12,50", "1.300,00", "4,00"]


def test_an_empty_cell_is_nothing_and_a_quoted_line_end_is_text() -> None:
    table = read_csv(b'id,note\n1,\n2,"a\nb"\n')
    assert table.column("note") == [None, "a\nb"]


def test_a_row_of_another_width_is_named_by_its_number() -> None:
    table = read_csv(b"id,name\n1,A\n2\n3,C\n")
    assert [(each.number, each.reason) for each in table.bad] == [(3, "row 3 has 1 cells, the header 2")]
    assert table.column("id") == ["1", "3"]
    assert not table.cut


def test_a_last_row_without_its_end_is_cut() -> None:
    whole, cut = read_csv(b"id,name\n1,A\n2,B"), read_csv(b"id,name\n1,A\n2")
    assert not whole.cut
    assert cut.cut


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello world\n", "only one column"),
        (b"one;two\n" * 2 + b"\x00", "NUL"),
        (b"SQLite format 3\x00\x10\x00", "sqlite:///"),
        (b"12;13\n14;15\n", "column 1 of its first line has no name"),
        ("Müller;12.03.1970;a@b.example\nMaier;1.1.1980;c@d.example\n".encode(), "column 2"),
        (b"Frau;1. Januar 1970\nHerr;2. Mai 1980\n", "column 2"),
        (b"a;A\n1;2\n", "an earlier column"),
        (b"only\n1\n2\n", "only one column"),
        (b'id;name\n1;"A\n2;B\n', "never closed"),
        (b'id;name\n1;A\n2;B\n3;C\n4;"D\n5;E\n', "row 5 opens is never closed"),
        (b"id;name\n1;A;x\n2;B;y\n", "another number of cells"),
        (b"\xff\xfei\x00d\x00", "only one column"),
    ],
)
def test_what_is_no_table_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(NoTable) as none:
        read_csv(data)
    assert reason in none.value.reason


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_utf_16_with_its_mark_is_read(mark: str) -> None:
    data = "\ufeffNr;Größe\n1;170\n2;165\n".encode(mark)
    assert read_csv(data).headers == ("Nr", "Größe")
    assert csv_headers(data) == ["Nr", "Größe"]


@pytest.mark.parametrize(
    "name",
    ["Betrag €", "Größe (cm)*", "1. Termin", '"Nr"', "Name, Vorname", "km/h", "§ 116b", "Temp. °C", "Straße & Nr.", "*Pflicht",
     "Patient's name", "名前"],
)  # fmt: skip
def test_any_printable_sign_may_stand_in_a_header(name: str) -> None:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=";").writerows([["Nr", name], ["1", "2,50"], ["2", "x"]])
    assert read_csv(out.getvalue().encode()).headers == ("Nr", name)
    assert csv_headers(out.getvalue().encode()) == ["Nr", name]


def test_the_key_is_unique_in_every_row_and_named_like_one() -> None:
    data = b"name;PATNR;patient_nr;ort\nA;1;7;X\nB;2;8;X\nC;3;9;Y\n"
    table = read_csv(data)
    assert unique_columns(table) == ["name", "PATNR", "patient_nr"]
    assert key_column(table, "patienten") == "PATNR"
    assert key_column(table, "other") == "PATNR"


def test_without_such_a_column_nobody_guesses() -> None:
    table = read_csv(b"name;ort\nA;X\nB;Y\n")
    assert key_column(table, "patienten") is None
