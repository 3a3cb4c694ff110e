"""Checks that what a person answered is an answer to the question; stores nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from knowledge.errors import BadInput
from mappings.readings import BETWEEN
from tools.text_file import named_path, read_text_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tools.store.models import Question

NOTHING = "no_match"
SKIP = "skip"


def checked_answer(question: Question, value: str) -> str:
    """The answer as it was meant. Raises `BadInput` for one that is no answer to this question; stores nothing."""
    place, value = f"answer to {question.id}", value.strip()
    if question.kind == "ca_file":
        return _certificates(place, value)
    if question.kind == "time_zone":
        return _zone(place, value)
    if question.kind == "map_column":
        return _target(place, value, question.options)
    if question.options and value not in question.options:
        raise BadInput(place, f"{value!r} is none of its options.", f"Choose from {', '.join(question.options)}.")
    if not value:
        raise BadInput(place, "is empty.", question.text.get("en", ""))
    return value


def _certificates(place: str, value: str) -> str:
    mend = "Name the CA's PEM file."
    path = named_path(place, value, mend)
    if "-----BEGIN CERTIFICATE-----" not in read_text_file(place, value, mend):
        raise BadInput(place, f"the file {value} holds no certificate.", mend)
    return str(path.absolute())


def _zone(place: str, value: str) -> str:
    from zoneinfo import available_timezones

    if value not in available_timezones():
        raise BadInput(place, f"there is no zone {value!r}.", "Name one like Europe/Berlin.")
    return value


def _target(place: str, value: str, options: Sequence[str]) -> str:
    if value in {NOTHING, SKIP} or value in options:
        return value
    target, _, reading = value.partition(BETWEEN)
    if not is_canonical(target):
        raise BadInput(place, f"{value!r} is no canonical field.", "Write Entity.field, no_match or skip.")
    readings = [each for each in options if each.startswith(f"{target}{BETWEEN}")]
    if readings or reading:
        problem = "is none of its readings" if reading else "can be read in more than one way"
        raise BadInput(place, f"{value!r} {problem}.", f"Choose from {', '.join(readings) or target}.")
    return value


def is_canonical(target: str) -> bool:
    """Whether `Entity.field` (or `Entity#2.field`, or `Entity.extra`) is where a column may belong."""
    from knowledge.canonical import canonical_model

    entity, _, field = target.partition(".")
    name, _, instance = entity.partition("#")
    return instance in {"", "2", "3"} and canonical_model().knows(f"{name}.{field}")
