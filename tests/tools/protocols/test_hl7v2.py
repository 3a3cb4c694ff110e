"""HL7 v2: what the encoder writes python-hl7 reads, and what partners really send is read."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import hl7
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.protocols.charset import CP437, LATIN1
from tools.protocols.hl7v2 import Message, encode_message, hl7_time, instant, iso_time, read_hl7, segment

HEADER = segment(
    "MSH",
    {3: "PRAXIDENT", 7: "20261121070000", 9: ["ADT", "A04", "ADT_A01"], 10: "1", 11: "P", 12: "2.5", 18: "8859/1"},
)
texts = st.text(alphabet="abc XYZ|^~\\&äöüß\n.'-123", min_size=1, max_size=30).map(str.strip).filter(bool)


def adt(*lines: str, charset: str = "latin-1") -> bytes:
    header = "MSH|^~\\&|PRAXIDENT|PRAXIS|||20261121070000||ADT^A04^ADT_A01|17|P|2.5||||||8859/1"
    return "\r".join([header, *lines, ""]).encode(charset)


@given(texts, texts, texts)
def test_any_text_survives_the_separators(family: str, given_name: str, street: str) -> None:
    data = encode_message([HEADER, segment("PID", {3: "7", 5: [family, given_name], 11: [street, "", "Köln"]})])
    patient = read_hl7(data, (LATIN1,)).messages[0].first("PID")
    assert patient is not None
    assert (patient.value(5, 1), patient.value(5, 2), patient.value(11, 1)) == (family, given_name, street)


@given(st.text(alphabet='ab^~&\\|ü.F"', max_size=40), st.text(alphabet="ab^~&|", max_size=20))
def test_our_splitting_agrees_with_python_hl7(first: str, second: str) -> None:
    data = adt(f"PID|1|{first}|{second}")
    ours = read_hl7(data, (LATIN1,)).messages[0].segments
    theirs = hl7.parse(data.decode("latin-1"))
    for mine, segment_ in zip(ours, theirs, strict=True):
        for number in range(3 if mine.name == "MSH" else 1, len(segment_)):
            repetitions = [
                [theirs.unescape(str(each)).replace("\r", "\n") for each in (rep if isinstance(rep, list) else [rep])]
                for rep in segment_[number]
            ]
            assert [list(rep) for rep in mine.field(number)] == (repetitions if str(segment_[number]) else [])


def test_an_independent_reader_finds_the_fields_where_the_standard_puts_them() -> None:
    phones = [["0221 4710", "PRN", "PH"], ["", "NET", "Internet", "a@b.example"]]
    data = encode_message([HEADER, segment("PID", {1: "1", 3: [["7", "", "", "PRAXIDENT"]], 13: phones})])
    parsed = hl7.parse(data.decode("latin-1"))
    assert parsed.extract_field("MSH", 1, 18) == "8859/1"
    assert parsed.extract_field("MSH", 1, 9, 1, 2) == "A04"
    assert parsed.extract_field("PID", 1, 3, 1, 4) == "PRAXIDENT"
    assert parsed.extract_field("PID", 1, 13, 2, 4) == "a@b.example"


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\r\n\r\n"])
def test_segments_may_end_as_the_sender_likes(end: bytes) -> None:
    file = read_hl7(adt("PID|1||7||Müller^Anna").replace(b"\r", end))
    assert [message.kind for message in file.messages] == ["ADT^A04"]
    assert patient_of(file.messages[0]) == "Müller"


def test_several_messages_in_a_file_and_a_frame_around_them() -> None:
    file = read_hl7(b"\x0b" + adt("PID|1||7||A") + b"\x1c\r\x0b" + adt("PID|1||8||B") + b"\x1c\r")
    assert [patient_of(message) for message in file.messages] == ["A", "B"]
    assert not file.bad


def test_the_charset_that_msh_18_declares_must_be_confirmed_by_the_bytes() -> None:
    lie = read_hl7(adt("PID|1||7||Müller^Jürgen", charset="cp437"))
    assert patient_of(lie.messages[0]) == "Müller"
    assert lie.reading.charset == CP437
    assert lie.notes == ("data.encoding: declared as iso8859-1, the bytes are cp437",)


@pytest.mark.parametrize("text", [b"MSH|^~\\&|A\rPID|1", adt("no segment at all"), b"MSH|x"])
def test_what_does_not_parse_is_bad_and_never_an_exception(text: bytes) -> None:
    file = read_hl7(text)
    assert not file.messages
    assert len(file.bad) == 1


def test_an_empty_field_and_two_quotes_are_told_apart() -> None:
    patient = read_hl7(adt('PID|1||7||A||""||x')).messages[0].first("PID")
    assert patient is not None
    assert patient.field(6) == ()
    assert patient.value(7) == '""'


@pytest.mark.parametrize(
    ("wire", "iso"),
    [
        ("1961", "1961"),
        ("196103", "1961-03"),
        ("19610312", "1961-03-12"),
        ("19610231", "1961-02-31"),
        ("2026112107", "2026-11-21T07:00:00"),
        ("202611210730", "2026-11-21T07:30:00"),
        ("20261121073005.1234+0100", "2026-11-21T07:30:05+01:00"),
        ("soon", "soon"),
        ("", ""),
    ],
)
def test_times_keep_their_precision(wire: str, iso: str) -> None:
    assert iso_time(wire) == iso


@given(
    st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)).map(lambda t: t.replace(microsecond=0))
)
def test_a_local_time_goes_out_and_comes_back(moment: datetime) -> None:
    assert iso_time(hl7_time(moment.isoformat())) == moment.isoformat()


def test_a_time_without_offset_is_the_senders() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert instant("20260721120000", berlin) == datetime(2026, 7, 21, 10, tzinfo=UTC)
    assert instant("20260721120000+0000", berlin) == datetime(2026, 7, 21, 12, tzinfo=UTC)
    assert instant("yesterday", berlin) is None


def patient_of(message: Message) -> str:
    patient = message.first("PID")
    assert patient is not None
    return patient.value(5)
