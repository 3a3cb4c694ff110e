"""Whatever a caller sends, the service answers as its description says, and never by a fault of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from starlette.testclient import TestClient

from agents.context import AgentContext
from agents.conversation import open_thread
from api.app import create_app
from mappings.schema import Correction
from tools.code_catalogues import CatalogueAsked, import_file
from tools.store.open import open_stores

EXAMPLES = 8
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
# These reach out to systems; what may be named there is refused before anything is sent, since no network is allowed.
SETTINGS = hypothesis.settings(
    max_examples=EXAMPLES, derandomize=True, deadline=None, database=None,
    suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)  # fmt: skip


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Any, stock_practice: Any
) -> Iterator[tuple[Any, str, dict[str, str]]]:
    """The application with a stocked tenant, a key of it, and the ids of what it has."""
    import shutil

    from tools.store.settings import Settings

    home = tmp_path_factory.mktemp("home")
    shutil.copy(sqlite_template, home / "patchbay.db")
    settings = Settings(home=home, database_url=None, key=None)

    async def stocked() -> tuple[str, dict[str, str]]:
        async with open_stores(settings) as stores:
            store = await stores.of("north")
            has = await stock_practice(SimpleNamespace(stores=stores))
            endpoint, _ = await store.webhooks.create("https://vendor.example/", None)
            asked = CatalogueAsked("GOZ", "goz.csv")
            listed = await import_file(store, asked, b"Ziffer;Text\n2060;made up\n", "test", date(2026, 11, 21))
            await store.corrections.add("x", Correction(system="x", source_table="T", source_column="C", target=None))
            ids = {
                "practice_id": has.practice, "integration_id": has.integration, "endpoint_id": endpoint.id,
                "run_id": (await store.runs.list(has.integration))[0].id,
                "letter_id": (await store.dead_letters.list(has.integration))[0].id,
                "incident_id": (await store.incidents.open(has.integration, "net.refused")).id,
                "thread_id": (await open_thread(AgentContext(store))).id, "catalogue_id": listed.catalogue.id,
                "correction_id": str((await store.corrections.entries())[0].number),
            }  # fmt: skip
            return (await store.api_keys.create("admin"))[1], ids

    token, ids = asyncio.run(stocked())
    app = create_app(settings)
    with TestClient(app, raise_server_exceptions=False):
        yield app, token, ids


def test_nothing_that_is_sent_makes_the_service_fail(running: tuple[Any, str, dict[str, str]]) -> None:
    app, token, ids = running
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    tried = []
    for result in schema.get_all_operations():
        operation = result.ok()

        @SETTINGS
        @hypothesis.given(case=operation.as_strategy())
        def exercise(case: Any) -> None:
            if case.method != "DELETE":  # what is deleted could not be exercised any more
                case.path_parameters = {
                    name: ids.get(name, made) for name, made in (case.path_parameters or {}).items()
                }
            answer = case.call(headers={"Authorization": f"Bearer {token}"})
            case.validate_response(answer, checks=CHECKS)

        exercise()
        tried.append(operation.label)
    assert len(tried) > 60
