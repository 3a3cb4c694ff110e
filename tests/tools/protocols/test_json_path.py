"""Flat column names out of nested JSON and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.errors import BadInput
from tools.protocols.json_path import all_at, flatten, nest, parse_path, scalar_at, value_at

PATIENT = {
    "id": 7,
    "name": {"family": "Käßner", "given": ["Zoë", "Ana"]},
    "phones": [{"type": "home", "number": "1"}, {"type": "mobile", "number": "2"}, {"type": "mobile", "number": "3"}],
    "active": True,
    "note": None,
    "tags": [],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id", 7),
        ("name.family", "Käßner"),
        ("name.given[1]", "Ana"),
        ("name.given[9]", None),
        ("phones[type=mobile].number", "2"),
        ("phones[type=work].number", None),
        ("phones[0].type", "home"),
        ("phones[*].number", "1"),
        ("active", True),
        ("nobody.there", None),
        ("id.deeper", None),
        ("name", None),  # an object is no scalar
    ],
)
def test_a_path_leads_to_a_value_or_nowhere(path: str, value: object) -> None:
    assert scalar_at(PATIENT, path) == value


def test_every_element_can_be_asked_for() -> None:
    assert all_at(PATIENT, "phones[*].number") == ["1", "2", "3"]
    assert all_at(PATIENT, "phones[type=mobile].number") == ["2", "3"]
    assert value_at([{"a": 1}], "[0].a") == 1
    assert value_at(PATIENT, "") is PATIENT


def test_columns_are_the_leaves_by_their_paths() -> None:
    assert flatten(PATIENT) == {
        "id": 7, "name.family": "Käßner", "name.given[0]": "Zoë", "name.given[1]": "Ana",
        "phones[0].type": "home", "phones[0].number": "1", "phones[1].type": "mobile", "phones[1].number": "2",
        "phones[2].type": "mobile", "phones[2].number": "3", "active": True, "note": None,
    }  # fmt: skip


def test_a_record_without_depth_stays_as_it_is() -> None:
    record = {"a": 1, "b": None, "c": "x"}
    assert flatten(record) == record


def test_a_bottomless_record_ends() -> None:
    deep: dict[str, object] = {"end": 1}
    for _ in range(200):
        deep = {"a": deep}
    assert flatten(deep) == {}


def test_columns_are_nested_again_for_writes() -> None:
    columns = {"name.family": "Ünal", "name.given[0]": "Ana", "phones[type=mobile].number": "2", "active": False}
    assert nest(columns) == {
        "name": {"family": "Ünal", "given": ["Ana"]},
        "phones": [{"type": "mobile", "number": "2"}],
        "active": False,
    }


def test_two_columns_of_one_element_meet_in_it() -> None:
    assert nest({"phones[type=home].number": "1", "phones[type=home].note": "n", "phones[0].rank": 1}) == {
        "phones": [{"type": "home", "number": "1", "note": "n", "rank": 1}]
    }


@pytest.mark.parametrize("path", ["a[", "a]b", "[=x]", "a..b"])
def test_what_is_no_path_is_bad_input(path: str) -> None:
    with pytest.raises(BadInput):
        parse_path(path)


def test_every_element_is_no_place_to_write_to() -> None:
    with pytest.raises(BadInput):
        nest({"phones[*].number": "1"})


_NAMES = st.text("abcxyz", min_size=1, max_size=3)
_LEAVES = st.none() | st.booleans() | st.integers() | st.text()
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(_NAMES, inner, min_size=1, max_size=3),
)


@given(st.dictionaries(_NAMES, _TREES, min_size=1))
def test_what_was_flattened_nests_to_the_same_record(record: dict[str, object]) -> None:
    columns = flatten(record)
    assert nest(columns) == record
    assert all(value_at(record, path) == value for path, value in columns.items())
