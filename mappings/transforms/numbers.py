"""`number`, `unit` and plain numbers: exact decimals in either notation, bounded by what is possible."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction

from knowledge.canonical import LIMITS, CanonicalField
from mappings.schema import Unit
from mappings.transforms.values import IMPOSSIBLE, Bad, Convert, Outcome, plain_number, text_of

NO_NUMBER = Bad(IMPOSSIBLE, "not a number in the mapping's notation")
NOT_WHOLE = Bad(IMPOSSIBLE, "a fraction, where only whole numbers are possible")
OTHER_UNIT = Bad(IMPOSSIBLE, "a unit that the mapping does not name")
OUT_OF_BOUNDS = Bad(IMPOSSIBLE, "outside the bounds of what is possible")

# Prescriptions write a power of zero in words (ophthalmic optics: plano, dioptre sphere).
ZERO_POWER = frozenset({"plano", "pl", "plan", "ds", "sph", "∞"})
_CURRENCY = re.compile(r"^(?:[€$£]|EUR|USD|GBP|CHF|R\$)\s*|\s*(?:[€$£]|EUR|USD|GBP|CHF)$")
_CENT = Decimal("0.01")
# Longer texts and larger powers of ten are no number of a practice, and reading them takes time that grows by squares.
_MOST_LETTERS, _MOST_DIGITS = 400, 400
_FACTOR = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20}|/[0-9]{1,20})?")
_MARKS = frozenset({"", ".", ",", "'", " ", "\u00a0", "\u202f", "’", "_"})
_MEASURED = re.compile(r"([+−-]?[\d.,' ]*\d)\s*([^\W\d_]+\.?|°)")


def number_reader(decimal: str, thousands: str) -> re.Pattern[str]:
    """A pattern that a number in that notation matches as a whole; grouping must be regular where it is used."""
    point = re.escape(decimal)
    whole = r"\d+" if not thousands else rf"(?:\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+|\d+)"
    return re.compile(rf"[+-]?(?:{whole}(?:{point}\d*)?|{point}\d+)")


def read_decimal(text: str, pattern: re.Pattern[str], decimal: str, thousands: str) -> Decimal | None:
    """The number that `text` writes, or None."""
    if len(text) > _MOST_LETTERS:
        return None
    text = _CURRENCY.sub("", text.replace("\u00a0", " ").replace("−", "-")).strip()
    if text.endswith("-") and not text.startswith(("-", "+")):
        text = "-" + text[:-1].strip()
    if not pattern.fullmatch(text):
        return None
    if thousands:
        text = text.replace(thousands, "")
    return Decimal(text.replace(decimal, "."))


def number_converter(
    field: CanonicalField, *, decimal: str = ".", thousands: str = "", factor: Decimal = Decimal(1), divisor: int = 1
) -> Convert:
    """To the field's number type, times `factor`, divided by `divisor`. Raises `ValueError` where no number can be read so."""
    if divisor == 0 or factor == 0:
        raise ValueError("every number would be lost")
    if thousands not in _MARKS or thousands == decimal:
        raise ValueError("no mark between thousands")
    pattern = number_reader(decimal, thousands)
    powers = field.name.endswith(("sphere", "cylinder", "_add"))

    def convert(raw: object) -> Outcome:
        if isinstance(raw, bool):
            return NO_NUMBER
        if isinstance(raw, int):
            number = Decimal(raw)
        elif isinstance(raw, float | Decimal):
            number = Decimal(repr(raw)) if isinstance(raw, float) else raw
        else:
            text = text_of(raw)
            if text is None:
                return None
            if powers and text.casefold() in ZERO_POWER:
                return "0"
            read = read_decimal(text.rstrip("°").strip(), pattern, decimal, thousands)
            if read is None:
                return NO_NUMBER
            number = read
        if not number.is_finite():
            return NO_NUMBER
        if abs(number.adjusted()) > _MOST_DIGITS:
            return OUT_OF_BOUNDS
        return as_number(number * factor / divisor if factor != 1 or divisor != 1 else number, field)

    return convert


def unit_converter(unit: Unit, field: CanonicalField) -> Convert:
    """To the field's unit, by the factor of the word behind the number, or by the column's own where none stands there."""
    plain = _scaled(unit, unit.factor, field)
    if not unit.words:
        return plain
    named = {word.casefold(): _scaled(unit, factor, field) for word, factor in unit.words.items()}

    def convert(raw: object) -> Outcome:
        number, word = parted(raw) if isinstance(raw, str) else (raw, "")
        if not word:
            return plain(number)
        by_word = named.get(word)
        return OTHER_UNIT if by_word is None else by_word(number)

    return convert


def _scaled(unit: Unit, factor: str, field: CanonicalField) -> Convert:
    if not _FACTOR.fullmatch(factor):  # of 1e9999999 a fraction would take hours
        raise ValueError("no factor")
    exact = Fraction(factor)
    return number_converter(
        field,
        decimal=unit.decimal,
        thousands=unit.thousands,
        factor=Decimal(exact.numerator),
        divisor=exact.denominator,
    )


def parted(text: str) -> tuple[str, str]:
    """The number and the casefolded word behind it."""
    found = _MEASURED.fullmatch(text.strip())
    return (text, "") if found is None else (found[1], found[2].casefold().rstrip("."))


def as_number(number: Decimal, field: CanonicalField) -> Outcome:
    """The number in the field's canonical form: int, money with two decimals, or a decimal's shortest text."""
    limits = LIMITS.get(field.name)
    if limits is not None and not limits[0] <= number <= limits[1]:
        return OUT_OF_BOUNDS
    if field.name.endswith("_axis") and number == 0:
        number = Decimal(180)  # the same meridian; optics writes it as 180
    if field.type == "integer":
        return int(number) if number == number.to_integral_value() else NOT_WHOLE
    try:
        if field.type == "money":
            amount = number.quantize(_CENT, ROUND_HALF_UP)
            return format(amount if amount else abs(amount), "f")
        return plain_number(number)
    except InvalidOperation:  # more digits than any amount has
        return OUT_OF_BOUNDS
