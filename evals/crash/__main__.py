"""`python -m evals.crash --kills 100 --database sqlite --seed 7`: exit code 0 when nothing was lost, doubled or stranded."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from evals.crash.report import Plan
from evals.crash.trial import run_trial


def main() -> int:
    """Run one trial and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m evals.crash", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="how many processes die")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--seed", type=int, default=7, help="the same seed draws the same moments")
    parser.add_argument("--patients", type=int, default=15, help="of each practice")
    parser.add_argument("--practices", type=int, default=3)
    parser.add_argument("--seconds", type=float, help="compare after so long, however few have died")
    parser.add_argument("--stop-every", type=int, default=10, help="every so-manieth is stopped and woken; 0: none")
    parser.add_argument("--json", action="store_true", help="one document for machines")
    parser.add_argument("--keep", help="a folder to leave everything in")
    asked = parser.parse_args()
    plan = Plan(
        asked.kills, asked.database, asked.seed, asked.patients, asked.practices, asked.seconds, asked.stop_every
    )
    if asked.keep:
        folder = Path(asked.keep)
        folder.mkdir(parents=True)
        report = asyncio.run(run_trial(plan, folder))
    else:
        with tempfile.TemporaryDirectory(prefix="patchbay-crash-") as made:
            report = asyncio.run(run_trial(plan, Path(made)))
    print(json.dumps(report.as_json(), indent=2) if asked.json else report.as_text())
    return 0 if report.good else 1


if __name__ == "__main__":
    sys.exit(main())
