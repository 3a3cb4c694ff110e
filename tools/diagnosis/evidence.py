"""Evidence of a failing integration, gathered by reading only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from knowledge.errors import PatchbayError
from tools.adapters.base import Validation
from tools.adapters.pages import Cursor
from tools.address import parse_address
from tools.breaker import CircuitOpen
from tools.clock import Clock, utc_now
from tools.diagnosis.lost_columns import LostColumn, find_lost_columns
from tools.diagnosis.moved_database import MovedDatabase, find_moved_database
from tools.diagnosis.network_path import follow_path
from tools.errors import ColumnMissing, RateLimited, TimedOut, WrongDatabase
from tools.remedies.smaller_pages import rows_a_page, smaller
from tools.store.errors import FencedOut, RunAbandoned
from tools.store.models import DeadLetter, Integration, Run
from tools.store.open import Store
from tools.sync.anomalies import LOOKED_BACK, anomaly_of, is_slow, usual_seconds
from tools.sync.freshness import OVERDUE
from tools.sync.incidents import active_incidents, entries, failures
from tools.sync.session import IntegrationBusy, SyncSession, open_session
from tools.sync.turn import HEALING, MadeWay, Turn

SCHEMA_CODE, SLOW = ColumnMissing.code, "upstream.slow"
REFUSAL_HOLDS = timedelta(seconds=60)  # after a refused call, where the run no longer knows how long was asked for
SLOW_SECONDS = 0.5  # a call that takes less is not slow, whatever is usual
_ON_THE_WAY = frozenset(
    {
        "net.dns",
        "net.refused",
        "net.timeout",
        "net.reset",
        "tls.certificate_expired",
        "tls.untrusted",
        "auth.clock_skew",
    }
)
_SAYS_NOTHING = frozenset({None, MadeWay.code, FencedOut.code, RunAbandoned.code})  # how our own work ended, not theirs
_EMPTY_CODES = frozenset({"data.silent_zero", "data.mass_delete"})


@dataclass
class Evidence:
    """Facts by name for the posterior; `streams` are those that fail, `lost` the columns that are gone.

    `codes` are all codes by which streams fail now, that of most streams first; the facts are about one of them.
    """

    facts: dict[str, str] = field(default_factory=dict)
    codes: tuple[str, ...] = ()
    failed_at: datetime | None = None
    streams: tuple[str, ...] = ()
    lost: list[LostColumn] = field(default_factory=list)
    databases: list[MovedDatabase] = field(default_factory=list)

    @property
    def works(self) -> bool:
        """The login works, every stream answers, and nothing that is read is missing."""
        broken = {
            "probe.stream", "probe.schema", "probe.slow", "probe.page", "schema.missing", "schema.table", "source.empty"
        } & self.facts.keys()  # fmt: skip
        return self.facts.get("probe.connection") == "ok" and not broken

    @property
    def is_quiet(self) -> bool:
        """Nothing at all is wrong."""
        unusual = any(name.startswith("anomaly.") for name in self.facts)
        noted = {"run.code", "dead.code", "folder.waiting", "folder.permission", "queue.overdue"} & self.facts.keys()
        return self.works and not unusual and not noted


async def gather_evidence(
    store: Store,
    integration: Integration,
    holder: str,
    clock: Clock = utc_now,
    *,
    about: str | None = None,
    turn: Turn = Turn(HEALING),
) -> Evidence:
    """The last runs, a fresh connection, the schema as it is now, what waits and what was set aside.

    Several faults may meet: `about` names the code whose failing runs are looked into, else it is that of most streams.
    Looks under the integration's lease, so that a login that has just been refused is not sent by two at once. Raises
    `IntegrationBusy` while another process reads this integration.
    """
    evidence = Evidence()
    await _last_runs(store, integration, evidence, about)
    await _anomalies(store, integration, evidence)
    await _backlog(store, integration, evidence)
    if _is_held(evidence, clock()):
        evidence.facts["probe.skipped"] = RateLimited.code  # whoever was just told to wait does not ask how things are
        return evidence
    try:
        async with open_session(store, integration.id, holder, clock, turn) as session:
            await _look(session, evidence)
            await _note_page(session, evidence)
    except IntegrationBusy:
        raise
    except PatchbayError as error:
        _note_failure(evidence, "probe.connection", error)
    if _ends_on_the_way(evidence):
        await _follow(integration, evidence, clock)
    if evidence.facts.get("probe.connection") == WrongDatabase.code:
        await _look_beside(store, integration, evidence)
    note_passed(evidence)
    await _dead_letters(store, integration, evidence)
    return evidence


def note_passed(evidence: Evidence) -> None:
    """What the last run failed by is over, where everything works now."""
    if evidence.works and "run.code" in evidence.facts:
        evidence.facts["passed"] = evidence.facts["run.code"]


async def _anomalies(store: Store, integration: Integration, evidence: Evidence) -> None:
    """What is unusual about the last runs that did not fail, and how long a page usually takes."""
    paces: list[float] = []
    for state in await store.streams.list(integration.id):
        runs = await store.runs.of_stream(integration.id, state.stream, LOOKED_BACK) if state.enabled else []
        if (usual := usual_seconds([each for each in runs if each.status == "ok"])) is not None:
            paces.append(usual)
        anomaly = anomaly_of(runs[0], runs[1:]) if runs and runs[0].status == "ok" else None
        if anomaly is not None:
            evidence.facts[f"anomaly.{anomaly.code}"] = anomaly.sentence
            evidence.streams = (*evidence.streams, state.stream)
    if paces:
        evidence.facts["pace.usual_seconds"] = f"{max(paces):.3f}"


async def _backlog(store: Store, integration: Integration, evidence: Evidence) -> None:
    """What was told of streams that nobody ran, as long as none of them has run since."""
    incident = await store.incidents.active(integration.id, OVERDUE)
    late = [str(each["stream"]) for each in failures(incident)] if incident is not None else []
    evidence.facts |= {"queue.overdue": ", ".join(late)} if late else {}
    evidence.streams = evidence.streams or tuple(late)


def _note_pace(evidence: Evidence, seconds: float, streams: int) -> None:
    """Whether asking for the version and a row of each stream took far longer than whole pages of this practice do."""
    told = evidence.facts.get("pace.usual_seconds")
    a_call = seconds / (streams + 1)
    timed_out = evidence.facts.get("run.code") == TimedOut.code
    if a_call >= SLOW_SECONDS and (timed_out or (told is not None and is_slow(a_call, float(told)))):
        evidence.facts["probe.slow"] = f"about {a_call:.1f} s a call"


async def _note_page(session: SyncSession, evidence: Evidence) -> None:
    """Single rows come at once: does a whole page, too? Asked where runs were slow or timed out, of one such stream."""
    slow_runs = evidence.facts.get("run.code") == TimedOut.code or f"anomaly.{SLOW}" in evidence.facts
    rows, streams = rows_a_page(session.method), [name for name in evidence.streams if name in session.streams]
    if not slow_runs or "probe.slow" in evidence.facts or rows is None or not streams:
        return
    if evidence.facts.get("probe.schema") == TimedOut.code:  # samples are a page, too
        evidence.facts |= {"probe.page": TimedOut.code, "page.rows": str(rows)}
        return
    began, told = monotonic(), evidence.facts.get("pace.usual_seconds")
    try:
        found = await read_a_page(session, streams[0])
    except (TimedOut, CircuitOpen):
        evidence.facts |= {"probe.page": TimedOut.code, "page.rows": str(rows)}
        return
    evidence.facts |= page_facts(monotonic() - began, found, rows, float(told) if told else None)


def page_facts(seconds: float, found: int, rows: int, usual: float | None) -> dict[str, str]:
    """What a page says that took so many `seconds`: `found` rows of the `rows` it may have; `usual` in seconds.

    With few rows it is no slowness by the row: smaller pages would be the same page.
    """
    if seconds < SLOW_SECONDS or not is_slow(seconds, usual):
        return {}
    if found <= (smaller(rows) or rows):
        return {"probe.slow": f"{seconds:.1f} s for {found} rows"}
    return {"probe.page": "slow", "page.rows": str(rows), "page.seconds": f"{seconds:.2f}"}


async def read_a_page(session: SyncSession, stream: str) -> int:
    """The page that the next run begins with; nothing is kept but how many rows it has."""
    state = await session.store.streams.get(session.integration.id, stream)
    page = await session.adapter.read_page(stream, Cursor.model_validate(state.cursor) if state.cursor else None)
    return len(page.rows)


def _ends_on_the_way(evidence: Evidence) -> bool:
    """Whether the network or TLS is what fails, so that each of its layers is worth a look."""
    return evidence.facts.get("probe.connection") in _ON_THE_WAY


async def _follow(integration: Integration, evidence: Evidence, clock: Clock) -> None:
    address = parse_address(integration.address)
    if address.scheme:
        evidence.facts |= await follow_path(address, address.scheme, clock)


def _is_held(evidence: Evidence, now: datetime) -> bool:
    """Whether the last run was refused for haste a moment ago."""
    limited = evidence.facts.get("run.code") == RateLimited.code
    return limited and evidence.failed_at is not None and now - evidence.failed_at < REFUSAL_HOLDS


def _note_failure(evidence: Evidence, fact: str, error: PatchbayError) -> None:
    evidence.facts[fact] = error.code
    evidence.facts["probe.sentence"] = error.sentence
    if isinstance(error, RateLimited):
        evidence.facts["probe.retry_after"] = f"{error.retry_after_seconds:.0f}"


async def _last_runs(store: Store, integration: Integration, evidence: Evidence, about: str | None) -> None:
    """Which streams' last runs failed, and by which codes."""
    failing: dict[str, list[Run]] = {}
    for state in await store.streams.list(integration.id):
        run = await store.runs.latest(integration.id, state.stream) if state.enabled else None
        if run is not None and run.status not in {"ok", "running"} and run.code not in _SAYS_NOTHING:
            failing.setdefault(run.code or "", []).append(run)
    evidence.codes = tuple(sorted(failing, key=lambda code: -len(failing[code])))
    if not failing:
        return
    runs = failing.get(about or "", failing[evidence.codes[0]])
    evidence.streams = tuple(run.stream for run in runs)
    evidence.failed_at = max(run.ended_at or run.started_at for run in runs)
    evidence.facts |= {
        "run.code": runs[0].code or "", "run.stream": ", ".join(evidence.streams), "run.sentence": runs[0].sentence or ""
    }  # fmt: skip


