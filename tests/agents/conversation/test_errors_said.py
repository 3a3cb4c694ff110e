"""Every error that can reach a conversation is said in German as well, with the same facts."""

from __future__ import annotations

import importlib
import pkgutil
import string
from dataclasses import fields
from typing import TYPE_CHECKING

import agents
import api
import tools
from knowledge.errors import BadInput, PatchbayError
from knowledge.errors_said import error_words, german_sentences
from tools.errors import NameUnknown, RateLimited

if TYPE_CHECKING:
    from collections.abc import Iterator


def errors_of(kind: type[PatchbayError]) -> Iterator[type[PatchbayError]]:
    for each in kind.__subclasses__():
        yield each
        yield from errors_of(each)


def all_errors() -> list[type[PatchbayError]]:
    for room in (tools, agents):
        for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            if ".migrations" not in module.name:
                importlib.import_module(module.name)
    return [each for each in errors_of(PatchbayError) if not each.__module__.startswith(("api.", "tests."))]


def named(template: str) -> set[str]:
    return {name.partition("[")[0] for _, name, _, _ in string.Formatter().parse(template) if name}


def test_every_error_has_german_words_over_its_own_fields() -> None:
    found = all_errors()
    assert {each.code for each in found} <= set(german_sentences())
    for each in found:
        assert named(german_sentences()[each.code]) <= {field.name for field in fields(each)}, each.__name__


def test_no_german_sentence_is_left_without_its_error() -> None:
    all_errors()
    for module in pkgutil.walk_packages(api.__path__, "api."):
        importlib.import_module(module.name)
    assert set(german_sentences()) <= {each.code for each in errors_of(PatchbayError)} | {PatchbayError.code}


def test_what_a_person_reads_is_filled_in() -> None:
    said = error_words(NameUnknown("praxis.example"))
    assert said["en"].startswith("No address is known for praxis.example.")
    assert (
        said["de"]
        == "Für praxis.example ist keine Adresse bekannt. Prüfen Sie, ob der Rechnername richtig geschrieben ist."
    )
    assert "für 3 s" in error_words(RateLimited("x", retry_after_seconds=3.2))["de"]
    assert error_words(BadInput("a", "b.", "c."))["de"].startswith("a: Das lässt sich")
