"""An answer is repeated to whoever may have it: the same caller, of a role that suffices, and a secret not for long."""

from __future__ import annotations

from typing import Any

ENDPOINT, KEY = {"url": "https://8.8.8.8/told"}, {"Idempotency-Key": "k1"}
PATH = "/v1/webhook-endpoints"


async def test_a_repetition_says_nothing_to_a_key_of_less_rights(served: Any, admin: Any) -> None:
    made = await admin.post(PATH, json=ENDPOINT, headers=KEY)
    assert made.status_code == 201
    for role in ("viewer", "operator"):
        refused = await (await served.client(role=role)).post(PATH, json=ENDPOINT, headers=KEY)
        assert (refused.status_code, refused.json()["code"]) == (403, "auth.role")
        assert made.json()["secret"] not in refused.text


async def test_a_repetition_says_nothing_to_another_key_of_the_same_rights(served: Any, admin: Any) -> None:
    made = await admin.post(PATH, json=ENDPOINT, headers=KEY)
    refused = await (await served.client()).post(PATH, json=ENDPOINT, headers=KEY)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency.key_reused")
    assert made.json()["secret"] not in refused.text


async def test_a_secret_is_shown_again_only_while_its_answer_may_have_been_lost(
    served: Any, admin: Any, clock: Any
) -> None:
    made = await admin.post(PATH, json=ENDPOINT, headers=KEY)
    assert (await admin.post(PATH, json=ENDPOINT, headers=KEY)).text == made.text
    await admin.delete(f"{PATH}/{made.json()['id']}")
    clock.advance(minutes=11)
    later = await admin.post(PATH, json=ENDPOINT, headers=KEY)
    assert later.headers["idempotent-replayed"] == "true"
    assert later.json() == {**made.json(), "secret": None}


async def test_who_may_not_call_is_told_so_before_anything_is_read(served: Any) -> None:
    async def never_sent() -> Any:
        raise AssertionError("the body was read")
        yield b""

    anyone, viewer = await served.anonymous(), await served.client(role="viewer")
    for caller, status in ((anyone, 401), (viewer, 403)):
        answer = await caller.post("/v1/practices", content=never_sent(), headers={"Content-Type": "application/json"})
        assert answer.status_code == status
