"""Advisors: what scripted ones, and a real one where it is named, make of columns that stay doubtful.

The perfect one is a ceiling and knows the truth: what it adds is no gain of the product. What counts is that nobody who answers
there can make anything worse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from agents.advised_mapping import NONE, AdviceReport, choose_targets
from agents.advisor import Advisor, AdvisorSettings
from evals.advisors.characters import CHARACTERS, Truth
from evals.advisors.serving import ScriptedAdvisor, serve_advisor
from evals.datasets.generators import practice_sets
from evals.labelled import Label, LabelledSchema, Target, read_sets
from knowledge.canonical import canonical_model
from mappings.mask import masked
from mappings.schema import ColumnMapping
from mappings.suggest import suggest

SEED = 71  # nothing was fitted on these draws
ENEMIES = ("hostile", "slow", "nonsense")  # these, and chance, make no figure worse
WITHOUT, REAL = "none", "a real model"
DEVELOPMENT_SETS = Path(__file__).resolve().parents[3] / "shared" / "devsets"
_SLOW_SECONDS = 1.0  # the slow one never answers: waiting for it as long as the product does would show the same
_SHORTEST_SECRET = 5


class AdvisedFigures(BaseModel):
    """One advisor over all systems of a group. Shares are of mappable columns; `review_*` of those in review.

    `heard` counts systems where it was believed; `unchanged`: decisions, probabilities and accepted columns are as without it.
    `leaked` counts values of the practice found in what it received (scripted ones only).
    """

    model_config = ConfigDict(frozen=True)

    advisor: str
    systems: int
    heard: int
    doubtful: int
    answered: int
    moved: int
    hit_at_1: float
    hit_at_3: float
    review_hit_at_1: float
    accepted: int
    accept_precision: float | None
    unchanged: bool
    leaked: int
    calls: int
    tokens: int
    seconds: float
    failures: int


class AdvisedGroup(BaseModel):
    """Systems of a kind, without an advisor and with each."""

    model_config = ConfigDict(frozen=True)

    scored: str
    without: AdvisedFigures
    advised: tuple[AdvisedFigures, ...]

    @property
    def made_worse(self) -> list[str]:
        """What an advisor made worse that none may: every promise that was broken, as a sentence."""
        found = [
            f"{each.advisor}: a decision, a probability or an accepted column changed"
            for each in self.advised
            if not each.unchanged
        ]
        found += [f"{each.advisor}: {each.leaked} values left the practice" for each in self.advised if each.leaked]
        for each in self.advised:
            lost = each.hit_at_1 < self.without.hit_at_1 or each.hit_at_3 < self.without.hit_at_3
            if each.advisor in ENEMIES and lost:
                found.append(f"{each.advisor}: fewer right candidates come first")
        return found


class AdvisorReport(BaseModel):
    """The groups; `real` names the measured model, None where none was."""

    model_config = ConfigDict(frozen=True)

    groups: tuple[AdvisedGroup, ...]
    real: str | None

    @property
    def good(self) -> bool:
        """Nothing got worse by an enemy, and by no advisor at all what is accepted changed."""
        return not any(group.made_worse for group in self.groups)


@dataclass(frozen=True)
class _Suggested:
    """A system and what the engine says of it."""

    system: LabelledSchema
    lines: list[ColumnMapping]
    truth: Truth


@dataclass(frozen=True)
class _Advised:
    """The same after an advisor."""

    of: _Suggested
    lines: list[ColumnMapping]
    report: AdviceReport
    leaked: int = 0


async def run(
    practices: int = 12,
    sets_folder: Path | None = None,
    real: Callable[[], Advisor] | None = None,
    say: Callable[[str], None] = lambda said: None,
) -> AdvisorReport:
    """Play every scripted advisor on made-up practices and on the sets of a folder; `real` makes the named one."""
    made = f"{practices} made-up practices that nothing was fitted on"
    groups = [(made, practice_sets(practices, SEED))]
    if sets_folder is not None:
        groups.append(("development sets (the shipped weights saw them)", read_sets(sets_folder)))
    played = [await _group(scored, systems, real, say) for scored, systems in groups]
    model = real().settings if real is not None else None
    return AdvisorReport(groups=tuple(played), real=f"{model.model} at {model.url}" if model else None)


async def _group(
    scored: str, systems: Sequence[LabelledSchema], real: Callable[[], Advisor] | None, say: Callable[[str], None]
) -> AdvisedGroup:
    suggested = [_Suggested(each, suggest(each.schema, practice=each.practice), truth_of(each)) for each in systems]
    say(f"Suggested for {scored}.")
    advised = []
    for name in CHARACTERS:
        advised.append(_figures(name, [await _scripted(name, each) for each in suggested]))
        say(f"The {name} advisor has answered.")
    if real is not None:
        advised.append(_figures(REAL, [await _asked(each, real()) for each in suggested]))
    without = [_Advised(each, each.lines, AdviceReport()) for each in suggested]
    return AdvisedGroup(scored=scored, without=_figures(WITHOUT, without), advised=tuple(advised))


async def _scripted(name: str, suggested: _Suggested) -> _Advised:
    with serve_advisor(CHARACTERS[name](suggested.truth)) as server:
        settings = AdvisorSettings(url=server.url, model=name)
        if name == "slow":
            settings = settings.model_copy(update={"timeout_seconds": _SLOW_SECONDS})
        advised = await _asked(suggested, Advisor(settings))
        return _Advised(suggested, advised.lines, advised.report, leaks(suggested.system, server))


async def _asked(suggested: _Suggested, advisor: Advisor) -> _Advised:
    lines, report = await choose_targets(advisor, suggested.lines, suggested.system.schema)
    return _Advised(suggested, lines, report)


def truth_of(system: LabelledSchema) -> Truth:
    """The right options of every column, "none of these" where nothing is right."""
    return {at: frozenset(_options(label)) for at, label in system.labels.items()}


def _options(label: Label) -> Iterator[str]:
    for target in (label.target, label.alternative):
        if target is not None:
            yield ".".join(target)
    if label.accepts(None):
        yield NONE


def leaks(system: LabelledSchema, server: ScriptedAdvisor) -> int:
    """Values with a digit that stand in what the server received, and are no words of the schemas themselves."""
    tables = system.schema.tables
    own = [name for table in tables for name in (table.name, *(each.name for each in table.columns))]
    own += [str(each.type) for table in tables for each in table.columns]
    own += [field.description for entity in canonical_model().entities.values() for field in entity.fields.values()]
    known, sent = "\n".join(own), b"\n".join(server.received_bodies()).decode()
    values = {str(value) for table in tables for column in table.columns for value in column.samples}
    telling = [
        each
        for each in values
        if len(each) >= _SHORTEST_SECRET and masked(each) != each and any(map(str.isdigit, each))
    ]
    return sum(each in sent and each not in known for each in telling)


def _figures(name: str, advised: Sequence[_Advised]) -> AdvisedFigures:
    ranked = [pair for each in advised for pair in _ranked(each)]
    review = [rank for rank, decision in ranked if decision == "review"]
    accepted = [right for each in advised for right in _accepted(each)]
    reports = [each.report for each in advised]
    return AdvisedFigures(
        advisor=name, systems=len(advised), heard=sum(each.heard == "heard" for each in reports),
        doubtful=sum(each.doubtful for each in reports), answered=sum(each.answered for each in reports),
        moved=sum(each.moved for each in reports), hit_at_1=_share([rank <= 1 for rank, _ in ranked]),
        hit_at_3=_share([rank <= 3 for rank, _ in ranked]), review_hit_at_1=_share([rank <= 1 for rank in review]),
        accepted=len(accepted), accept_precision=_share(accepted) if accepted else None,
        unchanged=all(_standing(each.lines) == _standing(each.of.lines) for each in advised),
        leaked=sum(each.leaked for each in advised), calls=sum(each.calls for each in reports),
        tokens=sum(each.tokens for each in reports), seconds=round(sum(each.seconds for each in reports), 1),
        failures=sum(len(each.failures) for each in reports),
    )  # fmt: skip


def _ranked(advised: _Advised) -> Iterator[tuple[float, str]]:
    """Rank of the first right field, and the decision, of every mappable column."""
    for line in advised.lines:
        label = advised.of.system.labels[line.source_table, line.source_column]
        if label.target is not None:
            good = {label.target, label.alternative}
            yield (
                next((at for at, target in enumerate(_targets(line), 1) if target in good), float("inf")),
                line.decision,
            )


def _targets(line: ColumnMapping) -> list[Target]:
    return list(dict.fromkeys((each.target_table, each.target_column) for each in line.candidates))


def _accepted(advised: _Advised) -> Iterator[bool]:
    for line in advised.lines:
        if line.decision == "accept":
            yield advised.of.system.labels[line.source_table, line.source_column].accepts(_targets(line)[0])


def _standing(lines: Sequence[ColumnMapping]) -> list[object]:
    """What no advisor may change: accepted columns whole, of every column the decision and what each field is worth."""
    return [
        line if line.decision == "accept"
        else (
            line.decision, line.no_match, line.also,
            sorted((each.target_table, each.target_column, each.confidence, each.transform.model_dump_json()) for each in line.candidates),
        )
        for line in lines
    ]  # fmt: skip


def _share(values: Sequence[bool]) -> float:
    return sum(values) / len(values) if values else 0.0


def as_text(report: AdvisorReport) -> str:
    """The report for a person."""
    lines = ["Advisors over HTTP. A perfect one knows the truth: a ceiling, not a gain. Off is the product.", ""]
    for group in report.groups:
        lines += [f"On {group.scored}:", *_table(group), ""]
        lines += [f"  WORSE: {each}" for each in group.made_worse]
    measured = f"measured, {report.real}" if report.real else "not measured (--advisor URL names one)"
    return "\n".join([*lines, f"A real model: {measured}."])


def _table(group: AdvisedGroup) -> Iterator[str]:
    yield (
        f"  {'advisor':<14}{'heard in':>9}{'doubtful':>10}{'answered':>10}{'moved':>7}{'hit@1':>8}{'hit@3':>8}{'in review':>11}"
        f"{'accepted':>10}{'right':>8}{'calls':>7}{'tokens':>9}{'seconds':>9}{'failures':>10}"
    )
    for each in (group.without, *group.advised):
        right = "–" if each.accept_precision is None else f"{each.accept_precision:.3f}"
        yield (
            f"  {each.advisor:<14}{f'{each.heard}/{each.systems}':>9}{each.doubtful:>10}{each.answered:>10}{each.moved:>7}"
            f"{each.hit_at_1:>8.3f}{each.hit_at_3:>8.3f}{each.review_hit_at_1:>11.3f}{each.accepted:>10}{right:>8}"
            f"{each.calls:>7}{each.tokens:>9}{each.seconds:>9.1f}{each.failures:>10}"
        )
