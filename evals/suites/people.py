"""People who onboard a practice by talking: scripted characters at real simulators, over `patchbay chat` as it ships.

Each character answers what is asked in its own manner. Counted are turns, questions that were needless (asked although the
person had said it, or a probe could tell), wrong beliefs (what the thread holds to be true and is not), secrets that leaked
into any output or byte of the database, and whether it ended live.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from pydantic import BaseModel

from evals.simulators.catalogue import simulate
from evals.simulators.stand import Stand
from evals.suites.characters import DECOY, PEOPLE, SHOWN, Person, Scene

PATIENTS = 40
MOST_TURNS = 16
SECONDS = 180.0
MOST_QUESTIONS = 3
AT_ONCE = 4
Event = dict[str, Any]


class Talked(BaseModel):
    """How one character fared at one system."""

    person: str
    system: str
    language: str
    turns: int
    questions: int
    needless: list[str]
    wrong_beliefs: list[str]
    leaked: list[str]
    rejected_logins: int
    completed: bool
    seconds: float


class PeopleReport(BaseModel):
    """All characters. `good`: all who can complete did, in few questions, nothing leaked, nothing wrongly believed."""

    people: list[Talked]

    @property
    def good(self) -> bool:
        return all(
            each.completed and not each.needless and not each.wrong_beliefs and not each.leaked
            and each.questions <= MOST_QUESTIONS
            for each in self.people
        )  # fmt: skip


async def run(patients: int = PATIENTS, people: Sequence[Person] = PEOPLE) -> PeopleReport:
    """Let every character talk, a few at a time."""
    places = asyncio.Semaphore(AT_ONCE)

    async def talk(person: Person) -> Talked:
        async with places:
            return await _talk(person, patients)

    return PeopleReport(people=await asyncio.gather(*map(talk, people)))


async def _talk(person: Person, patients: int) -> Talked:
    with tempfile.TemporaryDirectory(prefix="patchbay-people-") as folder:
        home = Path(folder) / "home"
        async with simulate(person.system, folder=Path(folder), patients=patients) as stand:
            scene = Scene(stand, _login(stand))
            begun = monotonic()
            chat = await _converse(person, scene, home)
            seconds = monotonic() - begun
            seen = await _reload(home, chat.thread)
            rejected = (await asyncio.to_thread(_get, f"{stand.control}/counts")).get("rejected_credentials", 0)
            return await _judge(person, scene, chat, seen, home, seconds, rejected)


def _login(stand: Stand) -> dict[str, str]:
    """The login as a person has it in hand: what is a file is opened and pasted."""
    fields: dict[str, str] = json.loads(stand.credentials.read_text())
    folder = stand.credentials.parent
    return {name: (folder / value).read_text() if name.endswith("_file") else value for name, value in fields.items()}


async def _converse(person: Person, scene: Scene, home: Path) -> Chat:
    """The whole talk; whoever returns does it in another process."""
    async with _chat(home) as chat:
        for line in person.opening(scene):
            await chat.say(line)
        if not person.restarts:
            await _answer(person, scene, chat)
    if person.restarts:
        async with _chat(home, chat) as chat:
            await _answer(person, scene, chat)
    return chat


@dataclass
class Chat:
    """`patchbay chat --json` as a process, a line in and the events of a turn out."""

    process: asyncio.subprocess.Process
    output: list[str] = field(default_factory=list)
    turns: list[list[Event]] = field(default_factory=list)
    thread: str = ""

    @property
    def done(self) -> Event:
        return self.turns[-1][-1] if self.turns else {}

    @property
    def asking(self) -> str | None:
        """The kind of the question that is asked now."""
        asked = [each["question"]["kind"] for each in self.turns[-1] if each["event"] == "question"]
        return asked[-1] if asked else None

    async def begin(self) -> None:
        self.thread = (await self._event())["id"]

    async def say(self, line: str) -> list[Event]:
        """Say one line and read to the end of the turn; a message that is refused ends with its error."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        await self.process.stdin.drain()
        events: list[Event] = []
        while not events or events[-1]["event"] != "done":
            events.append(await asyncio.wait_for(self._event(), SECONDS))
        self.turns.append(events)
        return events

    async def _event(self) -> Event:
        assert self.process.stdout is not None
        line = (await self.process.stdout.readline()).decode()
        if not line:
            raise RuntimeError("the conversation ended before its turn did")
        self.output.append(line)
        event: Event = json.loads(line)
        return event


@asynccontextmanager
async def _chat(home: Path, before: Chat | None = None) -> AsyncIterator[Chat]:
    """A conversation, or its continuation: `before` is what was said of it in a process that has ended."""
    thread = [before.thread] if before else []
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "patchbay"), "chat", *thread, "--json",
        env={**os.environ, "PATCHBAY_HOME": str(home), "PATCHBAY_DATABASE_URL": ""}, limit=2**24,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    chat = Chat(process, before.output, before.turns) if before else Chat(process)
    try:
        await asyncio.wait_for(chat.begin(), SECONDS)
        yield chat
    finally:
        assert process.stdin is not None
        process.stdin.close()  # the end of the input is the end of the talk
        rest, trouble = await asyncio.wait_for(process.communicate(), SECONDS)
        chat.output += [rest.decode(), trouble.decode()]


