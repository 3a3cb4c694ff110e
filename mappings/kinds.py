"""What a single value looks like, and how a column's samples are made up of such kinds."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property
from typing import Literal

from mappings.schema import Scalar
from mappings.transforms.values import text_of

Kind = Literal[
    "date", "datetime", "time", "email", "url", "uuid", "phone", "number", "boolean", "letter", "word", "code", "text",
]  # fmt: skip

_TIME = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[AaPp][Mm])?"
_DAY = r"(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}\.\d{1,2}\.(?:\d{4}|\d{2})|\d{1,2}[/-]\d{1,2}[/-](?:\d{4}|\d{2})|\d{4}/\d{2}/\d{2}|\d{1,2}-[A-Za-z]{3}-\d{4})"
_PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("email", re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")),
    ("uuid", re.compile(r"\{?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}?")),
    ("url", re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)),
    ("date", re.compile(_DAY)),
    ("datetime", re.compile(rf"{_DAY}[T ]{_TIME}\s*(?:Z|[+-]\d\d:?(?:\d\d)?)?", re.IGNORECASE)),
    ("time", re.compile(_TIME)),
    ("number", re.compile(r"[+−-]?(?:\d+(?:[.,]\d+)*|[.,]\d+)")),
    ("letter", re.compile(r"[^\W\d_]")),
    ("word", re.compile(r"[^\W\d_]+(?:['’.\- ]{1,2}[^\W\d_]+)*\.?")),
    ("code", re.compile(r"[\w./#*+-]{1,24}")),
)
_PHONE = re.compile(r"\+?[\d\s()/.\-]{7,24}(?:\s*(?:x|ext\.?)\s*\d+)?", re.IGNORECASE)
_PAIRS = re.compile(r"\d\d(?:[ .-]\d\d){4}")  # how France and its neighbours write a number to dial
_SOCIAL_SECURITY = re.compile(r"\d{3}-\d{2}-\d{4}")
_TRUTH_WORDS = frozenset(
    {"true", "false", "yes", "no", "ja", "nein", "oui", "non", "si", "sí", "sim", "não", "wahr", "falsch"}
)


def kind_of(value: Scalar | object) -> Kind | None:
    """The most telling kind of one value; None where it is empty."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float | Decimal):
        return "number"
    if isinstance(value, datetime):
        return "datetime"
    if isinstance(value, date):
        return "date"
    if isinstance(value, time):
        return "time"
    text = text_of(value)
    if text is None:
        return None
    if text.casefold() in _TRUTH_WORDS:
        return "boolean"
    for kind, pattern in _PATTERNS[:6]:
        if pattern.fullmatch(text):
            return kind
    if _is_phone(text):
        return "phone"
    for kind, pattern in _PATTERNS[6:]:
        if pattern.fullmatch(text):
            return kind
    return "text"


def _is_phone(text: str) -> bool:
    """Punctuated like a number to dial: a row of bare digits may as well be an id."""
    digits = sum(each.isdigit() for each in text)
    if not 7 <= digits <= 15 or not _PHONE.fullmatch(text) or _SOCIAL_SECURITY.fullmatch(text):
        return False
    if _PAIRS.fullmatch(text):
        return True
    groups = re.split(r"[\s()/.\-]+", text.strip("()+ "))
    return text.startswith("+") or (len(groups) > 1 and max(map(len, groups)) >= 3)


@dataclass(frozen=True)
class Profile:
    """A column's samples: the ones that are not empty, and the share of each kind among them."""

    samples: tuple[Scalar, ...]

    @classmethod
    def of(cls, samples: Sequence[Scalar]) -> Profile:
        return cls(tuple(each for each in samples if text_of(each) is not None))

    @cached_property
    def texts(self) -> tuple[str, ...]:
        return tuple(text_of(each) or "" for each in self.samples)

    @cached_property
    def shares(self) -> dict[str, float]:
        counts = Counter(kind_of(each) for each in self.samples)
        return {str(kind): count / len(self.samples) for kind, count in counts.items()}

    def share(self, *kinds: Kind) -> float:
        """How much of the samples is of these kinds; 0 where there are none."""
        return sum(self.shares.get(kind, 0.0) for kind in kinds)

    @cached_property
    def distinct(self) -> int:
        return len(set(self.texts))

    def matching(self, pattern: re.Pattern[str]) -> float:
        """The share of samples that the pattern matches whole."""
        return sum(pattern.fullmatch(text) is not None for text in self.texts) / len(self.texts) if self.texts else 0.0
