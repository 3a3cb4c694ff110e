"""A queue in which nothing waits is not claimed from, and one in which something waits is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from dbos._schemas.system_database import SystemSchema
from sqlalchemy import MetaData, create_engine
from sqlalchemy.pool import StaticPool

from api.jobs.polling import SETUP_SECONDS, poll_cheaply


def test_only_a_queue_with_work_is_claimed_from() -> None:
    statuses = SystemSchema.workflow_status.to_metadata(MetaData(), schema=None)
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE workflow_status (workflow_uuid TEXT, queue_name TEXT, status TEXT)")
        rows = [("1", "sync", "ENQUEUED"), ("2", "heal", "PENDING"), ("3", "drive", "SUCCESS")]
        connection.exec_driver_sql("INSERT INTO workflow_status VALUES (?, ?, ?)", rows)
    tables = SimpleNamespace(workflow_status=statuses)
    system: Any = SimpleNamespace(engine=engine, tables=tables, dequeue_scopes=lambda _: [None], get_queue=None)
    poll_cheaply(system)
    found = {queue: system.dequeue_scopes(queue) for queue in ("sync", "heal", "drive", "detect")}
    assert found == {"sync": [None], "heal": [], "drive": [], "detect": []}


def test_how_a_queue_is_set_up_is_asked_for_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, now = list[str](), [100.0]
    monkeypatch.setattr("api.jobs.polling.monotonic", lambda: now[0])

    def get_queue(name: str, **_: object) -> str | None:
        asked.append(name)
        return None if name == "gone" else f"{name}, asked {len(asked)}"

    tables = SimpleNamespace(workflow_status=SystemSchema.workflow_status)
    system: Any = SimpleNamespace(engine=None, tables=tables, dequeue_scopes=None, get_queue=get_queue)
    poll_cheaply(system)
    assert [system.get_queue("sync"), system.get_queue("sync")] == ["sync, asked 1"] * 2
    now[0] += SETUP_SECONDS
    assert system.get_queue("sync") == "sync, asked 2"
    assert [system.get_queue("gone"), system.get_queue("gone")] == [None, None]
    assert asked == ["sync", "sync", "gone", "gone"]
