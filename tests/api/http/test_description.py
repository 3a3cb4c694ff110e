"""The description of the service is OpenAPI 3.1, and every operation of it shows an example."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture
async def description(served: Any) -> dict[str, Any]:
    found: dict[str, Any] = (await (await served.anonymous()).get("/openapi.json")).json()
    return found


def operations(description: dict[str, Any]) -> Iterator[Operation]:
    for path, item in description["paths"].items():
        for verb, operation in item.items():
            yield verb, path, operation


def has_example(description: dict[str, Any], content: dict[str, Any]) -> bool:
    media = next(iter(content.values()))
    if "example" in media or "examples" in media:
        return True
    return shows(description, media.get("schema", {}))


def shows(description: dict[str, Any], schema: dict[str, Any]) -> bool:
    """Whether a schema, or what it lists or refers to, has an example."""
    if "$ref" in schema and "examples" not in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "examples" in schema:
        return True
    parts = [*schema.get("anyOf", ())]
    items = schema.get("properties", {}).get("items", {}).get("items")
    return any(shows(description, each) for each in [*parts, *([items] if items else [])])


async def test_every_operation_shows_what_it_takes_and_what_it_answers(description: dict[str, Any]) -> None:
    lacking = []
    for verb, path, operation in operations(description):
        good = next(answer for status, answer in sorted(operation["responses"].items()) if status.startswith("2"))
        if "content" in good and not has_example(description, good["content"]):
            lacking.append(f"{verb} {path}: answer")
        if "requestBody" in operation and not has_example(description, operation["requestBody"]["content"]):
            lacking.append(f"{verb} {path}: request")
    assert lacking == []


async def test_every_operation_is_described_in_words_and_wants_a_key(description: dict[str, Any]) -> None:
    assert description["openapi"].startswith("3.1")
    for verb, path, operation in operations(description):
        assert operation.get("description"), f"{verb} {path}"
        assert path.startswith("/v1/") == bool(operation.get("security")), f"{verb} {path}"


async def test_operation_ids_are_unique(description: dict[str, Any]) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(description)]
    assert len(set(ids)) == len(ids)
