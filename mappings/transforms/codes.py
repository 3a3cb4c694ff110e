"""`boolean` and `code_map`: spellings and code tables, value by value; closed vocabularies of code fields."""

from __future__ import annotations

from collections.abc import Mapping

from knowledge.canonical import CanonicalField
from knowledge.glossary import country_spellings, language_spellings, vocabularies
from mappings.schema import Boolean, CodeMap
from mappings.transforms.values import IMPOSSIBLE, UNKNOWN_CODE, Bad, Convert, Doubtful, Outcome, text_of

NO_SPELLING = Bad(IMPOSSIBLE, "neither a spelling of true nor of false")
NOT_LISTED = Bad(UNKNOWN_CODE, "a code that the mapping's code table does not list")
NOT_IN_VOCABULARY = Bad(UNKNOWN_CODE, "not a word of this field's vocabulary")
NO_COUNTRY = Bad(UNKNOWN_CODE, "no country is known by this name or code")
NO_LANGUAGE = Bad(UNKNOWN_CODE, "no language is known by this name or code")


def boolean_converter(spellings: Boolean) -> Convert:
    """By the listed spellings; databases' own booleans and 0/1 need none."""
    meaning = {each.strip().casefold(): not spellings.invert for each in spellings.true}
    meaning |= {each.strip().casefold(): spellings.invert for each in spellings.false}
    nothing = meaning.get("")

    def convert(raw: object) -> Outcome:
        if isinstance(raw, bool):
            return raw is not spellings.invert
        text = text_of(raw)
        if text is None:
            return None if raw is None else nothing
        return meaning.get(text.casefold(), NO_SPELLING)

    return convert


def code_map_converter(transform: CodeMap, finish: Convert | None) -> Convert:
    """By the table: exact first, then without regard to case. `finish` turns the word into the field's type."""
    exact = dict(transform.map)
    folded = {key.casefold(): value for key, value in reversed(exact.items())}
    otherwise = transform.otherwise

    def finished(word: str) -> Outcome:
        return word if finish is None else finish(word)

    def convert(raw: object) -> Outcome:
        text = text_of(raw) or ""
        word = exact.get(text)
        if word is None:
            word = folded.get(text.casefold())
        if word is not None:
            return finished(word) if word else None
        if not text:
            return None
        if otherwise is None:
            return NOT_LISTED
        made = finished(otherwise)
        return made if isinstance(made, Bad | Doubtful) else Doubtful(made, NOT_LISTED.code, NOT_LISTED.reason)

    return convert


def code_converter(field: CanonicalField) -> Convert:
    """A code as it is; where the field's vocabulary is closed, only its words pass."""
    words = vocabularies().get(field.path)
    if words is None:
        return currency_code if field.name == "currency" else text_of
    known = {_folded(word): word for word in words}

    def convert(raw: object) -> Outcome:
        text = text_of(raw)
        return None if text is None else known.get(_folded(text), NOT_IN_VOCABULARY)

    return convert


def currency_code(raw: object) -> Outcome:
    """ISO 4217 alphabetic code."""
    text = text_of(raw)
    if text is None:
        return None
    symbol = {"€": "EUR", "£": "GBP"}.get(text)  # "$" is the sign of some twenty currencies
    code = symbol or text.upper()
    return code if len(code) == 3 and code.isascii() and code.isalpha() else NOT_IN_VOCABULARY


def country(raw: object) -> Outcome:
    """ISO 3166-1 alpha-2, from a code or an unambiguous name."""
    return _spelled(raw, country_spellings(), NO_COUNTRY)


def language(raw: object) -> Outcome:
    """BCP 47, from a tag (kept, in its usual case) or a language's name."""
    text = text_of(raw)
    if text is None:
        return None
    primary, *rest = text.replace("_", "-").split("-")
    tag = language_spellings().get(primary.casefold())
    if tag is None or not all(each.isalnum() for each in rest):
        return NO_LANGUAGE
    return "-".join([tag, *(each.upper() if len(each) == 2 else each for each in rest)])


def _spelled(raw: object, spellings: Mapping[str, str], unknown: Bad) -> Outcome:
    text = text_of(raw)
    return None if text is None else spellings.get(text.casefold(), unknown)


def _folded(word: str) -> str:
    return word.casefold().replace("-", "").replace("_", "").replace(" ", "")
