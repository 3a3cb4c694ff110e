"""What we write into a folder's `in/`: an HL7 message of a raw row, numbered so that its echo is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from pydantic import BaseModel, ConfigDict

from tools.adapters.exchange_rows import StreamReader
from tools.adapters.wire_paths import built
from tools.protocols.charset import LATIN1, UTF8
from tools.protocols.hl7v2 import Segment, encode_message, segment


class EventRule(BaseModel):
    """`event` is sent where one of `columns` is among those written, with one of `values` if any are named."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: str
    columns: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


class ExchangeWrite(BaseModel):
    """`settings` of a writing operation: message type, structure, its segments in order, and the first rule that fits."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    structures: dict[str, str] = {}  # event to MSH-9.3
    segments: tuple[str, ...]
    events: tuple[EventRule, ...]
    fixed: dict[str, dict[int, str]] = {}  # segment, field, value: what never changes (PV1-2)

    def event_for(self, values: Mapping[str, object]) -> str:
        for rule in self.events:
            written = [values[column] for column in rule.columns if column in values]
            if not rule.columns or (written and (not rule.values or any(str(each) in rule.values for each in written))):
                return rule.event
        return self.events[-1].event


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready to be put: `digest` is of its content alone, `token` also of how often it was sent before."""

    name: str
    data: bytes
    token: str


def digest_of(operation: str, record_id: str | None, values: Mapping[str, object]) -> str:
    """Twelve hexadecimal digits that are the same for the same write."""
    content = json.dumps([operation, record_id, sorted(values.items())], default=str)
    return sha256(content.encode()).hexdigest()[:12]


def message_for(
    rule: ExchangeWrite, reader: StreamReader, values: Mapping[str, object], token: str, now: datetime, sender: str
) -> Outgoing:
    """The message for these columns. `now` is the practice's local time; letters beyond ISO 8859-1 go out as UTF-8."""
    event = rule.event_for(values)
    body: list[Segment] = []
    for name in rule.segments:
        made = built(reader.paths, dict(values), name)
        fixed = segment(name, rule.fixed.get(name, {}))
        fields = _overlaid(made, fixed)
        if fields.fields:
            body.append(fields)
    stamp = now.strftime("%Y%m%d%H%M%S")
    for charset, label in ((LATIN1, "8859/1"), (UTF8, "UNICODE UTF-8")):
        kind = [rule.type, event, rule.structures.get(event, "")]
        header = segment(
            "MSH", {3: "PATCHBAY", 5: sender, 7: stamp, 9: kind, 10: token, 11: "P", 12: "2.5", 18: label}
        )  # fmt: skip
        opening = [header, segment("EVN", {1: event, 2: stamp})] if rule.type == "ADT" else [header]
        try:
            return Outgoing(f"PBAY{token}.hl7", encode_message([*opening, *body], charset), token)
        except UnicodeEncodeError:
            continue
    raise AssertionError("UTF-8 has a place for every letter")


def _overlaid(made: Segment, fixed: Segment) -> Segment:
    """The fields of `made`, and those of `fixed` where it has none."""
    longest = max(len(made.fields), len(fixed.fields))
    numbers = range(1, longest + 1)
    return Segment(made.name, tuple(made.field(number) or fixed.field(number) for number in numbers))
