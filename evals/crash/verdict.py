"""The comparison at the end of a trial: store and truth, outbox and receiver, and whether anything is left lying."""

from __future__ import annotations

import asyncio
from time import monotonic

from dbos import DBOSClient, DBOSPortableJSONSerializer

from evals.crash.served import SETTLE_SECONDS, Served
from tools.clock import utc_now
from tools.jobs import APPLICATION, QUEUES
from tools.store.job_tables import job_engine, job_url


async def compare(served: Served) -> None:
    """Put everything that is wrong into the report."""
    wrong, counts, store = served.report.wrong, served.report.counts, served.store
    await _unended_jobs(served)
    for practice in served.practices:
        system = practice.stand.system
        wrong["records"] += [f"{system}: {each}" for each in await practice.wrong_records(store)]
        wrong["events"] += [f"{system}: {each}" for each in await practice.wrong_events(store)]
        wrong["writes"] += [f"{system}: {each}" for each in practice.wrong_writes()]
    await _deliveries(served)
    await _left_lying(served)
    counts["records equal to the truth"] = sum(len(each.known) for each in served.practices) - len(wrong["records"])
    counts["events in the outbox"] = sum(each.expected.total() for each in served.practices)
    counts["messages received"] = len(served.receiver.taken)
    counts["of them more than once"] = sum(times > 1 for times in served.receiver.times.values())
    counts["patients written to a PMS"] = sum(len(each.written) for each in served.practices)
    counts["requests sent again"] = served.client.repeated


async def _deliveries(served: Served) -> None:
    """Wait until everything that is owed has come, then look at what came."""
    until = monotonic() + SETTLE_SECONDS
    owed = {each.integration: [f"evt_{event.id}" for event in await served.store.events.list(each.integration)]
            for each in served.practices}  # fmt: skip
    everything = {each for messages in owed.values() for each in messages}
    while everything - set(served.receiver.taken):
        if monotonic() > until:
            break
        await asyncio.sleep(0.2)
    wrong = served.report.wrong["deliveries"]
    for messages in owed.values():
        wrong += served.receiver.differences(messages)
    invented = {each for each in served.receiver.taken if each.startswith("evt_")} - everything
    wrong += [f"{each} is no event of the outbox" for each in sorted(invented)]
    if served.receiver.unsigned:
        wrong.append(f"{served.receiver.unsigned} messages without a signature that holds")


async def _unended_jobs(served: Served) -> None:
    """Everything that was enqueued until now must end."""
    settings = served.place.settings
    url = job_url(settings).render_as_string(hide_password=False)
    client = await asyncio.to_thread(
        DBOSClient, system_database_url=url, system_database_engine=job_engine(settings),
        serializer=DBOSPortableJSONSerializer(), application_name=APPLICATION,
    )  # fmt: skip
    now, until = utc_now().isoformat(), monotonic() + SETTLE_SECONDS
    try:
        while left := await client.list_workflows_async(
            name=sorted(QUEUES),
            status=["ENQUEUED", "PENDING", "DELAYED"],
            end_time=now,
            load_input=False,
            load_output=False,
        ):
            if monotonic() > until:
                served.report.wrong["stranded"] += [
                    f"job {each.workflow_id} {each.name}: {each.status}" for each in left
                ]
                break
            await asyncio.sleep(0.5)
    finally:
        await asyncio.to_thread(client.destroy)


async def _left_lying(served: Served) -> None:
    store, stranded = served.store, served.report.wrong["stranded"]
    for thread in await store.threads.list():
        if thread.status in {"open", "waiting"}:
            stranded.append(f"thread {thread.id}: {thread.status}")
    integrations = await store.integrations.list()
    if len(integrations) != len(served.practices):
        stranded.append(f"{len(integrations)} integrations for {len(served.practices)} practices")
    for each in integrations:
        for run in await store.runs.list(each.id, 100_000):
            if run.status == "running" and (utc_now() - run.started_at).total_seconds() > SETTLE_SECONDS:
                stranded.append(f"run {run.id} of {run.stream}: running since {run.started_at:%H:%M:%S}")
