"""The streams of a database that no manifest describes: its tables, as far as the catalogue gives them a key."""

from __future__ import annotations

from knowledge.manifest import Deletes, StreamSpec
from mappings.schema import Schema

NO_KEY = "the catalogue gives it no primary key and no unique columns, so its rows cannot be told apart"


def streams_of(schema: Schema) -> dict[str, StreamSpec]:
    """A stream for each table with a key (the catalogue's, or one that a description adds), read whole and compared."""
    keys = {table.name: tuple(each.name for each in table.columns if each.primary_key) for table in schema.tables}
    return {
        name: StreamSpec(source=name, entities=(), key=key, deletes=Deletes(by="sweep"))
        for name, key in keys.items()
        if key
    }


def left_out(schema: Schema) -> dict[str, str]:
    """The tables that become no stream, each with the reason."""
    streams = streams_of(schema)
    return {table.name: NO_KEY for table in schema.tables if table.name not in streams}
