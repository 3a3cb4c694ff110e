"""A declared charset is a prior; the bytes confirm or refute it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.protocols.charset import CP437, DIN66003, LATIN1, UTF8, decode, encode, read_text

NAMES = ["Müller", "Groß", "Jäger", "Köhler", "Weiß", "Öttinger", "Preuß", "Häußler", "Schloßallee 3", "Über den Teich"]
ALL = [CP437, LATIN1, UTF8]


@pytest.mark.parametrize("declared", [CP437, LATIN1, UTF8, None])
@pytest.mark.parametrize("real", ALL)
@pytest.mark.parametrize("name", NAMES)
def test_one_umlaut_is_enough_whatever_was_declared(name: str, real: str, declared: str | None) -> None:
    reading = read_text(f"0153101{name}\r\n".encode(real), declared)
    assert name in reading.text
    assert reading.confirmed == (declared == real)


@given(st.lists(st.sampled_from([*NAMES, "Anna", "García", "Renée", "Smith"]), min_size=3), st.sampled_from(ALL))
def test_a_declaration_that_is_true_is_believed(names: list[str], real: str) -> None:
    text = "\r\n".join(names)
    assert read_text(text.encode(real), real).text == text


@pytest.mark.parametrize("name", ["Mária", "Fátima"])
def test_a_foreign_letter_that_cp437_would_read_as_sharp_s_stays(name: str) -> None:
    assert read_text(name.encode(LATIN1), LATIN1).text == name


def test_a_lie_is_noted_and_ascii_proves_nothing() -> None:
    assert read_text("Müller".encode(CP437), LATIN1).note == "data.encoding: declared as iso8859-1, the bytes are cp437"
    assert read_text(b"Mueller", LATIN1).note is None


@given(st.text(alphabet="abcÄÖÜäöüß @", max_size=40))
def test_seven_bit_german_reads_back_where_it_is_declared(text: str) -> None:
    coded = encode(text, DIN66003)
    assert coded.isascii()
    assert decode(coded, DIN66003) == text
    assert read_text(coded, DIN66003).text == text


def test_seven_bit_german_is_never_guessed() -> None:
    assert read_text(b"M}ller", LATIN1).text == "M}ller"


def test_eight_bits_refute_a_seven_bit_declaration() -> None:
    reading = read_text("Müller".encode(LATIN1), DIN66003)
    assert reading.text == "Müller"
    assert not reading.confirmed


@pytest.mark.parametrize(
    ("first", "second"), [("Müller", "Jäger"), ("Müller", "Köthen"), ("Köhler", "Groß"), ("Höß", "Würth")]
)
def test_two_charsets_in_one_file_fit_none(first: str, second: str) -> None:
    data = f"{first}\r\n".encode(CP437) + f"{second}\r\n".encode(LATIN1)
    assert read_text(data, CP437).broken
    assert read_text(data, LATIN1).broken


def test_a_unit_is_not_taken_for_a_broken_word() -> None:
    assert not read_text("Müller 5 µg, ½, 100 Ω".encode(CP437), CP437).broken


def test_bytes_that_fit_nothing_say_so() -> None:
    assert read_text(b"a\x9db\xfcc\x81\x8d", LATIN1, (LATIN1, UTF8)).broken
