"""What databases say when they refuse, as errors of the world. Told apart by SQLSTATE wherever the driver hands one on."""

from __future__ import annotations

import asyncio
import re
import socket
import sqlite3
from dataclasses import dataclass
from typing import ClassVar

import psycopg
from sqlalchemy.exc import DBAPIError

from tools.address import Address
from tools.errors import (
    ColumnMissing,
    ConnectionRefused,
    ConnectionReset,
    CredentialsRejected,
    Forbidden,
    NameUnknown,
    PmsError,
    TimedOut,
    TlsUntrusted,
    UnexpectedAnswer,
    UpstreamDown,
    WriteRefused,
    WrongDatabase,
)


@dataclass(eq=False)
class ConnectionsExhausted(PmsError):
    code: ClassVar[str] = "db.connections_exhausted"
    cause: ClassVar[str] = "{where} takes no more connections. {detail}"
    mend: ClassVar[str] = "Wait; if it lasts, the practice raises the limit or closes what hangs."
    transient: ClassVar[bool] = True


@dataclass(eq=False)
class DatabaseLocked(PmsError):
    code: ClassVar[str] = "db.locked"
    cause: ClassVar[str] = "{where} is locked by somebody else's work. {detail}"
    mend: ClassVar[str] = "The page is read again; outside office hours it is quicker."
    transient: ClassVar[bool] = True


@dataclass(eq=False)
class RecoveryConflict(PmsError):
    code: ClassVar[str] = "db.recovery_conflict"
    cause: ClassVar[str] = "{where} cancelled our read in favour of its replication. {detail}"
    mend: ClassVar[str] = "The page is read again from its key."
    transient: ClassVar[bool] = True


@dataclass(eq=False)
class DatabaseReadOnly(PmsError):
    code: ClassVar[str] = "db.read_only"
    cause: ClassVar[str] = "{where} takes no writes now. {detail}"
    mend: ClassVar[str] = "Writes wait until the practice's database takes them again."


@dataclass(eq=False)
class ReadFailed(PmsError):
    """The database could not compute what we asked for: a view whose definition fails, a value that its type refuses."""

    code: ClassVar[str] = "upstream.unexpected"
    cause: ClassVar[str] = "{where} cannot be read: {detail}."
    mend: ClassVar[str] = "Ask whoever runs the database to correct that view or table."


@dataclass(eq=False)
class DatabaseDamaged(PmsError):
    code: ClassVar[str] = "db.damaged"
    cause: ClassVar[str] = "The database file {where} is damaged ({detail})."
    mend: ClassVar[str] = "Restore it from a backup."


# SQLSTATE, or its class of two letters: https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_STATE: dict[str, type[PmsError]] = {
    "08": ConnectionReset,
    "22": WriteRefused,
    "23": WriteRefused,
    "25006": DatabaseReadOnly,
    "28": CredentialsRejected,
    "3D000": WrongDatabase,
    "40001": RecoveryConflict,
    "40P01": DatabaseLocked,
    "42501": Forbidden,
    "42703": ColumnMissing,
    "42P01": ColumnMissing,
    "53300": ConnectionsExhausted,
    "53": UpstreamDown,
    "55P03": DatabaseLocked,
    "57014": TimedOut,
    "57P01": ConnectionReset,
    "57P02": ConnectionReset,
    "57P03": UpstreamDown,
    "58": UpstreamDown,
    "XX": UpstreamDown,
    "P0001": WriteRefused,
}
# While a connection is being made, libpq hands on no SQLSTATE, only the server's text in the server's language.
_BY_TEXT: tuple[tuple[str, type[PmsError]], ...] = (
    (r'database ".*" does not exist|Datenbank ».*« existiert nicht', WrongDatabase),
    (r"permission denied for database|keine Berechtigung für Datenbank", Forbidden),
    (r"too many|remaining connection slots|zu viele|verbleibende", ConnectionsExhausted),
    (r"starting up|shutting down|recovery mode|startet|wird .*gefahren", UpstreamDown),
)
_SERVER_SPOKE = re.compile(r"(?:: |^)(\w+): {2}(.+)", re.MULTILINE)


