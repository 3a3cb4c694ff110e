"""One kind of transform a file: each compiles to a fast function from a raw value to a canonical one."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from knowledge.canonical import CanonicalField
from mappings.records import PracticeFacts
from mappings.schema import Boolean, CodeMap, Constant, Date, Datetime, Number, Phone, Transform, Unit
from mappings.transforms.codes import boolean_converter, code_map_converter
from mappings.transforms.copying import copy_converter
from mappings.transforms.dates import date_converter, datetime_converter
from mappings.transforms.numbers import number_converter, unit_converter
from mappings.transforms.phones import phone_converter
from mappings.transforms.values import Bad, Convert, Doubtful, Outcome, remembering

__all__ = ["Bad", "Convert", "Doubtful", "Outcome", "compile_transform"]


def compile_transform(transform: Transform, field: CanonicalField, practice: PracticeFacts) -> Convert:
    """The function of one column's raw value. Never raises: what cannot be used comes back as `Bad`.

    Kinds that read several columns (`concat`, `split`, `lookup`, `transpose`, `datetime` with parts) give the function
    of their joined or found value; `mappings.transforms.columns` does the joining and finding.
    """
    convert = _convert(transform, field, practice)
    return convert if isinstance(transform, Constant) else remembering(convert)


def _convert(transform: Transform, field: CanonicalField, practice: PracticeFacts) -> Convert:
    zone = ZoneInfo(practice.time_zone)
    match transform:
        case Date(from_=format_, empty=empty):
            return date_converter(format_, empty, as_instant=field.type == "datetime", zone=zone)
        case Datetime(from_=format_, empty=empty, zone=word):
            return datetime_converter(format_, empty, word, as_day=field.type == "date", practice_zone=zone)
        case Number(decimal=decimal, thousands=thousands, divisor=divisor):
            return number_converter(field, decimal=decimal, thousands=thousands, divisor=divisor)
        case Unit():
            return unit_converter(transform, field)
        case Boolean():
            return boolean_converter(transform)
        case CodeMap():
            typed = field.type not in ("code", "string", "text")
            return code_map_converter(transform, copy_converter(field, practice) if typed else None)
        case Phone(region=region):
            return phone_converter(region or practice.country)
        case Constant(value=value):
            constant = copy_converter(field, practice)(value)
            return lambda raw: constant
    return copy_converter(field, practice)
