"""A manifest's field hints in the words of the matching engine's callers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from knowledge.manifest import Method


@dataclass(frozen=True, slots=True)
class FieldHint:
    """Column `column` of stream `stream` belongs to `target`; `transform` is the plain data of its transform."""

    stream: str
    column: str
    target: str
    transform: dict[str, object] | None


def field_hints(method: Method) -> Iterator[FieldHint]:
    """Every hint of a method, in the manifest's order; a field may have several."""
    for name, stream in method.streams.items():
        for column, field in stream.fields.items():
            for hint in field.maps:
                yield FieldHint(name, column, hint.to, hint.transform)


def left_out_columns(method: Method) -> set[tuple[str, str]]:
    """Every (stream, column) that the manifest leaves out with its reason: it belongs nowhere, whatever it is called."""
    return {
        (name, column) for name, stream in method.streams.items() for column, field in stream.fields.items()
        if field.left_out and not field.maps
    }  # fmt: skip


def declared_fields(method: Method) -> set[str]:
    """All `Entity.field` that a method's streams feed, by hint or by constant."""
    hinted = {hint.target for hint in field_hints(method)}
    fixed = {target for stream in method.streams.values() for target in stream.constants}
    return {target.replace("#2", "").replace("#3", "") for target in hinted | fixed}
