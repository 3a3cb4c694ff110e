"""What a transform answers: a canonical value, None for "not there", or `Bad` with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from mappings.records import JsonValue

IMPOSSIBLE = "data.impossible_value"
UNKNOWN_CODE = "schema.code_unknown"


@dataclass(frozen=True, slots=True)
class Bad:
    """Why a value became null: a fault code and words that hold nothing of the value."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A value that stands, with a note beside it (a code table's `otherwise`)."""

    value: JsonValue
    code: str
    reason: str


Outcome = JsonValue | Bad | Doubtful
Convert = Callable[[object], Outcome]

# Distinct texts remembered per field. A page repeats its dates, codes and names; above this the memory starts anew.
MEMORY = 8_192


def text_of(raw: object) -> str | None:
    """The raw value as trimmed text; None where it is empty. Databases' own types take their ISO forms."""
    if raw is None:
        return None
    if isinstance(raw, str):
        return raw.strip() or None
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, float):
        return plain_number(Decimal(repr(raw))) if raw == raw and abs(raw) != float("inf") else None
    if isinstance(raw, Decimal):
        return plain_number(raw) if raw.is_finite() else None
    if isinstance(raw, date | datetime | time):
        return raw.isoformat()
    if isinstance(raw, timedelta):  # MySQL's TIME
        return (datetime.min + raw).time().isoformat() if timedelta() <= raw < timedelta(days=1) else None
    if isinstance(raw, bytes | bytearray | memoryview):
        return bytes(raw).decode("utf-8", "replace").strip() or None
    return str(raw).strip() or None


def plain_number(number: Decimal) -> str:
    """Without exponent and without trailing zeros; minus zero is zero."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def remembering(convert: Convert) -> Convert:
    """The same function, remembering what it made of texts (other types hash alike: 1 == True == 1.0)."""
    memory: dict[str, Outcome] = {}
    known = memory.get
    missing = Bad("", "")

    def remembered(raw: object) -> Outcome:
        if not isinstance(raw, str):
            return None if raw is None else convert(raw)
        found = known(raw, missing)
        if found is not missing:
            return found
        if len(memory) >= MEMORY:
            memory.clear()
        made = memory[raw] = convert(raw)
        return made

    return remembered
