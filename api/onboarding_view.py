"""Shows an onboarding as it happens: a line a step for a machine, plain words for a person, and one honest end."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

from agents.context import AgentContext
from agents.driver import Event, thread_state
from agents.onboarding import OnboardingState
from api.onboarding_words import sentence_of_event
from api.output import Output, left_out_sentence
from knowledge.errors import PatchbayError
from tools.clock import to_the_second
from tools.store.models import Integration, Question

GOOD_ENDS = frozenset(["live", "planned", "paused"])


@dataclass
class OnboardingView:
    """One command's look at a thread. `started` is a monotonic time in seconds."""

    output: Output
    context: AgentContext
    started: float

    def show(self, event: Event) -> None:
        """One event of the graph."""
        if event["event"] in {"waiting", "ended"}:
            return
        self.output.line(event)
        if self.output.as_json:
            return
        self.output.say(sentence_of_event(event))
        for each in event.get("left_out", ()):
            self.output.say(left_out_sentence(each["name"], each["reason"]))
        if event.get("step") == "plan":
            rows = [(each["stream"], ", ".join(each["entities"]), len(each["columns"]), each["changes"])
                    for each in event["reads"]]  # fmt: skip
            self.output.table("What will be read", ("stream", "becomes", "columns", "changes found"), rows)

    async def conclude(self, thread_id: str, failure: PatchbayError | None = None, *, brief: bool = False) -> int:
        """Print open questions and the last line; the exit code is 0 only for live, planned or paused.

        `brief`: a person who has just answered one of many questions is told how many are left, not all of them again.
        """
        state = await thread_state(self.context, thread_id)
        questions = await self.context.store.questions.open(thread_id)
        if brief and questions and not self.output.as_json:
            self.output.text(f"Noted. {len(questions)} questions are left: patchbay questions {thread_id}")
            return 1
        for question in questions:
            self._show_question(question)
        done = await self._done(thread_id, state, len(questions), failure)
        self.output.line(done)
        self._say_end(done, state)
        return 0 if done["state"] in GOOD_ENDS and failure is None else 1

    def _show_question(self, question: Question) -> None:
        self.output.line(
            {"event": "question", "thread": question.thread_id, "question": question.id, "kind": question.kind,
             "text": question.text, "options": list(question.options)}
        )  # fmt: skip
        self.output.text(f"? {question.text['en']}")
        if question.options:
            self.output.text(f"  one of: {', '.join(question.options)}")
        self.output.text(f"  patchbay answer {question.thread_id} {question.id} VALUE")

    async def _done(
        self, thread_id: str, state: OnboardingState, questions: int, failure: PatchbayError | None
    ) -> dict[str, object]:
        store = self.context.store
        integrated, mapped, finding = state.get("integrated"), state.get("mapped"), state.get("finding")
        draft = state.get("draft") if finding and finding.system else None
        integration = await store.integrations.get(integrated.integration_id) if integrated else None
        outcome = state.get("outcome")
        problem = failure.sentence if failure else outcome.sentence if outcome else ""
        streams = await store.streams.list(integration.id) if integration else []
        due = min((each.due_at for each in streams if each.due_at), default=None)
        return {
            "event": "done", "thread": thread_id, "integration": integration.id if integration else None,
            "system": draft.system if draft else "unknown", "method": draft.method if draft else None,
            "state": _state(integration, outcome.state if outcome else None), "questions": questions,
            "records": await store.records.count(integration.id) if integration else {},
            "dead_letters": len(await store.dead_letters.list(integration.id)) if integration else 0,
            "mapping": {"accept": mapped.accept, "review": mapped.review, "no_match": mapped.no_match} if mapped else {},
            "review_columns": list(mapped.review_columns) if mapped else [],
            "next_sync": to_the_second(due) if due else None,
            "problem": problem, "seconds": round(monotonic() - self.started, 1),
        }  # fmt: skip

    def _say_end(self, done: dict[str, object], state: OnboardingState) -> None:
        records = done["records"]
        counted = (
            ", ".join(f"{count} {entity}" for entity, count in records.items()) if isinstance(records, dict) else ""
        )
        self.output.text(
            f"{done['integration'] or done['thread']}: {done['state']} ({done['system']}). {counted}".rstrip()
        )
        mapped = state.get("mapped")
        if mapped and mapped.review_columns:
            self.output.text(f"Not mapped, waiting for review: {', '.join(mapped.review_columns)}")
        if done["problem"]:
            self.output.text(f"{done['problem']}")
        if done["next_sync"]:
            self.output.text(f"Next sync: {done['next_sync']}")


def _state(integration: Integration | None, outcome: str | None) -> str:
    """How the onboarding ended; what happened to the integration since then counts more than that it was live once."""
    if outcome is not None and not (integration and outcome == "live"):
        return outcome
    return integration.state if integration else "onboarding"
