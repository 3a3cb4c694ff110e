"""What a JSON API's records look like: samples from all over a list, and the columns they have."""

from __future__ import annotations

from collections.abc import Sequence

from knowledge.manifest import StreamSpec
from mappings.records import JsonValue
from mappings.schema import Column, Table
from tools.adapters.rest_streams import belongs, columns_of
from tools.protocols.http import HttpClient
from tools.protocols.paging import ListSource, Place, take_turn
from tools.protocols.rest import Json

LOOKS = 5  # pages read for a sample: the first, the last, and some between
SAMPLE_ROWS = 50


async def sample_list(http: HttpClient, source: ListSource, most: int) -> list[Json]:
    """At most `most` records of a list, spread over it: its end may look unlike its beginning."""
    source = source.sized(min(SAMPLE_ROWS, most))
    turn = await take_turn(http, source, Place())
    found = list(turn.records)
    paging, rows = source.paging, len(turn.records)
    total = turn.place.total
    if turn.end or not rows:
        return found[:most]
    if total is None or paging.kind not in {"page", "offset"}:
        while not turn.end and len(found) < most:
            turn = await take_turn(http, source, turn.place)
            found += turn.records
        return found[:most]
    pages = -(-total // rows)
    for page in sorted({round(look * (pages - 1) / (LOOKS - 1)) for look in range(1, LOOKS)} - {0}):
        at = page + paging.first if paging.kind == "page" else page * rows
        found += (await take_turn(http, source, Place(at=at))).records
    return found


def spread(records: Sequence[Json], most: int) -> list[Json]:
    """At most `most` of the records, evenly taken."""
    if len(records) <= most:
        return list(records)
    return [records[place * len(records) // most] for place in range(most)]


def table_of(name: str, spec: StreamSpec, records: Sequence[Json]) -> Table:
    """The columns that a stream's records really have, in the order met; the declared ones where there is no record."""
    rows = [columns_of(spec, record) for record in records if belongs(spec, record)]
    seen = list(dict.fromkeys(column for row in rows for column in row))
    return Table(name=name, columns=tuple(_column(spec, column, rows) for column in seen or spec.fields))


def _column(spec: StreamSpec, name: str, rows: list[dict[str, JsonValue]]) -> Column:
    field = spec.fields.get(name)
    samples = tuple(row[name] for row in rows if row.get(name) is not None)
    return Column(
        name=name,
        type=(field.type if field else None) or _json_type(samples),
        description=field.description if field else None,
        samples=samples,
        primary_key=spec.key == (name,),
        references=field.references if field else None,
    )


def _json_type(samples: tuple[JsonValue, ...]) -> str | None:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    found = {kinds[type(value)] for value in samples}
    if found == {"integer", "number"}:
        return "number"
    return found.pop() if len(found) == 1 else None