async def _look(session: SyncSession, evidence: Evidence) -> None:
    began = monotonic()
    validation = await session.adapter.validate_connection()
    _note_pace(evidence, monotonic() - began, len(validation.streams))
    evidence.facts["probe.connection"] = "ok"
    if validation.version:
        evidence.facts["probe.version"] = validation.version
        if session.integration.version and validation.version != session.integration.version:
            evidence.facts["version.changed"] = f"{session.integration.version} -> {validation.version}"
    _note_streams(session, validation, evidence)
    try:
        await _note_columns(session, validation, evidence)
        await _note_emptiness(session, validation, evidence)
        waiting = await session.adapter.waiting()
    except PatchbayError as error:
        _note_failure(evidence, "probe.schema", error)
        return
    if waiting:
        evidence.facts["folder.waiting"] = ", ".join(waiting)


def _note_streams(session: SyncSession, validation: Validation, evidence: Evidence) -> None:
    """What single streams answer while the connection works; missing columns have facts of their own."""
    refused = {
        name: code
        for name, code in validation.streams.items()
        if name in session.streams and code not in {"ok", SCHEMA_CODE}
    }
    if refused:
        code = next((refused[name] for name in evidence.streams if name in refused), next(iter(refused.values())))
        evidence.facts["probe.stream"] = code
        evidence.streams = evidence.streams or tuple(name for name in refused if refused[name] == code)
    if forbidden := [name for name, state in validation.details.items() if state == "file.permission"]:
        evidence.facts["folder.permission"] = ", ".join(forbidden)


