"""An onboarding's events in words. A step that nobody worded is told by its facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from knowledge.phrases import phrase

Event = Mapping[str, object]


def sentence_of_event(event: Event) -> str:
    """One event as one line for a person."""
    if event["event"] == "busy":
        return f"Another process is working on {event['thread']}; `patchbay questions` shows what it asks."
    words = _WORDS.get(str(event.get("step", "")))
    return words(event) if words else _facts(event)


def _detected(event: Event) -> str:
    if event["system"] == "unknown":
        return "Nothing certain yet."
    version = f" {event['version']}" if event["version"] else ""
    sure = event["confidence"]
    return f"It is {event['system']}{version} ({sure:.0%} sure). {_joined(event['evidence'], ' ')}"


def _validated(event: Event) -> str:
    if event["code"] is None:
        return f"The connection works ({event['response_ms']} ms)."
    return f"It does not work yet: {event['sentence']}"


def _registered(event: Event) -> str:
    text = f"Registered as {event['integration']}, time zone {event['time_zone']}."
    if said := event.get("said_time_zone"):
        text += f" {phrase('say.other_zone_found', 'en', said=said, found=event['time_zone'])}"
    return text


def _advised(event: Event) -> str:
    cost = f"{event['calls']} calls, {event['tokens']} tokens, {event['seconds']} s"
    standing = {
        "heard": f"{event['moved']} have another first candidate now",
        "untested": "too little was known to test it by, so its word is shown and moved nothing",
        "refuted": f"it found {event['agreed']} of {event['decided']} known fields, so it was not heard",
        "silent": "nothing usable came",
    }[str(event["heard"])]
    return f"The advisor answered on {event['answered']} of {event['doubtful']} doubtful columns: {standing} ({cost})."


def _mapped(event: Event) -> str:
    text = (
        f"Mapped {event['accept']} columns; {event['review']} wait for review, {event['no_match']} hold nothing of ours"
    )
    text += f", {event['outside']} belong to what was not asked for." if event.get("outside") else "."
    text += f" Not read: {_joined(event['not_read'], ', ')}." if event.get("not_read") else ""
    text += f" Unreadable: {_joined(event['unreadable'], ', ')}." if event.get("unreadable") else ""
    return text + (f" Missing: {_joined(event['missing'], '; ')}." if event["missing"] else "")


def _synced(event: Event) -> str:
    records = event["records"]
    total = sum(records.values()) if isinstance(records, dict) else 0
    failures = f" But {_joined(event['failures'], '; ')}" if event["failures"] else ""
    notes = f"\n  {_joined(event['notes'], chr(10) + '  ')}" if event.get("notes") else ""
    return f"{total} records are in, {event['dead_letters']} dead letters.{failures}{notes}"


def _judged(event: Event) -> str:
    problems = f": {_joined(event['problems'], '; ')}" if event["problems"] else ""
    return f"Health: {event['state']}{problems}."


_WORDS: dict[str, Callable[[Event], str]] = {
    "detect": lambda event: f"Looking at {event['address']} …",
    "detected": _detected,
    "configure": lambda event: f"Using {event['method']}: {event['because']}.",
    "validate": _validated,
    "repair": lambda event: f"{event['because']} Trying {event['address']}.",
    "register": _registered,
    "introspect": lambda event: f"Its schema: tables {event['tables']}, columns {event['columns']}.",
    "advise": _advised,
    "map": _mapped,
    "plan": lambda event: "Before anything is read:",
    "sync": lambda event: f"  {event['stream']}: {event['rows']} rows",
    "synced": _synced,
    "schedule": lambda event: "A schedule is set; `patchbay health` shows it stream by stream.",
    "health": _judged,
}


def _joined(value: object, between: str) -> str:
    return between.join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _facts(event: Event) -> str:
    facts = [f"{name} {_short(value)}" for name, value in event.items() if name not in {"event", "step"} and value]
    return f"{event.get('step', event['event'])}: {', '.join(facts)}"


def _short(value: object) -> str:
    text = _joined(value, "; ")
    return text if len(text) <= 300 else f"{text[:297]}..."
