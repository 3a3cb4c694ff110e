"""Lists page by cursor: an answer's `next_cursor` asks for what follows, and stays right while rows come and go."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Generic, TypeVar

from fastapi import Query

from api.forms import View
from knowledge.errors import BadInput

Item = TypeVar("Item")
Row = TypeVar("Row")

MOST = 500

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=2000, description="`next_cursor` of the page before.")]


class Listing(View, Generic[Item]):
    """One page of a list. Without `next_cursor` it is the last."""

    items: list[Item]
    next_cursor: str | None = None


def place_of(cursor: str | None, *, parts: int) -> list[str] | None:
    """The place that a cursor names, in so many parts. Raises `BadInput` for anything that no answer of ours held."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        place = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        place = None
    if not isinstance(place, list) or len(place) != parts or not all(_is_plain(each) for each in place):
        raise BadInput("cursor", "is none that this list gave.", "Begin without a cursor.")
    return place


def moment_place(cursor: str | None) -> tuple[datetime, str] | None:
    """The place of a list in order of time: when, and the id among those of that time. Raises `BadInput`."""
    place = place_of(cursor, parts=2)
    if place is None:
        return None
    try:
        at = datetime.fromisoformat(place[0])
    except ValueError:
        at = datetime(1, 1, 1)
    if at.tzinfo is None:
        raise BadInput("cursor", "is none that this list gave.", "Begin without a cursor.")
    return at, place[1]


def cursor_of(*place: str) -> str:
    """A cursor that names a place."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def listing(
    rows: Sequence[Row], limit: int, place: Callable[[Row], tuple[str, ...]], view: Callable[[Row], Item]
) -> Listing[Item]:
    """A page of at most `limit` of `rows`, which hold one more where another page follows."""
    shown = rows[:limit]
    after = cursor_of(*place(shown[-1])) if len(rows) > limit else None
    return Listing(items=[view(each) for each in shown], next_cursor=after)


def _is_plain(part: object) -> bool:
    return isinstance(part, str) and len(part) <= 500 and part.isprintable()
