"""Every error reads as sentences: nothing doubled, nothing empty, whichever of its fields are blank."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import MISSING, fields

import pytest

import agents
import knowledge
import mappings
import tools
from knowledge.catalogue import catalogue
from knowledge.errors import PatchbayError

SAMPLE = {"float": 60.0, "int": 3, "dict[Language, str]": {"en": "a place", "de": "ein Ort"}}
FLAWS = re.compile(r"  |\(\)|\.\.|: \.| \.|^ | $|[{}]")


def every_kind() -> Iterator[type[PatchbayError]]:
    for room in (knowledge, mappings, tools, agents):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if ".migrations" not in module.name:  # run by Alembic alone
                importlib.import_module(module.name)
    waiting: list[type[PatchbayError]] = [PatchbayError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        yield kind


@pytest.mark.parametrize("kind", sorted(set(every_kind()), key=lambda kind: kind.__qualname__))
def test_an_error_reads_as_sentences(kind: type[PatchbayError]) -> None:
    given = {each.name: SAMPLE.get(str(each.type), each.name) for each in fields(kind)}
    bare = {name: value for name, value in given.items() if name not in {"detail", "remedy"}}
    needs_detail = kind.cause.endswith((": {detail}.", "({detail}).", ": {detail}"))
    for values in (given, bare):
        missing = [each.name for each in fields(kind) if each.default is MISSING and each.name not in values]
        if missing or (values is bare and needs_detail):
            continue
        sentence = kind(**values).sentence
        assert not FLAWS.search(sentence), sentence


def words_of(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from words_of(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from words_of(each)


@pytest.mark.parametrize("system", sorted(catalogue()))
def test_no_sentence_of_a_manifest_has_a_double_blank(system: str) -> None:
    doubled = [each for each in words_of(catalogue()[system].model_dump(mode="json")) if "  " in each.strip()]
    assert doubled == []
