"""The canonical practice model: entities, fields, types and their limits."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Literal, cast

import yaml

FieldType = Literal[
    "id", "ref", "string", "text", "code", "boolean", "date", "datetime", "time", "integer", "decimal", "money",
    "email", "phone", "url", "postal_code", "country", "language", "binary",
]  # fmt: skip


EXTRA = "extra"  # `Entity.extra`: a column without a canonical field that a tenant chose to keep, as the source has it


@dataclass(frozen=True, slots=True)
class CanonicalField:
    """One field of an entity. `phi` is 0 none, 1 indirect, 2 direct identifier or health data."""

    entity: str
    name: str
    type: FieldType
    phi: int
    description: str
    refers_to: str | None = None
    fhir: str | None = None

    @property
    def path(self) -> str:
        return f"{self.entity}.{self.name}"


@dataclass(frozen=True, slots=True)
class CanonicalEntity:
    """One entity: its identity, its required references, what it says nothing without, and its fields in model order."""

    name: str
    description: str
    group: str
    fields: dict[str, CanonicalField]
    identity: tuple[str, ...]
    required: tuple[str, ...]
    essential: tuple[str, ...] = ()


# Contract, "Identity": what makes a record of an entity, and which references it cannot be without.
_IDENTITY = {"TreatmentCode": ("code_system", "code"), "CommunicationPreference": ("patient_id",)}

# What a record of the entity says nothing without: it is read, but nobody may take the practice for complete.
_ESSENTIAL = {"Appointment": ("start",)}

# Values outside these bounds are impossible, not unusual: they become null with a note. Source: ophthalmic optics
# (axis 1-180 whole degrees, 0 is stored as 180); the others are lengths and counts that cannot be negative.
LIMITS: dict[str, tuple[Decimal, Decimal]] = {
    "right_axis": (Decimal(0), Decimal(180)),
    "left_axis": (Decimal(0), Decimal(180)),
    "right_sphere": (Decimal(-40), Decimal(40)),
    "left_sphere": (Decimal(-40), Decimal(40)),
    "right_cylinder": (Decimal(-15), Decimal(15)),
    "left_cylinder": (Decimal(-15), Decimal(15)),
    "duration_minutes": (Decimal(0), Decimal(24 * 60)),
    "recall_interval_months": (Decimal(0), Decimal(240)),
    "priority": (Decimal(1), Decimal(9)),
}


@dataclass(frozen=True, slots=True)
class CanonicalModel:
    """All entities by name."""

    version: int
    entities: dict[str, CanonicalEntity]

    def field(self, path: str) -> CanonicalField:
        """The field of `Entity.field`; KeyError where the model has none.

        `Entity.extra` is one too, though it is none of the entity's fields: no column belongs there unless a person says so.
        """
        entity, _, name = path.partition(".")
        known = self.entities[entity]
        return kept_column(entity) if name == EXTRA else known.fields[name]

    def knows(self, path: str) -> bool:
        """Whether `Entity.field` (or `Entity.extra`) is a target."""
        entity, _, name = path.partition(".")
        return entity in self.entities and (name == EXTRA or name in self.entities[entity].fields)


@cache
def kept_column(entity: str) -> CanonicalField:
    """What is known of a column that a tenant keeps: nothing, so it is treated like what identifies a person."""
    return CanonicalField(entity, EXTRA, "text", 2, "Kept as the source has it, under `extra`")


@cache
def canonical_model() -> CanonicalModel:
    """The model of `model.yaml`, read once."""
    text = (files("knowledge") / "canonical" / "model.yaml").read_text(encoding="utf-8")
    raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return CanonicalModel(int(raw["version"]), {name: _entity(name, body) for name, body in raw["entities"].items()})


def _entity(name: str, body: dict[str, object]) -> CanonicalEntity:
    described = cast("dict[str, list[object]]", body["fields"])
    fields = {field: _field(name, field, facts) for field, facts in described.items()}
    identity = _IDENTITY.get(name, ("id",))
    required = [ref for ref in ("patient_id",) if ref in fields]
    if name == "Eligibility":
        required.append("coverage_id")
    return CanonicalEntity(
        name, str(body["description"]), str(body["group"]), fields, identity, tuple(required), _ESSENTIAL.get(name, ())
    )


def _field(entity: str, name: str, facts: list[object]) -> CanonicalField:
    kind, _, target = str(facts[0]).partition(":")
    fhir = str(facts[3]) if facts[3] is not None else None
    return CanonicalField(entity, name, cast(FieldType, kind), int(str(facts[1])), str(facts[2]), target or None, fhir)
