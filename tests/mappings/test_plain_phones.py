"""What is read without the library is what the library reads, number for number."""

from __future__ import annotations

from random import Random

import phonenumbers
import pytest

from mappings.transforms.plain_phones import plain_reader

REGIONS = (
    "DE",
    "AT",
    "CH",
    "US",
    "CA",
    "GB",
    "FR",
    "ES",
    "IT",
    "PT",
    "NL",
    "BE",
    "IE",
    "DK",
    "SE",
    "PL",
    "CZ",
    "TR",
    "MX",
)
MARKS = (" ", "-", "/", ".", " - ", "  ", " / ")


@pytest.mark.parametrize("region", REGIONS)
def test_a_number_read_plainly_is_what_the_library_makes_of_it(region: str) -> None:
    read = plain_reader(region)
    assert read is not None
    random = Random(region)
    numbers = [_number(region, random) for _ in range(1500)]
    read_plainly = {text: found for text in numbers if (found := read(text)) is not None}
    assert {text: _by_library(text, region) for text in read_plainly} == read_plainly
    assert len(read_plainly) > 200


@pytest.mark.parametrize(
    "text", ["0049 30 1234567", "4930 1234567", "+41 44 668 18 00", "110", "030 1234567 x12", "", "+"]
)
def test_what_may_mean_more_than_one_thing_is_left_to_the_library(text: str) -> None:
    read = plain_reader("DE")
    assert read is not None
    assert read(text) is None


@pytest.mark.parametrize("region", ["AR", "BR", "GG", "XX", ""])
def test_a_plan_that_needs_more_is_left_to_the_library(region: str) -> None:
    assert plain_reader(region) is None


def _by_library(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    own = str(number.national_number)
    american = number.country_code == 1 and len(own) == 10 and own[0] in "23456789"
    if not phonenumbers.is_valid_number(number) and not american:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _number(region: str, random: Random) -> str:
    """A number of some kind with its end made up, its prefix kept, left out or another's, in groups or in one."""
    examples = [phonenumbers.example_number_for_type(region, kind) for kind in range(11)]
    own = random.choice([phonenumbers.national_significant_number(each) for each in examples if each is not None])
    kept = random.randint(0, len(own))
    made = own[:kept] + "".join(random.choices("0123456789", k=len(own) - kept + random.choice((-1, 0, 0, 0, 1))))
    code = str(phonenumbers.country_code_for_region(region))
    abroad = (f"+{code}", f"+{code} (0)", f"+{code}-", f"+{code}0", code, f"00{code}", "+1", "+4")
    prefix = phonenumbers.ndd_prefix_for_region(region, strip_non_digits=True) or ""
    text = random.choice((prefix, prefix, prefix, "", "", "0", "1", *abroad)) + made
    if random.random() < 0.5:
        return text
    at = random.randint(1, len(text))
    grouped = text[:at] + random.choice(MARKS) + text[at:]
    return (f"({grouped.replace(' ', ') ', 1)}" if random.random() < 0.2 else grouped).strip()
