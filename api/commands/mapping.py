"""`patchbay map` and `patchbay correct`."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from api.answering import checked_answer, go_on
from api.output import Output, left_out_sentence
from api.practice_place import checked_country, checked_time_zone
from api.running import context_of, run, store_for
from knowledge.errors import BadInput

if TYPE_CHECKING:
    from api.corrections_file import CorrectionRow
    from mappings.records import PracticeFacts
    from mappings.schema import Candidate, ColumnMapping, Schema
    from tools.store.models import Question
    from tools.store.open import Store


MANY_COLUMNS = 1000  # from here on a person waits for seconds and should know for what


@dataclass(frozen=True)
class MapOptions:
    """What was typed behind `patchbay map`.

    `examples` shows what the first candidate's transform makes of sampled values: they are the source's own.
    """

    source: str
    target: str | None = None
    top: int = 5
    credentials: str | None = None
    examples: bool = False
    country: str | None = None
    time_zone: str | None = None


def run_map(options: MapOptions, *, as_json: bool) -> int:
    """Suggest a mapping for any source; nothing is stored but what corrections of that system taught."""
    from mappings.suggest import suggest
    from tools.sources import read_schema_file, read_source

    output = Output(as_json)
    source, facts = options.source, _facts(options)
    wanted = read_schema_file(options.target) if options.target is not None else None

    async def work() -> int:
        schema = await read_source(source, options.credentials)
        columns = sum(len(table.columns) for table in schema.tables)
        if columns >= MANY_COLUMNS:
            output.say(f"{len(schema.tables)} tables with {columns} columns are read; targets are being suggested.")
        usable = any(table.columns for table in schema.tables)
        for each in schema.left_out if usable or len(schema.left_out) > 1 else ():
            output.say(left_out_sentence(each.name, each.reason))
        if not usable:
            raise BadInput(source, _why_nothing(schema), "Give a source that holds at least a header or a row.")
        async with store_for(output) as store:
            learned = await store.corrections.list(schema.system) if schema.system else []
        lines = suggest(schema, target=wanted, corrections=learned, practice=facts, top_k=options.top)
        for line in lines:
            output.line(line.model_dump(mode="json", by_alias=True))
        _show(output, schema, lines)
        if options.examples and wanted is None:
            _show_examples(output, schema, lines, options, facts)
        elif options.examples:
            output.say("No examples: transforms are looked for to the canonical model only, not to another schema.")
        return 0

    return run(work)


def _facts(options: MapOptions) -> PracticeFacts | None:
    """What was said of the practice; None where nothing tells its country."""
    from mappings.records import PracticeFacts
    from tools.zones import country_of_zone

    zone, country = checked_time_zone(options.time_zone), checked_country(options.country)
    known = country or (country_of_zone(zone) if zone is not None else None)
    return PracticeFacts(zone or "UTC", known) if known is not None else None


def _why_nothing(schema: Schema) -> str:
    if len(schema.left_out) == 1:
        return f"shows no table: {schema.left_out[0].reason}."
    return "shows no table with columns."


def _show(output: Output, schema: Schema, lines: list[ColumnMapping]) -> None:
    for table in schema.tables:
        rows = []
        for line in (each for each in lines if each.source_table == table.name):
            best = line.best
            named = f"{best.target_table}.{best.target_column}" if best else ""
            why = "; ".join(_reasons(best)) if best else ""
            rows.append((line.source_column, line.decision, named, f"{best.confidence:.0%}" if best else "", why))
        output.table(table.name, ("column", "decision", "target", "sure", "because"), rows)


def _reasons(best: Candidate) -> list[str]:
    """The three weightiest reasons, and every one that makes a question of the column, however little it weighs."""
    rest = best.evidence[3:]
    doubts = [each for each in rest if each.signal == "near_tie" or (each.signal == "values" and each.score < 1)]
    return [each.detail for each in (*best.evidence[:3], *doubts)]


def _show_examples(
    output: Output, schema: Schema, lines: list[ColumnMapping], options: MapOptions, known: PracticeFacts | None
) -> None:
    """Before and after of each column that is more than copied, with every reading that its samples allow."""
    from knowledge.canonical import canonical_model
    from mappings.readings import answer_options
    from mappings.records import PracticeFacts
    from mappings.transforms.phones import NOWHERE
    from mappings.trying import try_candidate

    facts = known or PracticeFacts(options.time_zone or "UTC", NOWHERE)
    entities = canonical_model().entities
    tables = {table.name: table for table in schema.tables}
    rows, at_practice = [], False
    for line in lines:
        if line.best is None or line.decision == "no_match":
            continue
        target = (line.best.target_table, line.best.target_column)
        readings = [each for each in line.candidates if (each.target_table, each.target_column) == target]
        for name, each in zip(answer_options(readings), readings, strict=False):
            trial = try_candidate(schema, tables[line.source_table], line.source_column, each, facts)
            if trial.tried and (each.transform.kind != "copy" or len(readings) > 1 or trial.refused):
                field = entities[target[0]].fields.get(target[1])
                at_practice |= bool(trial.shown) and field is not None and field.type == "datetime"
                rows.append((f"{line.source_table}.{line.source_column}", name, trial.sentence))
                output.line({"example_of": rows[-1][0], "reading": name, "tried": trial.tried, "refused": trial.refused,
                             "shown": [{"before": before, "after": after} for before, after in trial.shown]})  # fmt: skip
    if at_practice and options.time_zone is None:
        output.say("The practice's time zone is not known: times are shown as if it were UTC. --time-zone names it.")
    output.table("before and after", ("column", "as", "samples"), rows)


def run_correct(file: str, *, as_json: bool) -> int:
    """Record corrections, answer the questions they settle, and re-map what runs on that system."""
    from api.corrections_file import read_corrections

    output = Output(as_json)
    rows = read_corrections(file)

    async def work() -> int:
        async with store_for(output) as store:
            asked = await _asked(store, rows)  # everything is checked before anything is written
            corrections = [row.correction for row in rows if row.correction is not None]
            for row, question in zip(rows, asked, strict=True):
                if question is not None:  # the onboarding learns it as said at its practice
                    await store.questions.answer(question.id, row.answer)
                elif row.correction is not None:
                    await store.corrections.add(row.correction.system, row.correction)
            changed = await _put_to_use(output, store, rows)
        output.line({"event": "corrected", "corrections": len(corrections), "remapped": changed})
        output.text(f"Corrections recorded: {len(corrections)}.")
        for each in changed:
            output.text(f"{each} is mapped anew; `patchbay sync {each}` reads it again now, else its next sync does.")
        return 0

    return run(work)


async def _asked(store: Store, rows: list[CorrectionRow]) -> list[Question | None]:
    """The open question that each row answers, None where it names none or a settled one. Raises `BadInput`."""
    known = {question.id: question for question in await store.questions.list()}
    found: list[Question | None] = []
    for row in rows:
        question = known.get(row.question) if row.question else None
        if row.question and (question is None or row.thread not in {None, question.thread_id}):
            raise BadInput(
                f"{row.place}, question", f"there is no question {row.question} there.", "Export the questions again."
            )
        if question is not None and question.status == "open" and question not in found:
            checked_answer(question, row.answer)
            found.append(question)
        else:
            found.append(None)
    return found


async def _put_to_use(output: Output, store: Store, rows: list[CorrectionRow]) -> list[str]:
    """Go on with the onboardings whose questions were answered; map anew what runs already. Returns the latter's ids."""
    from agents.remapping import remap_system
    from api.onboarding_view import OnboardingView

    context = context_of(store)
    view = OnboardingView(output, context, monotonic())
    for thread in sorted({row.thread for row in rows if row.thread}):
        if await store.threads.get(thread) is not None:
            await go_on(view, thread)
    systems = sorted({row.correction.system for row in rows if row.correction is not None})
    return [each for system in systems for each in await remap_system(context, system)]
