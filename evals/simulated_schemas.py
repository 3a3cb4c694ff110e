"""The simulators' schemas as labelled sets: what the manifests declare, their hints as the right answers."""

from __future__ import annotations

from evals.labelled import Label, LabelledSchema, Target
from knowledge.catalogue import catalogue
from knowledge.manifest import FieldSpec, Manifest, Method
from mappings.schema import Column, Schema, Table


def simulated_schemas() -> list[LabelledSchema]:
    """One set for each built method of a described system; fields declared as left out have no answer."""
    return [
        _labelled(manifest, method)
        for manifest in catalogue().values()
        for method in manifest.methods
        if not manifest.generic and any(stream.fields for stream in method.streams.values())
    ]


def _labelled(manifest: Manifest, method: Method) -> LabelledSchema:
    labels: dict[tuple[str, str], Label] = {}
    tables = []
    for name, stream in method.streams.items():
        tables.append(Table(name=name, columns=tuple(_column(each, field) for each, field in stream.fields.items())))
        labels |= {(name, each): _label(field) for each, field in stream.fields.items()}
    schema = Schema(name=manifest.key, system=manifest.key, tables=tuple(table for table in tables if table.columns))
    return LabelledSchema(f"{manifest.key} {method.method}", schema, labels)


def _column(name: str, field: FieldSpec) -> Column:
    return Column(name=name, type=field.type, description=field.description, references=field.references)


def _label(field: FieldSpec) -> Label:
    targets: list[Target] = []
    for hint in field.maps:
        entity, _, name = hint.to.partition(".")
        targets.append((entity.partition("#")[0], name))
    return Label(targets[0] if targets else None, targets[1] if len(targets) > 1 else None, len(targets) > 1)
