"""`patchbay integrations`, `pause`, `resume`, `disconnect`."""

from __future__ import annotations

from api.output import Output, short_time
from api.running import found, run_at_home, store_for
from tools.clock import to_the_second


def show_integrations(*, as_json: bool) -> int:
    """All integrations, newest last."""
    output = Output(as_json)

    async def work() -> int:
        async with store_for(output) as store:
            rows = []
            for each in await store.integrations.list():
                practice = await store.practices.get(each.practice_id)
                streams = await store.streams.list(each.id)
                due = min((stream.due_at for stream in streams if stream.due_at), default=None)
                counted = await store.records.count(each.id)
                output.line(
                    {**each.model_dump(mode="json", exclude={"credentials_ref"}), "practice": practice.name,
                     "time_zone": practice.time_zone, "records": counted, "next_sync": to_the_second(due) if due else None}
                )  # fmt: skip
                rows.append(
                    (
                        each.id,
                        practice.name,
                        each.system,
                        each.method,
                        each.state,
                        each.health or "",
                        sum(counted.values()),
                        short_time(due),
                    )
                )
            output.table("Integrations" if rows else f"No integration in the tenant {store.tenant} yet: patchbay connect ADDRESS",
                         ("id", "practice", "system", "method", "state", "health", "records", "next sync"), rows)  # fmt: skip
        return 0

    return run_at_home(work)


def set_state(wanted: str, state: str, *, as_json: bool) -> int:
    """Pause or resume. Only what was live or paused changes; anything else says why not."""
    output = Output(as_json)

    async def work() -> int:
        async with store_for(output) as store:
            integration = await found(store, wanted)
            if integration.state not in {"live", "paused"}:
                output.say(f"{integration.id} is {integration.state}: only a live or paused one can be {state}.")
                output.line({"integration": integration.id, "state": integration.state})
                return 1
            await store.integrations.update(integration.id, state=state)
            await store.audit.record("integration." + state, integration.id, "cli", {})
            output.line({"integration": integration.id, "state": state})
            output.text(f"{integration.id} is {state}.")
        return 0

    return run_at_home(work)


def run_disconnect(wanted: str, *, erase: bool, as_json: bool) -> int:
    """End an integration; with `erase` all that we hold of it goes too."""
    from tools.sync.disconnect import disconnect

    output = Output(as_json)

    async def work() -> int:
        async with store_for(output) as store:
            integration = await found(store, wanted)
            await disconnect(store, integration, "cli", erase=erase)
            output.line({"integration": integration.id, "state": "disconnected", "erased": erase})
            output.text(f"{integration.id} is disconnected{' and erased' if erase else ''}.")
        return 0

    return run_at_home(work)
