"""The skeleton of the service: who may call, what a failure looks like, and whether it lives."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request

from api.idempotency import id_for
from api.problems import problem_of
from api.routes.onboarding import ThreadForm
from knowledge.errors import PatchbayError
from tools.errors import StorageFull
from tools.store.errors import StoreDamaged
from tools.store.holders import process_holder
from tools.store.open import open_stores


@pytest.mark.parametrize(
    "error", [StorageFull("/srv/home", "no space left on device"), StoreDamaged("/srv/home/x.db", "cut")]
)
def test_a_store_that_fails_is_no_fault_of_the_practice_and_names_no_path(error: PatchbayError) -> None:
    answer = problem_of(error)
    assert answer.status_code == 503
    assert b"/srv" not in bytes(answer.body)
    assert (b"patchbay restore" in bytes(answer.body)) == (error.code == "store.damaged")


async def test_health_and_description_need_no_key(served: Any) -> None:
    anyone = await served.anonymous()
    assert (await anyone.get("/healthz")).json() == {"status": "ok"}
    ready = await anyone.get("/readyz")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "checks": {"database": "ok"}})
    assert (await anyone.get("/openapi.json")).json()["openapi"].startswith("3.1")


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer nonsense", "Bearer pbk_0_0", "Basic dXNlcjpwYXNz"])
async def test_without_a_good_key_nothing_opens(served: Any, header: str | None) -> None:
    anyone = await served.anonymous(**({"Authorization": header} if header else {}))
    refused = await anyone.get("/v1/practices")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] in {"auth.missing", "auth.unknown"}


async def test_a_revoked_or_expired_key_opens_nothing(served: Any, clock: Any) -> None:
    store = await served.stores.of("north")
    key, token = await store.api_keys.create("viewer", expires_at=clock() + timedelta(hours=1))
    caller = await served.anonymous(Authorization=f"Bearer {token}")
    assert (await caller.get("/v1/practices")).status_code == 200
    clock.advance(hours=2)
    assert (await caller.get("/v1/practices")).json()["code"] == "auth.unknown"
    clock.advance(hours=-2)
    await store.api_keys.revoke(key.id)
    assert (await caller.get("/v1/practices")).status_code == 401


async def test_a_key_is_kept_as_a_digest_only(served: Any) -> None:
    _, token = await (await served.stores.of("north")).api_keys.create("viewer")
    async with served.stores._database.reading() as connection:
        rows = (await connection.exec_driver_sql("SELECT * FROM api_keys")).all()
    assert token.split("_", 2)[2] not in repr(rows)


async def test_what_is_wrong_with_a_request_is_said_by_place_and_never_quoted(served: Any, admin: Any) -> None:
    answer = await admin.post("/v1/practices", json={"name": 7, "country": "Deutschland-Geheim", "nonsense": 1})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert {each["pointer"] for each in problem["errors"]} == {"/body/name", "/body/country", "/body"}
    assert problem["mend"]
    assert "Geheim" not in answer.text
    assert "nonsense" not in answer.text


async def test_what_is_not_there_is_a_problem_with_a_mend(served: Any, admin: Any) -> None:
    for answer in (await admin.get("/v1/practices/prc_x"), await admin.get("/nothing"), await admin.put("/healthz")):
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["status"] == answer.status_code in {404, 405}
        assert problem["type"] == f"urn:patchbay:problem:{problem['code']}"
        assert problem["cause"]
        assert problem["mend"]


async def test_practices_are_made_changed_and_listed_page_by_page(served: Any, admin: Any) -> None:
    made = []
    for number in range(5):
        body = {"name": f"Praxis {number}", "country": "DE", "time_zone": "Europe/Berlin", "currency": "EUR"}
        answer = await admin.post("/v1/practices", json=body)
        assert answer.status_code == 201, answer.text
        assert (await admin.get(answer.headers["location"])).json() == answer.json()
        made.append(answer.json())
    changed = await admin.patch(f"/v1/practices/{made[0]['id']}", json={"time_zone": "Europe/Vienna"})
    assert changed.json() == {**made[0], "time_zone": "Europe/Vienna"}
    found, cursor = [], None
    while True:
        page = (await admin.get("/v1/practices", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        found += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(each["id"] for each in found) == sorted(each["id"] for each in made)
    assert (await admin.get("/v1/practices", params={"cursor": "made-up"})).status_code == 422


async def test_the_same_key_and_body_act_once_and_answer_the_same(served: Any, admin: Any) -> None:
    key = {"Idempotency-Key": "b5f1"}
    answers = await asyncio.gather(
        *(admin.post("/v1/practices", json={"name": "Praxis Nord"}, headers=key) for _ in range(6))
    )
    assert {each.status_code for each in answers} == {201}
    assert len({each.text for each in answers}) == 1
    assert sum(each.headers.get("idempotent-replayed") == "true" for each in answers) == 5
    assert len((await admin.get("/v1/practices")).json()["items"]) == 1
    other = await admin.post("/v1/practices", json={"name": "Praxis Süd"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency.key_reused")


async def test_a_request_whose_answer_was_lost_by_a_crash_makes_nothing_twice(served: Any, admin: Any) -> None:
    asked: list[tuple[str, dict[str, object]]] = [
        ("/v1/practices", {"name": "Praxis Nord"}),
        ("/v1/onboarding/threads", {"language": "de"}),
        ("/v1/webhook-endpoints", {"url": "https://8.8.8.8/told"}),
    ]
    for path, body in asked:
        first = await admin.post(path, json=body, headers={"Idempotency-Key": "f9"})
        assert first.status_code == 201, first.text
        await forget_answers(served)
        again = await admin.post(path, json=body, headers={"Idempotency-Key": "f9"})
        assert (again.status_code, again.json()) == (201, first.json())
        assert len((await admin.get(path)).json()["items"]) == 1
        await forget_answers(served)
        other = await admin.post(path, json=body, headers={"Idempotency-Key": "g1"})
        assert other.json()["id"] != first.json()["id"]


async def test_an_id_says_nothing_of_the_request_to_who_lacks_the_tenants_key(
    sqlite_settings: Any, sqlite_template: Path, tmp_path: Path
) -> None:
    """A request may hold a login: who knows the rest of it must not be able to try logins until the id comes out."""
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    shutil.copy(sqlite_template, other / "patchbay.db")
    scope = {"type": "http", "path": "/v1/integrations", "headers": [(b"idempotency-key", b"f9")], "query_string": b""}
    body, made = ThreadForm(language="de"), list[str]()
    for settings in (sqlite_settings, sqlite_settings.model_copy(update={"home": other})):
        async with open_stores(settings) as stores:
            keys = (await stores.of("north")).idempotency
            made += [id_for(Request(scope), keys, "thr", body) for _ in range(2)]
    assert made[0] == made[1] != made[2] == made[3]


async def forget_answers(served: Any) -> None:
    """As if the process had died when its work was done and before it kept its answer."""
    async with served.stores._database.writing() as connection:
        await connection.exec_driver_sql("DELETE FROM idempotency_keys")


async def test_the_key_of_a_process_that_died_is_free_at_once(served: Any) -> None:
    keys = (await served.stores.of("north")).idempotency
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tools.store.idempotency.process_holder", lambda: holder_of_a_dead_process())
        assert (await keys.claim("e8", b"asked", 60)).state == "ours"
    assert (await keys.claim("e8", b"asked", 60)).state == "ours"
    assert (await keys.claim("e8", b"asked", 60)).state == "busy"


def holder_of_a_dead_process() -> str:
    machine, _, rest = process_holder().partition("/")
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    return f"{machine}/{dead.pid}/{rest.partition('/')[2]}"


async def test_a_refused_request_leaves_its_key_free(served: Any, admin: Any) -> None:
    key = {"Idempotency-Key": "c6"}
    assert (await admin.post("/v1/practices", json={"name": ""}, headers=key)).status_code == 422
    assert (await admin.post("/v1/practices", json={"name": "Praxis Nord"}, headers=key)).status_code == 201


async def test_the_key_of_one_tenant_says_nothing_to_another(served: Any, admin: Any) -> None:
    south = await served.client("south")
    key = {"Idempotency-Key": "d7"}
    first = await admin.post("/v1/practices", json={"name": "Nord"}, headers=key)
    second = await south.post("/v1/practices", json={"name": "Süd"}, headers=key)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
