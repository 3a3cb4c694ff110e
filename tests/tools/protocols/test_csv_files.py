"""Tables in text files: what is found in them, and what is no table."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.protocols.csv_files import key_column, read_csv, unique_columns

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
    assert table is not None
    assert table.headers == tuple(HEADERS)
    if table.delimiter == delimiter:  # cells full of another delimiter may look like that table
        assert [tuple(cell or "" for cell in row) for row in table.rows] == rows


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "cp1252", "cp437"])
def test_delimiter_and_charset_are_found(delimiter: str, charset: str) -> None:
    lines = [["id", "name", "ort"], ["1", "Müller", "Köln"], ["2", "Groß", "Würzburg"], ["3", "Jäger", "Fürth"]]
    table = read_csv("\r\n".join(delimiter.join(line) for line in lines).encode(charset))
    assert table is not None
    assert table.delimiter == delimiter
    assert table.column("name") == ["Müller", "Groß", "Jäger"]


def test_decimal_commas_do_not_make_columns() -> None:
    table = read_csv(b"id;betrag\n1;12,50\n2;1.300,00\n3;4,00\n")
    assert table is not None
    assert table.column("betrag") == ["12,50", "1.300,00", "4,00"]


def test_an_empty_cell_is_nothing_and_a_quoted_line_end_is_text() -> None:
    table = read_csv(b'id,note\n1,\n2,"a\nb"\n')
    assert table is not None
    assert table.column("note") == [None, "a\nb"]


def test_a_row_of_another_width_is_named_by_its_number() -> None:
    table = read_csv(b"id,name\n1,A\n2\n3,C\n")
    assert table is not None
    assert [(each.number, each.reason) for each in table.bad] == [(3, "row 3 has 1 cells, the header 2")]
    assert table.column("id") == ["1", "3"]
    assert not table.cut


def test_a_last_row_without_its_end_is_cut() -> None:
    whole, cut = read_csv(b"id,name\n1,A\n2,B"), read_csv(b"id,name\n1,A\n2")
    assert whole is not None
    assert cut is not None
    assert not whole.cut
    assert cut.cut


@pytest.mark.parametrize(
    "data", [b"", b"hello world\n", b"one;two\n" * 2 + b"\x00", b"12;13\n14;15\n", b"a;a\n1;2\n", b"only\n1\n2\n"]
)
def test_what_has_no_header_of_two_names_is_no_table(data: bytes) -> None:
    table = read_csv(data)
    assert table is None or table.headers == ("one", "two")


def test_the_key_is_unique_in_every_row_and_named_like_one() -> None:
    data = b"name;PATNR;patient_nr;ort\nA;1;7;X\nB;2;8;X\nC;3;9;Y\n"
    table = read_csv(data)
    assert table is not None
    assert unique_columns(table) == ["name", "PATNR", "patient_nr"]
    assert key_column(table, "patienten") == "PATNR"
    assert key_column(table, "other") == "PATNR"


def test_without_such_a_column_nobody_guesses() -> None:
    table = read_csv(b"name;ort\nA;X\nB;Y\n")
    assert table is not None
    assert key_column(table, "patienten") is None
