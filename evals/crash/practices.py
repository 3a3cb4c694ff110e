"""Simulated practices of a trial, and what the store must say of them: the same records, and one event a difference."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit

from evals.simulators import Stand
from evals.simulators.tcp_proxy import TcpProxy
from knowledge.canonical import canonical_model
from knowledge.catalogue import manifest_of
from knowledge.hints import declared_fields
from tools.store.open import Store

Key = tuple[str, str]  # entity and id
Records = dict[Key, Mapping[str, object]]
Told = Counter[tuple[str, str, str]]  # entity, id, change
TELLS_MERGERS = frozenset(
    {"dentrix", "epic", "praxident"}
)  # the other wires drop a merged patient's row without a word
KEPT_BY_PATIENT = frozenset({"Patient", "CommunicationPreference"})


BREAKS = ("upstream.down", "file.share_unavailable")  # whichever of them a system can play


@dataclass
class SimulatedPractice:
    """One practice of a trial. `expected` is what the outbox must hold by now, over all rounds.

    `proxy` stands before its wire where that is a web address; `written` are the family names that we sent it,
    `held` how often the practice ever held each at once: it may merge or delete such a patient later, as any other.
    """

    stand: Stand
    proxy: TcpProxy | None = None
    integration: str = ""
    practice_id: str = ""
    written: list[str] = field(default_factory=list)
    held: Counter[str] = field(default_factory=Counter)
    expected: Told = field(default_factory=Counter)
    known: Records = field(default_factory=dict, repr=False)

    async def ask(self, verb: str, path: str, body: object = None) -> Any:
        """The control address."""
        return await asyncio.to_thread(_ask, verb, f"{self.stand.control}{path}", body)

    async def truth(self) -> Records:
        """All that the practice holds, on the fields that its manifest declares."""
        declared = declared_fields(manifest_of(self.stand.system).method(self.stand.method))
        found: Records = {}
        for entity in await self.ask("GET", "/truth"):
            identity = canonical_model().entities[entity].identity
            for row in await self.ask("GET", f"/truth/{entity}"):
                key = "|".join(str(row[name]) for name in identity)
                found[entity, key] = {name: row[name] for name in row if f"{entity}.{name}" in declared}
        return found

    async def work(self, count: int) -> None:
        """Let the practice work, and note which events that must make."""
        changes = (await self.ask("POST", "/changes", {"count": count}))["changes"]
        await self.note(changes)

    async def note(self, changes: Sequence[Mapping[str, str]] = ()) -> None:
        """Expect the differences between what was noted last and what is true now."""
        after = await self.truth()
        self.expected.update(_events(self.stand.system, self.known, after, changes))
        self.known = after
        names = Counter(str(row.get("last_name")) for (entity, _), row in after.items() if entity == "Patient")
        self.held |= Counter({name: names[name] for name in self.written})

    @property
    def address(self) -> str:
        """What `connect` is told."""
        if self.proxy is None:
            return self.stand.address
        return urlsplit(self.stand.address)._replace(netloc=f"127.0.0.1:{self.proxy.port}").geturl()

    @property
    def takes_patients(self) -> bool:
        """Whether its system can be told of a new patient."""
        return "create_patient" in manifest_of(self.stand.system).method(self.stand.method).operations

    async def writes(self) -> int:
        """How many writes have come in."""
        return len(await self.ask("GET", "/writes"))

    async def suffer(self) -> None:
        """Break what the runs need."""
        for code in BREAKS:
            try:
                await self.ask("POST", "/faults", {"code": code})
                return
            except HTTPError:
                continue
        raise LookupError(f"{self.stand.system} plays none of {', '.join(BREAKS)}")

    async def recover(self) -> None:
        await self.ask("DELETE", "/faults")

    async def wrong_records(self, store: Store) -> list[str]:
        """Every record that is not as the practice holds it, a line each; no values."""
        ours: Records = {
            (entity, record.id): record.fields
            for entity in canonical_model().entities
            async for record in store.records.all(self.integration, entity)
        }
        return _unlike(self.known, ours)

    async def wrong_events(self, store: Store) -> list[str]:
        """Every change that the outbox tells too often or not at all."""
        told: Told = Counter(
            (each.entity, each.record_id, each.change) for each in await store.events.list(self.integration)
        )
        return _miscounted(told, self.expected)

    def wrong_writes(self) -> list[str]:
        """Every patient whom we sent and whom the practice never held, or held more than once."""
        return [f"patient {name}: held {self.held[name]} times" for name in self.written if self.held[name] != 1]


def _events(
    system: str, before: Records, after: Records, work: Sequence[Mapping[str, str]]
) -> list[tuple[str, str, str]]:
    merged = {each["id"] for each in work if each["kind"] == "merged"} if system in TELLS_MERGERS else set()
    return [
        *((*at, "created") for at in after.keys() - before.keys()),
        *((*at, "updated") for at in after.keys() & before.keys() if after[at] != before[at]),
        *((entity, id_, "merged" if id_ in merged and entity in KEPT_BY_PATIENT else "deleted")
          for entity, id_ in before.keys() - after.keys()),
    ]  # fmt: skip


def _unlike(truth: Records, ours: Records) -> list[str]:
    wrong = [f"{entity} {id_}: missing" for entity, id_ in sorted(truth.keys() - ours.keys())]
    wrong += [f"{entity} {id_}: surplus" for entity, id_ in sorted(ours.keys() - truth.keys())]
    for at in sorted(truth.keys() & ours.keys()):
        fields = [name for name, value in truth[at].items() if ours[at].get(name) != value]
        wrong += [f"{at[0]} {at[1]}: {', '.join(fields)}"] if fields else []
    return wrong


def _miscounted(told: Told, expected: Told) -> list[str]:
    wrong = [f"event {' '.join(each)}: {count} too many" for each, count in sorted((told - expected).items())]
    return wrong + [f"event {' '.join(each)}: {count} too few" for each, count in sorted((expected - told).items())]


def _ask(verb: str, address: str, body: object) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=verb)
    with urllib.request.urlopen(request, timeout=60) as answer:  # loopback only: a simulator's control address
        text = answer.read()
    return json.loads(text) if text else None
