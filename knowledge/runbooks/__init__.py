"""What we know of root causes: the evidence that speaks for each, the remedy with its risk, the guidance for a person."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError

from knowledge.catalogue import line_of
from knowledge.errors import KnowledgeInvalid
from knowledge.phrases import LANGUAGES, Language, words
from knowledge.shipped import Knowledge

Risk = Literal["safe", "guarded", "human"]
Remedy = Literal[
    "wait_for_return", "sync_again", "rename_column", "use_database", "smaller_pages"
]  # what `tools.remedies` can do
InBoth = Annotated[dict[Language, str], Field(min_length=len(LANGUAGES))]
PASSED = 9.0  # weight of: the last run failed by this cause, and everything works now


class Sign(Knowledge):
    """A fact that speaks for (or, negative, against) a cause. `weight` is a log-likelihood ratio.

    `equals` compares the fact's value, `present` only asks whether there is one.
    """

    fact: str
    equals: str | None = None
    present: bool | None = None
    weight: float
    because: InBoth


class Runbook(Knowledge):
    """One root cause of the fault catalogue."""

    code: str
    title: InBoth
    prior: float = 0.0  # log odds against `unknown`
    signs: tuple[Sign, ...]
    remedy: Remedy | None = None
    risk: Risk = "human"
    guidance: InBoth

    @property
    def all_signs(self) -> tuple[Sign, ...]:
        """Its own signs, and the one that all causes share: it was so in the last run, and is over."""
        return (*self.signs, Sign(fact="passed", equals=self.code, weight=PASSED, because=words("health.passed")))


@cache
def runbooks() -> dict[str, Runbook]:
    """All runbooks by root-cause code."""
    books: dict[str, Runbook] = {}
    for entry in sorted((files("knowledge") / "runbooks").iterdir(), key=lambda each: each.name):
        if not entry.name.endswith(".yaml"):
            continue
        text = entry.read_text(encoding="utf-8")
        for number, raw in enumerate(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))):
            try:
                book = Runbook.model_validate(raw)
            except ValidationError as error:
                first = error.errors()[0]
                line = line_of(text, (number, *first["loc"]))
                raise KnowledgeInvalid(
                    entry.name, line, f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
                ) from error
            books[book.code] = book
    return books


def in_both_languages(reason: str) -> dict[Language, str]:
    """A reason as a diagnosis noted it, in both languages; in its own alone where no runbook says it any more."""
    return _reasons().get(reason, {"en": reason})


@cache
def _reasons() -> dict[str, dict[Language, str]]:
    """All reasons by their English words, by which diagnoses are stored."""
    return {sign.because["en"]: sign.because for book in runbooks().values() for sign in book.all_signs}
