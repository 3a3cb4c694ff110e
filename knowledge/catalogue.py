"""All manifests: loaded once, validated, an error names file and line."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import ValidationError

from knowledge.errors import KnowledgeInvalid
from knowledge.manifest import Manifest


@cache
def catalogue() -> dict[str, Manifest]:
    """Every manifest by its key, in order of key."""
    folder = files("knowledge") / "systems"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml"))
    manifests = [read_manifest(name, (folder / name).read_text(encoding="utf-8")) for name in names]
    return {manifest.key: manifest for manifest in manifests}


def manifest_of(system: str) -> Manifest:
    """The manifest of `system`; KeyError where there is none."""
    return catalogue()[system]


def read_manifest(file: str, text: str) -> Manifest:
    """Parse one manifest. Raises `KnowledgeInvalid` that names the line."""
    try:
        raw = yaml.load(
            text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        )  # ten times as fast, where it was built
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise KnowledgeInvalid(file, line, str(error.problem)) from error
    try:
        return Manifest.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise KnowledgeInvalid(file, line_of(text, first["loc"]), f"{place}: {first['msg']}") from error


def line_of(text: str, path: tuple[Any, ...]) -> int:
    """The line, counted from 1, at which the node of a validation path stands; the nearest parent's where it is missing."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    line = 1
    for step in path:
        if node is None:
            break
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if found is None:
                continue
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    return line
