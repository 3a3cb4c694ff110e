"""How a walk over a stream is told: a cursor in, a page of raw rows and the next cursor out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from mappings.records import JsonValue, RawRow

Walk = Literal["all", "changes", "ids"]


class Cursor(BaseModel):
    """Where a walk over a stream stands; all that a new process needs to go on.

    `walk`: `all` reads every row, `changes` those since `since`, `ids` only keys. `high` is the highest change stamp
    seen so far in this walk, in the source's own units; `state` is the adapter's own (page number, link, last key).
    """

    model_config = ConfigDict(frozen=True)

    walk: Walk = "all"
    since: str | None = None
    high: str | None = None
    state: dict[str, JsonValue] = {}


@dataclass(frozen=True, slots=True)
class BadRow:
    """Something that is no row at all (a file, a record that does not parse): becomes a dead letter."""

    origin: str
    code: str
    reason: str
    raw: bytes = b""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a walk.

    `cursor` is where the next call goes on; when `end` is true the walk is over and `cursor` starts the next increment.
    `complete`: the walk (walks `all` and `ids`) saw every row, so what it did not see is gone. `capped` names the cap that
    ended the read early: the run is partial. `tokens` (content hashes of files) are remembered with the page's commit.
    """

    stream: str
    rows: tuple[RawRow, ...]
    cursor: Cursor
    end: bool
    complete: bool = False
    capped: str | None = None
    bad: tuple[BadRow, ...] = ()
    tokens: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
