"""`POST /v1/billing-codes/map`: marks, near ties, the practice's own list, and nobody else's."""

from __future__ import annotations

from typing import Any


async def asked(client: Any, **body: object) -> Any:
    return await client.post("/v1/billing-codes/map", json={"system": "dampsoft", "direction": "from_pms", **body})


async def test_codes_are_read_marked_and_left_alone_where_unknown(served: Any) -> None:
    viewer = await served.client("north", "viewer")
    codes = [{"code": "0010"}, {"code": "Ä1"}, {"code": "Ä1", "code_system": "GOÄ"}, {"code": "PZR"}, {"code": "Zst"}]
    answer = await asked(viewer, codes=codes)
    assert answer.status_code == 200, answer.text
    got = [(each["code"], each["code_system"], each["mark"]) for each in answer.json()["codes"]]
    assert got == [
        ("0010", "GOZ", "exact"), ("Ä1", None, "ambiguous"), ("1", "GOÄ", "normalised"), ("PZR", None, "unknown"),
        ("107", "BEMA", "by_table"),
    ]  # fmt: skip
    assert {each["code_system"] for each in answer.json()["codes"][1]["candidates"]} == {"GOÄ", "BEMA"}


async def test_the_day_counts_and_codes_are_written_as_the_system_does(served: Any) -> None:
    viewer = await served.client("north", "viewer")
    old = await asked(viewer, codes=[{"code": "13e", "code_system": "BEMA"}], on="2024-12-31")
    new = await asked(viewer, codes=[{"code": "13e", "code_system": "BEMA"}], on="2025-01-01")
    assert [each.json()["codes"][0]["mark"] for each in (old, new)] == ["exact", "not_valid_on"]
    out = await asked(viewer, codes=[{"code": "1", "code_system": "GOÄ"}], direction="to_pms")
    assert out.json()["codes"][0]["code"] == "Ä1"


async def test_what_cannot_be_asked_is_a_problem_document(served: Any, stock_practice: Any) -> None:
    viewer = await served.client("north", "viewer")
    assert (await asked(viewer, system="nobody", codes=[{"code": "01"}])).json()["code"] == "input.invalid"
    assert (await asked(viewer, codes=[{"code": "01"}], on="tomorrow")).status_code == 422
    theirs = await stock_practice(served, "south")
    other = await asked(viewer, codes=[{"code": "01"}], integration_id=theirs.integration)
    assert other.status_code == 404
