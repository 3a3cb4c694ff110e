"""`copy`: the value as it is, in the canonical form of its field's type."""

from __future__ import annotations

import base64
import re
from zoneinfo import ZoneInfo

from knowledge.canonical import CanonicalField
from mappings.records import PracticeFacts
from mappings.schema import Boolean
from mappings.transforms.codes import boolean_converter, code_converter, country, language
from mappings.transforms.dates import date_converter, datetime_converter
from mappings.transforms.numbers import number_converter
from mappings.transforms.phones import phone_converter
from mappings.transforms.values import IMPOSSIBLE, Bad, Convert, Outcome, text_of

NO_EMAIL = Bad(IMPOSSIBLE, "not an e-mail address")
NO_TIME_OF_DAY = Bad(IMPOSSIBLE, "not a time of day")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]{2,}")
_TIME = re.compile(r"([01]\d|2[0-3]):?([0-5]\d)(?::?([0-5]\d)(?:\.\d+)?)?")


def copy_converter(field: CanonicalField, practice: PracticeFacts) -> Convert:
    """The strict reading of each canonical type; nothing is guessed."""
    match field.type:
        case "date":
            return date_converter("iso", (), as_instant=False, zone=ZoneInfo(practice.time_zone))
        case "datetime":
            zone = ZoneInfo(practice.time_zone)
            return datetime_converter("iso", (), "practice", as_day=False, practice_zone=zone)
        case "integer" | "decimal" | "money":
            return number_converter(field)
        case "phone":
            return phone_converter(practice.country)
        case "code":
            return code_converter(field)
    return _BY_TYPE.get(field.type, text_of)


def email(raw: object) -> Outcome:
    text = text_of(raw)
    if text is None:
        return None
    address = text.removeprefix("mailto:")
    return address if _EMAIL.fullmatch(address) else NO_EMAIL


def time_of_day(raw: object) -> Outcome:
    """HH:MM:SS."""
    text = text_of(raw)
    if text is None:
        return None
    found = _TIME.fullmatch(text)
    return NO_TIME_OF_DAY if found is None else ":".join(part or "00" for part in found.groups())


def binary(raw: object) -> Outcome:
    """Bytes as base64; text is taken to be base64 already."""
    if isinstance(raw, bytes | bytearray | memoryview):
        return base64.b64encode(bytes(raw)).decode("ascii")
    return text_of(raw)


_BY_TYPE: dict[str, Convert] = {
    "boolean": boolean_converter(Boolean()),
    "country": country,
    "language": language,
    "email": email,
    "time": time_of_day,
    "binary": binary,
}
