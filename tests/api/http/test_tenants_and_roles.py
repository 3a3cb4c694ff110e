"""Nobody reaches another tenant's rows by any operation, and nobody writes with a key that may only look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from api.app import create_app
from mappings.schema import Correction
from tools.code_catalogues import CatalogueAsked, import_file

WRITES = frozenset({"post", "put", "patch", "delete"})
# Operations that change nothing although they are posted.
ASKS = frozenset({"/v1/billing-codes/map", "/v1/mappings/suggest"})


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    description = create_app().openapi()
    for path, item in description["paths"].items():
        for verb, operation in item.items():
            if path.startswith("/v1/"):
                yield verb, path, resolved(description, operation)


def resolved(description: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """The operation's own example body, None where it takes none."""
    media = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return {"body": example(description, media["schema"]) if media else None, "query": needed(operation)}


def needed(operation: dict[str, Any]) -> dict[str, str]:
    required = [each for each in operation.get("parameters", []) if each["in"] == "query" and each.get("required")]
    return {each["name"]: "2026-12-01" for each in required}


def example(description: dict[str, Any], schema: dict[str, Any]) -> Any:
    if "examples" not in schema and "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "examples" in schema:
        return schema["examples"][0]
    return next(example(description, each) for each in schema["anyOf"])


async def ids_of(served: Any, theirs: Any) -> dict[str, str]:
    """Ids of everything that the other tenant has, by the name that paths give them."""
    store = await served.stores.of(theirs.tenant)
    thread = await store.threads.create("https://praxis.example/", id="thr_theirs")
    incident = await store.incidents.open(theirs.integration, "net.refused")
    endpoint, _ = await store.webhooks.create("https://vendor.example/", None)
    asked = CatalogueAsked("GOZ", "theirs.csv")
    catalogue = (
        await import_file(store, asked, b"Ziffer;Text\n2070;made up\n", "theirs", date(2026, 11, 21))
    ).catalogue
    await store.corrections.add("x", Correction(system="x", source_table="T", source_column="C", target=None))
    said = (await store.corrections.entries())[0]
    run = (await store.runs.list(theirs.integration))[0]
    letter = (await store.dead_letters.list(theirs.integration))[0]
    return {
        "practice_id": theirs.practice, "integration_id": theirs.integration, "run_id": run.id, "letter_id": letter.id,
        "incident_id": incident.id, "thread_id": thread.id, "endpoint_id": endpoint.id, "record_id": "1",
        "catalogue_id": catalogue.id, "correction_id": str(said.number),
    }  # fmt: skip


async def test_no_operation_shows_or_changes_what_another_tenant_has(served: Any, stock_practice: Any) -> None:
    theirs = await stock_practice(served, "south")
    ids = await ids_of(served, theirs)
    north = await served.client("north")
    before = await snapshot(served, theirs)
    tried = []
    for verb, path, asked in operations():
        names = re.findall(r"{(\w+)}", path)
        if not names:
            continue
        assert set(names) <= ids.keys(), f"{path}: name its ids here"
        address = path.format(**ids)
        answer = await north.request(verb.upper(), address, json=asked["body"], params=asked["query"])
        assert answer.status_code == 404, f"{verb} {address}: {answer.status_code} {answer.text}"
        tried.append(path)
    assert len(tried) > 40
    for path in (
        "billing-codes/catalogues",
        "practices",
        "integrations",
        "incidents",
        "questions",
        "onboarding/threads",
        "webhook-endpoints",
    ):
        assert (await north.get(f"/v1/{path}")).json()["items"] == []
    assert (await north.get("/v1/incidents", params={"integration_id": theirs.integration})).json()["items"] == []
    assert await snapshot(served, theirs) == before


async def snapshot(served: Any, theirs: Any) -> list[object]:
    store = await served.stores.of(theirs.tenant)
    return [
        await store.practices.list(), await store.integrations.list(), await store.streams.list(theirs.integration),
        await store.incidents.list(), await store.mappings.latest(theirs.integration), await store.threads.list(),
        await store.code_catalogues.list(),
    ]  # fmt: skip


async def test_no_write_is_allowed_to_a_key_that_may_only_look(served: Any, stocked: Any) -> None:
    ids = await ids_of(served, stocked)
    viewer = await served.client("north", "viewer")
    before = await snapshot(served, stocked)
    for verb, path, asked in operations():
        if verb in WRITES and path not in ASKS:
            answer = await viewer.request(verb.upper(), path.format(**ids), json=asked["body"], params=asked["query"])
            assert (answer.status_code, answer.json()["code"]) == (403, "auth.role"), f"{verb} {path}: {answer.text}"
    assert await snapshot(served, stocked) == before


async def test_what_only_an_admin_may_do_an_operator_may_not(served: Any, stocked: Any) -> None:
    operator = await served.client("north", "operator")
    for verb, path in (("GET", "/v1/audit"), ("DELETE", f"/v1/integrations/{stocked.integration}"),
                       ("GET", "/v1/webhook-endpoints")):  # fmt: skip
        assert (await operator.request(verb, path)).json()["code"] == "auth.role"


async def test_without_a_key_every_operation_is_closed(served: Any) -> None:
    anyone = await served.anonymous()
    for verb, path, asked in operations():
        address = re.sub(r"{\w+}", "x", path)
        answer = await anyone.request(verb.upper(), address, json=asked["body"], params=asked["query"])
        assert answer.status_code == 401, f"{verb} {path}"
