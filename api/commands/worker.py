"""`patchbay worker`: one more process that runs jobs, beside those that serve."""

from __future__ import annotations

import signal
import threading

from api.commands.serve import GRACE_SECONDS, leave_at_once
from api.logs import log_a_service_to_stderr
from api.output import Output
from knowledge.errors import BadInput
from tools.store.settings import Settings


def run_worker(*, as_json: bool) -> int:
    """Work until SIGTERM or Ctrl-C. Only on PostgreSQL: SQLite takes one process, and `serve` is that."""
    log_a_service_to_stderr()
    output, settings = Output(as_json), Settings()
    from tools.store.database import database_url

    if database_url(settings).get_backend_name() == "sqlite":
        raise BadInput(
            "worker", "SQLite takes one working process.",
            "`patchbay serve` is it; set PATCHBAY_DATABASE_URL to PostgreSQL to add workers.",
        )  # fmt: skip
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    from api.jobs.worker import Worker
    from tools.process import collect_seldom

    collect_seldom()
    worker = Worker(settings)
    worker.start()
    output.line({"event": "working"})
    output.text("This worker runs jobs; Ctrl-C ends it.")
    stopping.wait()
    if not worker.stop(GRACE_SECONDS):
        leave_at_once()
    return 0
