"""Connections to a practice's database: PostgreSQL by psycopg, SQLite by aiosqlite, and the values that come out of them."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile, gettempdir
from urllib.parse import quote

import aiosqlite
from psycopg.types.string import TextLoader
from sqlalchemy import BindParameter, bindparam, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool
from sqlalchemy.types import NullType

from mappings.records import JsonValue
from tools.address import Address
from tools.credentials import is_document
from tools.errors import Unsupported, WrongDatabase

DEFAULT_PORT = 5432
MAINTENANCE_DATABASE = "postgres"  # always there: https://www.postgresql.org/docs/current/manage-ag-templatedbs.html
LOCK_SECONDS = 5
# Read as PostgreSQL writes them: Python's date knows neither "infinity" nor 44 BC, and one such row must not fail a page.
_AS_TEXT = ("date", "timestamp", "timestamptz", "time", "timetz", "interval", "numeric", "json", "jsonb", "uuid")


def open_engine(
    address: Address, credentials: Mapping[str, str], *, timeout_seconds: float, read_only: bool = True
) -> AsyncEngine:
    """An engine on the address's database; connects when first used. Every statement is its own transaction.

    Reading sessions refuse writes at the server, writing ones come from no pool. `credentials`: `username`, `password`,
    `ca_file` for a server whose certificate is to be checked. Raises `Unsupported` where no driver is built.
    """
    if address.scheme == "sqlite":
        return _sqlite_engine(address, timeout_seconds)
    if address.scheme not in {"postgresql", "tcp", None}:
        raise Unsupported(address.where, f"no driver for {address.scheme} is built")
    url = URL.create(
        "postgresql+psycopg",
        username=credentials.get("username") or address.user,
        password=credentials.get("password"),
        host=address.host,
        port=address.port or DEFAULT_PORT,
        database=address.database or MAINTENANCE_DATABASE,
    )
    arguments = _postgres_arguments(credentials, timeout_seconds, read_only)
    if read_only:
        engine = create_async_engine(
            url, connect_args=arguments, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=1, pool_pre_ping=True
        )
    else:
        engine = create_async_engine(url, connect_args=arguments, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    event.listen(engine.sync_engine, "connect", _read_as_text)
    return engine


def _postgres_arguments(credentials: Mapping[str, str], timeout_seconds: float, read_only: bool) -> dict[str, object]:
    settings = {
        "default_transaction_read_only": "on" if read_only else "off",
        "statement_timeout": str(int(timeout_seconds * 1000)),
        "lock_timeout": str(LOCK_SECONDS * 1000),
        "DateStyle": "ISO",
        "extra_float_digits": "1",
    }
    arguments: dict[str, object] = {
        "application_name": "patchbay",
        "connect_timeout": max(2, int(timeout_seconds)),
        "passfile": f"{os.devnull}/none",  # only what was handed to us is ever sent, not what lies in somebody's home
        "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        "prepare_threshold": None,  # a view that is made anew invalidates prepared statements (SQLSTATE 0A000)
    }
    if ca_file := credentials.get("ca_file"):
        arguments |= {"sslmode": "verify-full", "sslrootcert": _ca_path(ca_file)}
    return arguments


def _ca_path(ca_file: str) -> str:
    """The CA's file. The driver takes only paths: pasted certificates, which are public, get a file of the temporary
    folder that is named by their content and readable by our user alone.
    """
    if not is_document(ca_file):
        return ca_file
    folder = Path(gettempdir()) / f"patchbay-ca-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{sha256(ca_file.encode()).hexdigest()}.pem"
    if not path.is_file() or path.read_text(encoding="ascii") != ca_file:
        with NamedTemporaryFile("w", dir=folder, suffix=".new", delete=False, encoding="ascii") as whole:
            whole.write(ca_file)
        Path(whole.name).replace(path)
    return str(path)


def _read_as_text(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    driver = getattr(connection, "driver_connection", None)
    for name in _AS_TEXT:
        driver.adapters.register_loader(name, TextLoader)  # type: ignore[union-attr]


def _sqlite_engine(address: Address, timeout_seconds: float) -> AsyncEngine:
    """Opened read-only by the URI form, so that nothing of ours can write and no missing file is created."""
    if not Path(address.path).is_file():
        raise WrongDatabase(address.where, "There is no such file.")
    connect = partial(aiosqlite.connect, f"file:{quote(address.path)}?mode=ro", uri=True, timeout=timeout_seconds)
    engine = create_async_engine("sqlite+aiosqlite://", async_creator=connect, poolclass=NullPool)
    event.listen(engine.sync_engine, "connect", _read_any_text)
    return engine


def _read_any_text(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    connection.driver_connection.text_factory = sqlite_text


def sqlite_text(data: bytes) -> str:
    """A text as it was meant: SQLite checks no charset, and old Windows programs put in their own (CP1252)."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def bound(value: object) -> BindParameter[object]:
    """A parameter without a type of ours: the database compares it in the column's own type."""
    return bindparam(None, value, type_=NullType(), unique=True)


def json_scalar(value: object) -> JsonValue:
    """A database value as a JSON scalar: ISO 8601 text, decimals and whatever else has a text form as text, bytes as base64."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, list | dict | tuple):
        return json.dumps(value, default=str, ensure_ascii=False)
    return str(value)
