"""What lives as long as this process and belongs to no tenant: its measurements and its cache of static data."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field

from tools.metrics import Metrics
from tools.static_cache import StaticCache

_YOUNG, _MIDDLE, _OLD = 20_000, 20, 50


def collect_seldom() -> None:
    """For a process that lasts, once its imports are done: leave them out of garbage collection, and collect less often.

    Pages of rows hold no cycles and go by themselves. By Python's own settings (700 new objects, 10, 10) looking through
    them, and through half a million objects of libraries, took an eighth of what storing computes.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)


@dataclass(frozen=True)
class ProcessState:
    """Made once by whoever runs (a command, the server, a worker), handed to every store that it opens."""

    metrics: Metrics = field(default_factory=Metrics)
    static: StaticCache = field(default_factory=StaticCache)
