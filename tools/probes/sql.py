"""Asks a database what it shows to a login that was given: names of tables and columns, and where a version stands.

The wire is imported when a database is really asked: most addresses speak something else, and it costs a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tools.address import Address
from tools.errors import CredentialsRejected, PmsError, WrongDatabase
from tools.probes.base import Finding, ProbeBudget

if TYPE_CHECKING:
    from tools.protocols.sql import Catalogue

LOGIN_SECONDS = 8.0  # a catalogue takes some twenty round trips, and a practice's line may be slow
CATALOGUE_REQUESTS = 3  # the login, the catalogue's queries, the databases'


async def ask_catalogue(
    address: Address, credentials: Mapping[str, str], versions: Sequence[tuple[str, str]], budget: ProbeBudget
) -> Finding:
    """`sql.catalogue`: log in once and list what is there. `versions` are (table, column) of which one row is read.

    Facts: `place`, `state` (ok, locked, rejected, no_database, failed), `code` of a failure; of a catalogue `database`,
    `databases`, `tables` (name to columns) and `values` (`table.column` in lower case to its value).
    """
    from tools.protocols.sql import visible_catalogue

    subject, place = address.where, address.url
    if not budget.take(CATALOGUE_REQUESTS):
        return Finding("sql.catalogue", subject, {"state": "failed", "code": "net.timeout"}, 0)
    wanted = sorted({name for table, _ in versions for name in (table, table.lower(), table.upper())})
    try:
        async with asyncio.timeout(budget.within(LOGIN_SECONDS)):
            catalogue = await visible_catalogue(
                address, credentials, rows_of=wanted, timeout_seconds=budget.within(LOGIN_SECONDS)
            )
    except CredentialsRejected as error:
        state = "rejected" if credentials.get("password") else "locked"
        return Finding("sql.catalogue", subject, {"state": state, "code": error.code}, CATALOGUE_REQUESTS)
    except WrongDatabase as error:
        return Finding("sql.catalogue", subject, {"state": "no_database", "code": error.code}, CATALOGUE_REQUESTS)
    except PmsError as error:
        return Finding("sql.catalogue", subject, {"state": "failed", "code": error.code}, CATALOGUE_REQUESTS)
    except TimeoutError:
        return Finding("sql.catalogue", subject, {"state": "failed", "code": "net.timeout"}, CATALOGUE_REQUESTS)
    return Finding("sql.catalogue", subject, {**_facts(catalogue, versions), "place": place}, CATALOGUE_REQUESTS)


def _facts(catalogue: Catalogue, versions: Sequence[tuple[str, str]]) -> dict[str, object]:
    first_rows = {table.casefold(): row for table, row in catalogue.rows.items()}
    values: dict[str, object] = {}
    for table, column in versions:
        row = {name.casefold(): value for name, value in first_rows.get(table.casefold(), {}).items()}
        if column.casefold() in row:
            values[f"{table}.{column}".casefold()] = row[column.casefold()]
    return {
        "state": "ok",
        "database": catalogue.database,
        "databases": list(catalogue.databases),
        "tables": {name: list(columns) for name, columns in catalogue.tables.items()},
        "values": values,
    }


async def lets_anybody_in(address: Address, budget: ProbeBudget) -> bool:
    """Whether a PostgreSQL server asks the user whom the address names for no proof at all; no password is sent."""
    from tools.protocols.sql import banner

    if not address.user or not budget.take():
        return False
    try:
        async with asyncio.timeout(budget.within(LOGIN_SECONDS)):
            return "asks for none" in await banner(address)
    except (PmsError, TimeoutError):
        return False


async def ask_databases(address: Address, credentials: Mapping[str, str], budget: ProbeBudget) -> list[str]:
    """The databases of a server that this login may open; empty where it may not even list them."""
    from tools.protocols.sql import visible_databases

    if not budget.take():
        return []
    try:
        async with asyncio.timeout(budget.within(LOGIN_SECONDS)):
            return list(await visible_databases(address, credentials))
    except (PmsError, TimeoutError):
        return []
