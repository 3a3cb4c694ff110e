"""What a practice's source lacks of what its manifest declares."""

from __future__ import annotations

from agents.states import Gap
from knowledge.manifest import Method
from mappings.schema import Schema


def declared_gaps(method: Method, schema: Schema, entities: tuple[str, ...]) -> list[Gap]:
    """Declared, mapped columns that the introspected source does not have: a practice's view may be an older one.

    Of what was not asked for (`entities`, unless empty) nothing can be missing.
    """
    gaps = []
    shown = {table.name: {column.name for column in table.columns} for table in schema.tables}
    for name, stream in method.streams.items():
        wanted = [entity for entity in stream.entities if not entities or entity in entities]
        columns = shown.get(name)
        if not wanted:
            continue
        if columns is None:
            gaps.append(Gap(table=name, entity=wanted[0], field="*", why="the source shows no such table"))
            continue
        for column, field in stream.fields.items():
            fed = [hint.to for hint in field.maps if not entities or entity_of(hint.to) in entities]
            if fed and column not in columns:
                target = fed[0].partition(".")[2]
                gaps.append(
                    Gap(table=name, entity=entity_of(fed[0]), field=target, why=f"the column {column} is missing")
                )
    return gaps


def entity_of(target: str) -> str:
    """The entity of `Entity.field` or `Entity#2.field`."""
    return target.partition(".")[0].partition("#")[0]
