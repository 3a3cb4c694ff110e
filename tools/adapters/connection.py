"""All that an adapter is given of one practice: manifest, address, login, and who remembers what was taken and sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from knowledge.manifest import Manifest, Method, StreamSpec
from mappings.records import PracticeFacts
from mappings.schema import Schema
from tools.address import Address
from tools.errors import Unsupported


class Ledger(Protocol):
    """Which tokens (content hashes) this integration has taken already."""

    async def seen(self, tokens: Sequence[str]) -> set[str]: ...


class WriteJournal(Protocol):
    """Writes are recorded before they are sent, so that a repeat looks first."""

    async def begin(self, key: str, operation: str, entity: str) -> str | None:
        """Record the intent. Returns None for a new key, "sent" for one whose answer is unclear, else the id it made."""

    async def done(self, key: str, record_id: str) -> None: ...

    async def failed(self, key: str) -> None:
        """The system refused it: nothing was written."""


class MemoryLedger:
    """A ledger for tools and tests that keep no store."""

    def __init__(self) -> None:
        self.tokens: set[str] = set()

    async def seen(self, tokens: Sequence[str]) -> set[str]:
        return self.tokens & set(tokens)


class MemoryJournal:
    """A write journal for tools and tests that keep no store."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    async def begin(self, key: str, operation: str, entity: str) -> str | None:
        known = self.entries.get(key)
        if known is None:
            self.entries[key] = "sent"
        return known

    async def done(self, key: str, record_id: str) -> None:
        self.entries[key] = record_id

    async def failed(self, key: str) -> None:
        self.entries.pop(key, None)


@dataclass(frozen=True)
class Connection:
    """All that an adapter needs to reach one practice; never checkpointed, never logged."""

    manifest: Manifest
    method: Method
    address: Address
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    practice: PracticeFacts = field(default_factory=PracticeFacts)
    ledger: Ledger = field(default_factory=MemoryLedger, repr=False)
    journal: WriteJournal = field(default_factory=MemoryJournal, repr=False)
    schema: Schema | None = None  # of a system that no manifest describes: its streams are these tables

    def stream(self, name: str) -> StreamSpec:
        """The manifest's stream; raises `Unsupported` where the method has none of that name."""
        try:
            return self.method.streams[name]
        except KeyError:
            raise Unsupported(self.address.where, f"{self.manifest.key} has no stream {name}") from None