async def _note_columns(session: SyncSession, validation: Validation, evidence: Evidence) -> None:
    failing = {name for name, code in validation.streams.items() if code == SCHEMA_CODE}
    if evidence.facts.get("run.code") == SCHEMA_CODE:
        failing |= set(evidence.streams)
    evidence.lost = await find_lost_columns(session, sorted(failing))
    lost = evidence.lost
    tables = {each.table for each in lost}
    whole = [name for name, code in validation.streams.items() if code == SCHEMA_CODE and name not in tables]
    told = {
        "schema.missing": [each.name for each in lost],
        "schema.structural": [each.name for each in lost if each.structural],
        "schema.renamed": [
            f"{each.name} -> {each.candidates[0].column}" for each in lost if each.verdict in {"followed", "proposed"}
        ],
        "schema.lookalikes": [
            f"{each.name} -> {' or '.join(one.column for one in each.candidates)}"
            for each in lost if each.verdict == "lookalikes"
        ],
        "schema.thin": [f"{each.name} ({each.rows} rows)" for each in lost if each.verdict == "thin"],
        "schema.table": [name for name in whole if name in session.streams],
    }  # fmt: skip
    evidence.facts |= {name: ", ".join(each) for name, each in told.items() if each}


async def _note_emptiness(session: SyncSession, validation: Validation, evidence: Evidence) -> None:
    """Whether a source that told nothing, or lost too much, tells something now."""
    if evidence.facts.get("run.code") not in _EMPTY_CODES:
        return
    if evidence.facts["run.code"] == "data.mass_delete" and "files" not in validation.details:
        evidence.facts["source.empty"] = "held"  # what is gone is gone until a person, or a green run, says otherwise
    elif validation.details.get("files") == "0":
        evidence.facts["source.empty"] = "folder"
    else:
        empty = [name for name in evidence.streams if not await session.adapter.sample_rows(name)]
        evidence.facts |= {"source.empty": ", ".join(empty)} if empty else {}


