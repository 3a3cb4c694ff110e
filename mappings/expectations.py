"""What the values of a canonical field look like, and whether a column's samples speak against it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from knowledge.canonical import CanonicalField
from mappings.kinds import Kind, Profile

# Kinds that no text field holds as a rule, whatever else it holds.
_FOREIGN: tuple[Kind, ...] = ("date", "datetime", "time", "email", "phone", "uuid", "url", "boolean")

# Fields whose text may be anything: remarks, measured values, what a payer answered.
_FREE = frozenset({"notes", "message", "value", "description", "reference_range", "unit", "content", "color", "method"})
_NUMBERED = frozenset(
    {
        "chart_number", "member_id", "group_number", "license_number", "site_number", "national_provider_id", "sku",
        "claim_number", "upc", "reference", "national_id", "payer_id",
    }
)  # fmt: skip
_SHORT = frozenset({"tooth", "surface", "abbreviation", "middle_name", "name_suffix", "title", "state", "model"})
_NAMED_KEYS = frozenset({"visit_type_id", "operatory_id", "location_id"})  # rooms and kinds are often known by name
_WITHOUT_DIGITS = re.compile(r".*_name|name_suffix|city|occupation|specialty")

_POSTAL_CODES = {
    "DE": r"\d{5}", "US": r"\d{5}(?:-?\d{4})?", "AT": r"\d{4}", "CH": r"\d{4}", "FR": r"\d{5}", "ES": r"\d{5}",
    "IT": r"\d{5}", "BR": r"\d{5}-?\d{3}", "PT": r"\d{4}-\d{3}", "NL": r"\d{4} ?[A-Z]{2}", "BE": r"\d{4}",
    "GB": r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}", "CA": r"[A-Z]\d[A-Z] ?\d[A-Z]\d", "LU": r"(?:L-)?\d{4}",
}  # fmt: skip
_ANY_POSTAL_CODE = re.compile(r"(?=.*\d)(?:[A-Z]{1,2}-)?(?:[A-Z0-9]{2,5}[ -]?[A-Z0-9]{0,4})", re.IGNORECASE)
_ZONE = re.compile(r"UTC|GMT|[A-Z][A-Za-z]+/[A-Za-z_/+-]+\d*|(?:[A-Z][A-Za-z.]+ )+(?:Standard )?Time")
_PLACE = re.compile(r".*[/\\.:].*", re.DOTALL)
_NAME_LIKE = re.compile(
    r"(?=.*[^\W\d_A-Z])[^\W\d_]+(?:[ '’-][^\W\d_]+)*|.*\s.*|[^\W\d_]*[^\x00-\x7f][^\W\d_]*", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why the samples speak against a field, and how strongly in [0, 1]."""

    strength: float
    words: str


def doubt(field: CanonicalField, profile: Profile, country: str | None) -> Doubt | None:
    """What the kinds of the samples say against this field; None where they agree or are silent.

    It judges what a transform lets pass: texts, codes, ids. `country` (ISO 3166) sharpens postal codes.
    """
    if not profile.samples:
        return None
    if field.type == "text" or field.name in _FREE:
        return _free_text_doubt(profile)
    if field.type in ("id", "ref"):
        return _identifier_doubt(field, profile)
    if field.type == "postal_code":
        return _mismatch(profile, _postal_pattern(profile, country), "not postal codes")
    if field.name == "timezone":
        return _mismatch(profile, _ZONE, "not names of time zones")
    if field.type == "url":
        return _mismatch(profile, _PLACE, "neither paths nor addresses") or _foreign(
            profile, ("date", "datetime", "time", "email", "phone")
        )
    if field.type in ("date", "datetime"):
        return _calendar_doubt(field, profile)
    if field.type in ("string", "code"):
        return _text_doubt(field, profile)
    if field.type == "phone":
        return _foreign(profile, ("date", "datetime", "time", "email", "uuid", "url"))
    return None


def key_doubt(profile: Profile) -> Doubt | None:
    """What speaks against a column being a key into another table."""
    return _foreign(profile, ("date", "datetime", "time", "email", "phone", "boolean"))


