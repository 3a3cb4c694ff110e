"""The field lists that vendors' own material gives, labelled by hand: `vendors/*.yaml`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict

from evals.datasets.notation import noted_columns, noted_pairs
from evals.labelled import LabelledSchema
from mappings.schema import Column, Schema, Table


class _System(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    vendor: str
    language: str
    domain: str
    section: str  # of systems.md
    tables: dict[str, str]
    descriptions: str = ""


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    systems: dict[str, _System]


@cache
def vendor_sets() -> tuple[LabelledSchema, ...]:
    """Every described system, in order of name."""
    found = {
        name: system
        for path in sorted((files("evals") / "datasets" / "vendors").iterdir(), key=str)
        for name, system in _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).systems.items()
    }
    return tuple(_labelled(name, found[name]) for name in sorted(found))


def _labelled(name: str, system: _System) -> LabelledSchema:
    described = dict(noted_pairs(system.descriptions))
    noted = {table: noted_columns(text) for table, text in system.tables.items()}
    tables = tuple(
        Table(
            name=table, columns=tuple(Column(name=each.name, description=described.get(each.name)) for each in columns)
        )
        for table, columns in noted.items()
    )
    labels = {(table, each.name): each.label for table, columns in noted.items() for each in columns}
    return LabelledSchema(
        name, Schema(name=name, system=name, tables=tables), labels, language=system.language, domain=system.domain,
        generator="vendor", vendor=system.vendor,
    )  # fmt: skip
