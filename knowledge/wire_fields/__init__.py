"""What the coded fields of file standards mean, so that a file of an unknown sender can be described."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Literal, cast

import yaml


@cache
def wire_fields(standard: Literal["gdt", "hl7v2"]) -> dict[str, str]:
    """Field code (`3101`, `PID-5.1`) to its meaning, in the standard's own language."""
    text = (files("knowledge") / "wire_fields" / f"{standard}.yaml").read_text(encoding="utf-8")
    return cast("dict[str, str]", yaml.safe_load(text))
