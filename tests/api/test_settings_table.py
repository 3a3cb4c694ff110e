"""The one table of settings in docs/operate.md is what the code reads: no variable more, none less, the same defaults."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tools.store.settings import Settings

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `(PATCHBAY_\w+)` \| .+ \| (.+) \|$", re.MULTILINE)
ROOMS = ("knowledge", "mappings", "tools", "agents", "evals", "api", "tests")


def documented() -> dict[str, str]:
    """Variable to default."""
    return dict(ROW.findall((ROOT / "docs" / "operate.md").read_text(encoding="utf-8")))


def read_by_name() -> set[str]:
    """Variables that stand in code by their full name, alone in a text."""
    found: set[str] = set()
    for room in ROOMS:
        for file in (ROOT / room).rglob("*.py"):
            texts = [
                each.value for each in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(each, ast.Constant)
            ]
            found |= {text for text in texts if isinstance(text, str) and re.fullmatch(r"PATCHBAY_[A-Z_]+[A-Z]", text)}
    return found


def test_every_setting_stands_in_the_table_and_nothing_else_does() -> None:
    of_the_class = {f"PATCHBAY_{name.upper()}" for name in Settings.model_fields}
    assert set(documented()) == of_the_class | read_by_name()


def test_the_table_tells_the_defaults() -> None:
    table = documented()
    for name, field in Settings.model_fields.items():
        told = table[f"PATCHBAY_{name.upper()}"].strip("`")
        if field.default is None:
            assert told == "–", name
        elif isinstance(field.default, str):
            assert told == field.default, name
        elif isinstance(field.default, int | float):
            assert float(told.replace(",", "")) == field.default, name
