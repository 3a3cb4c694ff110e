"""Open questions as typed interrupts: what is proposed, why, what an answer leads to, and how it may be given."""

from __future__ import annotations

from collections.abc import Mapping

from agents.conversation.messages import Action, Evidence, QuestionView, SecretField, Words
from agents.conversation.picture import Picture
from agents.conversation.steps_shown import printable
from knowledge.phrases import phrase_book, words
from mappings.mask import masked_samples
from mappings.schema import ColumnMapping
from tools.store.models import Question

MOST_EVIDENCE = 6
_KEPT_OUT = frozenset(["no_match", "skip"])
_ACTIONS: dict[str, tuple[Action, ...]] = {
    "map_column": ("accept", "edit", "respond", "ignore"),
    "approve_remedy": ("accept", "ignore"),
}


def question_view(picture: Picture, question: Question) -> QuestionView:
    """One question as it is shown. Samples appear as shapes only."""
    proposal = proposal_of(question)
    actions = _ACTIONS.get(question.kind, ("edit", "respond", "ignore"))
    if proposal is None:
        actions = tuple(each for each in actions if each != "accept")
    return QuestionView(
        id=question.id, kind=question.kind, text=_text(question), effect=_effect(question),
        options=tuple(printable(each) for each in question.options), proposal=proposal, actions=actions,
        evidence=_evidence(picture, question), fields=_fields(picture, question), status=question.status,
        asked_at=question.created_at,
    )  # fmt: skip


def proposal_of(question: Question) -> str | None:
    """What "yes" means: the best candidate, or the only option; None where there is nothing to say yes to."""
    if question.kind == "map_column":
        return next((each for each in question.options[:1] if each not in _KEPT_OUT), None)
    return question.options[0] if len(question.options) == 1 else None


def _text(question: Question) -> Words:
    """As it was asked, but for logins: here they are said or typed, not handed over as a file."""
    if question.kind == "credentials":
        return _clean(
            {
                str(name): text
                for name, text in words("ask.credentials", where=question.context.get("where", "")).items()
            }
        )
    return _clean(question.text)


def _clean(text: Mapping[str, str]) -> Words:
    return {"en": printable(text.get("en", "")), "de": printable(text.get("de", text.get("en", "")))}


def _effect(question: Question) -> Words:
    key = f"effect.{question.kind}"
    return words(key) if key in phrase_book() else {"en": "", "de": ""}


def _fields(picture: Picture, question: Question) -> tuple[SecretField, ...]:
    if question.kind == "ca_file":
        return (SecretField(name="ca_file", label=words("label.ca_file"), secret=False, required=True, have=False),)
    if question.kind != "credentials":
        return ()
    return tuple(
        SecretField(
            name=each.name, label={"en": each.label.get("en", each.name), "de": each.label.get("de", each.name)},
            secret=each.secret, required=each.required and each.default is None, have=each.name in picture.login,
        )
        for each in picture.login_fields
    )  # fmt: skip


def _evidence(picture: Picture, question: Question) -> tuple[Evidence, ...]:
    if question.kind != "map_column":
        return ()
    subject = str(question.context.get("subject", ""))
    line = next((each for each in picture.suggestions if f"{each.source_table}.{each.source_column}" == subject), None)
    if line is None:
        return ()
    found = [
        Evidence(name=f"{each.target_table}.{each.target_column} {each.confidence:.0%}", detail=printable("; ".join(said.detail for said in each.evidence if said.detail), 200))
        for each in line.candidates[:3]
    ]  # fmt: skip
    shapes = _shapes(picture, line)
    if shapes:
        found.append(Evidence(name="samples", detail=", ".join(shapes)))
    return tuple(found[:MOST_EVIDENCE])


def _shapes(picture: Picture, line: ColumnMapping) -> tuple[str, ...]:
    """What the column's values look like, letters and digits taken out."""
    for table in picture.schema.tables if picture.schema else ():
        for column in table.columns:
            if table.name == line.source_table and column.name == line.source_column:
                return masked_samples(column.samples)
    return ()
