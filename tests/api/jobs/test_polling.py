"""A queue in which nothing waits is not claimed from, and one in which something waits is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from dbos._schemas.system_database import SystemSchema
from sqlalchemy import MetaData, create_engine
from sqlalchemy.pool import StaticPool

from api.jobs.polling import look_before_claiming


def test_only_a_queue_with_work_is_claimed_from() -> None:
    statuses = SystemSchema.workflow_status.to_metadata(MetaData(), schema=None)
    engine = create_engine("sqlite://", poolclass=StaticPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE workflow_status (workflow_uuid TEXT, queue_name TEXT, status TEXT)")
        rows = [("1", "sync", "ENQUEUED"), ("2", "heal", "PENDING"), ("3", "drive", "SUCCESS")]
        connection.exec_driver_sql("INSERT INTO workflow_status VALUES (?, ?, ?)", rows)
    tables = SimpleNamespace(workflow_status=statuses)
    system: Any = SimpleNamespace(engine=engine, tables=tables, dequeue_scopes=lambda _: [None])
    look_before_claiming(system)
    found = {queue: system.dequeue_scopes(queue) for queue in ("sync", "heal", "drive", "detect")}
    assert found == {"sync": [None], "heal": [], "drive": [], "detect": []}
