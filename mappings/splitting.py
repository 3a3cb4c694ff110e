"""One column that holds what several fields say: names the other way round, with their titles, and addresses in a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from knowledge.canonical import canonical_model
from knowledge.glossary import persons
from mappings.placing import Need, Placed
from mappings.schema import Split

_MOST = 0.8  # how much of a column a pattern must take apart
_NAMES = ("full_name", "last_name", "first_name")
_ADDRESS = ("address_line1", "postal_code", "city")
TWO_ORDERS = "the values do not say which of the words are given names"

_POSTAL = r"(?:[A-Z]{1,2}-)?(?P<postal_code>\d{4,5}(?:-\d{3,4})?)"
_CITY = r"(?P<city>[^\d,;]+?)"
_STATE = r"(?P<state>[A-Z]{2})"
_ADDRESSES = (
    (rf"(?P<address_line1>.+?),\s*{_CITY},\s*{_STATE}\s+{_POSTAL}", frozenset(_ADDRESS)),
    (rf"(?P<address_line1>.+?)\s*[,;]\s*{_POSTAL}\s+{_CITY}\s+(?:-\s+|\(){_STATE}\)?", frozenset(_ADDRESS)),
    (rf"(?P<address_line1>.+?)\s*[,;]\s*{_POSTAL}\s+{_CITY}", frozenset(_ADDRESS)),
    (rf"{_CITY},\s*{_STATE}\s+{_POSTAL}", frozenset({"postal_code", "city"})),
    (rf"{_POSTAL}\s+{_CITY}", frozenset({"postal_code", "city"})),
)


def split_needs(columns: Sequence[Placed]) -> dict[str, Need]:
    """Columns whose texts hold more than their field, as far as no other column gives it."""
    found: dict[str, Need] = {}
    for each in columns:
        beside = {
            other.field.name for other in columns if other is not each and other.field.entity == each.field.entity
        }
        if each.field.name in _NAMES and each.profile.samples:
            need = _named(each, beside)
        elif each.field.name in _ADDRESS and each.profile.samples:
            need = _addressed(each, beside)
        else:
            continue
        if need is not None:
            found[each.column.name] = need
    return found


def _addressed(each: Placed, beside: set[str]) -> Need | None:
    for text, targets in _ADDRESSES:
        pattern = re.compile(text)
        if each.field.name in targets and _share(pattern, each) >= _MOST and not beside & set(pattern.groupindex):
            return Need((Split(pattern=text),))
    return None


def _named(each: Placed, beside: set[str]) -> Need | None:
    own = canonical_model().entities[each.field.entity].fields
    if not {"first_name", "last_name"} <= set(own) or beside & {"first_name", "last_name"} - {each.field.name}:
        return _without_title(each, beside, titled="title" in own)
    if each.profile.share("email", "url", "number") > 0.2:
        return None
    titled = "title" in own and "title" not in beside and _holds_title(each)
    for text in (_comma(titled, "name_suffix" in own and _holds_suffix(each)), *_capitals(titled)):
        if _share(re.compile(text), each) >= _MOST:
            return Need((Split(pattern=text),))
    if each.field.name == "full_name":
        return None
    words = [len(text.split()) for text in each.profile.texts]
    if sum(count > 1 for count in words) < _MOST * len(words):
        return _without_title(each, beside, titled="title" in own)
    given_first = r"(?P<first_name>\S+)\s+(?P<last_name>.+)"
    given_last = r"(?P<last_name>\S+)\s+(?P<first_name>.+)"
    return Need((Split(pattern=given_first), Split(pattern=given_last)), TWO_ORDERS)


def _without_title(each: Placed, beside: set[str], *, titled: bool) -> Need | None:
    """A title before a name that has its parts in columns of their own."""
    if not titled or each.field.name == "full_name" or "title" in beside or not _holds_title(each):
        return None
    return Need((Split(pattern=rf"(?:(?P<title>{_titles()})\s+)?(?P<{each.field.name}>.+)"),))


def _comma(titled: bool, suffixed: bool) -> str:
    """`Last, First`; a title may stand before either or behind both."""
    suffix = rf"(?:,?\s+(?P<name_suffix>{_suffixes()}))?" if suffixed else ""
    if not titled:
        return rf"(?P<last_name>[^,]+?)\s*,\s*(?P<first_name>[^,]+?){suffix}"
    title = _titles()
    first = rf"(?:{title}\s+)?(?P<first_name>[^,]+?){suffix}"
    return rf"(?:(?=(?:.*,\s*)?(?P<title>{title})(?:\s|$))|)(?:{title}\s+)?(?P<last_name>[^,]+?)\s*,\s*{first}(?:\s*,\s*{title})?"


def _capitals(titled: bool) -> tuple[str, str]:
    """The last name in capitals, before or behind the given one."""
    capital, small = r"[^\W\d_a-zß-öø-ÿ](?:[^\W\d_a-zß-öø-ÿ]|['’ -])+", r"[^\W\d_]*[a-zß-öø-ÿ][\w'’. -]*"
    title = rf"(?:(?P<title>{_titles()})\s+)?" if titled else ""
    return (
        rf"{title}(?P<last_name>{capital})\s+(?P<first_name>{small})",
        rf"{title}(?P<first_name>{small})\s+(?P<last_name>{capital})",
    )


def _share(pattern: re.Pattern[str], each: Placed) -> float:
    return each.profile.matching(pattern)


def _holds_title(each: Placed) -> bool:
    pattern = re.compile(rf"(?:.*,\s*)?{_titles()}(?:\s.*)?")
    return any(pattern.fullmatch(text) for text in each.profile.texts)


def _holds_suffix(each: Placed) -> bool:
    pattern = re.compile(rf".*[,\s]{_suffixes()}")
    return any(pattern.fullmatch(text) for text in each.profile.texts)


@cache
def _titles() -> str:
    """Titles with or without their dots, in either case, the longest first; several may follow each other."""
    listed = sorted(persons().titles, key=len, reverse=True)
    one = "|".join(_dotted(title) for title in listed)
    return rf"(?i:(?:{one})\.?(?:\s+(?:{one})\.?)*)(?<=[\w.])(?=\s|$|,)"


@cache
def _suffixes() -> str:
    return rf"(?i:(?:{'|'.join(_dotted(each) for each in persons().suffixes)})\.?)"


def _dotted(words: str) -> str:
    return r"\.?\s*".join(re.escape(word) for word in words.split(" "))
