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
            for lens in _lenses(groups):
                found |= _transposed(lens)
    return found


def _lenses(groups: Sequence[Sequence[Placed]]) -> list[list[Placed | None]]:
    """Sphere, cylinder and axis of each lens: where a table has two of each (far and near), they stand in the same order."""
    most = max(len(group) for group in groups)
    if any(len(group) not in (0, most) for group in groups):
        return [
            [group[at] if at < len(group) and len(group) == most else None for group in groups] for at in range(most)
        ]
    return [[group[at] if group else None for group in groups] for at in range(most)]


def _transposed(lens: Sequence[Placed | None]) -> dict[str, Need]:
    sphere, cylinder, axis = lens
    there = [each for each in lens if each is not None]
    if cylinder is None:
        return {}
    powers = [read for text in cylinder.texts if text is not None and (read := power(text)) is not None]
    complete = sphere is not None and (axis is not None or cylinder.field.name == "cylinder")
    plain = all(
        each.certain and isinstance(each.need.transform, Copy | Number) and _is_whole_unit(each) for each in there
    )
    if powers and not any(each > 0 for each in powers):
        return {}
    if not complete or not plain:
        return (
            {each.column.name: Need(each.need.readings, each.need.doubt or _PLUS) for each in there} if powers else {}
        )
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
