"""HL7 v2 messages: bytes to segments and back; python-hl7 resolves the escapes and checks the reading in tests.

A segment is a name and its fields, numbered from 1 as the standard does; a field is its repetitions, a repetition its
components, both plain unescaped text. Subcomponents stay joined by `&`. Source: HL7 v2.5.1, chapter 2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import hl7

from tools.protocols import charset as charsets
from tools.protocols.charset import CANDIDATES, LATIN1, UTF8, Reading

DELETE = '""'  # two quotes take a value away, an empty field leaves it as it is
CHARSETS = {"8859/1": LATIN1, "UNICODE UTF-8": UTF8, "UNICODE": UTF8, "ASCII": LATIN1, "8859/15": "iso8859-15"}
_ENDS = re.compile(r"\r\n|\n|\r")
_TIME = re.compile(r"(\d{4})(\d\d)?(\d\d)?(?:(\d\d)(\d\d)?(\d\d)?(?:\.\d{1,4})?)?([+-]\d{4})?")
_ESCAPES = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\r": "\\.br\\", "\n": "\\.br\\"}

Repetition = tuple[str, ...]
Field = tuple[Repetition, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """`fields[0]` is field 1. In MSH field 1 is the separator itself, so MSH-3 stands at `fields[2]` as well."""

    name: str
    fields: tuple[Field, ...]

    def field(self, number: int) -> Field:
        """The repetitions of a field; empty where it was not sent."""
        return self.fields[number - 1] if 0 < number <= len(self.fields) else ()

    def value(self, number: int, component: int = 1) -> str:
        """A component of the field's first repetition, "" where it was not sent."""
        repetitions = self.field(number)
        return component_of(repetitions[0], component) if repetitions else ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, MSH first."""

    segments: tuple[Segment, ...]

    @property
    def header(self) -> Segment:
        return self.segments[0]

    @property
    def kind(self) -> str:
        """Message type and event, `ADT^A04`."""
        return f"{self.header.value(9, 1)}^{self.header.value(9, 2)}"

    def first(self, name: str) -> Segment | None:
        return next((each for each in self.segments if each.name == name), None)

    def every(self, name: str) -> list[Segment]:
        return [each for each in self.segments if each.name == name]


@dataclass(frozen=True, slots=True)
class BadMessage:
    """A message that does not parse. `reason` holds nothing of its content."""

    number: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class Hl7File:
    """What a file holds; most often one message."""

    reading: Reading
    messages: tuple[Message, ...]
    bad: tuple[BadMessage, ...] = ()
    notes: tuple[str, ...] = ()


def component_of(repetition: Repetition, number: int) -> str:
    return repetition[number - 1] if 0 < number <= len(repetition) else ""


def is_hl7(data: bytes) -> bool:
    """Whether a file begins with a message header (a byte order mark or an MLLP frame may stand before it)."""
    return re.match(rb"MSH[^\w\s]", _bare(data)) is not None


def declared_charset(data: bytes) -> str | None:
    """What MSH-18 says (its first repetition), None where it is silent."""
    header = re.split(rb"[\r\n]", _bare(data), maxsplit=1)[0]
    fields = header.split(header[3:4]) if len(header) > 3 else []
    declared = fields[17].split(b"~")[0].decode("latin-1").strip().upper() if len(fields) > 17 else ""
    return CHARSETS.get(declared)


def read_hl7(data: bytes, candidates: Sequence[str] = CANDIDATES) -> Hl7File:
    """Read a whole file; never raises for its content. Segments may end with CR, LF or both."""
    bare = _bare(data)
    reading = charsets.read_text(bare, declared_charset(bare), candidates)
    messages: list[Message] = []
    bad: list[BadMessage] = []
    for number, text in enumerate(_split(reading.text), start=1):
        try:
            messages.append(parse_message(text))
        except hl7.HL7Exception as error:
            bad.append(BadMessage(number, f"message {number} does not parse ({type(error).__name__})", text))
        except (ValueError, IndexError):
            bad.append(BadMessage(number, f"message {number} does not parse", text))
    return Hl7File(reading, tuple(messages), tuple(bad), (reading.note,) if reading.note else ())


def _bare(data: bytes) -> bytes:
    return data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\x0b\r\n ").rstrip(b"\x1c")


def _split(text: str) -> list[str]:
    """The messages of a file, segments ended by CR."""
    lines = [line.strip("\x0b\x1c") for line in _ENDS.split(text) if line.strip("\x0b\x1c ")]
    messages: list[list[str]] = []
    for line in lines:
        if line.startswith("MSH") or not messages:
            messages.append([])
        messages[-1].append(line)
    return ["\r".join(each) + "\r" for each in messages]


def parse_message(text: str) -> Message:
    """One message of CR-ended segments. Raises HL7Exception or ValueError where it is none.

    Splitting is done here: python-hl7 builds a tree of every subcomponent, ten times slower, and a practice's archive
    holds fifty thousand messages. It unescapes; a test compares the two readings.
    """
    if len(text) < 8 or not text.startswith("MSH"):
        raise ValueError("a message begins with MSH")
    marks = Separators.of(text)
    segments = tuple(_segment(line, marks) for line in text.split("\r") if line)
    if not segments[0].value(9):
        raise ValueError("MSH-9 is empty")
    return Message(segments)


@dataclass(frozen=True, slots=True)
class Separators:
    """The five characters of MSH-1 and MSH-2, and what resolves escapes by them."""

    field: str
    component: str
    repetition: str
    escape: str
    unescape: Callable[[str], str]

    @classmethod
    def of(cls, text: str) -> Separators:
        component, repetition, escape = text[4], text[5], text[6]
        marks = {text[3], component, repetition, escape}
        if len(marks) < 4 or "\r" in text[3:8] or any(mark.isalnum() for mark in marks):
            raise ValueError("MSH-2 does not name the separators")

        def unescape(value: str) -> str:
            if escape not in value:
                return value
            parsed = hl7.parse(text.partition("\r")[0] + "\r")
            return str(parsed.unescape(value)).replace("\r", "\n")

        return cls(text[3], component, repetition, escape, unescape)


def _segment(line: str, marks: Separators) -> Segment:
    name, *fields = line.split(marks.field)
    if not re.fullmatch(r"[A-Z][A-Z0-9]{2}", name):
        raise ValueError("a segment has no name")
    if name == "MSH":  # the separators are no escaped text
        return Segment(name, (((marks.field,),), ((fields[0],),), *(_field(each, marks) for each in fields[1:])))
    return Segment(name, tuple(_field(each, marks) for each in fields))


def _field(text: str, marks: Separators) -> Field:
    if not text:
        return ()
    if text.isalnum():  # most fields are one word
        return ((text,),)
    return tuple(
        tuple(marks.unescape(component) for component in repetition.split(marks.component))
        for repetition in text.split(marks.repetition)
    )


def segment(name: str, fields: Mapping[int, str | Sequence[str] | Sequence[Sequence[str]]]) -> Segment:
    """A segment from numbered fields: a text, components, or repetitions of components."""
    last = max(fields, default=0)
    return Segment(name, tuple(_as_field(fields.get(number, "")) for number in range(1, last + 1)))


def _as_field(value: str | Sequence[str] | Sequence[Sequence[str]]) -> Field:
    if isinstance(value, str):
        return ((value,),) if value else ()
    if value and all(isinstance(each, str) for each in value):
        return (tuple(str(each) for each in value),)
    return tuple(tuple(each) for each in value if any(each))


def encode_message(segments: Iterable[Segment], charset: str = LATIN1) -> bytes:
    """Segments as bytes, each ended by CR. Raises UnicodeEncodeError where a letter has no place in the charset."""
    return charsets.encode("".join(_line(each) + "\r" for each in segments), charset)


def _line(each: Segment) -> str:
    if each.name == "MSH":
        rest = [_joined(field) for field in each.fields[2:]]
        return "|".join(["MSH", "^~\\&", *rest])
    return "|".join([each.name, *(_joined(field) for field in each.fields)]).rstrip("|")


def _joined(field: Field) -> str:
    return "~".join("^".join(map(escape, repetition)).rstrip("^") for repetition in field)


def escape(text: str) -> str:
    """Text with the separators written as escapes."""
    return "".join(_ESCAPES.get(letter, letter) for letter in text)


def iso_time(text: str) -> str:
    """`YYYY[MM[DD[HH[MM[SS]]]]][±ZZZZ]` as ISO text of the same precision (an hour gets its minutes).

    Anything else comes back as it is: that it is no time is for the mapping to say. Impossible days stay as written.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        return text
    year, month, day, hour, minute, second, offset = found.groups()
    date = "-".join(part for part in (year, month, day) if part)
    if hour is None or day is None:
        return date
    zone = f"{offset[:3]}:{offset[3:]}" if offset else ""
    return f"{date}T{hour}:{minute or '00'}:{second or '00'}{zone}"


def hl7_time(iso: str) -> str:
    """ISO date or local time as HL7 writes it; an offset is kept."""
    day, _, clock = iso.partition("T")
    if not clock:
        return day.replace("-", "")
    found = re.fullmatch(r"(\d\d):(\d\d)(?::(\d\d))?(?:\.\d+)?(Z|[+-]\d\d:?\d\d)?", clock)
    if found is None:
        return iso
    hour, minute, second, offset = found.groups()
    zone = "+0000" if offset == "Z" else (offset or "").replace(":", "")
    return f"{day.replace('-', '')}{hour}{minute}{second or '00'}{zone}"


def instant(text: str, zone: ZoneInfo) -> datetime | None:
    """An HL7 time as an aware instant; without offset it is the sender's local time. None where it is no time."""
    try:
        moment = datetime.fromisoformat(iso_time(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)
