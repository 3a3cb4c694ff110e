"""What one process measures, in a registry of its own, rendered as OpenMetrics text. Labels name systems, never patients.

A process makes one `Metrics` and hands it to every store it opens, so nothing is global and a test counts only its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from tools.resilience import WireTally

CONTENT_TYPE = CONTENT_TYPE_LATEST  # of `render`
OK = "ok"
_LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an adapter: which system, by which method, what it was to do, how it ended (a fault code, or `ok`)."""

    system: str
    method: str
    operation: str
    outcome: str
    seconds: float


class Metrics:
    """Counters of this process. Gauges about the store are set just before rendering (`tools.monitoring`)."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=False)
        call = ("system", "method", "operation")
        self._calls = Counter(
            "patchbay_requests", "Calls of practice systems by outcome.", (*call, "outcome"), registry=registry
        )
        self._seconds = Histogram(
            "patchbay_request_seconds", "How long calls took, waits and retries included.", call,
            buckets=_LATENCIES, registry=registry,
        )  # fmt: skip
        wire = ("system", "method")
        self._sent = Counter(
            "patchbay_wire_requests", "Requests really sent, retries included.", wire, registry=registry
        )
        self._retries = Counter("patchbay_wire_retries", "Requests sent again.", wire, registry=registry)
        self._connections = Counter(
            "patchbay_wire_connections",
            "Connections opened; requests beyond it used one again.",
            wire,
            registry=registry,
        )
        self._waited = Counter(
            "patchbay_limiter_wait_seconds", "Seconds that calls waited to keep a limit.", wire, registry=registry
        )
        self._opened = Counter("patchbay_breaker_opened", "Times a circuit opened.", ("system",), registry=registry)
        self._refused = Counter(
            "patchbay_breaker_refused", "Calls not sent since the circuit was open.", ("system",), registry=registry
        )
        self._cache = Counter(
            "patchbay_static_cache", "Look-ups of static data by result.", ("system", "operation", "result"),
            registry=registry,
        )  # fmt: skip
        self._runs = Counter("patchbay_runs", "Ended runs by status.", ("system", "status"), registry=registry)
        self._rows = Counter("patchbay_rows", "Rows that runs read.", ("system",), registry=registry)
        self._fallbacks = Counter(
            "patchbay_fallback_runs", "Runs that read by the second method.", ("system", "method"), registry=registry
        )
        self.freshness = Gauge(
            "patchbay_freshness_seconds", "Age of the last good run, of the stalest stream of a kind.",
            ("system", "stream"), registry=registry,
        )  # fmt: skip
        self.queue_age = Gauge(
            "patchbay_queue_age_seconds", "How long the most overdue stream waits.", registry=registry
        )
        self.due = Gauge("patchbay_streams_due", "Streams whose time has come.", registry=registry)
        self.breakers_open = Gauge("patchbay_breakers_open", "Open circuits.", ("system",), registry=registry)

    def count_call(self, call: Call) -> None:
        """A call that was sent, or tried to be."""
        labels = (call.system, call.method, call.operation)
        self._calls.labels(*labels, call.outcome).inc()
        self._seconds.labels(*labels).observe(call.seconds)

    def count_wire(self, system: str, method: str, done: WireTally) -> None:
        """What a call did on its wire."""
        for counter, amount in (
            (self._sent, done.requests), (self._retries, done.retries), (self._connections, done.connections),
            (self._waited, done.waited_seconds),
        ):  # fmt: skip
            counter.labels(system, method).inc(amount)

    def count_opened(self, system: str) -> None:
        self._opened.labels(system).inc()

    def count_refused(self, system: str) -> None:
        self._refused.labels(system).inc()

    def count_cached(self, system: str, operation: str, *, hit: bool) -> None:
        self._cache.labels(system, operation, "hit" if hit else "miss").inc()

    def count_run(self, system: str, status: str, rows: int) -> None:
        self._runs.labels(system, status).inc()
        self._rows.labels(system).inc(rows)

    def count_fallback(self, system: str, method: str) -> None:
        self._fallbacks.labels(system, method).inc()

    def value(self, name: str, **labels: str) -> float:
        """The present value of one sample; 0 where nothing was counted."""
        return self.registry.get_sample_value(name, labels) or 0.0

    def render(self) -> bytes:
        """OpenMetrics text of everything counted, to be served as `CONTENT_TYPE`."""
        text: bytes = generate_latest(self.registry)  # type: ignore[no-untyped-call]
        return text
