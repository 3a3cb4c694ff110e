"""The shipped matcher on generated systems of a seed it was not fitted on, and on the vendors' lists, which it was.

`python -m evals.score_sets [--count N] [--misses FILE]`
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from evals.datasets.generators import practice_sets
from evals.datasets.vendors import vendor_sets
from evals.labelled import LabelledSchema
from evals.learning import Answer, predict, prepare
from evals.suites.mapping_figures import score
from mappings.model import shipped_weights
from mappings.targets import canonical_space

EXAMPLES, SEED = 6, 11


def main(arguments: Sequence[str] | None = None) -> int:
    """Print figures by generator, language, domain and published list; write what was missed most."""
    parser = argparse.ArgumentParser(prog="python -m evals.score_sets", description=__doc__)
    parser.add_argument("--count", type=int, default=36, help="how many generated systems")
    parser.add_argument("--misses", type=Path, help="file for the most frequent misses")
    given = parser.parse_args(arguments)
    space, weights = canonical_space(), shipped_weights()
    answered = [
        (each, predict(prepare(each, space, 1.0), space, weights))
        for each in [*vendor_sets(), *practice_sets(given.count, SEED)]
    ]
    for group, answers in sorted(_groups(answered).items()):
        print(f"{group}: {score(answers, weights)}")
    if given.misses is not None:
        given.misses.write_text("\n".join(_missed(answered)) + "\n", encoding="utf-8")
    return 0


def _groups(answered: Sequence[tuple[LabelledSchema, list[Answer]]]) -> dict[str, list[Answer]]:
    groups: dict[str, list[Answer]] = defaultdict(list)
    for system, answers in answered:
        made = system.generator != "vendor"
        names = ("language", system.language), ("domain", system.domain), ("all", "generated systems")
        groups[f"generator {system.generator}"] += answers
        for kind, name in names if made else [("list", system.name)]:
            groups[f"{kind} {name}"] += answers
    return groups


def _missed(answered: Sequence[tuple[LabelledSchema, list[Answer]]]) -> Iterator[str]:
    """Wrong first answers by language and right target, most frequent first, with examples."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for system, answers in answered:
        for each in answers:
            first, raw = each.targets[0], each.probabilities[0]
            unsure = each.label.target is None and (each.label.ambiguous or raw <= each.none)
            if unsure or each.label.accepts(first):
                continue
            right = "no match" if each.label.target is None else ".".join(each.label.target)
            found[system.language, right].append(
                f"{system.generator}:{each.table}.{each.column} -> {'.'.join(first)} {raw:.2f}/{each.none:.2f}"
            )
    for (language, right), examples in sorted(found.items(), key=lambda item: -len(item[1])):
        yield f"{len(examples)} {language} {right}: {'; '.join(examples[:EXAMPLES])}"


if __name__ == "__main__":
    raise SystemExit(main())
