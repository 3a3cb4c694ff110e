"""Smaller pages are a setting of one integration for a day; a walk that counted larger ones begins anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from knowledge.catalogue import manifest_of
from knowledge.manifest import Paging
from tools.diagnosis.evidence import page_facts
from tools.errors import CursorLost
from tools.protocols.http import open_http
from tools.protocols.paging import ListSource, Place, take_turn
from tools.remedies.smaller_pages import in_smaller_pages, smaller, use_smaller_pages
from tools.remedies.snapshot import restore, take_snapshot
from tools.store.open import open_store
from tools.store.settings import Settings

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def test_a_page_becomes_a_tenth_and_never_fewer_than_ten_rows() -> None:
    assert [smaller(rows) for rows in (1000, 100, 50, 11, 10, 5)] == [100, 10, 10, 10, None, None]


async def test_pages_are_smaller_for_a_day_and_as_they_were_after_an_undo(sqlite_settings: Settings) -> None:
    method = manifest_of("dental_suite").method("rest")
    async with open_store(sqlite_settings) as store:
        practice = await store.practices.create("P", "DE", "Europe/Berlin")
        integration = await store.integrations.create(
            practice_id=practice.id, system="dental_suite", method="rest", address="http://127.0.0.1:1", state="live",
            settings={"timeout_seconds": 5},
        )  # fmt: skip
        before = await take_snapshot(store, integration, ())
        await use_smaller_pages(store, integration, 10, NOW + timedelta(days=1))
        made = await store.integrations.get(integration.id)
        assert made is not None
        assert in_smaller_pages(method, made, NOW).paging.rows == 10
        assert in_smaller_pages(method, made, NOW + timedelta(days=1)).paging.rows == method.paging.rows
        await restore(store, integration.id, before, None)
        undone = await store.integrations.get(integration.id)
        assert undone is not None
        assert undone.settings == {"timeout_seconds": 5}


async def test_a_place_that_counts_larger_pages_is_no_place_any_more() -> None:
    source = ListSource("/patients", Paging(kind="page", page_parameter="page", rows=20), lambda _: "")
    async with open_http("http://127.0.0.1:1") as http:
        with pytest.raises(CursorLost):
            await take_turn(http, source, Place(at=3, rows=200))


@pytest.mark.parametrize(
    ("seconds", "found", "facts"),
    [
        (4.0, 250, {"probe.page": "slow", "page.rows": "250", "page.seconds": "4.00"}),
        (4.0, 25, {"probe.slow": "4.0 s for 25 rows"}),  # a page of 25 would be the same page
        (1.0, 250, {}),  # not far from what is usual
    ],
)
def test_a_page_of_few_rows_is_not_slow_by_the_row(seconds: float, found: int, facts: dict[str, str]) -> None:
    assert page_facts(seconds, found, 250, 0.6) == facts
