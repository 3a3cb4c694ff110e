"""Inserts of many rows that hand them to the driver as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import ARRAY, Dialect, Table, bindparam, column, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

Insert = sqlite.Insert | postgresql.Insert
Row = dict[str, Any]


class BulkInsert:
    """One insert, compiled once for rows with these keys.

    SQLAlchemy's own way with many rows costs as much a row as sealing, hashing and storing it together. SQLite takes
    tuples; PostgreSQL takes each column as one array, in one statement for all rows. Of our types only instants are not
    what the drivers take as it is, and the rows of a page share one instant.
    """

    def __init__(self, table: Table, statement: Insert, names: Sequence[str], dialect: Dialect) -> None:
        self._arrays = dialect.name == "postgresql"
        if self._arrays:
            arrays = [bindparam(name, type_=ARRAY(table.c[name].type)) for name in names]
            unnested = func.unnest(*arrays).table_valued(*map(column, names), name="given").render_derived()
            statement = statement.from_select(list(names), select(*(unnested.c[name] for name in names)))
        compiled = statement.inline().compile(dialect=dialect, column_keys=None if self._arrays else list(names))
        self._sql = str(compiled).replace(")s::", ")b::")  # arrays as PostgreSQL keeps them, not spelt out in hex
        self._names = names
        self._pick = itemgetter(*(compiled.positiontup or names))
        self._convert: dict[str, Callable[[Any], Any]] = {}
        for name in () if self._arrays else names:
            convert = table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
            if convert is not None:
                self._convert[name] = cache(convert)

    async def execute(self, connection: AsyncConnection, rows: Sequence[Row]) -> None:
        """Execute it for every row."""
        parameters: Any
        if self._arrays:
            columns = zip(*map(self._pick, rows), strict=True)
            parameters = dict(zip(self._names, map(list, columns), strict=True))
        else:
            for name, convert in self._convert.items():
                for row in rows:
                    row[name] = convert(row[name])
            parameters = list(map(self._pick, rows))
        await connection.exec_driver_sql(self._sql, parameters)
