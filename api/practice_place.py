"""Where a practice is, as a person types it: its country and its time zone."""

from __future__ import annotations

from zoneinfo import available_timezones

from knowledge.errors import BadInput


def checked_time_zone(time_zone: str | None) -> str | None:
    """The IANA zone as it was given. Raises `BadInput` for one that does not exist."""
    if time_zone is not None and time_zone not in available_timezones() - {"localtime"}:
        raise BadInput("--time-zone", f"there is no zone {time_zone!r}.", "Name one like Europe/Berlin.")
    return time_zone


def checked_country(country: str | None) -> str | None:
    """The code of a country in capitals. Raises `BadInput` for what is none."""
    if country is not None and not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise BadInput("--country", f"{country!r} is no ISO 3166 code.", "Write two letters, e.g. DE.")
    return country.upper() if country is not None else None
