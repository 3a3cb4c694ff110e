"""The advisor on doubtful columns: its word orders candidates and is evidence, once it has shown that it can be believed.

What leaves are names, types and shapes of values (`mappings.mask`). Among the doubtful columns of a batch stand, unmarked, some
that are decided: a model that does not find their fields is not heard at all, and where too few are decided to tell, its
word is shown and moves nothing. Decisions and probabilities stay in any case, and what a person said is not asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.advisor import Advice, Advisor, Question
from knowledge.canonical import canonical_model
from knowledge.prompts import Prompt, prompt
from mappings.mask import masked_samples
from mappings.schema import Candidate, ColumnMapping, Evidence, Schema, Table
from mappings.suggest import is_persons_word

NONE = "none of these"
DOUBTFUL_TOGETHER, DECIDED_TOGETHER = 12, 4  # columns of one batch
ENOUGH_DECIDED, AGREEMENT = 4, 0.75  # answers on decided columns: how many tell, and which share has to be right
_KEEPER = "advisor"  # whose artifacts the answers are
_NEIGHBOURS = 12

Heard = Literal["heard", "untested", "refuted", "silent"]
Asked = dict[int, Question]  # by the line's place


class KeptAnswers(Protocol):
    """Where answers are kept by what was asked: the tenant's artifacts."""

    async def get(self, owner_id: str, kind: str) -> Any: ...

    async def put(self, owner_id: str, kind: str, value: Any) -> None: ...


class AdviceReport(BaseModel):
    """What was asked of the advisor in one job, what came of it and what it cost.

    `heard`, or why not: `untested` (too few decided columns answered), `refuted` (it did not find their fields), `silent`.
    `decided` are answers on decided columns, `agreed` those that were as decided; `kept` answers came from earlier jobs.
    """

    model_config = ConfigDict(frozen=True)

    heard: Heard = "silent"
    doubtful: int = 0
    answered: int = 0
    moved: int = 0
    decided: int = 0
    agreed: int = 0
    kept: int = 0
    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0
    failures: tuple[str, ...] = ()


async def choose_targets(
    advisor: Advisor, lines: Sequence[ColumnMapping], schema: Schema, kept: KeptAnswers | None = None
) -> tuple[list[ColumnMapping], AdviceReport]:
    """Let the model order the candidates of columns in review. Decisions and probabilities stay as they are."""
    rules, tables = prompt("match_columns"), {table.name: table for table in schema.tables}
    doubtful = {at: question_of(lines[at], tables) for at in _doubtful(lines)}
    decided = {at: question_of(lines[at], tables) for at in _decided(lines, _batches(len(doubtful)) * DECIDED_TOGETHER)}
    asked = {**doubtful, **decided}
    answers = await _known(advisor, rules, asked, kept) if doubtful else {}
    before = len(answers)
    for batch in _mixed(doubtful, decided, answers):
        if advisor.is_over or _standing(lines, decided, answers) == "refuted":
            break
        fresh = await advisor.advise(rules, _meanings(asked, batch), [asked[at] for at in batch])
        for place, advice in fresh.items():
            answers[batch[place]] = advice
            if kept is not None:
                await kept.put(_KEEPER, _digest(advisor, rules, asked[batch[place]]), advice.model_dump())
    heard = _standing(lines, decided, answers)
    advised = [_advised(line, answers.get(at) if at in doubtful else None, heard) for at, line in enumerate(lines)]
    return advised, _report(advisor, lines, advised, heard, doubtful, decided, answers, before)


def question_of(line: ColumnMapping, tables: Mapping[str, Table]) -> Question:
    """What may leave of a column. Options stand in the order of the alphabet: their place says nothing of what we think."""
    table = tables.get(line.source_table)
    columns = table.columns if table is not None else ()
    column = next((each for each in columns if each.name == line.source_column), None)
    facts = {
        "table": line.source_table, "column": line.source_column, "type": column.type if column else None,
        "shapes": masked_samples(column.samples) if column else (),
        "beside": [each.name for each in columns if each is not column][:_NEIGHBOURS],
    }  # fmt: skip
    return Question(facts, (*sorted({_path(each) for each in line.candidates}), NONE))


def _path(candidate: Candidate) -> str:
    return f"{candidate.target_table}.{candidate.target_column}"


def _doubtful(lines: Sequence[ColumnMapping]) -> list[int]:
    """Columns in review of which no person spoke, those with the likeliest second field first."""
    found = [
        at for at, line in enumerate(lines)
        if line.decision == "review" and line.candidates and not is_persons_word(line)
    ]  # fmt: skip
    return sorted(found, key=lambda at: -_second(lines[at]))


def _second(line: ColumnMapping) -> float:
    best = line.candidates[0]
    return max((each.confidence for each in line.candidates if _path(each) != _path(best)), default=0.0)


def _decided(lines: Sequence[ColumnMapping], most: int) -> list[int]:
    """Accepted columns with other fields to choose from, all over the source: an order by digest follows no table."""
    found = [
        at
        for at, line in enumerate(lines)
        if line.decision == "accept" and len({_path(each) for each in line.candidates}) > 1 and not line.also
    ]
    return sorted(found, key=lambda at: _order(lines[at].source_table, lines[at].source_column))[:most]


