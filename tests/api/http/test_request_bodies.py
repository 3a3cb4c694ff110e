"""What a request brings is bounded before work is spent on it, and what is refused is told shortly."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

JSON = {"Content-Type": "application/json"}
PATH = "/v1/practices"


async def test_a_body_beyond_the_limit_is_refused_however_it_comes(served: Any, admin: Any) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b" " * 500_000

    streamed = await admin.post(PATH, content=endless(), headers=JSON)
    declared = await admin.post(PATH, content=b" " * 2_000_001, headers=JSON)
    for answer in (streamed, declared):
        assert (answer.status_code, answer.json()["code"]) == (413, "request.too_large")
        assert answer.headers["content-type"] == "application/problem+json"
    assert read == 5


async def test_a_catalogue_may_be_larger(admin: Any) -> None:
    body = {"code_system": "GOZ", "csv": "Ziffer;Text\n" + "2060;made up\n" * 200_000}
    answer = await admin.post("/v1/billing-codes/catalogues", json={**body, "code_system": "none such"})
    assert answer.status_code not in {413, 500}


@pytest.mark.parametrize(
    ("path", "body", "places"),
    [
        (PATH, {f"secret{each}": 1 for each in range(15_000)}, ["/body"]),
        (PATH, {"name": "Nord", **{f"secret{each}": 1 for each in range(50)}}, ["/body"]),
        ("/v1/alerts", {"version": "4", "alerts": [{}] * 15_000}, ["/body/alerts"]),
        ("/v1/alerts", {"version": "4", "alerts": [{}] * 12}, None),
    ],
)
async def test_many_mistakes_are_told_shortly_and_no_name_is_repeated(
    admin: Any, path: str, body: object, places: list[str] | None
) -> None:
    answer = await admin.post(path, json=body)
    errors = answer.json()["errors"]
    assert answer.status_code == 422
    assert len(answer.content) < 5_000
    assert "secret" not in answer.text
    if places is None:
        assert (len(errors), errors[-1]["detail"]) == (21, "and 4 more")
    else:
        assert [each["pointer"] for each in errors] == places


@pytest.mark.parametrize("body", [{f"secret{each}": 1 for each in range(100_000)}, [{}] * 100_000])
async def test_what_has_too_many_parts_is_not_looked_at(admin: Any, body: object) -> None:
    answer = await admin.post(PATH, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "request.unreadable")
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("body", "content_type", "status", "says"),
    [
        (b'{"name":x}', "application/json", 422, "at byte 8"),
        (b'{"\xc3\xbc":x}', "application/json", 422, "at byte 6"),
        (b'{"name":' + b"[" * 100_000, "application/json", 400, "nested too deeply"),
        (b'{"name":' + b"1" * 20_000 + b"}", "application/json", 400, "too many digits"),
        (b'{"name":"\xff"}', "application/json", 400, "no UTF-8"),
        (b'{"name":"Nord"}', "text/plain", 415, "not declared as JSON"),
    ],
)
async def test_what_is_no_json_is_told_so(admin: Any, body: bytes, content_type: str, status: int, says: str) -> None:
    answer = await admin.post(PATH, content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status
    assert says in answer.text
    assert answer.json()["detail"].endswith(".")
    assert [each["pointer"] for each in answer.json().get("errors", [])] == (["/body"] if status == 422 else [])
