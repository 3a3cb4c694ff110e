"""Catalogues over HTTP: imported once, told row by row, listed by day, each tenant's own, and used by `map`. Texts are made up."""

from __future__ import annotations

from typing import Any

PATH = "/v1/billing-codes/catalogues"
CSV = "Ziffer;Leistungstext;Punktzahl;Bemerkung\n0010;Prüfung;100;x\nAbschnitt B;;;\n2060;Füllung;527;y\n"


def form(**more: object) -> dict[str, object]:
    return {"code_system": "GOZ", "file": "goz.csv", "valid_from": "2026-01-01", "csv": CSV, **more}


async def test_a_catalogue_is_imported_once_told_listed_used_and_removed(served: Any) -> None:
    operator, viewer = await served.client("north", "operator"), await served.client("north", "viewer")
    made = await operator.post(PATH, json=form(), headers={"Idempotency-Key": "k"})
    assert made.status_code == 201, made.text
    body = made.json()
    assert (body["name"], body["codes"], body["kept_out"], body["whole"], body["unused_columns"]) == (
        "goz", 2, 1, True, ["Bemerkung"],
    )  # fmt: skip
    assert [(each["line"], each["why"]) for each in body["remarks"]] == [(3, "no_form")]
    again = await operator.post(PATH, json=form())
    assert (again.status_code, again.json()["unchanged"], again.json()["id"]) == (200, True, body["id"])
    replayed = await operator.post(PATH, json=form(), headers={"Idempotency-Key": "k"})
    assert (replayed.status_code, replayed.headers["Idempotent-Replayed"]) == (201, "true")
    assert made.headers["Location"] == f"{PATH}/{body['id']}"
    assert [each["in_force"] for each in (await viewer.get(PATH, params={"code_system": "goz"})).json()["items"]] == [
        True
    ]
    assert not (await viewer.get(f"{PATH}/{body['id']}", params={"on": "2025-12-31"})).json()["in_force"]
    asked = {"system": "dampsoft", "direction": "from_pms", "codes": [{"code": "2060", "code_system": "GOZ"}]}
    (code,) = (await viewer.post("/v1/billing-codes/map", json=asked)).json()["codes"]
    assert (code["text"], code["points"], code["source"], code["listed"]) == ("Füllung", "527", "goz (goz.csv)", True)
    assert (await operator.delete(f"{PATH}/{body['id']}")).status_code == 204
    assert (await viewer.get(f"{PATH}/{body['id']}")).status_code == 404
    actions = [each.action for each in await (await served.stores.of("north")).audit.list()]
    assert actions == ["codes.imported", "codes.removed"]


async def test_lists_page_and_codes_come_in_the_order_of_the_file(served: Any) -> None:
    operator = await served.client("north", "operator")
    rows = [{"code": f"{number:04d}", "text": f"text {number}"} for number in (2060, 2070, 2080)]
    made = await operator.post(PATH, json=form(csv=None, rows=rows))
    assert made.status_code == 201, made.text
    await operator.post(PATH, json=form(code_system="CDT", csv="code,description\nD0120,x\n", file="cdt.csv"))
    codes, cursor = [], None
    while codes == [] or cursor:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await operator.get(f"{PATH}/{made.json()['id']}/codes", params=query)).json()
        codes += [each["code"] for each in page["items"]]
        cursor = page["next_cursor"]
    assert codes == ["2060", "2070", "2080"]
    first = (await operator.get(PATH, params={"limit": 1})).json()
    second = (await operator.get(PATH, params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert {each["items"][0]["code_system"] for each in (first, second)} == {"GOZ", "CDT"}
    assert second["next_cursor"] is None


async def test_what_cannot_be_imported_is_a_problem_document(served: Any) -> None:
    operator = await served.client("north", "operator")
    assert (await operator.post(PATH, json=form(rows=[{"code": "2060"}]))).json()["code"] == "input.invalid"
    assert (await operator.post(PATH, json=form(csv=None))).json()["code"] == "input.invalid"
    nothing = await operator.post(PATH, json=form(csv="Farbe;Form\nrot;rund\n"))
    assert (nothing.status_code, nothing.json()["code"]) == (422, "input.invalid")
    assert (await operator.post(PATH, json=form(columns={"colour": "x"}))).status_code == 422
    assert (await operator.post(PATH, json=form())).status_code == 201
    other = await operator.post(PATH, json=form(csv=CSV.replace("Füllung", "Anderes")))
    assert (other.status_code, other.json()["code"]) == (409, "input.contradicts")


async def test_another_tenants_catalogue_neither_shows_nor_decides(served: Any) -> None:
    south, north = await served.client("south", "operator"), await served.client("north", "operator")
    theirs = (await south.post(PATH, json=form())).json()["id"]
    assert (await north.get(PATH)).json()["items"] == []
    assert [
        (await north.request(verb, f"{PATH}/{theirs}{more}")).status_code
        for verb, more in (("GET", ""), ("GET", "/codes"), ("DELETE", ""))
    ] == [404, 404, 404]
    asked = {"system": "dampsoft", "direction": "from_pms", "codes": [{"code": "2070", "code_system": "GOZ"}]}
    marks = [
        (await each.post("/v1/billing-codes/map", json=asked)).json()["codes"][0]["mark"] for each in (north, south)
    ]
    assert marks == ["exact", "unknown"]