def _over_half(share: float, words: str) -> Doubt | None:
    return Doubt(share, words) if share > 0.5 else None


def _foreign(profile: Profile, kinds: tuple[Kind, ...]) -> Doubt | None:
    return _over_half(profile.share(*kinds), f"most values are of another kind ({_leading(profile)})")


def _leading(profile: Profile) -> str:
    return max(profile.shares, key=lambda kind: profile.shares[kind])


def _mismatch(profile: Profile, pattern: re.Pattern[str], words: str) -> Doubt | None:
    return _over_half(1 - profile.matching(pattern), f"most values are {words}")


def _free_text_doubt(profile: Profile) -> Doubt | None:
    """Free text contains anything, so only a column that is nothing but one strict kind speaks against it."""
    strict = max(profile.share(kind) for kind in _FOREIGN)
    if len(profile.samples) > 1 and strict > 0.8:
        return Doubt(strict, f"nearly all values are of one kind ({_leading(profile)}), which remarks are not")
    if len(profile.samples) > 3 and _are_flags(profile):
        return Doubt(1.0, "all values are flags of one letter or digit")
    return None


def _are_flags(profile: Profile) -> bool:
    return all(len(text) == 1 for text in profile.texts) and profile.distinct <= 2


def _identifier_doubt(field: CanonicalField, profile: Profile) -> Doubt | None:
    foreign = key_doubt(profile)
    if foreign is not None:
        return foreign
    if field.name in _NAMED_KEYS:
        return None
    if field.type == "id" and len(profile.samples) > 3 and _are_flags(profile):
        return Doubt(1.0, "all values are flags of one letter or digit")
    bare = [text.rpartition("/")[2] for text in profile.texts]  # FHIR: Patient/123
    names = sum(_NAME_LIKE.fullmatch(text) is not None for text in bare) / len(bare)
    return _over_half(names, "most values read like names, not like keys")


def _postal_pattern(profile: Profile, country: str | None) -> re.Pattern[str]:
    own = _POSTAL_CODES.get(country or "")
    return _ANY_POSTAL_CODE if own is None else re.compile(own, re.IGNORECASE)


def _calendar_doubt(field: CanonicalField, profile: Profile) -> Doubt | None:
    if field.type == "date" and field.name.endswith("birth_date"):
        at_night = sum(text.endswith(("00:00", "00:00:00", "00:00Z")) for text in profile.texts) / len(profile.texts)
        moments = profile.share("datetime") - at_night
        return _over_half(moments, "most values carry a time of day, which birth dates do not")
    return None


def _text_doubt(field: CanonicalField, profile: Profile) -> Doubt | None:
    # receipts and transactions are numbered in many ways, also like telephones
    kinds = _FOREIGN if field.name != "reference" else ("date", "datetime", "time", "email", "boolean")
    foreign = _foreign(profile, kinds)
    if foreign is not None:
        return foreign
    if field.type == "code":
        return None
    if field.name in _NUMBERED:
        words = sum(not any(each.isdigit() for each in text) for text in profile.texts) / len(profile.texts)
        return _over_half(words, "most values have no digit, which numbers have")
    if field.name in _SHORT or field.path in ("Operatory.name", "Frame.collection", "Lens.material"):
        return None
    if _WITHOUT_DIGITS.fullmatch(field.name) and field.name not in ("plan_name", "group_name"):
        digits = sum(any(each.isdigit() for each in text) for text in profile.texts) / len(profile.texts)
        if digits > 0.5:
            return Doubt(digits, "most values hold digits, which names do not")
    return _wordless(profile)


def _wordless(profile: Profile) -> Doubt | None:
    """Names, places and titles are words: digits alone or single letters speak against them."""
    numbers = profile.share("number")
    if numbers > 0.5:
        return Doubt(numbers, "most values are bare numbers")
    letters = profile.share("letter", "number")
    return _over_half(letters, "most values are single letters") if len(profile.samples) > 1 else None
