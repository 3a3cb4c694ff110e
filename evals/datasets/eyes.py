"""The columns of a pair of eyes in a wide row: prescribed, near, and measured sets, right and left."""

from __future__ import annotations

from random import Random

from evals.datasets.notation import NotedColumn, noted_columns

_FIELDS = {
    "sphere": "sphere", "cylinder": "cylinder", "axis": "axis", "add": "add", "prism": "prism", "prism_base": "prism_base",
    "base_curve": "base_curve", "diameter": "diameter", "mono_pd": "pupillary_distance",
}  # fmt: skip
_RARE = {"add": 0.8, "prism": 0.5, "prism_base": 0.4, "base_curve": 0.3, "diameter": 0.3, "mono_pd": 0.5}


def prescribed_columns(random: Random) -> list[NotedColumn]:
    """The set that is made into spectacles: right before left, or measure by measure."""
    side_first = random.random() < 0.5
    zone = "far+" if random.random() < 0.25 else ""
    measures = [each for each in _FIELDS if random.random() < _RARE.get(each, 1.0)]
    pairs = [(side, each) for side in ("right", "left") for each in measures]
    if random.random() < 0.3:
        pairs = [(side, each) for each in measures for side in ("right", "left")]
    return [_noted(zone, side, each, side_first, f"> Prescription.{side}_{_FIELDS[each]}") for side, each in pairs]


def near_columns(random: Random) -> list[NotedColumn]:
    """A second set for reading shares the fields of the first; another engineer would leave it out."""
    if random.random() > 0.35:
        return []
    return [
        _noted("near+", side, each, False, f"> Prescription.{side}_{each} ?")
        for side in ("right", "left") for each in ("sphere", "cylinder", "axis")
    ]  # fmt: skip


def measured_columns(random: Random) -> list[NotedColumn]:
    """Pressure, acuity, radii and the machine's refraction: rows of their own, the name says kind and eye."""
    side_first = random.random() < 0.5
    kinds = [each for each in ("pressure", "acuity", "keratometry", "objective_sphere") if random.random() < 0.7]
    return [
        _noted("", side, each, side_first, "> EyeMeasurement.value" + (f" / Prescription.{side}_sphere" if "sphere" in each else ""))
        for each in kinds for side in ("right", "left")
    ]  # fmt: skip


def _noted(zone: str, side: str, measure: str, side_first: bool, label: str) -> NotedColumn:
    name = f"{zone}{side}+{measure}" if side_first else f"{measure}+{zone}{side}"
    return noted_columns(f"{name} {label}")[0]