async def _answer(person: Person, scene: Scene, chat: Chat) -> None:
    """Answers to whatever is asked, until nothing is or patience ends; then what it says in the end."""
    while len(chat.turns) < MOST_TURNS and (kind := chat.asking) is not None:
        for line in person.answers(scene, kind):
            await chat.say(line)
    for line in person.closing(scene):
        await chat.say(line)


async def _reload(home: Path, thread: str) -> str:
    """The thread as it looks after everything, in a new process; its last document is the whole view."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "patchbay"), "chat", thread, "--json",
        env={**os.environ, "PATCHBAY_HOME": str(home), "PATCHBAY_DATABASE_URL": ""},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, trouble = await asyncio.wait_for(process.communicate(), SECONDS)
    return said.decode() + trouble.decode()


async def _judge(
    person: Person, scene: Scene, chat: Chat, seen: str, home: Path, seconds: float, rejected: int
) -> Talked:  # fmt: skip
    asked = {
        each["question"]["id"]: each["question"]["kind"]
        for turn in chat.turns for each in turn if each["event"] == "question"
    }  # fmt: skip
    return Talked(
        person=person.name, system=person.system, language=person.language, turns=len(chat.turns), questions=len(asked),
        needless=sorted(kind for kind in asked.values() if kind in person.told),
        wrong_beliefs=_wrong_beliefs(person, scene, chat, seen) + ([f"{rejected} logins were refused"] if rejected > person.rejected else []),
        leaked=leaks(scene, [*chat.output, seen], home), rejected_logins=rejected,
        completed=chat.done.get("state") == "live", seconds=round(seconds, 1),
    )  # fmt: skip


def _wrong_beliefs(person: Person, scene: Scene, chat: Chat, seen: str) -> list[str]:
    """What the thread holds to be true in the end and is not."""
    view: Event = json.loads(seen.splitlines()[0])
    held: dict[str, object] = {"system": view["system"], "practice": view["practice"]}
    synced = [
        each["step"]["facts"] for each in view["entries"] if each["kind"] == "step" and each["step"]["step"] == "synced"
    ]
    held["entities"] = sorted(synced[-1]["records"]) if synced else []
    return [f"{name}: {held[name]!r} is not {true!r}" for name, true in person.beliefs.items() if held[name] != true]


def leaks(scene: Scene, outputs: Sequence[str], home: Path) -> list[str]:
    """Where a secret of the scene can be read: any output, any byte of the home but the vault's own key."""
    secrets = {
        name: max(value.splitlines(), key=len) for name, value in scene.login.items() if name not in SHOWN | {"ca_file"}
    }
    secrets["decoy"] = DECOY
    found = [f"{name} in output" for name, value in secrets.items() if any(value in text for text in outputs)]
    files = [each for each in home.rglob("*") if each.is_file()]
    found += [
        f"{name} in {file.name}"
        for name, value in secrets.items()
        for file in files
        if value.encode() in file.read_bytes()
    ]
    return sorted(found)


def _get(address: str) -> Any:
    import urllib.request

    with urllib.request.urlopen(address) as answer:  # loopback only: a simulator's control address
        return json.load(answer)


def as_text(report: PeopleReport) -> str:
    """The report for a person."""
    people = report.people
    lines = ["Onboarding by conversation, scripted people at real simulators, over `patchbay chat`:"]
    for each in people:
        trouble = [
            *(f"needless: {kind}" for kind in each.needless),
            *each.wrong_beliefs,
            *(f"LEAKED {leak}" for leak in each.leaked),
        ]
        lines.append(
            f"  {each.person:10} {each.system:13} {each.language} {'live' if each.completed else 'NOT LIVE':8} {each.turns:2} turns  "
            f"{each.questions} questions  {each.seconds:5.1f} s  {'; '.join(trouble) or 'nothing needless, wrong or leaked'}"
        )
    return "\n".join([*lines, *_in_all(people)])


def _in_all(people: Sequence[Talked]) -> list[str]:
    live = [each for each in people if each.completed]
    asked = sum(each.questions for each in live) / max(1, len(live))
    longest = max((each.seconds for each in people), default=0.0)
    return [
        f"  in all: {len(live)} of {len(people)} completed, {sum(each.turns for each in people)} turns, "
        f"{sum(len(each.needless) for each in people)} needless questions, {sum(len(each.wrong_beliefs) for each in people)} wrong beliefs, "
        f"{sum(len(each.leaked) for each in people)} secrets leaked",
        f"  {asked:.2f} questions asked per completed onboarding; {sum(each.seconds for each in people) / max(1, len(people)):.1f} s "
        f"a conversation, the longest {longest:.1f} s, {AT_ONCE} at a time",
    ]  # fmt: skip
