"""What lives as long as this process and belongs to no tenant: its measurements and its cache of static data."""

from __future__ import annotations

from dataclasses import dataclass, field

from tools.metrics import Metrics
from tools.static_cache import StaticCache


@dataclass(frozen=True)
class ProcessState:
    """Made once by whoever runs (a command, the server, a worker), handed to every store that it opens."""

    metrics: Metrics = field(default_factory=Metrics)
    static: StaticCache = field(default_factory=StaticCache)
