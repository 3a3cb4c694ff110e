"""A Dampsoft practice: the truth behind the views, what clients wrote, and what it may suffer."""

import asyncio
import contextlib
import secrets
from collections.abc import Mapping, Sequence
from typing import ClassVar

import psycopg

from evals.simulators.dampsoft import intake, rows
from evals.simulators.dampsoft.database import READER, VIEWS, WRITER, Database, Outlook
from evals.simulators.dampsoft.log import LogReader
from evals.simulators.dampsoft.rows import COLUMNS, Insured, Table
from evals.simulators.face import Counts, Face, UnknownFault
from evals.simulators.practice import Practice, TruthRow
from evals.simulators.records import Record
from evals.simulators.work import Change

CARRIED: Mapping[str, Sequence[str]] = {
    "Provider": ["id", "last_name", "first_name", "title", "abbreviation", "active"],
    "Operatory": ["id", "name", "active"],
    "Patient": [
        *("id", "last_name", "first_name", "birth_date", "sex", "address_line1", "postal_code", "city"),
        *("phone_home", "phone_mobile", "email", "updated_at"),
    ],
    "Coverage": ["id", "patient_id", "plan_type", "payer_id", "member_id"],
    "Appointment": [
        *("id", "patient_id", "provider_id", "operatory_id", "start", "end", "reason", "status", "notes"),
        "updated_at",
    ],
    "Charge": [
        *("id", "patient_id", "service_date", "tooth", "surface", "code", "quantity", "factor", "amount"),
        *("provider_id", "updated_at"),
    ],
    "Claim": ["id", "patient_id", "submitted_date", "claim_type", "billed_amount", "paid_amount", "status"],
    "Document": ["id", "patient_id", "created_at", "title", "uri", "category"],
}
WORK = (
    *(("Patient", kind) for kind in ("new", "changed", "merged", "deleted")),
    *(("Appointment", kind) for kind in ("new", "changed", "moved", "cancelled", "deleted")),
    ("Charge", "new"),
)


