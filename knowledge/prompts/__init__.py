"""What the optional advisor is told: one file each, with its version and what an answer may cost."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import yaml
from pydantic import Field, ValidationError

from knowledge.errors import KnowledgeInvalid
from knowledge.shipped import Knowledge


class Prompt(Knowledge):
    """Rules for a model. `version` rises with every change of them; `answer_tokens` are for one question of a batch."""

    version: int = Field(ge=1)
    answer_tokens: int = Field(ge=1)
    rules: str = Field(min_length=1)


@cache
def prompt(name: str) -> Prompt:
    """The prompt of that name. Raises `KnowledgeInvalid` where its file is none."""
    file = f"{name}.yaml"
    text = (files("knowledge") / "prompts" / file).read_text(encoding="utf-8")
    try:
        return Prompt.model_validate(yaml.safe_load(text))
    except ValidationError as error:
        raise KnowledgeInvalid(file, 1, error.errors()[0]["msg"]) from error
