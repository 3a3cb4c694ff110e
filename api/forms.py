"""What requests and answers are made of: strict models, harmless text, RFC 3339 times."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, PlainSerializer, StringConstraints

from tools.clock import rfc3339


class Form(BaseModel):
    """What a caller sends: unknown fields are refused, and nothing is taken for what it is not."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class View(BaseModel):
    """What we answer."""

    model_config = ConfigDict(frozen=True)


def _printable(text: str) -> str:
    if any(not char.isprintable() for char in text):
        raise ValueError("control characters have no place here")
    return text


def _zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError("this is no IANA time zone, such as Europe/Berlin")
    return text


def _day(text: str) -> str:
    date.fromisoformat(text)
    return text


Text = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
LongText = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]
Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_day)]
Moment = Annotated[AwareDatetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
