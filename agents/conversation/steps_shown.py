"""Steps of the graph as people see them, and the cards of their results: both follow from the step's facts alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from agents.conversation.messages import Card, Row, Step, Words
from knowledge.conversation import systems
from knowledge.phrases import LANGUAGES, Language, phrase, phrase_book, words
from tools.store.models import Entry

Facts = Mapping[str, object]
MOST_LETTERS = 600
MOST_ROWS = 60
_CARDS = frozenset(["detected", "plan", "map", "synced", "health"])


def printable(value: object, most: int = MOST_LETTERS) -> str:
    """Text that steers nothing: what a source sent us is shown, cut and without control characters, and never obeyed."""
    text = "".join(char if char.isprintable() else " " for char in str(value))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def system_name(key: object, language: Language = "en") -> str:
    """What a system is called; what has no name of its own is described in the language."""
    if f"system.{key}" in phrase_book():
        return phrase(f"system.{key}", language)
    known = systems().systems.get(str(key))
    return known.name if known else printable(key)


def entity_words(entity: str) -> Words:
    """What the records of an entity are called."""
    key = f"entity.{entity}"
    return words(key) if key in phrase_book() else {"en": printable(entity), "de": printable(entity)}


def step_of(entry: Entry) -> Step:
    """The step that an entry tells of."""
    facts = {name: value for name, value in entry.body.items() if name not in {"event"}}
    name = str(facts.get("step", "other"))
    return Step(id=entry.id, step=name, text=_text(name, facts), facts=facts, at=entry.created_at)


def progress_of(event: Facts) -> Step:
    """How far a stream is; it is shown while it happens and kept by nobody."""
    facts = {name: value for name, value in event.items() if name != "event"}
    name = str(facts.get("step", "other"))
    return Step(id=f"{name}:{printable(facts.get('stream', ''))}", step=name, text=_text(name, facts), facts=facts)


def card_of(entry: Entry) -> Card | None:
    """The card of a step that has a result to look at."""
    name = str(entry.body.get("step", ""))
    if name not in _CARDS or (name == "detected" and entry.body.get("system") == "unknown"):
        return None
    rows = _ROWS[name](entry.body)[:MOST_ROWS]
    kind = cast("Card", name)
    return Card.model_validate(
        {"id": f"card_{entry.id.partition('_')[2]}", "kind": kind, "title": words(f"card.{name}"), "rows": rows}
    )


def _text(name: str, facts: Facts) -> Words:
    said = {key: printable(value) for key, value in facts.items()}
    if name == "detected":
        if facts.get("system") == "unknown":
            return words("step.detected_unknown")
        return _tidy({language: _detected_text(facts, language) for language in LANGUAGES})
    if name == "validate" and facts.get("code"):
        return _failed(facts)
    if name == "plan":
        said["streams"] = ", ".join(_streams(facts)) or "–"
    if name == "validate":
        return {
            language: phrase(
                "step.validate", language, response_ms=number_words(said.get("response_ms", "?"), language)
            )
            for language in LANGUAGES
        }
    if name == "synced":
        said["total"] = str(sum(_counts(facts).values()))
    key = f"step.{name}" if f"step.{name}" in phrase_book() else "step.other"
    try:
        return words(key, **said)
    except KeyError:  # a step of that name without these facts
        return words("step.other", step=name)


def _detected_text(facts: Facts, language: Language) -> str:
    sure = number_words(f"{float(str(facts.get('confidence') or 0)):.0%}", language)
    system, version = system_name(facts.get("system"), language), printable(facts.get("version") or "")
    return phrase("step.detected", language, system=system, version=version, confidence=sure)


def number_words(text: str, language: Language) -> str:
    """A number of ours as the language writes it: `230,3` and `99 %` in German."""
    return text.replace(".", ",").replace("%", " %") if language == "de" else text


def _failed(facts: Facts) -> Words:
    """What keeps the connection from working; a login that nobody gave yet is no fault."""
    told = facts.get("said")
    sentence = {language: printable(text) for language, text in told.items()} if isinstance(told, dict) else {}
    key = "step.validate_login" if facts.get("code") == "credentials.missing" else "step.validate_failed"
    plain = printable(facts.get("sentence") or "")
    return {language: phrase(key, language, sentence=sentence.get(language, plain)) for language in LANGUAGES}


def _tidy(said: Words) -> Words:
    return {language: text.replace("  ", " ").replace(" (", " (") for language, text in said.items()}


def _row(label: str, value: object) -> Row:
    return Row(label=words(f"row.{label}"), value=printable(value))


def _named(name: object, value: object) -> Row:
    text = printable(name)
    return Row(label={"en": text, "de": text}, value=printable(value))


def _list(facts: Facts, name: str) -> Sequence[object]:
    value = facts.get(name)
    return value if isinstance(value, list | tuple) else []


def _counts(facts: Facts) -> dict[str, int]:
    value = facts.get("records")
    return {str(name): int(count) for name, count in value.items()} if isinstance(value, dict) else {}


def _streams(facts: Facts) -> list[str]:
    return [printable(each["stream"]) for each in _list(facts, "reads") if isinstance(each, dict)]


def _detected(facts: Facts) -> list[Row]:
    rows = [_row("system", system_name(facts.get("system")))]
    rows += [_row("version", facts["version"])] if facts.get("version") else []
    rows += [_row("confidence", f"{float(str(facts.get('confidence') or 0)):.0%}")]
    return rows + [_row("evidence", each) for each in _list(facts, "evidence")]


def _plan(facts: Facts) -> list[Row]:
    return [
        _named(each["stream"], f"{', '.join(each['entities'])}: {', '.join(each['columns'])}")
        for each in _list(facts, "reads")
        if isinstance(each, dict)
    ]


def _map(facts: Facts) -> list[Row]:
    rows = [_row(name, facts.get(name, 0)) for name in ("accept", "review", "no_match")]
    return rows + [_row("missing", each) for each in _list(facts, "missing")]


def _synced(facts: Facts) -> list[Row]:
    rows = [Row(label=entity_words(entity), value=str(count)) for entity, count in _counts(facts).items()]
    rows.append(_row("dead_letters", facts.get("dead_letters", 0)))
    return rows + [_row("failures", each) for each in _list(facts, "failures")]


def _health(facts: Facts) -> list[Row]:
    return [_row("state", facts.get("state", "")), *(_row("problems", each) for each in _list(facts, "problems"))]


_ROWS: dict[str, Callable[[Facts], list[Row]]] = {
    "detected": _detected, "plan": _plan, "map": _map, "synced": _synced, "health": _health,
}  # fmt: skip