async def _look_beside(store: Store, integration: Integration, evidence: Evidence) -> None:
    """The database of that name is gone: does another one hold our rows?"""
    try:
        evidence.databases = await find_moved_database(store, integration)
    except PatchbayError as error:
        _note_failure(evidence, "probe.databases", error)
        return
    ours = [each.name for each in evidence.databases if each.is_ours]
    evidence.facts |= {"database.ours": ", ".join(ours)} if ours else {}


async def _dead_letters(store: Store, integration: Integration, evidence: Evidence) -> None:
    """What was set aside: the news, else, where nothing else is wrong, what was told before and is still open."""
    letters = await store.dead_letters.list(integration.id)
    told = await _told_until(store, integration)
    news = [each for each in letters if each.code not in told or each.created_at > told[each.code]]
    shown: Sequence[DeadLetter] = news or (letters if evidence.is_quiet else ())
    if shown:
        newest = max(shown, key=lambda letter: letter.created_at)
        evidence.facts["dead.code"] = newest.code
        evidence.facts["dead.reason"] = newest.reason
        evidence.streams = evidence.streams or (newest.stream,)


async def _told_until(store: Store, integration: Integration) -> dict[str, datetime]:
    """When each cause was last diagnosed in an incident that is still open."""
    told: dict[str, datetime] = {}
    for incident in await active_incidents(store, integration.id):
        moments = [datetime.fromisoformat(str(each["at"])) for each in entries(incident, "diagnosis")]
        if incident.root_cause and moments:
            told[incident.root_cause] = max(moments)
    return told
