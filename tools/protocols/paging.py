"""Walks a list that goes on by page number, offset or link, while somebody is changing it; each turn is one request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pydantic import BaseModel, ConfigDict

from knowledge.manifest import Paging
from tools.errors import CursorLost, EndpointMoved, PagingLoop
from tools.protocols.http import HttpClient
from tools.protocols.link_trail import lengthened
from tools.protocols.rest import Json, Listing, listing
from tools.protocols.web_address import where_of

MOST_RESTARTS = 2
_BETWEEN = "\x1f"


class Place(BaseModel):
    """Where a walk over one list stands; with the list's description it is all that another process needs.

    `at` is the page number or the offset, `seen` how many places of the list are behind us, `last` the identities of the
    page before, `first` that of the very first row, `total` the count as last claimed, `restarts` how often rows shifted
    so that the list was begun anew, `trail` the links behind us, `rows` the size of the pages that are counted.
    """

    model_config = ConfigDict(frozen=True)

    at: int | None = None
    link: str | None = None
    seen: int = 0
    last: str = ""
    first: str = ""
    total: int | None = None
    restarts: int = 0
    trail: str = ""
    rows: int | None = None

    @property
    def last_ids(self) -> list[str]:
        return self.last.split(_BETWEEN) if self.last else []


@dataclass(frozen=True, slots=True)
class ListSource:
    """A list at a service: where it lies, what is asked with it, how it goes on, and what makes two rows the same."""

    path: str
    paging: Paging
    identity: Callable[[Json], str]
    query: Mapping[str, str | int] = field(default_factory=dict)
    following: str | None = None  # path of the next page's address inside the answer
    may_be_gone: bool = False  # 404 means an empty list (of a parent that was deleted meanwhile)

    def sized(self, rows: int) -> ListSource:
        """The same list in smaller pages."""
        return replace(self, paging=self.paging.model_copy(update={"rows": min(rows, self.paging.rows)}))


@dataclass(frozen=True, slots=True)
class Turn:
    """One page. `end`: the list is over; `shifted`: it is, but fewer rows were seen than it counts."""

    records: tuple[Json, ...]
    place: Place
    end: bool = False
    shifted: bool = False


async def take_turn(http: HttpClient, source: ListSource, place: Place) -> Turn:
    """Read the page at a place. Raises the client's errors, `PagingLoop` where the list leads in a circle,
    and `CursorLost` where the place counts pages of another size.

    Rows may shift while a list is paged by number (fault `paging.shifted`). A shrinking count makes us step back so that
    what moved onto an earlier page is read; offsets overlap by one row. At the end the rows seen are compared with the
    count, and too few begin the list anew, `MOST_RESTARTS` times at most.
    """
    if source.paging.kind == "page" and place.rows not in {None, source.paging.rows}:
        raise CursorLost(where_of(source.path), "Its pages have another size by now.")
    try:
        answer = await http.get(place.link or source.path, params=None if place.link else _parameters(source, place))
    except EndpointMoved:
        if not source.may_be_gone:
            raise
        return Turn((), Place(), end=True)
    page = listing(answer, source.paging, source.following)
    ids = [source.identity(each) for each in page.records]
    if source.paging.kind == "none":
        return Turn(page.records, Place(), end=True)
    if source.paging.kind == "link":
        return _by_link(source, place, page, ids)
    return _by_number(source, place, page, ids)


def _parameters(source: ListSource, place: Place) -> dict[str, str | int]:
    paging = source.paging
    asked: dict[str, str | int] = dict(source.query)
    if paging.size_parameter:
        asked[paging.size_parameter] = paging.rows
    if paging.page_parameter and paging.kind in {"page", "offset"}:
        asked[paging.page_parameter] = _at(paging, place)
    return asked


def _at(paging: Paging, place: Place) -> int:
    start = paging.first if paging.kind == "page" else 0
    return start if place.at is None else place.at


def _by_link(source: ListSource, place: Place, page: Listing, ids: list[str]) -> Turn:
    seen = place.seen + sum(1 for each in ids if each not in place.last_ids)
    if page.following is None:
        short = page.total is not None and seen < page.total
        return _ended(page, place, source.paging, short)
    trail = lengthened(place.trail, page.following)
    if trail is None or page.following == place.link or (ids and ids == place.last_ids):
        raise PagingLoop(where_of(source.path), "The link to the next page leads back.")
    last = _BETWEEN.join(ids)
    after = Place(link=page.following, seen=seen, last=last, total=page.total, restarts=place.restarts, trail=trail)
    return Turn(page.records, after)


def _by_number(source: ListSource, place: Place, page: Listing, ids: list[str]) -> Turn:
    paging, last, at = source.paging, place.last_ids, _at(source.paging, place)
    new = [each for each in ids if each not in last]
    if back := _steps_back(paging, place, page, ids):
        after = place.model_copy(update={"at": back[0], "seen": back[1], "last": "", "total": page.total})
        return Turn(page.records, after)
    _refuse_circles(source, place, ids, new)
    seen = place.seen + len(new)
    met = page.total is not None and seen >= page.total
    if not new or (met and len(ids) < paging.rows):
        return _ended(page, place, paging, page.total is not None and seen < page.total)
    step = 1 if paging.kind == "page" else max(1, len(ids) - 1)  # offsets overlap by one row
    first = place.first or ids[0]
    after = Place(
        at=at + step, seen=seen, last=_BETWEEN.join(ids), first=first, total=page.total, restarts=place.restarts,
        rows=paging.rows,
    )  # fmt: skip
    return Turn(page.records, after)


def _steps_back(paging: Paging, place: Place, page: Listing, ids: list[str]) -> tuple[int, int] | None:
    """Where to read again, and how many places lie before it, when rows have moved onto pages behind us."""
    last, at = place.last_ids, _at(paging, place)
    if not last:
        return None
    if paging.kind == "offset":
        if last[-1] in ids or not ids:
            return None
        start = max(0, at - paging.rows)
        return start, start
    if place.total is None or page.total is None or page.total >= place.total:
        return None
    pages = min(-(-(place.total - page.total) // len(last)), at - paging.first)
    return (at - pages, max(0, place.seen - pages * len(last))) if pages else None


def _refuse_circles(source: ListSource, place: Place, ids: list[str], new: list[str]) -> None:
    last = place.last_ids
    around = bool(ids) and bool(last) and place.first == ids[0] and len(ids) > 1
    stuck = bool(ids) and ids == last and (len(ids) > 1 or source.paging.kind == "page")
    if (around or stuck) and not (source.paging.kind == "offset" and not new and len(ids) == 1):
        raise PagingLoop(where_of(source.path), "The same first row came twice.")


def _ended(page: Listing, place: Place, paging: Paging, short: bool) -> Turn:
    """The list is over; with rows missing it is begun anew, and given up in the end."""
    if short and place.restarts < MOST_RESTARTS:
        return Turn(page.records, Place(restarts=place.restarts + 1))
    return Turn(page.records, Place(), end=True, shifted=short)
