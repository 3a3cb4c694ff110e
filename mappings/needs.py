"""What columns need to become the fields that they were given: alone first, then together with other columns and tables."""

from __future__ import annotations

from collections.abc import Mapping

from knowledge.canonical import CanonicalField
from knowledge.glossary import vocabularies
from mappings.column_types import TypeGroup, declared_group
from mappings.hinting import contradiction
from mappings.inference import Ambiguous, Known, Unread, infer
from mappings.joining import joined_needs
from mappings.kinds import Profile
from mappings.lexicon import lexicon, pieces
from mappings.placing import Need, Placed, Surroundings
from mappings.records import PracticeFacts
from mappings.schema import Boolean, CodeMap, Column, Copy, Schema, Transform

Targets = Mapping[tuple[str, str], CanonicalField]
_OPPOSITE = frozenset({"hidden", "deleted"})
_NEGATIONS = frozenset(["not", "non", "no", "nicht", "kein", "keine", "nao", "sin", "sem", "senza", "sans", "pas"])
_SAMPLES = 200  # of a column: a format that these do not show is rare


def column_needs(schema: Schema, targets: Targets, practice: PracticeFacts | None) -> dict[tuple[str, str], Need]:
    """What each of these columns (table, column) needs to become the field that it is given, found on the samples."""
    tables = {table.name: table for table in schema.tables}
    placed = {
        name: [
            Placed(name, column, field, single_need(field, column, practice))
            for column in table.columns
            if (field := targets.get((name, column.name))) is not None
        ]
        for name, table in tables.items()
    }
    source = Surroundings(tables, placed)
    found: dict[tuple[str, str], Need] = {}
    for name, columns in placed.items():
        together = joined_needs(columns, source)
        found |= {(name, each.column.name): together.get(each.column.name, each.need) for each in columns}
    return found


def single_need(
    field: CanonicalField, column: Column, practice: PracticeFacts | None, profile: Profile | None = None
) -> Need:
    """What the column's own values need. A doubt is a reason to ask; its first reading is then a proposal."""
    profile = profile or Profile(Profile.of(column.samples).samples[:_SAMPLES])
    inferred = infer(field, profile, column)
    if isinstance(inferred, Ambiguous):
        return Need(inferred.readings, inferred.doubt)
    transform = inferred.reading if isinstance(inferred, Known) else Copy()
    if field.name == "active" and isinstance(transform, Boolean | Copy):
        senses = _senses(column, transform)
        if len(senses) > 1:
            return Need(senses, "nothing says whether yes means that it is in use, or that it is not")
        transform = senses[0]
    facts = practice or PracticeFacts()
    said = contradiction(field, column.name, transform, profile, facts, known_country=practice is not None)
    problem = said.words if said else "no reading fits the values" if isinstance(inferred, Unread) else None
    if problem is None and isinstance(transform, CodeMap) and _has_unknown_code(transform, profile):
        problem = "it holds codes whose meaning is not known"  # each would quietly become nothing
    if not profile.samples and _needs_values(field, declared_group(column.type)):
        problem = NO_SAMPLE
    return Need((transform,), problem)


NO_SAMPLE = "no sample shows how it is written"


def _senses(column: Column, transform: Boolean | Copy) -> tuple[Transform, ...]:
    """What yes means: `hidden` and `deleted` say the opposite of `active`; both where no word that is known tells."""
    plain = transform if isinstance(transform, Boolean) else Boolean()
    inverted = plain.model_copy(update={"invert": True})
    for text in (column.name, column.description or ""):
        slots = [slot for slot in lexicon().slots(text) if not slot.text.isdigit()]
        words = {atom for slot in slots for atom in slot.atoms}
        if words & _OPPOSITE:
            return (inverted,)
        if _NEGATIONS & set(pieces(text)):
            break
        if "active" in words or (slots and all(slot.atoms for slot in slots)):
            return (transform,)
    return (plain, inverted)


def _has_unknown_code(transform: CodeMap, profile: Profile) -> bool:
    known = {code.casefold() for code in transform.map}
    return any(text and text.casefold() not in known for text in (str(each).strip() for each in profile.samples))


def _needs_values(field: CanonicalField, declared: TypeGroup) -> bool:
    """Whether only values can tell the transform: codes of a closed set, dates in a column of text."""
    if field.type in ("date", "datetime"):
        return declared not in ("date", "datetime")
    return field.path in vocabularies()
