"""`patchbay health` and `patchbay heal`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from api.answering import found_question, take_answer
from api.output import Output, short_time
from api.running import context_of, found, run, run_at_home, store_for, why_at_rest
from tools.clock import rfc3339, utc_now

if TYPE_CHECKING:
    from agents.health import HealReport
    from tools.health_windows import HealthWindow
    from tools.store.models import Integration
    from tools.store.open import Store

LATENCIES = ("p50", "p95", "p99")


def show_health(wanted: str | None, *, as_json: bool) -> int:
    """The last run, freshness and next turn of every stream, and how the last hour, day and week went. Exit code 0: to look is no failure."""
    output = Output(as_json)

    async def work() -> int:
        async with store_for(output) as store:
            chosen = [await found(store, wanted)] if wanted else await store.integrations.list()
            for integration in chosen:
                _show(output, integration, await _endpoints(store, integration), await _windows(store, integration))
            if not chosen:
                output.text("Nothing to look at yet: patchbay connect ADDRESS")
        return 0

    return run_at_home(work)


async def _windows(store: Store, integration: Integration) -> dict[str, HealthWindow]:
    from tools.health_windows import health_windows

    return await health_windows(store, integration.id)


def _show(
    output: Output,
    integration: Integration,
    endpoints: list[dict[str, object]],
    windows: dict[str, HealthWindow],
) -> None:
    good = integration.state == "live" and all(each["status"] == "ok" for each in endpoints)
    output.line(
        {"integration": integration.id, "practice": integration.practice_id, "system": integration.system,
         "state": integration.state, "status": "ok" if good else "degraded", "endpoints": endpoints,
         "windows": {name: asdict(window) for name, window in windows.items()}}
    )  # fmt: skip
    failing = sum(each["status"] not in {"ok", "never ran"} for each in endpoints)
    judged = "healthy" if good else f"{failing} of {len(endpoints)} streams are not well" if failing else "not healthy"
    title = f"{integration.id}: {integration.system} by {integration.method}, {integration.state}, {judged}"
    rows = [
        (each["name"], each["status"], _age(each["freshness_s"]), short_time(each["due_at"]), each["why"])
        for each in endpoints
    ]
    output.table(title, ("stream", "last run", "age", "next", "why"), rows)
    output.table(
        "Behind it",
        ("window", "runs", "good", "calls", "answered", "p50", "p95", "p99", "rows", "changed"),
        [_window_row(each) for each in windows.values() if each.runs or each.calls],
    )


def _window_row(window: HealthWindow) -> tuple[object, ...]:
    latencies = [f"{window.latency_ms[name]:.0f} ms" if name in window.latency_ms else "" for name in LATENCIES]
    return (
        window.window, window.runs, _percent(window.success_rate), window.calls, _percent(window.call_success_rate),
        *latencies, window.rows_read, window.rows_changed,
    )  # fmt: skip


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


async def _endpoints(store: Store, integration: Integration) -> list[dict[str, object]]:
    """The last run of every stream, its age in seconds, and when it is due."""
    endpoints: list[dict[str, object]] = []
    for state in await store.streams.list(integration.id):
        last = await store.runs.latest(integration.id, state.stream)
        fresh = (utc_now() - state.last_success_at).total_seconds() if state.last_success_at else None
        endpoints.append(
            {"name": state.stream, "status": last.status if last else "never ran", "freshness_s": fresh,
             "due_at": rfc3339(state.due_at), "last_error": last.code if last else None,
             "why": last.sentence if last and last.sentence else state.why}
        )  # fmt: skip
    return endpoints


def _age(seconds: object) -> str:
    """Seconds as a person says them."""
    if not isinstance(seconds, float):
        return ""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def run_heal(wanted: str, *, as_json: bool) -> int:
    """Exit code 0 when it is healthy or was healed, 1 when a person or time must help."""
    output = Output(as_json)

    async def work() -> int:
        async with store_for(output) as store:
            integration = await found(store, wanted)
            if why := why_at_rest(integration):
                output.say(f"{integration.id} was not looked at: {why}.")
                return 1
            from agents.health import heal_integration

            report = await heal_integration(context_of(store), integration.id)
        return show_report(output, integration.id, report)

    return run(work)


async def answer_incident(output: Output, store: Store, incident_id: str, wanted: str, value: str) -> int:
    """Take a yes or no to a remedy and let the healing go on. Exit codes as of `heal`."""
    from agents.driver import drive
    from agents.health import report_of

    await take_answer(store, await found_question(store, incident_id, wanted), value)
    context = context_of(store)
    incident = await store.incidents.get(incident_id)
    if incident.integration_id is not None and await _healed_by_worker(store, incident.integration_id, incident_id):
        return show_report(output, incident.integration_id, await report_of(context, incident_id))
    busy = [event async for event in drive(context, incident_id) if event["event"] == "busy"]
    if busy:
        output.say("The answer is taken; the process that is healing this integration goes on with it.")
        return 0
    incident = await store.incidents.get(incident_id)
    return show_report(output, incident.integration_id, await report_of(context, incident_id))


async def _healed_by_worker(store: Store, integration_id: str, incident_id: str) -> bool:
    """Whether a worker lives and went on with the incident."""
    from api.watching import done_by_worker

    return (
        await done_by_worker(store, lambda jobs: jobs.heal(store.tenant, integration_id, incident=incident_id))
        is not None
    )


def show_report(output: Output, integration_id: str | None, report: HealReport) -> int:
    """Print how a healing stands. Exit code 0 when it is healthy or was healed, 1 when a person or time must help."""
    output.line({"event": "healed", "integration": integration_id, **report.model_dump(exclude={"others"})})
    output.text(f"{report.root_cause} ({report.probability:.0%}): {report.status}. {report.sentence}")
    for reason in report.supporting:
        output.text(f"  for:     {reason}")
    for reason in report.contradicting:
        output.text(f"  against: {reason}")
    done = report.status in {"healed", "healthy"}
    if not done and report.guidance:
        output.text(f"EN  {report.guidance['en']}\nDE  {report.guidance['de']}")
    for question in report.questions:
        output.text(f"It waits for your yes or no: patchbay answer {report.incident} {question} yes")
    rest = [show_report(output, integration_id, each) for each in report.others]
    return 0 if done and not any(rest) else 1
