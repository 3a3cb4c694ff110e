"""A face shows a practice on one system's wire. This is what all faces share and what the control address asks for."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import ClassVar

from evals.simulators.practice import Practice, TruthRow, truth_rows
from evals.simulators.records import Record
from evals.simulators.work import ALL_KINDS, Change, work


class UnknownFault(ValueError):
    """A fault code, or a parameter of one, that this simulator cannot play. The text is a sentence for people."""


@dataclass(eq=False)
class Counts:
    """What a client did, so that a test can ask about its manners. Secrets are kept as hashes only."""

    requests: int = 0
    operations: dict[str, int] = field(default_factory=dict)
    rejected_credentials: int = 0
    repeated_rejected: int = 0
    repeated_writes: int = 0
    writes: list[dict[str, object]] = field(default_factory=list)
    _rejected: set[str] = field(default_factory=set)
    _written: set[str] = field(default_factory=set)

    def saw(self, operation: str) -> None:
        """One request (query, message, file read) of a named operation."""
        self.requests += 1
        self.operations[operation] = self.operations.get(operation, 0) + 1

    def rejected(self, credential: str) -> None:
        """A credential was refused; the same one again is a bad manner."""
        self.rejected_credentials += 1
        digest = sha256(credential.encode()).hexdigest()
        if digest in self._rejected:
            self.repeated_rejected += 1
        self._rejected.add(digest)

    def wrote(self, operation: str, body: object, text: str) -> None:
        """A write came in; `body` is what `GET /writes` lists, `text` its exact content by which a repetition is known."""
        digest = sha256(f"{operation}\n{text}".encode()).hexdigest()
        if digest in self._written:
            self.repeated_writes += 1
        self._written.add(digest)
        self.writes.append({"operation": operation, "body": body})

    def as_json(self) -> dict[str, object]:
        return {
            "requests": self.requests,
            "writes": len(self.writes),
            "rejected_credentials": self.rejected_credentials,
            "repeated_rejected": self.repeated_rejected,
            "repeated_writes": self.repeated_writes,
            "operations": dict(sorted(self.operations.items())),
        }


@dataclass(eq=False)
class Face:
    """Base of a simulator. A subclass sets the class variables and overrides what its wire does in its own way.

    `carried` names, for each entity on this wire, the canonical fields it carries: the truth has exactly these.
    `fault_codes` are the faults it can play; the running ones stand in `faults` with their parameters.
    """

    system: ClassVar[str]
    carried: ClassVar[Mapping[str, Sequence[str]]]
    fault_codes: ClassVar[frozenset[str]]
    work_kinds: ClassVar[Sequence[tuple[str, str]]] = ALL_KINDS

    practice: Practice
    counts: Counts = field(default_factory=Counts)
    faults: dict[str, dict[str, object]] = field(default_factory=dict)

    @classmethod
    def fault_words(cls) -> str:
        """Which parameters the faults take: what the face's docstring says of them."""
        said = " ".join((cls.__doc__ or "").split())
        return said[said.find("Faults") :] if "Faults" in said else ""

    @property
    def entities(self) -> list[str]:
        return list(self.carried)

    def truth(self, entity: str) -> list[TruthRow]:
        """What is true, as far as this wire tells it. Raises KeyError for an entity that it does not carry."""
        return truth_rows(self.practice, entity, self.carried[entity], self.told)

    def told(self, record: Record) -> TruthRow:
        """Values that this wire tells otherwise than the practice holds them (a prefixed id, an instant cut to a day)."""
        return {}

    async def start_fault(self, code: str, parameters: Mapping[str, object]) -> None:
        """Start a fault. Raises `UnknownFault`. A subclass calls this first, then changes what must change at once."""
        if code not in self.fault_codes:
            known = ", ".join(sorted(self.fault_codes))
            raise UnknownFault(f"{self.system} cannot play the fault {code!r}; it knows {known}.")
        self.faults[code] = dict(parameters)

    async def end_faults(self) -> None:
        self.faults.clear()

    async def think(self, rows: int) -> None:
        """What so many rows cost a server that `upstream.slow` lets lack an index: `row_seconds` each."""
        seconds = self.faults.get("upstream.slow", {}).get("row_seconds", 0)
        if isinstance(seconds, int | float) and seconds > 0:
            await asyncio.sleep(rows * seconds)

    async def pass_night(self) -> None:
        """What a system does by itself at night; most do nothing. A subclass overrides this."""

    async def work(self, count: int, *, ordinary: bool = False) -> list[Change]:
        """Let the practice work; on an `ordinary` day little is merged or deleted.

        A subclass whose wire must be told (a table, a file) does so here, after `super().work`.
        """
        return work(self.practice, count, self.practice.seed, self.work_kinds, ordinary=ordinary)
