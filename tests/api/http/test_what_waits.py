"""What a front end asks: who its key is, what waits for a person, what an incident means, what columns look like."""

from __future__ import annotations

from typing import Any

from tools.store.models import Question


async def ask(served: Any, id_: str, owner: str, tenant: str = "north") -> None:
    store = await served.stores.of(tenant)
    text = {"en": "Which one?", "de": "Welche?"}
    await store.questions.ask(Question(id=id_, thread_id=owner, kind="system", text=text, options=("a", "b")))


async def test_a_key_is_told_whose_it_is(served: Any) -> None:
    viewer = await served.client("north", "viewer")
    assert (await viewer.get("/v1/caller")).json() == {"tenant": "north", "role": "viewer"}


async def test_what_is_still_being_onboarded_is_no_integration_in_the_summary(served: Any, admin: Any) -> None:
    store = await served.stores.of("north")
    practice = await store.practices.create("Praxis Nord")
    for system, state in (("dentrix", "live"), ("dampsoft", "onboarding")):
        await store.integrations.create(
            practice_id=practice.id, system=system, method="rest", address=f"https://{system}.example/", state=state
        )
    summary = (await admin.get("/v1/health/summary")).json()
    assert (summary["integrations"], summary["onboarding"]) == ({"ok": 1}, 1)


async def test_questions_of_conversations_and_incidents_stand_in_one_list(served: Any, admin: Any) -> None:
    for id_, owner in (("q_1", "thr_a"), ("q_2", "inc_b"), ("q_3", "thr_a")):
        await ask(served, id_, owner)
    await ask(served, "q_4", "thr_s", "south")
    await (await served.stores.of("north")).questions.answer("q_3", "a")
    listed = (await admin.get("/v1/questions")).json()["items"]
    assert [(each["id"], each["thread_id"], each["incident_id"]) for each in listed] == [
        ("q_1", "thr_a", None), ("q_2", None, "inc_b"),
    ]  # fmt: skip
    answered = (await admin.get("/v1/questions", params={"status": "answered"})).json()["items"]
    assert [each["id"] for each in answered] == ["q_3"]


async def test_the_list_of_questions_goes_on_where_a_page_ended(served: Any, admin: Any) -> None:
    for number in range(5):
        await ask(served, f"q_{number}", "thr_a")
    seen, cursor = [], None
    while True:
        page = (await admin.get("/v1/questions", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"q_{number}" for number in range(5)]


async def test_an_incident_says_its_cause_and_what_helps_in_both_languages(
    served: Any, admin: Any, stocked: Any
) -> None:
    store = await served.stores.of("north")
    known = await store.incidents.open(stocked.integration, "auth.credentials_rejected")
    unknown = await store.incidents.open(stocked.integration, "unknown")
    details = (await admin.get(f"/v1/incidents/{known.id}")).json()
    assert details["title"] == {"en": "The credentials are refused", "de": "Die Zugangsdaten werden abgelehnt"}
    assert details["guidance"].keys() == {"en", "de"}
    assert (await admin.get(f"/v1/incidents/{unknown.id}")).json()["title"] is None


async def test_what_speaks_for_a_cause_is_said_in_both_languages_and_an_old_reason_stays_readable(
    served: Any, admin: Any, stocked: Any
) -> None:
    store = await served.stores.of("north")
    incident = await store.incidents.open(stocked.integration, "net.refused")
    assert (await admin.get(f"/v1/incidents/{incident.id}")).json()["supporting"] == []
    older = {"kind": "diagnosis", "supporting": ["the login works"], "contradicting": []}
    last = {"kind": "diagnosis", "supporting": ["a new connection is refused at once", "worded otherwise then"],
            "contradicting": ["the last run failed by it; it works again"]}  # fmt: skip
    await store.incidents.update(incident.id, evidence=[older, last])
    details = (await admin.get(f"/v1/incidents/{incident.id}")).json()
    assert details["supporting"] == [
        {"en": "a new connection is refused at once", "de": "eine neue Verbindung wird sofort verweigert"},
        {"en": "worded otherwise then"},
    ]
    assert [each["de"] for each in details["contradicting"]] == ["der letzte Lauf scheiterte daran; es geht wieder"]
    assert details["evidence"] == [older, last]


async def test_an_incident_helps_with_what_was_said_when_it_was_looked_into(
    served: Any, admin: Any, stocked: Any
) -> None:
    """The runbook's general words would leave out that we have stopped trying, and may have changed since."""
    store = await served.stores.of("north")
    given_up = await store.incidents.open(stocked.integration, "schema.column_renamed")
    said = {"en": "We have stopped trying.", "de": "Wir versuchen es nicht mehr."}
    await store.incidents.update(given_up.id, plan={"remedy": None, "risk": "human", "guidance": said})
    assert (await admin.get(f"/v1/incidents/{given_up.id}")).json()["guidance"] == said
    alerted = {"en": "An alert still fires.", "de": "Eine Meldung ist noch aktiv."}
    await store.incidents.update(given_up.id, outcome={"status": "guided", "sentence": "", "guidance": alerted})
    assert (await admin.get(f"/v1/incidents/{given_up.id}")).json()["guidance"] == alerted
    await store.incidents.update(given_up.id, plan={"remedy": "rename_column"}, outcome={"status": "healed"})
    assert "Spalte" in (await admin.get(f"/v1/incidents/{given_up.id}")).json()["guidance"]["de"]


async def test_a_mapping_is_shown_with_shapes_and_never_with_values(served: Any, admin: Any, stocked: Any) -> None:
    store = await served.stores.of("north")
    columns = [{"name": "lastName", "samples": ["Müller", "Koch"]}, {"name": "empty"}]
    schema = {"name": "x", "tables": [{"name": "patients", "columns": columns}]}
    await store.artifacts.put(stocked.integration, "schema", schema)
    path = f"/v1/integrations/{stocked.integration}/mapping"
    assert (await admin.get(path)).json()["shapes"] is None  # they cost the whole schema to open
    shown = await admin.get(path, params={"shapes": "true"})
    assert shown.json()["shapes"] == {"patients.lastName": ["Xxxxxx", "Xxxx"]}
    assert "Müller" not in shown.text
