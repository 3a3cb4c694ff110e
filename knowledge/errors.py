"""The base of every error: what happened, why, and what mends it; never a patient's data."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar


@dataclass(eq=False)
class PatchbayError(Exception):
    """A failure with a fault code, its cause and its mend, both templates over the error's own fields.

    `transient` tells the retry layer whether the same call may succeed later unchanged. Survives pickling, since jobs
    store errors. Fields must never hold patient data.
    """

    code: ClassVar[str] = "unknown"
    cause: ClassVar[str] = "Something failed that nobody described."
    mend: ClassVar[str] = "Look at the run's evidence with `patchbay health`."
    transient: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__init__(*(getattr(self, each.name) for each in fields(self)))

    def filled(self, template: str) -> str:
        """The template with this error's fields put in."""
        return template.format(**{each.name: getattr(self, each.name) for each in fields(self)}).strip()

    @property
    def sentence(self) -> str:
        """Cause and mend as one or two sentences for a person."""
        return f"{self.filled(self.cause)} {self.filled(self.mend)}".strip()

    def __str__(self) -> str:
        return self.sentence

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), tuple(getattr(self, each.name) for each in fields(self)))


@dataclass(eq=False)
class BadInput(PatchbayError):
    """What a person handed us cannot be used: names the place and the mend; the command line exits with 2."""

    code: ClassVar[str] = "input.invalid"
    cause: ClassVar[str] = "{place}: {problem}"
    mend: ClassVar[str] = "{remedy}"
    place: str
    problem: str
    remedy: str = ""


@dataclass(eq=False)
class KnowledgeInvalid(PatchbayError):
    """A shipped data file breaks its own schema."""

    code: ClassVar[str] = "knowledge.invalid"
    cause: ClassVar[str] = "{file}, line {line}: {problem}."
    mend: ClassVar[str] = "Correct that line; `docs/add-a-pms.md` explains every field."
    file: str
    line: int
    problem: str
