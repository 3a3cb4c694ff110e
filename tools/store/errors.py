"""What can be wrong with our own store: each error names the mend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from knowledge.errors import PatchbayError


@dataclass(eq=False)
class StoreError(PatchbayError):
    """Something about our own database."""

    code: ClassVar[str] = "store.failed"


@dataclass(eq=False)
class NotFound(StoreError):
    code: ClassVar[str] = "store.not_found"
    cause: ClassVar[str] = "There is no {kind} {id}."
    mend: ClassVar[str] = "Check the id."
    kind: str
    id: str


@dataclass(eq=False)
class StoreUnreachable(StoreError):
    code: ClassVar[str] = "store.unreachable"
    cause: ClassVar[str] = "Our own database {where} cannot be opened ({reason})."
    mend: ClassVar[str] = "Start it, see that its disk can be written, or correct PATCHBAY_DATABASE_URL."
    where: str
    reason: str


@dataclass(eq=False)
class StoreDamaged(StoreError):
    code: ClassVar[str] = "store.damaged"
    cause: ClassVar[str] = "Our own database {where} is damaged ({reason})."
    mend: ClassVar[str] = (
        "Keep that file, and restore a backup into an empty PATCHBAY_HOME with `patchbay restore FILE`."
    )
    where: str
    reason: str


@dataclass(eq=False)
class StaleCursor(StoreError):
    """Another process moved the stream on: nothing of this page was stored."""

    code: ClassVar[str] = "store.stale_cursor"
    cause: ClassVar[str] = "Stream {stream} of {integration} has moved on since this page was read; nothing was stored."
    mend: ClassVar[str] = "Read on from the stream's present cursor."
    integration: str
    stream: str


@dataclass(eq=False)
class RunAbandoned(StoreError):
    """Why a run has no end of its own: its process was killed, or stopped for so long that it was taken for dead."""

    code: ClassVar[str] = "run.abandoned"
    cause: ClassVar[str] = "The process that ran it ended in the middle; what it had stored stays."
    mend: ClassVar[str] = "The stream goes on at its last page with the next run."


@dataclass(eq=False)
class FencedOut(StoreError):
    """A later holder has the lease: nothing of this page was stored."""

    code: ClassVar[str] = "store.fenced_out"
    cause: ClassVar[str] = (
        "Another process has taken over {resource} (fencing {theirs}, ours {ours}); nothing was stored."
    )
    mend: ClassVar[str] = "Leave the work to it."
    resource: str
    ours: int
    theirs: int


@dataclass(eq=False)
class QuestionClosed(StoreError):
    code: ClassVar[str] = "question.closed"
    cause: ClassVar[str] = "Question {id} is {status}, so it takes no answer."
    mend: ClassVar[str] = "`patchbay questions` lists the open ones."
    id: str
    status: str


@dataclass(eq=False)
class SchemaBehind(StoreError):
    code: ClassVar[str] = "store.schema_behind"
    cause: ClassVar[str] = "The database's tables are at revision {found}, this program needs {needed}."
    mend: ClassVar[str] = "Run `patchbay migrate` once; it changes all tables together."
    found: str
    needed: str


@dataclass(eq=False)
class SchemaAhead(StoreError):
    code: ClassVar[str] = "store.schema_ahead"
    cause: ClassVar[str] = "The database's tables are at revision {found}, which this older program does not know."
    mend: ClassVar[str] = "Use the newer program, or restore a backup made by this one."
    found: str


@dataclass(eq=False)
class KeyMissing(StoreError):
    code: ClassVar[str] = "store.key_missing"
    cause: ClassVar[str] = "The database is sealed, and its master key is neither in PATCHBAY_KEY nor in {file}."
    mend: ClassVar[str] = "Put the key there that the database was made with; without it nothing sealed can be read."
    file: str


@dataclass(eq=False)
class KeyWrong(StoreError):
    code: ClassVar[str] = "store.key_wrong"
    cause: ClassVar[str] = (
        "The master key from {source} does not open this database (it was sealed with key {expected})."
    )
    mend: ClassVar[str] = (
        "Give the key that the database was made with, by PATCHBAY_KEY or as master.key in PATCHBAY_HOME."
    )
    source: str
    expected: str


@dataclass(eq=False)
class SealBroken(StoreError):
    """A sealed value does not open: altered, moved to another row, or of another tenant."""

    code: ClassVar[str] = "store.seal_broken"
    cause: ClassVar[str] = "A sealed value of {place} cannot be opened: it was altered or does not belong there."
    mend: ClassVar[str] = "Restore the row from a backup."
    place: str


@dataclass(eq=False)
class NotEmpty(StoreError):
    code: ClassVar[str] = "store.not_empty"
    cause: ClassVar[str] = "There is a store at {where} already."
    mend: ClassVar[str] = "Restore into an empty PATCHBAY_HOME or database."
    where: str


@dataclass(eq=False)
class BackupUnusable(StoreError):
    code: ClassVar[str] = "store.backup_unusable"
    cause: ClassVar[str] = "{file} cannot be restored: {problem}."
    mend: ClassVar[str] = "Name a file that `patchbay backup` wrote for this kind of database."
    file: str
    problem: str


@dataclass(eq=False)
class AuditBroken(StoreError):
    code: ClassVar[str] = "store.audit_broken"
    cause: ClassVar[str] = "The audit trail does not hold together at entry {entry}: it was altered or cut."
    mend: ClassVar[str] = "Compare it with a backup, and find out who can write to the database."
    entry: int


@dataclass(eq=False)
class AlreadyActive(StoreError):
    """An integration has one active incident for a cause; what is known of it belongs there."""

    code: ClassVar[str] = "store.already_active"
    cause: ClassVar[str] = "{integration} has an active incident for {root_cause} already."
    mend: ClassVar[str] = "Add to that one."
    integration: str
    root_cause: str
