"""In which unit numbers stand: found by what is usual of their field, by a word behind them, or by the column's name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from knowledge.canonical import CanonicalField
from knowledge.glossary import Quantity, quantities, unit_spellings
from mappings.lexicon import pieces
from mappings.schema import Column, Number, Transform, Unit
from mappings.transforms.numbers import parted

_MOST = 0.9  # how much of a column must be usual in a unit
_ROUNDED = Fraction(1, 200)  # an eighth of a dioptre is written with two digits
_OWN = Fraction(1)


def scaled(
    plain: Transform, numbers: Sequence[Decimal | None], field: CanonicalField, column: Column
) -> list[Transform]:
    """The readings of a column's numbers (read by `plain`) that give what is usual of the field; the plain one first.

    Several come back where the numbers do not tell; only the plain one where nothing is known of the field's numbers.
    """
    said = [Fraction(number) for number in numbers if number]
    if not said:
        return [plain]
    stated = _stated(column)
    if field.type == "money":
        return _money(plain, said, stated)
    quantity = quantities().get(field.name)
    if quantity is None:
        return [plain]
    whole = all(number.denominator == 1 for number in said)
    factors = [_OWN, *(factor for unit, factor in quantity.others.items() if whole or unit not in quantity.counted)]
    named = quantity.others.get(stated, _OWN if stated == quantity.unit and stated else None)
    if named is not None:
        factors = [named]
    fitting = [each for each in factors if _is_usual([number * each for number in said], quantity, field)]
    if _OWN in fitting and quantity.step and quantity.step >= 1:
        fitting = [_OWN]  # whole steps of minutes are minutes: as slots they would have to be multiples by chance
    return [_by(plain, each) for each in fitting]


def with_words(texts: Sequence[str], field: CanonicalField) -> dict[str, str] | None:
    """The units written behind most of the numbers, with their factors; None where they are none of this field's."""
    quantity = quantities().get(field.name)
    words = Counter(parted(text)[1] for text in texts)
    written = sum(count for word, count in words.items() if word)
    if quantity is None or 2 * written < len(texts):
        return None
    known = {word: _factor(word, quantity) for word in words if word}
    return {word: str(factor) for word, factor in known.items() if factor is not None} or None


def _factor(word: str, quantity: Quantity) -> Fraction | None:
    unit = unit_spellings().get(word)
    if unit is None:
        return None
    return _OWN if unit == quantity.unit else quantity.others.get(unit)


def _money(plain: Transform, numbers: Sequence[Fraction], stated: str) -> list[Transform]:
    """Whole numbers may be cents: only a fraction, or the column's name, tells."""
    if stated == "cent":
        return [_by(plain, Fraction(1, 100))]
    if any(each.denominator != 1 for each in numbers):
        return [plain]
    return [plain, _by(plain, Fraction(1, 100))]


def _stated(column: Column) -> str:
    """The unit that the name says, else the description, in more than a letter."""
    words = [*pieces(column.name), *pieces(column.description or "")]
    return next((unit_spellings()[word] for word in words if len(word) > 1 and word in unit_spellings()), "")


def _is_usual(numbers: Sequence[Fraction], quantity: Quantity, field: CanonicalField) -> bool:
    low, high = quantity.usual
    usual = [
        each
        for each in numbers
        if low <= abs(each) <= high
        and (field.type != "integer" or each.denominator == 1)
        and (
            quantity.step is None or abs(each / quantity.step - round(each / quantity.step)) * quantity.step <= _ROUNDED
        )
    ]
    return len(usual) >= _MOST * len(numbers)


def _by(plain: Transform, factor: Fraction) -> Transform:
    if factor == 1:
        return plain
    decimal, thousands = (plain.decimal, plain.thousands) if isinstance(plain, Number) else (".", "")
    if factor.numerator == 1:
        return Number(decimal=decimal, thousands=thousands, divisor=factor.denominator)
    return Unit(factor=str(factor), decimal=decimal, thousands=thousands)
