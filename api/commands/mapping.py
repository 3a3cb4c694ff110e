"""`patchbay map` and `patchbay correct`."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from api.answering import checked_answer, go_on
from api.output import Output, left_out_sentence
from api.running import context_of, run, store_for
from knowledge.errors import BadInput

if TYPE_CHECKING:
    from api.corrections_file import CorrectionRow
    from mappings.schema import ColumnMapping, Schema
    from tools.store.models import Question
    from tools.store.open import Store


MANY_COLUMNS = 1000  # from here on a person waits for seconds and should know for what


def run_map(
    source: str, target: str | None, top: int, credentials: str | None, *, as_json: bool, examples: bool = False
) -> int:
    """Suggest a mapping for any source; nothing is stored but what corrections of that system taught.

    `examples` shows what the first candidate's transform makes of sampled values: they are the source's own.
    """
    from mappings.suggest import suggest
    from tools.sources import read_schema_file, read_source

    output = Output(as_json)
    wanted = read_schema_file(target) if target is not None else None

    async def work() -> int:
        schema = await read_source(source, credentials)
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
        lines = suggest(schema, target=wanted, corrections=learned, top_k=top)
        for line in lines:
            output.line(line.model_dump(mode="json", by_alias=True))
        _show(output, schema, lines)
        if examples and wanted is None:
            _show_examples(output, schema, lines)
        return 0

    return run(work)


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
            why = "; ".join(each.detail for each in best.evidence[:3]) if best else ""
            rows.append((line.source_column, line.decision, named, f"{best.confidence:.0%}" if best else "", why))
        output.table(table.name, ("column", "decision", "target", "sure", "because"), rows)


def _show_examples(output: Output, schema: Schema, lines: list[ColumnMapping]) -> None:
    """Before and after of each column that is more than copied, with every reading that its samples allow."""
    from mappings.readings import answer_options
    from mappings.records import PracticeFacts
    from mappings.trying import try_candidate

    tables = {table.name: table for table in schema.tables}
    rows = []
    for line in lines:
        if line.best is None or line.decision == "no_match":
            continue
        target = (line.best.target_table, line.best.target_column)
        readings = [each for each in line.candidates if (each.target_table, each.target_column) == target]
        for name, each in zip(answer_options(readings), readings, strict=False):
            trial = try_candidate(schema, tables[line.source_table], line.source_column, each, PracticeFacts())
            if trial.tried and (each.transform.kind != "copy" or len(readings) > 1 or trial.refused):
                rows.append((f"{line.source_table}.{line.source_column}", name, trial.sentence))
                output.line({"example_of": rows[-1][0], "reading": name, "tried": trial.tried, "refused": trial.refused,
                             "shown": [{"before": before, "after": after} for before, after in trial.shown]})  # fmt: skip
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
