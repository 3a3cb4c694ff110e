"""The transforms suite on a few made-up practices: nothing becomes wrong unsaid, and what it counts is what happened."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from evals.datasets.conversions import conversion_sets
from evals.datasets.generators import practice_sets
from evals.labelled import LabelledSchema
from evals.suites import transforms
from knowledge.canonical import canonical_model
from mappings.placing import Need
from mappings.schema import Copy, Date


@cache
def a_date() -> tuple[LabelledSchema, tuple[str, str]]:
    """A system with a date column in the day's order."""
    for system in practice_sets(24):
        for at, truth in system.transforms.items():
            if truth.transform == Date(from_="%d/%m/%Y") and any(truth.values):
                return system, at
    raise AssertionError("no such column")


def outcome(need: Need, other: Date | None = None) -> str:
    system, at = a_date()
    truth = replace(system.transforms[at], other=other)
    entity, name = system.labels[at].target or ("", "")
    field = canonical_model().entities[entity].fields[name]
    return transforms.judge(system, at, truth, field, need).outcome


def test_an_answer_is_judged_by_what_it_makes_of_the_samples() -> None:
    right = Date(from_="%d/%m/%Y")
    assert outcome(Need((right,))) == "right"
    assert outcome(Need((right,), "why")) == "asked"
    assert outcome(Need((Copy(),))) == "refused"
    american = Date(from_="%m/%d/%Y")
    assert outcome(Need((right,)), american) == "silent"  # one of two was chosen
    assert outcome(Need((right, american), "why"), american) == "open"
    assert outcome(Need((right,), "why"), american) == "asked"


def test_made_up_practices_are_converted_without_a_silent_error() -> None:
    report = transforms.run(practices=3, conversions=6, bulk_rows=50)
    assert report.silent == ()
    assert report.needed.columns > 50
    needed = report.needed
    assert needed.right >= 0.9 * (needed.columns - needed.open)
    assert sum(getattr(needed, each) for each in transforms.OUTCOMES) == needed.columns
    assert {"date", "number", "datetime"} <= set(report.rows_per_second)
    assert "silent errors: 0" in transforms.as_text(report)


def test_systems_made_for_conversions_are_the_same_every_time_and_their_truths_hold() -> None:
    systems = conversion_sets(12)
    assert conversion_sets(2) == systems[:2]
    kinds = set()
    for system in systems:
        for at, truth in system.transforms.items():
            entity, name = system.labels[at].target or ("", "")
            field = canonical_model().entities[entity].fields[name]
            kinds.add(truth.transform.kind)
            if not truth.parts:
                made = list(transforms.converted(system, at, field, truth.transform))
                assert (system.name, at, made) == (system.name, at, list(truth.values))
    assert kinds >= {"split", "concat", "transpose", "unit", "number", "datetime", "code_map"}
