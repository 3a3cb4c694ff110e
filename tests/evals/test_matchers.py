"""Other people's matchers: asked alike, measured apart, and excused with a reason where they cannot answer."""

from __future__ import annotations

import math
import re
import tomllib
from collections import deque
from functools import partial
from importlib.util import find_spec
from itertools import repeat
from pathlib import Path

import pytest

from evals.labelled import Label, LabelledSchema
from evals.matchers import public
from evals.matchers.apart import Failed, Measured, apart
from evals.matchers.plain import PLAIN
from evals.matchers.public import PUBLIC
from evals.matchers.question import Matcher, answers, canonical_question, words
from evals.suites import mapping_comparison
from evals.suites.mapping_comparison import compare
from mappings.schema import Column, Schema, Table

ROOT = Path(__file__).resolve().parents[2]
_consume = partial(deque, maxlen=0)
LABELS = {
    ("patients", "FirstName"): Label(("Patient", "first_name")),
    ("patients", "birth_date"): Label(("Patient", "birth_date")),
    ("appointments", "cancellation_reason"): Label(("Appointment", "cancellation_reason")),
    ("appointments", "zzqx"): Label(None),
}
SMALL = LabelledSchema(
    "small",
    Schema(
        tables=tuple(
            Table(name=name, columns=tuple(Column(name=column) for table, column in LABELS if table == name))
            for name in ("patients", "appointments")
        )
    ),
    LABELS,
)
EMPTY_TABLE = SMALL.schema.model_copy(update={"tables": (Table(name="nothing"), *SMALL.schema.tables)})


def test_names_fall_into_words() -> None:
    assert words("dtLastVisit") == "dt last visit"
    assert words("PAT_NAME-2") == "pat name 2"


@pytest.mark.parametrize("matcher", PLAIN, ids=lambda each: each.name)
def test_a_baseline_finds_what_is_spelt_like_the_field(matcher: Matcher) -> None:
    question = canonical_question(SMALL.schema)
    likeness = matcher.likeness(question)
    assert likeness.shape == (4, len(question.fields))
    assert likeness.min() >= 0
    assert likeness.max() <= 1 + 1e-5
    found = {each.column: each for each in answers(SMALL, question, likeness)}
    for name in ("FirstName", "birth_date", "cancellation_reason"):
        assert found[name].label.accepts(found[name].targets[0]), found[name].targets[:3]
    assert found["zzqx"].none > found["birth_date"].none


@pytest.mark.parametrize("matcher", PUBLIC, ids=lambda each: each.name)
@pytest.mark.skipif(find_spec("valentine") is None or find_spec("infermap") is None, reason=public.HOW_TO_INSTALL)
def test_a_public_matcher_answers_every_column(matcher: Matcher) -> None:
    question = canonical_question(EMPTY_TABLE)
    found = {each.column: each for each in answers(SMALL, question, matcher.likeness(question))}
    assert len(found) == 4
    assert found["birth_date"].targets[0][1] == "birth_date"


def test_equal_scores_go_to_the_entity_that_is_called_like_the_table() -> None:
    question = canonical_question(SMALL.schema)
    likeness = PLAIN[0].likeness(question) * 0
    by_table = {each.table: each.targets[0][0] for each in answers(SMALL, question, likeness)}
    assert by_table == {"patients": "Patient", "appointments": "Appointment"}


def test_who_is_not_installed_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "find_spec", lambda name: None)
    monkeypatch.setattr(mapping_comparison, "PLAIN", ())
    rows = {each.matcher: each for each in compare([SMALL], public=True, say=lambda line: None)}
    assert rows["infermap"].reason == "not installed: pip install 'patchbay[compare]'"
    assert rows["COMA (valentine)"].figures is None
    assert "values" in (rows["Jaccard and distributions (valentine)"].reason or "")


def test_what_is_only_compared_with_is_not_among_the_pins() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    compared = [re.split(r"[<>=]", each)[0] for each in project["optional-dependencies"]["compare"]]
    assert compared == ["infermap", "valentine"]
    assert not {*compared, "pandas", "polars"} & set(pinned)


def test_after_one_that_took_too_long_the_larger_systems_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def late(work: object, what: object, seconds: int) -> Failed:
        asked.append(seconds)
        return Failed("no answer in 3 s")

    monkeypatch.setattr(mapping_comparison, "apart", late)
    monkeypatch.setattr(mapping_comparison, "PLAIN", (Matcher("slow", PLAIN[0].likeness, seconds=3),))
    (row,) = compare([SMALL, SMALL], public=False, say=lambda line: None)
    assert asked == [3]
    assert (row.systems, row.reason) == (0, "no answer in 3 s for 4 columns")


def test_work_apart_is_measured_and_its_failure_is_a_reason() -> None:
    done = apart(math.sqrt, 9.0, 60)
    assert isinstance(done, Measured)
    assert done.result == 3
    assert done.megabytes > 1
    assert apart(math.sqrt, -1.0, 60) == Failed("ValueError: math domain error")


def test_work_that_computes_too_long_is_ended() -> None:
    assert apart(_consume, repeat(1), 1) == Failed("no answer in 1 s of computing")
