"""A tiny path language: flat column names out of nested JSON, and nested JSON out of flat columns.

`a.b` steps into objects, `a[0]` takes an element, `a[type=mobile].number` the first element whose `type` is `mobile`,
`a[*].x` every element. `flatten` names each leaf by such a path (with numbers only), so a column name is itself a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from knowledge.errors import BadInput
from mappings.records import JsonValue

_STEP = re.compile(r"(?P<name>[^.\[\]]+)|\[(?P<index>\d+|\*)\]|\[(?P<key>[^=\[\]]+)=(?P<value>[^\[\]]*)\]")
DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Step:
    """One step: into an object (`name`), to an element (`index`, None for every one), or to those with `key` = `value`."""

    name: str | None = None
    index: int | None = None
    key: str | None = None
    value: str = ""

    def walk(self, node: object) -> Iterator[object]:
        """The nodes that the step leads to."""
        if self.name is not None:
            if isinstance(node, Mapping) and self.name in node:
                yield node[self.name]
            return
        if not isinstance(node, list):
            return
        if self.key is not None:
            wanted = [each for each in node if isinstance(each, Mapping) and _text(each.get(self.key)) == self.value]
            yield from wanted
        elif self.index is None:
            yield from node
        elif self.index < len(node):
            yield node[self.index]


@lru_cache(maxsize=4096)
def parse_path(text: str) -> tuple[Step, ...]:
    """The steps of a path; "" is the node itself. Raises `BadInput`."""
    steps: list[Step] = []
    at = 0
    while at < len(text):
        if steps and text[at] == "." and at + 1 < len(text) and text[at + 1] != "[":
            at += 1
        found = _STEP.match(text, at)
        if found is None:
            raise BadInput(f"path {text!r}", f"cannot be read at character {at + 1}.", "Write it like a.b[0].c.")
        index = found["index"]
        steps.append(
            Step(found["name"], int(index) if index and index != "*" else None, found["key"], found["value"] or "")
        )
        at = found.end()
    return tuple(steps)


def all_at(node: object, path: str) -> list[object]:
    """Every value that the path leads to, in order."""
    nodes = [node]
    for step in parse_path(path):
        nodes = [found for each in nodes for found in step.walk(each)]
    return nodes


def value_at(node: object, path: str) -> object:
    """The first value that the path leads to; None where it leads nowhere."""
    if "." not in path and "[" not in path and path:  # the usual case, a plain key
        return node.get(path) if isinstance(node, Mapping) else None
    return next(iter(all_at(node, path)), None)


def scalar_at(node: object, path: str) -> JsonValue:
    """The first scalar that the path leads to; objects and lists are None."""
    found = value_at(node, path)
    return found if isinstance(found, str | int | float | bool) else None


def flatten(record: Mapping[str, object]) -> dict[str, JsonValue]:
    """Every leaf of a record by its path. Empty objects and lists, and what lies deeper than 32 steps, have none."""
    if not any(isinstance(value, dict | list) for value in record.values()):
        return dict(record)  # type: ignore[arg-type]  # JSON's scalars, as just seen
    columns: dict[str, JsonValue] = {}
    for name, value in record.items():
        _flatten(name, value, columns, 1)
    return columns


def _flatten(path: str, node: object, columns: dict[str, JsonValue], depth: int) -> None:
    if depth > DEEPEST:
        return
    if isinstance(node, Mapping):
        for name, value in node.items():
            _flatten(f"{path}.{name}", value, columns, depth + 1)
    elif isinstance(node, list):
        for place, value in enumerate(node):
            _flatten(f"{path}[{place}]", value, columns, depth + 1)
    elif node is None or isinstance(node, str | int | float | bool):
        columns[path] = node


def nest(columns: Mapping[str, object]) -> dict[str, object]:
    """The nested object whose leaves stand at these paths: the way back for writes.

    A selector makes its own element: `phones[type=mobile].number` writes `{"type": "mobile", "number": …}`. Raises
    `BadInput` for `[*]`, which names no place.
    """
    body: dict[str, object] = {}
    for path, value in columns.items():
        steps = parse_path(path)
        if not steps or steps[0].name is None or any(each == Step() for each in steps):
            raise BadInput(f"path {path!r}", "names no place that could be written.", "Name an element.")
        node: object = body
        for step, after in pairwise(steps):
            node = _enter(node, step, {} if after.name is not None else [])
        _put(node, steps[-1], value)
    return body


def _enter(node: object, step: Step, fresh: object) -> object:
    """The child at a step, made where it is not there yet."""
    if isinstance(node, dict) and step.name is not None:
        return node.setdefault(step.name, fresh)
    assert isinstance(node, list)
    for place, each in enumerate(node):
        if place == step.index or (step.key and isinstance(each, dict) and _text(each.get(step.key)) == step.value):
            return each
    node.append({step.key: step.value} if step.key is not None else fresh)
    return node[-1]


def _put(node: object, step: Step, value: object) -> None:
    if isinstance(node, dict) and step.name is not None:
        node[step.name] = value
    elif isinstance(node, list):
        node.append(value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
