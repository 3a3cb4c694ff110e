"""`phone`: telephone numbers as people write them, to E.164 and back to the national form."""

from __future__ import annotations

import re

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, ValidationResult

from mappings.transforms.plain_phones import plain_reader
from mappings.transforms.values import IMPOSSIBLE, Bad, Convert, Outcome, text_of

NO_PHONE = Bad(IMPOSSIBLE, "not a telephone number of this country")
NO_COUNTRY = Bad(IMPOSSIBLE, "without + the practice's country must be known, and it is not")
NOWHERE = "ZZ"  # the code of CLDR and of the library for a country that is not known
_NORTH_AMERICA = 1
_MOST_LETTERS = 250  # as of the library
_LABEL = re.compile(
    r"^(?:tel|telefon|phone|mobil|mobile|handy|cell|fax|home|work|privat|p|d|g|m|h|w|c)\b[.:]*\s*", re.IGNORECASE
)
_EXTENSION = re.compile(r"[\s,;]*(?:x|ext|extension|durchwahl|dw|poste|int)\.?\s*\d{1,6}$", re.IGNORECASE)


def phone_converter(region: str) -> Convert:
    """To E.164; `region` is ISO 3166 for numbers without a country code. Extensions are dropped: E.164 has none."""
    plain = plain_reader(region)
    unread = NO_COUNTRY if region == NOWHERE else NO_PHONE

    def convert(raw: object) -> Outcome:
        text = text_of(raw)
        if text is None:
            return None
        if len(text) > _MOST_LETTERS:
            return NO_PHONE
        known = None if plain is None else plain(text)
        if known is not None:
            return known
        text = _EXTENSION.sub("", _LABEL.sub("", text))
        if any(each.isalpha() for each in text):
            return NO_PHONE  # the library would dial letters as on an old telephone: S799100678 is no number
        try:
            number = phonenumbers.parse(text, region)
        except NumberParseException:
            return unread
        if not _dialable(number):
            return NO_PHONE
        return phonenumbers.format_number(number, PhoneNumberFormat.E164)

    return convert


def _dialable(number: phonenumbers.PhoneNumber) -> bool:
    """Valid by the numbering plan. North America opens area codes faster than a library's tables follow, so there
    ten digits that begin like an area code suffice."""
    if phonenumbers.is_valid_number(number):
        return True
    if number.country_code != _NORTH_AMERICA:
        return False
    possible = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    return possible and str(number.national_number)[0] in "23456789"


def national(number: str, region: str) -> str:
    """The E.164 number as the region's people write it; numbers of other regions stay international."""
    try:
        parsed = phonenumbers.parse(number, region)
    except NumberParseException:
        return number
    form = PhoneNumberFormat.NATIONAL
    if parsed.country_code != phonenumbers.country_code_for_region(region):
        form = PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(parsed, form)
