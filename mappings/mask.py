"""Sample values without what they say: the shape stays, the letters and digits go."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from mappings.schema import Column, Scalar, Schema

# Texts longer than this are cut: the length of a letter says something too.
_LONGEST = 24


def masked(value: object) -> str | None:
    """The shape of a value: letters become `x` or `X`, digits `9`, punctuation stays; None stays None.

    12.03.1961 becomes 99.99.9999, `Müller` becomes `Xxxxxx`. True and false have no shape of their own: `x`.
    """
    if value is None:
        return None
    if isinstance(value, bool):
        return "x"
    text = str(value)
    shape = "".join(_shape(each) for each in text[:_LONGEST])
    return shape if len(text) <= _LONGEST else shape + "…"


def _shape(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha() or unicodedata.category(character).startswith("M"):
        return "X" if character.isupper() else "x"
    return character if character.isascii() and character.isprintable() else " " if character.isspace() else "x"


def masked_samples(samples: Iterable[Scalar], limit: int = 5) -> tuple[str, ...]:
    """The different shapes among some samples, most frequent first, at most `limit`."""
    shapes: dict[str, int] = {}
    for each in samples:
        shape = masked(each)
        if shape:
            shapes[shape] = shapes.get(shape, 0) + 1
    return tuple(sorted(shapes, key=lambda shape: -shapes[shape])[:limit])


def masked_schema(schema: Schema) -> Schema:
    """The same schema with shapes in place of samples: what may be shown to a person or a model outside the practice."""
    tables = tuple(
        table.model_copy(update={"columns": tuple(_masked_column(column) for column in table.columns)})
        for table in schema.tables
    )
    return schema.model_copy(update={"tables": tables})


def _masked_column(column: Column) -> Column:
    return column.model_copy(update={"samples": masked_samples(column.samples)})
