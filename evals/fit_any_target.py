"""Fit how sure a match to any schema is: `python -m evals.fit_any_target --sets FOLDER`. Prints figures for targets left out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from evals.labelled import read_sets
from evals.suites.any_target import ask_all, fit_sureness, play
from mappings.any_target import ANY_TARGET_FEATURES

_OUT = Path(__file__).resolve().parent.parent / "mappings" / "any_target.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask every system for every other one, fit on all, score with each target left out, write the numbers."""
    parser = argparse.ArgumentParser(prog="python -m evals.fit_any_target", description=__doc__)
    parser.add_argument("--sets", type=Path, required=True, help="folder of development sets (source.json, truth.csv)")
    parser.add_argument("--out", type=Path, default=_OUT, help="where the numbers go")
    given = parser.parse_args(arguments)
    systems = read_sets(given.sets)
    weights = [round(float(each), 5) for each in fit_sureness(ask_all(systems))]
    command = "python -m evals.fit_any_target --sets ../shared/devsets"
    raw = {"command": command, "features": ANY_TARGET_FEATURES, "confidence": weights}
    given.out.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")
    for each in play(systems):
        print(each)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
