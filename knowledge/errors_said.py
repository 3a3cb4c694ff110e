"""What an error says to a person, in both languages: the English of its class, the German of `conversation/errors.yaml`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml
from pydantic import TypeAdapter

from knowledge.errors import PatchbayError
from knowledge.phrases import Language

_TABLE: TypeAdapter[dict[str, str]] = TypeAdapter(dict[str, str])


@cache
def german_sentences() -> dict[str, str]:
    """Code to template over the error's own fields."""
    text = (files("knowledge") / "conversation" / "errors.yaml").read_text(encoding="utf-8")
    return _TABLE.validate_python(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def error_words(error: PatchbayError) -> dict[Language, str]:
    """Cause and mend by language; a code without German, which a test rules out, is said in English."""
    template = german_sentences().get(error.code)
    german = " ".join(error.filled(template).split()) if template else error.sentence
    return {"en": error.sentence, "de": german}
