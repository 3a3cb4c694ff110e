"""`patchbay questions` and `patchbay answer`: what waits for a person, from any process."""

from __future__ import annotations

import csv
from time import monotonic
from typing import TYPE_CHECKING

from api.answering import found_question, found_thread, go_on, take_answer
from api.commands.health import answer_incident
from api.output import Output
from api.running import context_of, run, run_at_home, store_for
from knowledge.errors import BadInput
from tools.text_file import named_path

if TYPE_CHECKING:
    from tools.store.models import Question
    from tools.store.open import Store

INCIDENT = "inc_"  # how the thread of an incident's healing begins; all others are onboardings
COLUMNS = ("system", "source_table", "source_column", "target_table", "target_column", "candidates", "thread", "question")  # fmt: skip


def show_questions(wanted: str | None, export: str | None, *, as_json: bool) -> int:
    """List open questions, or write those about columns to a CSV that `correct` takes back."""
    output = Output(as_json)

    async def work() -> int:
        async with store_for(output) as store:
            thread = wanted if not wanted or wanted.startswith(INCIDENT) else (await found_thread(store, wanted)).id
            questions = await store.questions.open(thread or None)
            if export is not None:
                count = _export(export, questions, await _systems(store, questions))
                output.say(f"{count} questions about columns are in {export}; fill target_table and target_column in.")
                output.line({"event": "exported", "file": export, "questions": count})
                return 0
            for question in questions:
                output.line(question.model_dump(mode="json", exclude={"answer"}))
            rows = [
                (each.thread_id, each.id, each.kind, each.text["en"], ", ".join(each.options)) for each in questions
            ]
            output.table("Waiting for a person" if rows else "Nothing waits for a person.",
                         ("thread", "question", "kind", "text", "options"), rows)  # fmt: skip
        return 0

    return run_at_home(work)


async def _systems(store: Store, questions: list[Question]) -> dict[str, str]:
    systems: dict[str, str] = {}
    for thread_id in {question.thread_id for question in questions}:
        thread = await store.threads.get(thread_id)
        integration = await store.integrations.get(thread.integration_id) if thread and thread.integration_id else None
        systems[thread_id] = integration.system if integration else ""
    return systems


def _export(file: str, questions: list[Question], systems: dict[str, str]) -> int:
    asked = [question for question in questions if question.kind == "map_column"]
    place, mend = f"--export {file}", "Name a writable file."
    try:
        with named_path(place, file, mend).open("w", encoding="utf-8-sig", newline="") as form:
            writer = csv.writer(form)
            writer.writerow(COLUMNS)
            for question in asked:
                table, _, column = str(question.context["subject"]).rpartition(".")
                writer.writerow(
                    (systems[question.thread_id], table, column, "", "", " | ".join(question.options),
                     question.thread_id, question.id)
                )  # fmt: skip
    except OSError as error:
        raise BadInput(place, f"cannot be written ({error.strerror}).", mend) from error
    return len(asked)


def run_answer(wanted: str, question_id: str, value: str, *, as_json: bool) -> int:
    """Store the answer; go on with the thread unless another process is at it."""
    from api.onboarding_view import OnboardingView

    output = Output(as_json)

    async def work() -> int:
        started = monotonic()
        async with store_for(output) as store:
            if wanted.startswith(INCIDENT):
                return await answer_incident(output, store, wanted, question_id, value)
            thread = await found_thread(store, wanted)
            await take_answer(store, await found_question(store, thread.id, question_id), value)
            return await go_on(OnboardingView(output, context_of(store), started), thread.id)

    return run(work)
