"""Eyes: plus cylinders become minus cylinders, and measurements side by side in a row become records of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from mappings.lexicon import lexicon, pieces
from mappings.placing import Need, Placed
from mappings.schema import Copy, Number, Transpose, Unpivot
from mappings.transforms.columns import power

_SIDES = ("right_", "left_", "")
_PARTS: tuple[Literal["sphere", "cylinder", "axis"], ...] = ("sphere", "cylinder", "axis")
_PLUS = "its cylinders are plus, and a column or the unit that transposing needs is not sure"
# What is measured, by what a name says of it; the model's own words.
_KINDS = {
    "pressure": "intraocular_pressure", "acuity": "visual_acuity", "keratometry": "keratometry", "refraction": "refraction",
    "sphere": "refraction", "cylinder": "refraction", "axis": "refraction",
}  # fmt: skip

_EYES = frozenset({"right", "left", "both"})
_ENDS = {
    "od": "right",
    "os": "left",
    "og": "left",
    "oi": "left",
    "oe": "left",
    "ou": "both",
}  # oculus dexter, sinister …


def transposed_needs(columns: Sequence[Placed]) -> dict[str, Need]:
    """The powers of lenses whose cylinders are plus in a sample; where no sample shows the sign, both forms are read."""
    found: dict[str, Need] = {}
    for entity in sorted({each.field.entity for each in columns if each.field.name.endswith("cylinder")}):
        for side in _SIDES:
            groups = [[each for each in columns if each.field.path == f"{entity}.{side}{part}"] for part in _PARTS]
            if len({len(group) for group in groups} - {0}) > 1:  # which cylinder belongs to which sphere?
                there = [each for group in groups for each in group]
                found |= _doubted(there) if any(map(_is_plus, groups[1])) else {}
                continue
            for at in range(len(groups[1])):
                found |= _transposed([group[at] if group else None for group in groups])
    return found


def _doubted(columns: Sequence[Placed]) -> dict[str, Need]:
    return {each.column.name: Need(each.need.readings, each.need.doubt or _PLUS) for each in columns}


def _is_plus(cylinder: Placed) -> bool:
    read = (power(text) for text in cylinder.texts if text is not None)
    return any(each is not None and each > 0 for each in read)


def _transposed(lens: Sequence[Placed | None]) -> dict[str, Need]:
    sphere, cylinder, axis = lens
    there = [each for each in lens if each is not None]
    if cylinder is None:
        return {}
    sampled = bool(cylinder.profile.samples)
    if sampled and not _is_plus(cylinder):
        return {}
    complete = sphere is not None and (axis is not None or cylinder.field.name == "cylinder")
    plain = all(
        each.certain and isinstance(each.need.transform, Copy | Number) and _is_whole_unit(each) for each in there
    )
    if not complete or not plain:
        return _doubted(there) if sampled else {}
    names = {part: each.column.name if each is not None else "" for part, each in zip(_PARTS, lens, strict=True)}
    return {
        each.column.name: Need((Transpose(**names, part=part),))
        for part, each in zip(_PARTS, lens, strict=True)
        if each is not None
    }


def _is_whole_unit(placed: Placed) -> bool:
    transform = placed.need.transform
    return not isinstance(transform, Number) or transform.divisor == 1


def measured_needs(columns: Sequence[Placed]) -> dict[str, Need]:
    """Values whose kind and eye stand in the column's name: each becomes a record that says them."""
    said = {each.field.path for each in columns}
    wanted = [name for name in ("kind", "eye") if f"EyeMeasurement.{name}" not in said]
    values = [each for each in columns if each.field.path == "EyeMeasurement.value"]
    if not wanted:
        return {}
    return {each.column.name: _measured(each, wanted) for each in values}


def _measured(placed: Placed, wanted: Sequence[str]) -> Need:
    texts = (placed.column.name, placed.column.description or "")
    told = {"kind": _first_told(_kinds, texts), "eye": _first_told(_eyes, texts)}
    constants = {name: next(iter(told[name])) for name in wanted if len(told[name]) == 1}
    missing = [name for name in wanted if name not in constants]
    doubt = f"its name does not say which {' and '.join(missing)} it is of" if missing else placed.need.doubt
    return Need((Unpivot(constants=constants) if constants else Copy(),), doubt)


def _first_told(read: Callable[[str], set[str]], texts: Sequence[str]) -> set[str]:
    return next((found for text in texts if (found := read(text))), set())


def _kinds(name: str) -> set[str]:
    atoms = {atom for slot in lexicon().slots(name) for atom in slot.atoms}
    return {kind for word, kind in _KINDS.items() if word in atoms}


def _eyes(name: str) -> set[str]:
    """Word by word, since a term may swallow its eye (`IOP_OD`); else by the eye at an end of such a term."""
    words = {atom for piece in pieces(name) for slot in lexicon().slots(piece) for atom in slot.atoms} & _EYES
    if words:
        return words
    terms = [slot.text for slot in lexicon().slots(name) if slot.atoms & set(_KINDS)]
    return {eye for term in terms for end, eye in _ENDS.items() if term.startswith(end) or term.endswith(end)}
