"""Polls of queues in which nothing waits, made cheap.

Twice a second, for every queue, the job engine reads how the queue is set up, then makes and runs its whole claim, which takes
milliseconds, also where nothing waits: several parts in a hundred of a core for a service that does nothing. One row by an
index says the same, and how a queue is set up changes with a release.
"""

from __future__ import annotations

from time import monotonic

from dbos import Queue
from dbos._sys_db import SystemDatabase
from sqlalchemy import bindparam, select

SETUP_SECONDS = 5.0  # how long a queue that was set up anew may still be polled as before


def poll_cheaply(engine: SystemDatabase) -> None:
    """From now on a queue is claimed from only where something waits in it."""
    _look_before_claiming(engine)
    _remember_queues(engine)


def _look_before_claiming(engine: SystemDatabase) -> None:
    claimed_from, jobs = engine.dequeue_scopes, engine.tables.workflow_status.c
    waits = select(jobs.workflow_uuid).where(jobs.queue_name == bindparam("queue"), jobs.status == "ENQUEUED").limit(1)

    def scopes(queue_name: str) -> list[str | None]:
        with engine.engine.connect() as connection:
            found = connection.execute(waits, {"queue": queue_name}).first()
        return claimed_from(queue_name) if found else []

    engine.dequeue_scopes = scopes  # type: ignore[method-assign]


def _remember_queues(engine: SystemDatabase) -> None:
    ask = engine.get_queue
    kept: dict[str, tuple[float, Queue]] = {}

    def get_queue(name: str, *, client_system_database: SystemDatabase | None = None) -> Queue | None:
        since, queue = kept.get(name, (0.0, None))
        if queue is not None and client_system_database is None and monotonic() - since < SETUP_SECONDS:
            return queue
        found = ask(name, client_system_database=client_system_database)
        if found is not None and client_system_database is None:
            kept[name] = monotonic(), found
        return found

    engine.get_queue = get_queue  # type: ignore[method-assign]
