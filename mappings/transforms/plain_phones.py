"""Telephone numbers written plainly in their own country, read by the library's numbering plans without its long way round.

Nine in ten numbers of a practice are digits with blanks or hyphens between them. For those the library's `parse` and
`is_valid_number` come down to: take the national prefix off, then one of the plan's patterns matches. Whatever is not
surely valid this way (another country's, a country code without plus, a doubt of any kind) is left to the library.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, country_code_for_region

ReadPlain = Callable[[str], str | None]

_PLAIN = re.compile(r"[(+]?[0-9][0-9 ()/.-]{4,30}", re.ASCII)
_MARKS = str.maketrans("", "", " ()/.-")
_NORTH_AMERICA = 1


@cache
def plain_reader(region: str) -> ReadPlain | None:
    """A function from a plainly written number to E.164, None where the library must decide; None for a region whose
    plan needs more than this."""
    plan = PhoneMetadata.metadata_for_region(region, None)
    regions = COUNTRY_CODE_TO_REGION_CODE.get(country_code_for_region(region), ())
    if plan is None or plan.national_prefix_transform_rule or plan.leading_digits:
        return None
    prefix = re.compile(plan.national_prefix_for_parsing or r"(?!)")
    if prefix.groups:  # a carrier's code stands in it
        return None
    code = str(country_code_for_region(region))
    if code == str(_NORTH_AMERICA):
        return _north_american
    if not regions or regions[0] != region:  # it shares the code with a larger neighbour
        return None
    # a country code without plus, or the way out of the country: the library tells what is meant
    leaving = re.compile(rf"{code}|(?:{plan.international_prefix})" if plan.international_prefix else code)
    abroad = f"+{code}"
    general, *kinds = _descriptions(plan)

    def read(text: str) -> str | None:
        if _PLAIN.fullmatch(text) is None:
            return None
        digits = text.translate(_MARKS)
        if digits[0] == "+":
            if not digits.startswith(abroad):
                return None
            digits = digits[len(abroad) :]
        elif leaving.match(digits):
            return None
        before = prefix.match(digits)
        own = digits[before.end() :] if before else digits
        length = len(own)
        if length not in general[0] or not general[1](own):
            return None
        for lengths, match in kinds:
            if length in lengths and match(own):
                return abroad + own
        return None

    return read


def _north_american(text: str) -> str | None:
    """Ten digits that begin like an area code, which is all that is asked of them."""
    if _PLAIN.fullmatch(text) is None:
        return None
    digits = text.translate(_MARKS).removeprefix("+1")
    return f"+1{digits}" if len(digits) == 10 and digits[0] in "23456789" else None


_Description = tuple[frozenset[int], Callable[[str], re.Match[str] | None]]


def _descriptions(plan: PhoneMetadata) -> list[_Description]:
    """What all of the plan's numbers look like, then each kind of them, the usual ones first."""
    kinds = (
        plan.general_desc, plan.fixed_line, plan.mobile, plan.voip, plan.toll_free, plan.shared_cost, plan.premium_rate,
        plan.personal_number, plan.pager, plan.uan, plan.voicemail,
    )  # fmt: skip
    return [
        (frozenset(kind.possible_length), re.compile(kind.national_number_pattern).fullmatch)
        for kind in kinds
        if kind is not None and kind.national_number_pattern
    ]
