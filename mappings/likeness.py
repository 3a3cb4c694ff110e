"""Whether two descriptions of a patient may mean one person: reasons in words, for a person to decide."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from rapidfuzz.distance import JaroWinkler

from mappings.records import JsonValue

Fields = Mapping[str, JsonValue]

PHONES = ("phone_mobile", "phone_home", "phone_work")
_LIKE = (
    0.88  # Jaro-Winkler of names that a hurried typist may mean as one; Meyer and Meier have 0.90, Anna and Paul 0.58
)
_SPELLED = str.maketrans({"ß": "ss", "ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae"})


def likely_same(new: Fields, known: Fields) -> list[str]:
    """Why they are likely one person; empty where they are not.

    A shared birth date counts with a like family name and no unlike given name; a shared telephone or e-mail with a like
    given name (families share telephones); the same whole name where one of the birth dates is not known.
    """
    first, last = _alike(new, known, "first_name"), _alike(new, known, "last_name")
    reasons = []
    born = _equal(new, known, "birth_date")
    if born and last and first is not False:
        reasons.append("same birth date and a like name")
    if born is None and first and last:
        reasons.append("a like name, and one birth date is not known")
    if first and _shares_phone(new, known) and born is not False:
        reasons.append("same telephone and a like given name")
    if first and _equal(new, known, "email") and born is not False:
        reasons.append("same e-mail address and a like given name")
    if _equal(new, known, "national_id"):
        reasons.append("same national number")
    return reasons


def _alike(new: Fields, known: Fields, field: str) -> bool | None:
    """None where one of them is not known."""
    ours, theirs = new.get(field), known.get(field)
    if not ours or not theirs:
        return None
    return JaroWinkler.similarity(_plain(str(ours)), _plain(str(theirs))) >= _LIKE


def _equal(new: Fields, known: Fields, field: str) -> bool | None:
    ours, theirs = new.get(field), known.get(field)
    return None if not ours or not theirs else _plain(str(ours)) == _plain(str(theirs))


def _shares_phone(new: Fields, known: Fields) -> bool:
    ours = {new[name] for name in PHONES if new.get(name)}
    return bool(ours & {known[name] for name in PHONES if known.get(name)})


def _plain(text: str) -> str:
    """Umlauts written out, other marks and case away: Müller, Mueller and MUELLER are one."""
    spelled = unicodedata.normalize("NFC", text).casefold().translate(_SPELLED)
    return "".join(each for each in unicodedata.normalize("NFD", spelled) if each.isalnum())
