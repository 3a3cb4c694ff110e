"""Billing codes: how often a spelling is read as the right code, what is confused, and that unknown ones stay as they were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from typing import cast

import yaml
from pydantic import BaseModel, ConfigDict

from evals.simulators import names
from knowledge.catalogue import manifest_of
from knowledge.spelling import BillingCodes, KeptCodes
from mappings.billing import Asked, MappedCode, map_code
from mappings.code_recognition import Habits, recognise_column

ON = date(2026, 11, 21)
_GERMAN = BillingCodes(
    kept=(
        KeptCodes(code_system="BEMA"),
        KeptCodes(code_system="GOZ"),
        KeptCodes(code_system="GOÄ", written="umlaut"),
    )
)
_WRITERS: Mapping[str, Habits] = {
    "german_dental": Habits.of(_GERMAN),
    "american_dental": Habits.of(BillingCodes(kept=(KeptCodes(code_system="CDT"),))),
    "american_medical": Habits.of(BillingCodes(kept=(KeptCodes(code_system="CPT"), KeptCodes(code_system="HCPCS")))),
    "unknown_writer": Habits(),
}
Label = tuple[str, str | None, str | None, str | None]


class BillingFigures(BaseModel):
    """Of `codes` that are one: read right, left undecided, read wrong. Of `others`: taken for a code, altered."""

    model_config = ConfigDict(frozen=True)

    name: str
    codes: int
    right: int
    undecided: int
    wrong: int
    others: int
    taken: int
    altered: int


class BillingReport(BaseModel):
    """Spellings by writer, columns of simulators by system, and every answer that was not the right one."""

    model_config = ConfigDict(frozen=True)

    spellings: tuple[BillingFigures, ...]
    columns: tuple[BillingFigures, ...]
    confusion: dict[str, int]
    not_right: tuple[str, ...]

    @property
    def good(self) -> bool:
        """No unknown code was altered."""
        return not any(each.altered for each in (*self.spellings, *self.columns))


def run() -> BillingReport:
    """Score the labelled spellings, and the code columns that the simulated practices are seeded with."""
    confusion: Counter[str] = Counter()
    not_right: list[str] = []
    spellings = tuple(_spellings(name, labels, confusion, not_right) for name, labels in labelled().items())
    columns = tuple(_column(*each, confusion, not_right) for each in _simulated())
    return BillingReport(spellings=spellings, columns=columns, confusion=dict(confusion), not_right=tuple(not_right))


@cache
def labelled() -> dict[str, list[Label]]:
    """The labelled spellings by writer."""
    text = (files("evals") / "datasets" / "billing_codes.yaml").read_text(encoding="utf-8")
    return cast("dict[str, list[Label]]", yaml.safe_load(text))


def answer_to(writer: str, label: Label) -> MappedCode:
    """What the product says to one labelled spelling."""
    return map_code(Asked(label[0], label[1]), "from_pms", _WRITERS[writer], ON)


def _spellings(name: str, labels: list[Label], confusion: Counter[str], not_right: list[str]) -> BillingFigures:
    counts: Counter[str] = Counter()
    for label in labels:
        got = answer_to(name, label)
        taken = got.mark not in {"unknown", "ambiguous"}
        outcome = _outcome(label, (got.code_system, got.code) if taken else None)
        counts["codes" if label[2] else "others"] += 1
        counts[outcome] += 1
        counts["altered"] += not taken and got.code != label[0]
        confusion[f"{label[2] or 'none'} → {got.code_system if taken else got.mark}"] += 1
        if outcome in {"wrong", "undecided", "taken"}:
            not_right.append(
                f"{name}: {label[0]!r} is {label[2]} {label[3]}, answered {got.mark} {got.code_system} {got.code}"
            )
    return _figures(name, counts)


def _outcome(label: Label, answer: tuple[str | None, str] | None) -> str:
    if label[2] is None:
        return "taken" if answer else "passed"
    if answer is None:
        return "undecided"
    return "right" if answer == (label[2], label[3]) else "wrong"


def _simulated() -> list[tuple[str, Habits, list[tuple[str, str]]]]:
    """The code columns of simulated practices: what the manifest says of the writer, and the seeded codes."""
    german = [(each.system, each.code) for each in names.BEMA_GOZ]
    american = [(each.system, each.code) for each in names.CDT]
    known = [(key, codes) for key, codes in (("dampsoft", german), ("dental_suite", german), ("dentrix", american))]
    told = [(key, Habits.of(manifest_of(key).billing_codes), codes) for key, codes in known]
    blind = [("dampsoft, writer unknown", Habits(), german), ("dentrix, writer unknown", Habits(), american)]
    return [*told, *blind]


def _column(
    name: str, habits: Habits, codes: list[tuple[str, str]], confusion: Counter[str], not_right: list[str]
) -> BillingFigures:
    """A column is read as one: its habits weigh. The code system of a row is not told."""
    counts: Counter[str] = Counter(codes=len(codes))
    found = recognise_column([code for _, code in codes], habits)
    for system, code in codes:
        best = found[code][0] if found[code] else None
        right = best is not None and best.reading.code_system == system
        counts["right" if right else "wrong" if best else "undecided"] += 1
        confusion[f"column: {system} → {best.reading.code_system if best else 'none'}"] += 1
        if not right:
            not_right.append(f"column {name}: {code!r} is {system}, read as {best.identity if best else None}")
    return _figures(name, counts)


def _figures(name: str, counts: Mapping[str, int]) -> BillingFigures:
    fields = ("codes", "right", "undecided", "wrong", "others", "taken", "altered")
    return BillingFigures(name=name, **{field: counts.get(field, 0) for field in fields})


def as_text(report: BillingReport) -> str:
    """The report for a person."""
    head = f"{'':<28}{'codes':>7}{'right':>7}{'undec.':>7}{'wrong':>7}{'others':>8}{'taken':>7}{'altered':>9}"
    lines = ["Billing codes: spellings one by one, then columns of simulated practices read as a whole.", "", head]
    lines += [
        f"{each.name:<28}{each.codes:>7}{each.right:>7}{each.undecided:>7}{each.wrong:>7}{each.others:>8}{each.taken:>7}{each.altered:>9}"
        for each in (*report.spellings, *report.columns)
    ]
    lines += ["", "Confusion (right → answered):"]
    lines += [f"  {pair}: {count}" for pair, count in sorted(report.confusion.items())]
    return "\n".join([*lines, "", "Not right:", *(f"  {each}" for each in report.not_right)])
