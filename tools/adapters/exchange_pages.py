"""One page of a stream's walk over a folder: which files are taken, which wait, which are bad, and what is remembered.

Tokens in the ledger, each with a content's SHA-256: `STREAM:…` taken by that stream, `archive:…` read in `archive/` by a full walk,
`bad:…` nothing of it can be taken, `reported:…` and `reported:STREAM:…` its dead letters exist.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mappings.records import RawRow
from tools.adapters.connection import Ledger
from tools.adapters.exchange_files import Flaw, Unit, ends_whole, kinds_of
from tools.adapters.exchange_rows import IDENTITY_MISSING, FileTime, Nameless, StreamReader
from tools.adapters.exchange_state import file_time, judged
from tools.adapters.pages import BadRow, Cursor, Page
from tools.protocols.folder import Entry, ExchangeFolder
from tools.protocols.gdt import GdtRecord
from tools.protocols.hl7v2 import encode_message

FILES, ROWS, CHUNK = 2000, 1000, 250  # of one page; a chunk is read at once


@dataclass
class Draft:
    """A page being filled."""

    rows: list[RawRow] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    digests: set[str] = field(default_factory=set)  # of the page's archived files
    files: int = 0
    position: str = ""

    def note(self, sentence: str) -> None:
        self.notes[sentence] = self.notes.get(sentence, 0) + 1

    @property
    def is_full(self) -> bool:
        return self.files >= FILES or len(self.rows) >= ROWS


class StreamWalk:
    """Walks one stream over a folder's files."""

    def __init__(
        self,
        stream: str,
        folder: ExchangeFolder,
        readers: Mapping[str, StreamReader],
        charsets: Sequence[str],
        ledger: Ledger,
        kinds: dict[tuple[str, int], frozenset[str]],
    ) -> None:
        """`kinds` remembers what is in which file, for the walks of all streams together."""
        self.stream, self.folder, self.charsets, self.ledger, self.kinds = stream, folder, charsets, ledger, kinds
        self.reader = readers[stream]
        self._known_kinds = frozenset().union(*(each.settings.kinds for each in readers.values()))
        self._reports = frozenset(
            kind for kind in self.reader.settings.kinds if _first_of(kind, readers) == stream
        )  # a record that does not say whose it is becomes one dead letter, not one for each stream that reads it

    async def page(self, entries: Sequence[Entry], cursor: Cursor) -> Page:
        """The files after the cursor's place, at most `FILES`, or until there are `ROWS` rows."""
        after = str(cursor.state.get("after") or "")
        todo = entries[bisect_right(entries, after, key=lambda each: each.position) :]
        draft, done = Draft(position=after), 0
        while done < len(todo) and not draft.is_full:
            chunk = todo[done : done + CHUNK]
            await self._take_chunk(chunk, draft, increment=cursor.walk == "changes")
            done += len(chunk)
        rows = tuple(sorted(draft.rows, key=lambda row: row.as_of or ""))
        high = max(cursor.high or "", draft.position) or None
        end = done >= len(todo)
        following = Cursor(walk="changes", since=high, high=high) if end else Cursor(
            walk=cursor.walk, since=cursor.since, high=high, state={"after": draft.position}
        )  # fmt: skip
        notes = tuple(f"{note} ({count} files)" if count > 1 else note for note, count in sorted(draft.notes.items()))
        return Page(
            self.stream, rows, following, end, bad=tuple(draft.bad), tokens=tuple(dict.fromkeys(draft.tokens)), notes=notes
        )  # fmt: skip

    async def _take_chunk(self, chunk: Sequence[Entry], draft: Draft, *, increment: bool) -> None:
        still = await self.folder.standing_still(chunk)
        for entry in chunk:
            if entry.path not in still:
                draft.note(f"data.partial_file: {entry.name} is still being written")
        ready = [entry for entry in chunk if entry.path in still]
        wanted = [entry for entry in ready if not self._is_foreign(entry)]
        contents = dict(zip(wanted, await self.folder.read(wanted), strict=True))
        digests = {entry: self.folder.remember(entry, data) for entry, data in contents.items() if data is not None}
        digests |= {entry: digest for entry in ready if (digest := self.folder.known_hash(entry)) is not None}
        seen = await self._seen(set(digests.values()))
        for entry in ready:
            if entry in digests and not await self._is_known(entry, digests[entry], seen, draft, increment=increment):
                prefix = "archive" if entry.archived and not increment else self.stream
                self._take(entry, contents.get(entry), f"{prefix}:{digests[entry]}", seen, draft)
        draft.files += len(chunk)
        draft.position = chunk[-1].position

    def _is_foreign(self, entry: Entry) -> bool:
        """Whether the file is known, and known to hold nothing of this stream: it need not be read again."""
        kinds = self.kinds.get(entry.identity, frozenset())
        return bool(kinds) and kinds.isdisjoint(self.reader.settings.kinds) and bool(self.folder.known_hash(entry))

    async def _seen(self, digests: set[str]) -> set[str]:
        prefixes = (f"{self.stream}:", "archive:", "reported:", f"reported:{self.stream}:")
        return await self.ledger.seen([prefix + digest for digest in digests for prefix in prefixes])

    async def _is_known(self, entry: Entry, digest: str, seen: set[str], draft: Draft, *, increment: bool) -> bool:
        """An increment skips what was taken, a full walk only what was delivered again."""
        if increment:
            return f"{self.stream}:{digest}" in seen or f"archive:{digest}" in seen
        if entry.archived:
            again = digest in draft.digests
            draft.digests.add(digest)
            return again
        return await self.folder.copy_in_archive(entry, digest) is not None

    def _take(self, entry: Entry, data: bytes | None, token: str, seen: set[str], draft: Draft) -> None:
        """Take one file. `data` is None where its kinds are known to be none of ours."""
        digest = token.partition(":")[2]
        if data is not None:
            self.kinds[entry.identity] = kinds_of(data)
        kinds = self.kinds[entry.identity]
        if data is None or (kinds and kinds.isdisjoint(self.reader.settings.kinds) and ends_whole(data)):
            if unread := kinds - self._known_kinds:
                draft.note(f"data.unmapped_loss: {', '.join(sorted(unread))} is not read")
            draft.tokens.append(token)
            return
        result = judged(entry, data, self.folder, self.charsets)
        for note in result.notes:
            draft.note(note)
        if result.state == "waiting":
            return
        draft.tokens.append(token)
        if result.state == "bad":
            draft.tokens.append(f"bad:{digest}")
        if result.flaws:
            self._report(entry, result.flaws, f"reported:{digest}", seen, draft)
        nameless: list[Flaw] = []
        for unit in result.units:
            nameless += self._take_unit(unit, file_time(entry), draft)
        if nameless:
            self._report(entry, nameless, f"reported:{self.stream}:{digest}", seen, draft)

    def _take_unit(self, unit: Unit, at: FileTime, draft: Draft) -> list[Flaw]:
        nameless: list[Flaw] = []
        for row in self.reader.rows(unit, at):
            if isinstance(row, RawRow):
                draft.rows.append(row)
            elif isinstance(row, Nameless) and unit.kind in self._reports:
                nameless.append(Flaw(IDENTITY_MISSING, row.reason, _raw(unit)))
        return nameless

    def _report(self, entry: Entry, flaws: Sequence[Flaw], token: str, seen: set[str], draft: Draft) -> None:
        if token in seen:
            return
        draft.tokens.append(token)
        draft.bad += [BadRow(entry.name, flaw.code, flaw.reason, flaw.raw) for flaw in flaws]


def _first_of(kind: str, readers: Mapping[str, StreamReader]) -> str | None:
    return next((name for name, reader in readers.items() if kind in reader.settings.kinds), None)


def _raw(unit: Unit) -> bytes:
    if isinstance(unit.content, GdtRecord):
        return "\n".join(f"{field}{content}" for field, content in unit.content.fields).encode()
    return encode_message(unit.content.segments, "utf-8")
