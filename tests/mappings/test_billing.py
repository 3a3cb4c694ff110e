"""Billing codes: every shipped example reads as it says, both directions agree, what is unknown stays as it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge.catalogue import catalogue
from knowledge.codes import CodeForm, CodeSystem, code_systems, read_code_system
from knowledge.errors import KnowledgeInvalid
from knowledge.spelling import CANONICAL, BillingCodes, KeptCodes, OwnCode, Spelling
from mappings.billing import Asked, Listing, Lists, MappedCode, candidates_of, map_code
from mappings.code_forms import Validity, is_canonical, readings, validity_of, written
from mappings.code_recognition import Habits, recognise_column

TODAY = date(2026, 11, 21)
GERMAN = Habits(
    kept=(
        KeptCodes(code_system="BEMA", called=("g",)), KeptCodes(code_system="GOZ", called=("q",)),
        KeptCodes(code_system="GOÄ", written="umlaut"),
    )
)  # fmt: skip


def read(code: str, system: str | None = None, habits: Habits = GERMAN, on: date = TODAY, lists: Lists | None = None):  # type: ignore[no-untyped-def]
    return map_code(Asked(code, system), "from_pms", habits, on, lists)


def short(answer: MappedCode) -> tuple[str, str | None, str]:
    return answer.code, answer.code_system, answer.mark


# -- what is shipped ---------------------------------------------------------------------------------------------------


def forms() -> Iterator[tuple[CodeSystem, CodeForm]]:
    for system in code_systems().values():
        for form in system.forms:
            yield system, form


def spellings() -> Iterator[tuple[CodeSystem, Spelling]]:
    for system in code_systems().values():
        for spelling in system.spellings:
            yield system, spelling


@pytest.mark.parametrize(
    ("system", "form"), list(forms()), ids=lambda each: getattr(each, "key", getattr(each, "name", ""))
)
def test_examples_of_a_form_are_canonical(system: CodeSystem, form: CodeForm) -> None:
    for example in form.examples:
        assert is_canonical(system, example), example
        assert CANONICAL in {each.spelling for each in readings(system, example)}


@pytest.mark.parametrize(
    ("system", "spelling"), list(spellings()), ids=lambda each: getattr(each, "key", getattr(each, "name", ""))
)
def test_examples_of_a_spelling_read_as_they_say_and_are_written_back(system: CodeSystem, spelling: Spelling) -> None:
    assert spelling.examples
    for text, code in spelling.examples.items():
        assert (code, spelling.name) in {(each.code, each.spelling) for each in readings(system, text)}
        if spelling.write is not None:
            again = written(system, code, spelling.name)
            assert again is not None
            assert code in {each.code for each in readings(system, again)}


def test_every_fact_has_a_source_and_short_names_stand_for_codes() -> None:
    for system in code_systems().values():
        assert all(each.source for each in (*system.forms, *system.spellings, *system.changes, *system.versions))
        for code in system.abbreviations.codes.values() if system.abbreviations else ():
            assert is_canonical(system, code)
    worth = {key: each.point_value.cent for key, each in code_systems().items() if each.point_value}
    assert worth == {"GOZ": "5.62421", "GOÄ": "5.82873"}  # what a law states; BEMA's are agreed region by region


def test_manifests_name_code_systems_and_spellings_that_there_are() -> None:
    stated = [
        (key, kept) for key, each in catalogue().items() if each.billing_codes for kept in each.billing_codes.kept
    ]
    assert {"dampsoft", "dental_suite", "dentrix", "epic"} <= {key for key, _ in stated}
    for key, kept in stated:
        known = {CANONICAL, *(each.name for each in (*code_systems()[kept.code_system].spellings, *kept.spellings))}
        assert kept.written in known, key


def test_a_mistake_in_a_file_is_named_with_its_line() -> None:
    text = "key: X\ntitle: X\nnames: []\ncountries: [DE]\nlicence: x\nsize: 1\nforms:\n  - {name: a, pattern: '(', weight: 0.5, examples: [], source: x}\n"
    with pytest.raises(KnowledgeInvalid, match=r"x\.yaml, line 8.*no regular expression"):
        read_code_system("x.yaml", text)


# -- one code ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "named", "expected"),
    [
        ("01", None, ("01", "BEMA", "exact")),
        ("0010", None, ("0010", "GOZ", "exact")),
        ("Ä1", "GOÄ", ("1", "GOÄ", "normalised")),
        ("Ä1", "BEMA", ("Ä1", "BEMA", "exact")),
        ("13a", "g", ("13a", "BEMA", "exact")),
        ("13 a", None, ("13a", "BEMA", "respelt")),
        ("Zst", None, ("107", "BEMA", "by_table")),
        ("10", "q", ("0010", "GOZ", "respelt")),
        ("Ä1", None, ("Ä1", None, "ambiguous")),
        ("1", "BEMA", ("1", "BEMA", "unknown")),
        ("PZR", None, ("PZR", None, "unknown")),
        ("01", "Hausliste", ("01", "Hausliste", "unknown")),
    ],
)
def test_a_code_is_read(code: str, named: str | None, expected: tuple[str, str | None, str]) -> None:
    assert short(read(code, named)) == expected


def test_near_ties_are_shown_with_their_probabilities() -> None:
    answer = read("Ä1")
    assert {each.identity for each in answer.candidates} == {("GOÄ", "1"), ("BEMA", "Ä1")}
    assert 0.95 < sum(each.confidence for each in answer.candidates) <= 1
    assert answer.confidence < 0.9


def test_what_stands_beside_a_code_is_told_and_the_code_is_not_promised_back() -> None:
    answer = read("D2140-14-MO", "CDT", Habits())
    assert (*short(answer), dict(answer.carried)) == ("D2140", "CDT", "respelt", {"tooth": "14", "surface": "MO"})
    assert answer.written_back == "D2140"


def test_a_day_decides_between_versions() -> None:
    assert read("13e", "BEMA").mark == "not_valid_on"
    assert read("13e", "BEMA", on=date(2024, 12, 31)).mark == "exact"
    assert short(read("215", "GOZ", on=date(2010, 5, 1))) == ("215", "GOZ", "exact")
    assert short(read("500", "GOZ")) == ("0500", "GOZ", "respelt")
    assert read("AITa", on=date(2021, 6, 30)).mark == "not_valid_on"
    assert validity_of(code_systems()["BEMA"], "AITa") == Validity(valid_from=date(2021, 7, 1))


def test_a_list_decides_what_forms_cannot() -> None:
    catalogued = Lists((Listing("GOZ", "2060", "catalogue", "Füllung"),), frozenset({"GOZ"}))
    assert (read("2060", lists=catalogued).text, read("2060", lists=catalogued).listed) == ("Füllung", True)
    missing = read("2080", "GOZ", lists=catalogued)
    assert (*short(missing), missing.listed) == ("2080", "GOZ", "unknown", False)
    own = Lists((Listing("BEMA", "Ä1", "practice", "Beratung"),))
    assert short(read("Ä1", lists=own)) == ("Ä1", "BEMA", "exact")
    expired = Listing("GOZ", "2060", "catalogue", None, Validity(valid_to=date(2020, 12, 31)))
    assert read("2060", lists=Lists((expired,))).mark == "not_valid_on"


def test_a_systems_own_table_goes_both_ways() -> None:
    habits = Habits(kept=(KeptCodes(code_system="CDT"),), own=(OwnCode(code="EX1", code_system="CDT", means="D0120"),))
    assert short(read("EX1", habits=habits)) == ("D0120", "CDT", "by_table")
    back = map_code(Asked("D0120", "CDT"), "to_pms", habits, TODAY)
    assert short(back) == ("EX1", "CDT", "by_table")


def test_a_system_gets_only_codes_that_it_keeps() -> None:
    answer = map_code(Asked("D0120", "CDT"), "to_pms", GERMAN, TODAY)
    assert short(answer) == ("D0120", "CDT", "unknown")
    assert "keeps no codes of CDT" in answer.reason


def test_spellings_of_a_manifest_are_read_and_written() -> None:
    padded = Spelling(name="key", read=r"(?P<number>\d{4})(?P<analog>a?)    ", to="{number}{analog}", write="{number}{analog}    ", weight=0.5)  # fmt: skip
    bracketed = Spelling(name="bracketed", read=r"\[(?P<number>\d{4})\]", to="{number}", write="[{number}]", weight=0.5)
    habits = Habits(kept=(KeptCodes(code_system="GOZ", written="bracketed", spellings=(bracketed, padded)),))
    assert short(read("[2060]", habits=habits)) == ("2060", "GOZ", "normalised")
    assert map_code(Asked("2060", "GOZ"), "to_pms", habits, TODAY).code == "[2060]"


# -- for all codes -----------------------------------------------------------------------------------------------------


def ways() -> list[tuple[str, str]]:
    return [(system.key, each) for system in code_systems().values()
            for each in (CANONICAL, *(one.name for one in system.spellings if one.write))]  # fmt: skip


@st.composite
def canonical_codes(draw: st.DrawFn) -> tuple[str, str, str]:
    """A code of a form of a code system, and a way to write it."""
    key, way = draw(st.sampled_from(ways()))
    form = draw(st.sampled_from(code_systems()[key].forms))
    code = draw(
        st.from_regex(form.pattern, fullmatch=True).filter(lambda each: is_canonical(code_systems()[key], each))
    )
    return key, way, code


@settings(max_examples=60, deadline=None)
@given(canonical_codes(), st.booleans())
def test_exact_and_normalised_codes_come_back_the_same(drawn: tuple[str, str, str], named: bool) -> None:
    key, way, code = drawn
    others = tuple(KeptCodes(code_system=each) for each in code_systems() if each != key)
    habits = Habits(kept=(KeptCodes(code_system=key, written=way), *others[:2]))
    text = written(code_systems()[key], code, way)
    assert text is not None
    answer = read(text, key if named else None, habits)
    if answer.mark in {"exact", "normalised"}:
        back = map_code(Asked(answer.code, answer.code_system), "to_pms", habits, TODAY)
        assert back.code == text
        assert back.mark in {"exact", "normalised"}
        assert read(back.code, answer.code_system, habits).code == answer.code


@settings(max_examples=60, deadline=None)
@given(canonical_codes())
def test_what_is_written_is_read_as_the_same_code(drawn: tuple[str, str, str]) -> None:
    key, way, code = drawn
    habits = Habits(kept=(KeptCodes(code_system=key, written=way),))
    out = map_code(Asked(code, key), "to_pms", habits, TODAY)
    if out.mark in {"exact", "normalised"}:
        assert read(out.code, key, habits).code == code
    elif out.mark in {"unknown", "ambiguous"}:
        assert out.code == code


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.sampled_from([None, "BEMA", "GOZ", "GOÄ", "CDT", "CPT", "HCPCS", "EBM"]))
def test_what_is_not_recognised_is_never_altered(text: str, system: str | None) -> None:
    for direction in ("from_pms", "to_pms"):
        answer = map_code(Asked(text, system), direction, GERMAN, TODAY)  # type: ignore[arg-type]
        if answer.mark in {"unknown", "ambiguous"}:
            assert (answer.code, answer.code_system) == (text, system)
    assert all(0 <= each.confidence <= 1 + 1e-9 for each in candidates_of(Asked(text, system), GERMAN))


# -- a column ----------------------------------------------------------------------------------------------------------


def test_a_column_tells_what_one_code_does_not() -> None:
    alone = candidates_of(Asked("2740"), Habits())
    assert alone[0].confidence < 0.9
    column = recognise_column(["D0120", "D2740", "D1110", "D7140", ""], Habits())
    assert {found[0].reading.code_system for found in column.values()} == {"CDT"}
    bare = recognise_column(["0274", "1110", "2740", "7140", "0120", "1206"], Habits(countries=("US",)))
    assert {found[0].reading.code_system for found in bare.values()} == {"CDT"}


def test_habits_come_from_the_manifest() -> None:
    habits = Habits.of(BillingCodes(kept=(KeptCodes(code_system="CDT"),)), ["US"])
    assert habits.prior("CDT") > 0.99
    assert habits.system_named(" http://www.ada.org/cdt ") == "CDT"
    assert Habits.of(None, ["DE"]).prior("GOZ") > Habits.of(None, ["DE"]).prior("CPT")