class Dampsoft(Face):
    """Faults and their parameters:

    `net.refused`, `net.timeout` nothing; `auth.credentials_rejected` an optional new `password` of the reading role;
    `auth.forbidden` and `data.silent_zero` a `view`; `schema.column_renamed` `view`, `column`, `to`; `schema.column_removed`
    `view`, `column`; `config.wrong_database` `to`, the new name; `db.connections_exhausted` nothing; `write.unconfirmed`
    an optional `written` (default true: committed, and the answer lost; false: lost before): it ends with the next write.
    """

    system: ClassVar[str] = "dampsoft"
    carried: ClassVar[Mapping[str, Sequence[str]]] = CARRIED
    work_kinds: ClassVar[Sequence[tuple[str, str]]] = WORK
    fault_codes: ClassVar[frozenset[str]] = frozenset(
        {
            "net.refused",
            "net.timeout",
            "auth.credentials_rejected",
            "auth.forbidden",
            "schema.column_renamed",
            "schema.column_removed",
            "config.wrong_database",
            "data.silent_zero",
            "db.connections_exhausted",
            "write.unconfirmed",
        }
    )

    def __init__(self, practice: Practice, database: Database) -> None:
        self._counts = Counts()
        self._log = LogReader(database.server.log, database.server.user)
        super().__init__(practice)
        self.database = database
        self.passwords = {role: secrets.token_urlsafe(12) for role in (READER, WRITER)}
        self._reader_password = self.passwords[READER]
        self._usual_name = database.name
        self._insured: dict[str, Insured] = rows.insured_of(practice)
        self._held: dict[str, Table] = {}
        self._taken = 0
        self._cutting: asyncio.Task[None] | None = None

    async def open(self, version: str) -> None:
        """Create the database and fill it."""
        self._held = rows.tables_of(self.practice, self._insured)
        await self.database.create(version, self.passwords)
        await self.database.load(self._held)
        await self._number_on()

    async def close(self) -> None:
        if self._cutting is not None:
            self._cutting.cancel()

    # -- truth and counts, which the server's log and the write views have news of ---------------------------------------

    @property
    def counts(self) -> Counts:
        """Up to date with the server's log."""
        self._listen()
        return self._counts

    @counts.setter
    def counts(self, counts: Counts) -> None:
        self._counts = counts

    def truth(self, entity: str) -> list[TruthRow]:
        self._listen()
        if entity == "Coverage":
            return rows.coverage_truth(self.practice, self._insured)
        return super().truth(entity)

    def told(self, record: Record) -> TruthRow:
        return rows.told(self.practice, record)

    def _listen(self) -> None:
        """Read the log on, and take in what was written."""
        self._log.read_into(self._counts)
        if WRITER not in self._log.seen or not self._answers:
            return
        for entry in self.database.written_after(self._taken):
            self._taken = int(str(entry["nr"]))
            body, row = entry["eingang"], entry["zeile"]
            assert isinstance(body, dict)
            assert isinstance(row, dict)
            self._counts.wrote(str(entry["vorgang"]), body, repr(sorted(body.items())))
            name = "patient" if "w_patient" in str(entry["vorgang"]) else "termin"
            if name == "patient":
                intake.take_patient(self.practice, self._insured, row)
            else:
                intake.take_visit(self.practice, row)
            columns = COLUMNS[name]
            self._held[name][int(row[columns[0]])] = tuple(row[column] for column in columns)

    @property
    def _answers(self) -> bool:
        return self.database.server.is_running and "net.timeout" not in self.faults

    # -- work -------------------------------------------------------------------------------------------------------------

    async def work(self, count: int, *, ordinary: bool = False) -> list[Change]:
        """Work, then bring the tables up to date. While the server is down the practice's work waits in memory."""
        self._listen()
        changes = await super().work(count, ordinary=ordinary)
        for change in changes:
            if change.kind == "merged":
                self._repoint(change.id)
        if self._answers:
            await self._bring()
        return changes

    def _repoint(self, loser: str) -> None:
        """Rows of a merged patient are moved to the survivor, so each of them counts as changed today."""
        practice, survivor = self.practice, self.practice.survivor(loser)
        followers = {number for number in practice.patients if number == loser or self._passes(number, loser)}
        assert survivor not in followers
        for table in (practice.appointments, practice.charges, practice.claims, practice.documents):
            for record in table.values():
                if record.patient_id in followers:
                    practice.touch(record)

    def _passes(self, number: str, through: str) -> bool:
        """Whether the mergers of a patient lead through another."""
        at: str | None = number
        while at is not None and at != through:
            at = self.practice.patients[at].merged_into
        return at == through

    async def _bring(self) -> None:
        after = rows.tables_of(self.practice, self._insured)
        await self.database.bring(self._held, after)
        self._held = after
        await self._number_on()

    async def _number_on(self) -> None:
        for name, table in (("patient", self.practice.patients), ("termin", self.practice.appointments)):
            await self.database.number_from(name, max(map(int, table)))

    # -- faults -----------------------------------------------------------------------------------------------------------

    async def start_fault(self, code: str, parameters: Mapping[str, object]) -> None:
        self._check(code, parameters)
        await super().start_fault(code, parameters)
        await self._arrange()

    async def end_faults(self) -> None:
        """Everything as before, the password too; then what was worked meanwhile reaches the tables."""
        await super().end_faults()
        await self._arrange()
        await self._bring()

    def _check(self, code: str, parameters: Mapping[str, object]) -> None:
        needed = {
            "auth.forbidden": ("view",),
            "data.silent_zero": ("view",),
            "schema.column_renamed": ("view", "column", "to"),
            "schema.column_removed": ("view", "column"),
            "config.wrong_database": ("to",),
        }.get(code, ())
        for name in needed:
            if not isinstance(parameters.get(name), str):
                raise UnknownFault(f"The fault {code} needs the parameter {name!r}.")
        view = str(parameters.get("view", next(iter(VIEWS))))
        if view not in VIEWS:
            raise UnknownFault(f"There is no view {view!r}; there are {', '.join(VIEWS)}.")
        if "column" in needed and parameters["column"] not in COLUMNS[VIEWS[view]]:
            raise UnknownFault(f"{view} has no column {parameters['column']!r}.")

    async def _arrange(self) -> None:
        """Make the server as the running faults want it, whatever it was before."""
        server = self.database.server
        server.release()
        if "net.refused" in self.faults:
            self._log.read_into(self._counts)
            await server.stop()
            return
        await server.start()
        await self.database.rename(str(self._of("config.wrong_database", "to") or self._usual_name))
        await self.database.show(self._outlook())
        await self._arrange_password()
        await self.database.limit_connections(READER, 0 if "db.connections_exhausted" in self.faults else -1)
        if "db.connections_exhausted" in self.faults:
            await self.database.hang_up(READER)
        await self._arrange_writes()
        if "net.timeout" in self.faults:
            await self.database.hang_up(READER, WRITER)
            server.hold()

    def _of(self, code: str, name: str) -> object:
        return self.faults.get(code, {}).get(name)

    def _outlook(self) -> Outlook:
        renamed, removed = self.faults.get("schema.column_renamed", {}), self.faults.get("schema.column_removed", {})
        return Outlook(
            renamed={(str(renamed["view"]), str(renamed["column"])): str(renamed["to"])} if renamed else {},
            removed=frozenset({(str(removed["view"]), str(removed["column"]))} if removed else ()),
            empty=frozenset({str(view)} if (view := self._of("data.silent_zero", "view")) else ()),
            forbidden=frozenset({str(view)} if (view := self._of("auth.forbidden", "view")) else ()),
        )

    async def _arrange_password(self) -> None:
        wanted = self.passwords[READER]
        if "auth.credentials_rejected" in self.faults:
            wanted = str(self.faults["auth.credentials_rejected"].setdefault("password", secrets.token_urlsafe(12)))
        if wanted != self._reader_password:
            self._log.read_into(self._counts)
            await self.database.set_password(READER, wanted)
            await self.database.hang_up(READER)
            self._reader_password = wanted
            self._log.password_changed(READER)

    async def _arrange_writes(self) -> None:
        if self._cutting is not None:
            self._cutting.cancel()
            self._cutting = None
        if "write.unconfirmed" not in self.faults:
            await self.database.keep_answers()
            return
        await self.database.lose_answers(written=self._of("write.unconfirmed", "written") is not False)
        self._cutting = asyncio.create_task(self._cut_next_write())

    async def _cut_next_write(self) -> None:
        """End the fault, then cut the one write that hangs: a session that comes in between finds all as before."""
        with contextlib.suppress(psycopg.OperationalError):  # the server was stopped meanwhile
            while not await self.database.hanging_writes():  # noqa: ASYNC110 - it is another process's state
                await asyncio.sleep(0.02)
            self.faults.pop("write.unconfirmed", None)
            await self.database.keep_answers()
            await self.database.cut_hanging_writes()