async def typed(error: Exception, address: Address, *, reading: bool = False) -> PmsError:
    """The error of the world behind a driver's error; never holds a value that the server repeated.

    `reading` sessions cannot write, so what they are refused is never called a write.
    """
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    where = address.where
    if isinstance(original, TimeoutError):
        return TimedOut(where)
    if isinstance(original, sqlite3.Error):
        return _of_sqlite(original, where)
    state = getattr(original, "sqlstate", None)
    if isinstance(original, psycopg.Error) and state:
        return _of_state(original, state, where, reading)
    if isinstance(original, psycopg.errors.ConnectionTimeout):
        return TimedOut(where, "No connection came about in time.")
    if isinstance(original, psycopg.Error | OSError):
        return await _of_connecting(str(original), address)
    return UnexpectedAnswer(where, f"the driver failed with {type(original).__name__}")


def _of_state(error: psycopg.Error, state: str, where: str, reading: bool) -> PmsError:
    kind = _BY_STATE.get(state) or _BY_STATE.get(state[:2]) or (ReadFailed if reading else UnexpectedAnswer)
    if kind is WriteRefused and reading:
        kind = ReadFailed
    said = error.diag
    if kind is ColumnMissing:
        # of all messages only these two are handed on: they repeat names of columns and views, never a value
        return ColumnMissing(where, named_in(said.message_primary or "") or f"SQLSTATE {state}")
    names = [name for name in (said.table_name, said.column_name, said.constraint_name) if name]
    label = type(error).__name__ if type(error).__module__ == "psycopg.errors" else "refused"
    return kind(where, f"SQLSTATE {state} ({', '.join([label, *names])})")


def named_in(message: str) -> str:
    """What stands between the quotes of a message, in any language's quotation marks."""
    found = re.search(r"[\"»„«“](.+?)[\"«“»”]", message)
    return found[1] if found else message.split(" ")[1] if message.startswith("column ") else ""


async def _of_connecting(text: str, address: Address) -> PmsError:
    """Why no connection came about, or why it broke: the server's words, else what a bare TCP connection finds."""
    where = address.where
    spoke = _SERVER_SPOKE.search(text)
    if spoke is not None:
        for pattern, kind in _BY_TEXT:
            if re.search(pattern, spoke[2]):
                return kind(where)
        # whatever else a server says to a login, saying it again unchanged may lock the account
        return CredentialsRejected(where)
    if "no password supplied" in text:
        return CredentialsRejected(where, "It asks for a password.")
    if "certificate verify failed" in text or "root certificate" in text:
        return TlsUntrusted(where)
    if (closed := await unreachable(address)) is not None:
        return closed
    if "timeout expired" in text:
        return TimedOut(where, "It accepts connections and does not answer.")
    if "invalid response to SSL negotiation" in text or "expected authentication request" in text:
        return UnexpectedAnswer(where, "it does not speak PostgreSQL")
    return ConnectionReset(where)


async def unreachable(address: Address) -> PmsError | None:
    """What a bare TCP connection meets; None where somebody opens."""
    where = address.where
    try:
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection(address.host, address.port or 5432)
    except socket.gaierror:
        return NameUnknown(where)
    except ConnectionRefusedError:
        return ConnectionRefused(where)
    except (TimeoutError, OSError):
        return TimedOut(where)
    writer.close()
    return None


def _of_sqlite(error: sqlite3.Error, where: str) -> PmsError:
    text = str(error)
    if match := re.match(r"no such (?:column|table): (.+)", text):
        return ColumnMissing(where, match[1])
    if "locked" in text:
        return DatabaseLocked(where)
    if "unable to open" in text:
        return WrongDatabase(where, "The file cannot be opened.")
    if "not a database" in text:
        return UnexpectedAnswer(where, "the file is no SQLite database")
    if "malformed" in text:
        return DatabaseDamaged(where, text)
    if "readonly" in text:
        return DatabaseReadOnly(where)
    return UnexpectedAnswer(where, f"SQLite says {getattr(error, 'sqlite_errorname', type(error).__name__)}")
