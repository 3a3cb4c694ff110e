"""`patchbay demo`: simulated practices from address to synced records, a day's changes, one break, one healing."""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from agents.context import AgentContext
from agents.driver import drive, start_thread, thread_state
from agents.health import heal_integration
from agents.states import Request
from api.commands.demo_practices import Practice, control, differences, start_practices
from api.output import Output
from api.running import holder, run
from tools.address import parse_address
from tools.credentials import read_credentials
from tools.store.ids import new_id
from tools.store.open import open_store
from tools.store.settings import Settings
from tools.sync.integration import sync_integration

SYSTEMS = ("dentrix", "dampsoft", "praxident", "epic", "dental_suite")
CHANGES = 12
BROKEN = "dentrix"
FAULT: dict[str, object] = {"code": "schema.column_renamed", "from": "mobilePhone", "to": "cellPhone"}


@dataclass
class Story:
    """What happened to one practice."""

    practice: Practice
    integration: str = ""
    state: str = ""
    records: int = 0
    accept: int = 0
    seconds: float = 0.0
    changes: int = 0
    events: int = 0
    wrong: list[str] = field(default_factory=list)


def run_demo(*, as_json: bool, keep: bool) -> int:
    """Exit code 0 only if every practice is live, every store equals its truth, and the broken one was healed."""
    return run(lambda: _demo(Output(as_json), keep))


async def _demo(output: Output, keep: bool) -> int:
    started = monotonic()
    async with AsyncExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="patchbay-demo-") if keep else stack.enter_context(_scratch()))
        output.say(f"Starting {len(SYSTEMS)} simulated practices …")
        practices = await stack.enter_async_context(start_practices(SYSTEMS))
        store = await stack.enter_async_context(open_store(Settings(home=home, database_url=None)))
        context = AgentContext(store, holder())
        stories = await asyncio.gather(*(_onboard(output, context, practice) for practice in practices))
        await asyncio.gather(*(_work_and_sync(output, context, story) for story in stories))
        healed = await _break_and_heal(
            output, context, next(each for each in stories if each.practice.system == BROKEN)
        )
        good = _report(output, stories, healed, monotonic() - started)
        if keep:
            await _stay(output, home, practices)
    return 0 if good else 1


def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="patchbay-demo-")


async def _onboard(output: Output, context: AgentContext, practice: Practice) -> Story:
    """One address in, without a question."""
    begun = monotonic()
    story = Story(practice)
    login = await context.store.credentials.put(read_credentials(practice.credentials))
    address = parse_address(practice.address).url
    request = Request(thread_id=new_id("thr"), address=address, credentials_ref=login, accept_only=True)
    await start_thread(context, request)
    async for event in drive(context, request.thread_id, request):
        if event.get("step") == "detected":
            output.say(f"{practice.address}: {event['system']} {event['version']} ({event['confidence']:.1%} sure)")
    state = await thread_state(context, request.thread_id)
    outcome, integrated, mapped = state.get("outcome"), state.get("integrated"), state.get("mapped")
    story.state = outcome.state if outcome else "waiting"
    story.accept = mapped.accept if mapped else 0
    if integrated:
        story.integration = integrated.integration_id
        story.records = sum((await context.store.records.count(story.integration)).values())
        story.wrong += await differences(context.store, story.integration, practice)
    if outcome and outcome.sentence:
        story.wrong.append(outcome.sentence)
    story.seconds = monotonic() - begun
    output.say(f"{practice.system}: {story.state} with {story.records} records after {story.seconds:.1f} s")
    return story


async def _work_and_sync(output: Output, context: AgentContext, story: Story) -> None:
    """The practice works for a while; the increment brings exactly that. A deletion needs two looks."""
    if not story.integration:
        return
    before = await _last_event(context, story.integration)
    done = await control(story.practice, "POST", "/changes", {"count": CHANGES})
    story.changes = len(done["changes"])
    for _ in range(2):
        await sync_integration(context.store, story.integration, context.holder)
    story.events = len(await context.store.events.list(story.integration, after_id=before))
    story.wrong += await differences(context.store, story.integration, story.practice)
    output.say(f"{story.practice.system}: {story.changes} changes at the practice, {story.events} events at our side")


async def _last_event(context: AgentContext, integration: str) -> int:
    events = await context.store.events.list(integration, after_id=0)
    return max((event.id for event in events), default=0)


async def _break_and_heal(output: Output, context: AgentContext, story: Story) -> str:
    """Rename a column under a live integration, and let the health agent find and mend it."""
    await control(story.practice, "POST", "/faults", FAULT)
    runs = await sync_integration(context.store, story.integration, context.holder)
    failed = next((each for each in runs if each.status != "ok"), None)
    output.say(f"{story.practice.system} is broken: {failed.sentence if failed else 'nobody noticed'}")
    report = await heal_integration(context, story.integration)
    story.wrong += await differences(context.store, story.integration, story.practice)
    return f"{report.root_cause or 'unknown'} → {report.status}: {report.sentence}"


def _report(output: Output, stories: list[Story], healed: str, seconds: float) -> bool:
    good = "healed" in healed
    rows = []
    for story in stories:
        right = not story.wrong and story.state == "live"
        good = good and right
        rows.append((story.practice.system, story.practice.method, f"{story.seconds:.1f} s", story.accept, story.records,
                     story.changes, story.events, "= truth" if right else "differs"))  # fmt: skip
        output.line(
            {"event": "practice", "system": story.practice.system, "state": story.state, "records": story.records,
             "accept": story.accept, "changes": story.changes, "events": story.events, "seconds": round(story.seconds, 1),
             "wrong": story.wrong}
        )  # fmt: skip
    columns = ("practice", "by", "live", "mapped", "records", "changes", "events", "store")
    output.table("One address in, a live integration out", columns, rows)
    for story in stories:
        for each in story.wrong:
            output.text(f"{story.practice.system}: {each}")
    output.text(f"Broken on purpose: {healed}")
    output.text(f"{'All good' if good else 'Something is wrong'} after {seconds:.0f} s.")
    output.line({"event": "done", "good": good, "healed": healed, "seconds": round(seconds, 1)})
    return good


async def _stay(output: Output, home: Path, practices: list[Practice]) -> None:
    for practice in practices:
        output.text(
            f"{practice.system}: {practice.address} --credentials {practice.credentials}, control {practice.control}"
        )
    output.text(f"PATCHBAY_HOME={home} patchbay integrations    (Ctrl-C ends the practices)")
    await asyncio.Event().wait()
