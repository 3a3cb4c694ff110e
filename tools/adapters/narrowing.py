"""Consent in code: a connection that knows no stream but those which feed the entities that were asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from knowledge.manifest import StreamSpec
from tools.adapters.connection import Connection
from tools.errors import Unsupported


def narrowed_to(connection: Connection, entities: Collection[str] | None, also: Collection[str] = ()) -> Connection:
    """The connection with the streams that feed `entities`, those which they are read through, and those named in `also`.

    Raises `Unsupported` where the system has no such stream. What nobody described has to be looked at before anybody can
    say what feeds what, so a generic connection stays whole.
    """
    if not entities or connection.manifest.generic:
        return connection
    streams = connection.method.streams
    kept = {name for name, spec in streams.items() if set(entities) & set(spec.entities)}
    if not kept:
        lacks = f"its method {connection.method.method} has no {', '.join(sorted(entities))}"
        raise Unsupported(connection.manifest.key, f"{lacks}.")
    kept |= {parent.stream for name in kept if (parent := streams[name].for_each)}
    kept |= set(also) & streams.keys()
    named = {
        name: _narrowed(spec, entities) if set(entities) & set(spec.entities) else spec
        for name, spec in streams.items() if name in kept
    }  # fmt: skip
    return replace(connection, method=connection.method.model_copy(update={"streams": named}))


def unasked_columns(connection: Connection, stream: str) -> frozenset[str]:
    """The columns of a stream that its manifest knows and this connection was not given: neither looked at nor kept."""
    known = connection.manifest.method(connection.method.method).streams.get(stream)
    given = connection.method.streams.get(stream)
    return frozenset(known.fields.keys() - given.fields.keys()) if known and given else frozenset()


def _narrowed(spec: StreamSpec, entities: Collection[str]) -> StreamSpec:
    """The stream without the fields that feed nothing but what was not asked for; what the reading itself needs stays."""
    needed = {*spec.key, spec.deletes.field, spec.cursor and spec.cursor.field, spec.merges and spec.merges.field}
    fields = {
        name: field for name, field in spec.fields.items()
        if name in needed or not field.maps or any(_entity(hint.to) in entities for hint in field.maps)
    }  # fmt: skip
    constants = {target: value for target, value in spec.constants.items() if _entity(target) in entities}
    return spec.model_copy(update={"fields": fields, "constants": constants})


def _entity(target: str) -> str:
    return target.partition(".")[0].partition("#")[0]