def _batches(doubtful: int) -> int:
    return -(-doubtful // DOUBTFUL_TOGETHER)


def _mixed(doubtful: Asked, decided: Asked, answered: Mapping[int, Advice]) -> Iterator[list[int]]:
    """The lines of each batch: doubtful ones with decided ones among them, in an order that tells neither."""
    open_ = [at for at in doubtful if at not in answered]
    tests = [at for at in decided if at not in answered]
    for start in range(0, len(open_), DOUBTFUL_TOGETHER):
        first = start // DOUBTFUL_TOGETHER * DECIDED_TOGETHER
        batch = [*open_[start : start + DOUBTFUL_TOGETHER], *tests[first : first + DECIDED_TOGETHER]]
        asked = {**doubtful, **decided}
        yield sorted(batch, key=lambda at: _order(str(asked[at].facts["column"]), str(asked[at].facts["table"])))


def _order(*words: str) -> bytes:
    return sha256("\x00".join(words).encode("utf-8", "surrogatepass")).digest()


def _meanings(asked: Asked, batch: Sequence[int]) -> dict[str, str]:
    """What the offered fields are, once for a batch."""
    entities = canonical_model().entities
    meanings = {}
    for option in sorted({option for at in batch for option in asked[at].options} - {NONE}):
        entity, _, name = option.partition(".")
        field = entities[entity].fields.get(name) if entity in entities else None
        meanings[option] = field.description if field is not None else ""
    return meanings


async def _known(advisor: Advisor, rules: Prompt, asked: Asked, kept: KeptAnswers | None) -> dict[int, Advice]:
    """Answers that this model gave to the very same questions before."""
    found: dict[int, Advice] = {}
    if kept is None:
        return found
    for at, question in asked.items():
        stored = await kept.get(_KEEPER, _digest(advisor, rules, question))
        try:
            advice = Advice.model_validate(stored)
        except ValidationError:
            continue  # none is kept
        if advice.option in question.options:
            found[at] = advice
    return found


def _digest(advisor: Advisor, rules: Prompt, question: Question) -> str:
    """What an answer is kept by: the masked question, the model and its endpoint, the version of the rules."""
    settings = advisor.settings
    said = [settings.url, settings.model, rules.version, dict(question.facts), question.options]
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _standing(lines: Sequence[ColumnMapping], decided: Asked, answers: Mapping[int, Advice]) -> Heard:
    """Whether the model may move anything: by what it said of columns whose fields are known."""
    tested = [_agrees(lines[at], answers[at]) for at in decided if at in answers]
    if not answers:
        return "silent"
    if len(tested) < ENOUGH_DECIDED:
        return "untested"
    return "heard" if sum(tested) >= AGREEMENT * len(tested) else "refuted"


def _agrees(line: ColumnMapping, advice: Advice) -> bool:
    return advice.option == _path(line.candidates[0])


def _advised(line: ColumnMapping, advice: Advice | None, heard: Heard) -> ColumnMapping:
    if advice is None or heard in ("refuted", "silent"):
        return line
    if advice.option == NONE:
        return _noted(line, "finds none of these right", 0.0, advice)
    if heard == "untested":
        return _noted(line, f"(nothing was known to test it by) says {advice.option}", 0.5, advice)
    preferred = [each for each in line.candidates if _path(each) == advice.option]
    others = [each for each in line.candidates if _path(each) != advice.option]
    ordered = line.model_copy(update={"candidates": (*preferred, *others)})
    return _noted(ordered, "prefers it", 0.5, advice)


def _noted(line: ColumnMapping, what: str, score: float, advice: Advice) -> ColumnMapping:
    """The advice as evidence of the first candidate: whoever decides sees whose word it is."""
    note = Evidence(
        signal="advisor", score=score, detail=f"advisor: a language model {what}: {advice.reason}".rstrip(": ")
    )
    first, *others = line.candidates
    noted = first.model_copy(update={"evidence": (*first.evidence, note)})
    return line.model_copy(update={"candidates": (noted, *others)})


def _report(
    advisor: Advisor, lines: Sequence[ColumnMapping], advised: Sequence[ColumnMapping], heard: Heard,
    doubtful: Asked, decided: Asked, answers: Mapping[int, Advice], kept: int,
) -> AdviceReport:  # fmt: skip
    tested = [_agrees(lines[at], answers[at]) for at in decided if at in answers]
    moved = [
        at for at, line in enumerate(lines)
        if line.candidates and _path(line.candidates[0]) != _path(advised[at].candidates[0])
    ]  # fmt: skip
    spent = advisor.spent
    return AdviceReport(
        heard=heard, doubtful=len(doubtful), answered=sum(at in answers for at in doubtful), moved=len(moved),
        decided=len(tested), agreed=sum(tested), kept=kept, calls=spent.calls, tokens=spent.tokens,
        seconds=round(spent.seconds, 3), failures=tuple(spent.failures[:20]),
    )  # fmt: skip
