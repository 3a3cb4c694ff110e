"""What people said of columns: listed by whose it is, taken back, and what follows."""

from __future__ import annotations

from typing import Any

SAID = {"system": "dampsoft", "source_table": "PATIENT", "source_column": "XQ7"}
SOURCE = {"system": "dampsoft", "tables": [{"name": "PATIENT", "columns": [{"name": "PATNR"}, {"name": "XQ7"}]}]}


async def say(admin: Any, field: str | None) -> None:
    corrected = {"target_table": "Patient", "target_column": field} if field else None
    assert (await admin.post("/v1/mappings/corrections", json={**SAID, "corrected": corrected})).status_code == 201


async def suggested(admin: Any) -> tuple[str, str]:
    lines = (await admin.post("/v1/mappings/suggest", json={"source": SOURCE})).json()["mappings"]
    line = next(each for each in lines if each["source_column"] == "XQ7")
    return line["decision"], line["candidates"][0]["target_column"]


async def test_a_word_that_is_taken_back_gives_way_to_the_one_before(admin: Any) -> None:
    await say(admin, "notes")
    await say(admin, "occupation")
    assert await suggested(admin) == ("accept", "occupation")
    latest, before = (await admin.get("/v1/mappings/corrections", params={"system": "dampsoft"})).json()["items"]
    assert (latest["target"], before["target"], latest["integration_id"]) == (
        "Patient.occupation",
        "Patient.notes",
        None,
    )
    assert (await admin.delete(f"/v1/mappings/corrections/{latest['id']}")).json() == {
        "id": latest["id"],
        "remapped": [],
    }
    assert await suggested(admin) == ("accept", "notes")
    assert (await admin.delete(f"/v1/mappings/corrections/{latest['id']}")).status_code == 404


async def test_the_list_goes_on_where_a_page_ended(admin: Any) -> None:
    for field in ("notes", None, "occupation"):
        await say(admin, field)
    first = (await admin.get("/v1/mappings/corrections", params={"limit": 2})).json()
    rest = (await admin.get("/v1/mappings/corrections", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [each["target"] for each in (*first["items"], *rest["items"])] == [
        "Patient.occupation",
        None,
        "Patient.notes",
    ]
    assert rest["next_cursor"] is None


async def test_what_is_no_number_is_not_found_and_no_fault(admin: Any) -> None:
    for wrong in ("x", "0", "-1", "99999999999999999999", "1.5", "١"):
        assert (await admin.delete(f"/v1/mappings/corrections/{wrong}")).status_code == 404
    assert (await admin.get("/v1/mappings/corrections", params={"cursor": "WyJ4Il0"})).status_code == 422


async def test_a_transform_that_cannot_run_is_refused_and_not_stored(admin: Any) -> None:
    corrected = {"target_table": "Patient", "target_column": "birth_date"}
    for wrong in (
        {"kind": "split", "pattern": "("}, {"kind": "unit", "factor": "1/0"}, {"kind": "datetime", "zone": "x" * 5000},
    ):  # fmt: skip
        refused = await admin.post(
            "/v1/mappings/corrections", json={**SAID, "corrected": corrected, "transform": wrong}
        )
        assert refused.status_code == 422
        assert "cannot run" in refused.json()["detail"]
    assert (await admin.get("/v1/mappings/corrections")).json()["items"] == []


async def test_a_system_that_nobody_described_learns_as_it_does_from_a_file(admin: Any) -> None:
    target = {"target_table": "Patient", "target_column": "occupation"}
    named = {"system": "acme_dent", "source_table": "PATIENT", "source_column": "XQ7", "corrected": target}
    assert (await admin.post("/v1/mappings/corrections", json=named)).status_code == 201
    lines = (await admin.post("/v1/mappings/suggest", json={"source": {**SOURCE, "system": "acme_dent"}})).json()[
        "mappings"
    ]
    best = next(each for each in lines if each["source_column"] == "XQ7")
    assert (best["decision"], best["candidates"][0]["target_column"]) == ("accept", "occupation")
    assert await suggested(admin) != ("accept", "occupation")
