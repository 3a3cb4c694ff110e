"""Health: how an integration is now, stream by stream, and how all of them were over some windows of time."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import ConfigDict, JsonValue

from api.auth import Caller, Viewer
from api.forms import Id, Moment, View
from api.found import integration_of
from api.routing import resource
from api.service import Served
from knowledge.errors import BadInput
from tools.health_windows import WINDOWS, answered_of, percentiles
from tools.store.models import Integration, Run, RunOutcomes, StreamState

router = resource("health")

Status = Literal["ok", "degraded", "failed", "paused", "disconnected", "onboarding", "needs_review"]

_ENDPOINT: dict[str, JsonValue] = {
    "name": "patients", "status": "ok", "response_ms": 41.0, "success_rate": 1.0, "last_error": None,
    "freshness_s": 61.0, "due_at": "2026-11-21T07:15:00Z",
}  # fmt: skip
_HEALTH: dict[str, JsonValue] = {
    "integration": "int_Zk3nQ0a1bC2d", "practice": "prc_Zk3nQ0a1bC2d", "system": "dentrix", "status": "ok",
    "last_check": "2026-11-21T07:00:02Z", "response_ms": 41.0, "error": None, "freshness_s": 61.0,
    "endpoints": [_ENDPOINT],
}  # fmt: skip


class EndpointView(View):
    """One stream. `response_ms` is what a page of its last run took, `success_rate` that of the last 24 hours."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ENDPOINT]})

    name: str
    status: str
    response_ms: float | None
    success_rate: float | None
    last_error: str | None
    freshness_s: float | None
    due_at: Moment


class HealthView(View):
    """`freshness_s` is the age of the stream that was read longest ago; null while one was never read."""

    model_config = ConfigDict(json_schema_extra={"examples": [_HEALTH]})

    integration: str
    practice: str
    system: str
    status: Status
    last_check: Moment | None
    response_ms: float | None
    error: str | None
    freshness_s: float | None
    endpoints: list[EndpointView]


class WindowView(View):
    """The runs of a window: how many, how many were green, what they read, what they could not use.

    `calls` are those of the practices' systems; `latency_ms` has p50, p95 and p99 of the answered ones.
    """

    runs: int
    ok: int
    success_rate: float | None
    read: int
    dead: int
    calls: int
    call_success_rate: float | None
    latency_ms: dict[str, float]


class SummaryView(View):
    """Integrations by how they are. Those still `onboarding` are counted apart: they are none yet."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"integrations": {"ok": 3, "degraded": 1}, "onboarding": 1,
                 "windows": {"1h": {"runs": 40, "ok": 39, "success_rate": 0.975, "read": 812, "dead": 1, "calls": 96,
                                    "call_success_rate": 0.9896, "latency_ms": {"p50": 40.0, "p95": 95.1, "p99": 160.0}}}}
            ]
        }
    )  # fmt: skip

    integrations: dict[str, int]
    onboarding: int
    windows: dict[str, WindowView]


@router.get("/integrations/{integration_id}/health")
async def get_health(integration_id: Id, caller: Viewer, service: Served) -> HealthView:
    """How an integration is now, stream by stream."""
    integration = await integration_of(caller.store, integration_id)
    now = service.clock()
    rates = {each.stream: each for each in await caller.store.runs.outcomes(now - WINDOWS["24h"], integration.id)}
    states = [state for state in await caller.store.streams.list(integration.id) if state.enabled]
    last = {state.stream: await caller.store.runs.latest(integration.id, state.stream) for state in states}
    endpoints = [_endpoint(state, last[state.stream], rates.get(state.stream), now) for state in states]
    ended = [run.ended_at for run in last.values() if run is not None and run.ended_at is not None]
    fresh = [each.freshness_s for each in endpoints]
    took = [each.response_ms for each in endpoints if each.response_ms is not None]
    return HealthView(
        integration=integration.id, practice=integration.practice_id, system=integration.system,
        status=_status(integration, endpoints), last_check=max(ended, default=None),
        response_ms=round(sum(took) / len(took), 1) if took else None,
        error=next((each.last_error for each in endpoints if each.last_error), None),
        freshness_s=None if not fresh or None in fresh else max(each for each in fresh if each is not None),
        endpoints=endpoints,
    )  # fmt: skip


@router.get("/health/summary")
async def get_summary(
    caller: Viewer, service: Served,
    window: Annotated[str, Query(max_length=40, description="1h, 24h and 7d, by commas.")] = "1h,24h,7d",
) -> SummaryView:  # fmt: skip
    """How all integrations are, and how their runs went over the windows."""
    names = list(dict.fromkeys(each.strip() for each in window.split(",")))
    if unknown := [each for each in names if each not in WINDOWS]:
        raise BadInput("window", f"there is no window {unknown[0]!r}.", f"Choose from {', '.join(WINDOWS)}.")
    counted: dict[str, int] = {}
    for integration in await caller.store.integrations.list():
        status = integration.state if integration.state != "live" else integration.health or "ok"
        counted[status] = counted.get(status, 0) + 1
    now, onboarding = service.clock(), counted.pop("onboarding", 0)
    return SummaryView(
        integrations=counted,
        onboarding=onboarding,
        windows={each: await _window(caller, now - WINDOWS[each]) for each in names},
    )


async def _window(caller: Caller, since: datetime) -> WindowView:
    found = await caller.store.runs.outcomes(since)
    runs, ok = sum(each.runs for each in found), sum(each.ok for each in found)
    read, dead = sum(each.read for each in found), sum(each.dead for each in found)
    calls = await caller.store.calls.since(None, since)
    answered = answered_of(calls)
    return WindowView(
        runs=runs, ok=ok, success_rate=_rate(ok, runs), read=read, dead=dead, calls=calls.total(),
        call_success_rate=_rate(answered.total(), calls.total()), latency_ms=percentiles(answered),
    )  # fmt: skip


def _endpoint(state: StreamState, run: Run | None, rate: RunOutcomes | None, now: datetime) -> EndpointView:
    fresh = (now - state.last_success_at).total_seconds() if state.last_success_at else None
    return EndpointView(
        name=state.stream, status=run.status if run else "never ran", response_ms=_page_ms(run),
        success_rate=_rate(rate.ok, rate.runs) if rate else None, last_error=run.code if run else None,
        freshness_s=fresh, due_at=state.due_at,
    )  # fmt: skip


def _page_ms(run: Run | None) -> float | None:
    if run is None or run.ended_at is None:
        return None
    return round((run.ended_at - run.started_at).total_seconds() * 1000 / max(1, run.pages), 1)


def _status(integration: Integration, endpoints: list[EndpointView]) -> Status:
    if integration.state != "live":
        return integration.state
    good = all(each.status in {"ok", "running"} for each in endpoints)
    return "ok" if good else "degraded"


def _rate(ok: int, runs: int) -> float | None:
    return round(ok / runs, 4) if runs else None
