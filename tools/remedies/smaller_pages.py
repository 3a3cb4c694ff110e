"""Smaller pages for a day: a server that is slow by the row answers a part of a page in time, and everybody else sooner.

Never a longer time-out and never more calls at once: both would slow a struggling practice further (faults.md 26).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from knowledge.manifest import Method, Paging
from tools.store.models import Integration
from tools.store.open import Store

ROWS, UNTIL = "page_rows", "page_rows_until"  # in an integration's settings
FOR_SO_LONG = timedelta(hours=24)  # then pages are as large as ever, and the next diagnosis sees how that goes
SMALLEST = 10
PART = 10  # a page becomes a tenth of what it was
_SIZED = frozenset({"page", "offset", "link", "keyset"})


def rows_a_page(method: Method) -> int | None:
    """How many rows a page of this method asks for; None where it has no size that we choose."""
    return method.paging.rows if method.paging.kind in _SIZED else None


def smaller(rows: int) -> int | None:
    """The next size; None where pages are as small as they may be."""
    return max(SMALLEST, rows // PART) if rows > SMALLEST else None


def in_smaller_pages(method: Method, integration: Integration, now: datetime) -> Method:
    """The method in pages of at most the size that is set for this integration, as long as that holds."""
    rows, until = integration.settings.get(ROWS), integration.settings.get(UNTIL)
    if not isinstance(rows, int) or not isinstance(until, str) or now >= datetime.fromisoformat(until):
        return method
    streams = {
        name: spec.model_copy(update={"paging": _at_most(spec.paging, rows)}) if spec.paging else spec
        for name, spec in method.streams.items()
    }
    return method.model_copy(update={"paging": _at_most(method.paging, rows), "streams": streams})


async def use_smaller_pages(store: Store, integration: Integration, rows: int, until: datetime) -> None:
    """Read in pages of `rows` until then. A walk that counts larger pages begins anew by itself."""
    settings = {**integration.settings, ROWS: rows, UNTIL: until.isoformat()}
    await store.integrations.update(integration.id, settings=settings)


def _at_most(paging: Paging, rows: int) -> Paging:
    return paging.model_copy(update={"rows": min(rows, paging.rows)})
