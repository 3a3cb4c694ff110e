"""Root causes weighed against the evidence: what speaks for one, what against, and when nothing is sure enough."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from agents.heal_planning import SURE, diagnosed, guidance_for, planned
from agents.heal_states import Diagnosis, LostColumn, OtherDatabase
from evals.suites.healing_cases import CASES
from knowledge.runbooks import in_both_languages, runbooks
from tools.diagnosis.evidence import Evidence
from tools.diagnosis.posterior import weigh

BOOKS = runbooks()
# Codes that are no state of an integration: answers to one call of ours, or what a read is never judged by.
NO_ROOT_CAUSE = {
    "operation.unsupported", "write.refused", "write.unconfirmed", "db.read_only", "sync.busy", "integration.unknown",
}  # fmt: skip


def best(**facts: str) -> str:
    found = weigh({name.replace("__", "."): value for name, value in facts.items()}, BOOKS)[0]
    return found.code if found.probability >= SURE else "unknown"


def test_probabilities_sum_to_one_and_nothing_known_is_unknown() -> None:
    weighed = weigh({}, BOOKS)
    assert sum(each.probability for each in weighed) == pytest.approx(1.0)
    assert weighed[0].code == "unknown"


LOOK_ALIKES = [
    # a refused port is no refused login, and the other way round
    ({"probe__connection": "net.refused", "run__code": "net.refused"}, "net.refused"),
    ({"probe__connection": "net.refused", "run__code": "auth.credentials_rejected"}, "net.refused"),
    ({"probe__connection": "auth.credentials_rejected", "run__code": "net.refused"}, "auth.credentials_rejected"),
    # one resource refused while the login works is a right, not a login
    ({"probe__connection": "ok", "probe__stream": "auth.forbidden", "run__code": "auth.forbidden"}, "auth.forbidden"),
    # a column that is gone: with a successor, with several, with too little told, with none
    ({"probe__connection": "ok", "run__code": "schema.column_renamed", "schema__missing": "t.a",
      "schema__renamed": "t.a -> b"}, "schema.column_renamed"),
    ({"probe__connection": "ok", "run__code": "schema.column_renamed", "schema__missing": "t.a",
      "schema__lookalikes": "t.a -> b or c"}, "schema.column_renamed"),
    ({"probe__connection": "ok", "run__code": "schema.column_renamed", "schema__missing": "t.a",
      "schema__thin": "t.a (3 rows)"}, "schema.column_renamed"),
    ({"probe__connection": "ok", "run__code": "schema.column_renamed", "schema__missing": "t.a"},
     "schema.column_removed"),
    ({"probe__connection": "ok", "run__code": "schema.column_renamed", "schema__table": "t"}, "schema.column_removed"),
    # a file that does not end yet, and one that never will
    ({"probe__connection": "ok", "folder__waiting": "A.gdt"}, "data.partial_file"),
    ({"probe__connection": "ok", "dead__code": "data.truncated_file"}, "data.truncated_file"),
    ({"probe__connection": "ok", "folder__waiting": "A.gdt", "dead__code": "data.truncated_file"},
     "data.truncated_file"),
    # nothing at all, and too little
    ({"probe__connection": "ok", "run__code": "data.silent_zero", "source__empty": "t"}, "data.silent_zero"),
    ({"probe__connection": "ok", "run__code": "data.mass_delete", "source__empty": "held"}, "data.mass_delete"),
    # a web page is neither an outage nor an empty answer
    ({"probe__connection": "net.proxy_interference", "run__code": "upstream.down"}, "net.proxy_interference"),
    # a code that nobody described
    ({"probe__connection": "moon.full", "run__code": "moon.full"}, "unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "cause"), LOOK_ALIKES)
def test_look_alikes_are_told_apart(facts: dict[str, str], cause: str) -> None:
    assert best(**facts) == cause


@pytest.mark.parametrize("code", sorted(set(BOOKS) - {"self.healing_ineffective"}))
def test_a_cause_that_has_passed_is_still_named(code: str) -> None:
    evidence = Evidence({"probe.connection": "ok", "run.code": code, "passed": code}, ("patients",))
    diagnosis = diagnosed(evidence, BOOKS, "")
    assert diagnosis.root_cause == code
    assert planned(diagnosis, BOOKS, 0, "p").remedy == "sync_again"


def test_quiet_evidence_is_no_fault() -> None:
    diagnosis = diagnosed(Evidence({"probe.connection": "ok"}), BOOKS, "")
    assert diagnosis.root_cause == "none"
    assert diagnosis.probability > 0.9


# -- from the cause to a plan --------------------------------------------------------------------------------------------


def lost(verdict: str, *, structural: bool = False) -> LostColumn:
    return LostColumn.model_validate(
        {"table": "t", "column": "a", "structural": structural, "verdict": verdict, "successor": "b", "overlap": 0.95}
    )


@pytest.mark.parametrize(
    ("columns", "remedy", "risk"),
    [
        ([lost("followed")], "rename_column", "safe"),
        ([lost("proposed")], "rename_column", "guarded"),
        ([lost("followed"), lost("proposed")], "rename_column", "guarded"),
        ([lost("lookalikes")], None, "human"),
        ([lost("thin")], None, "human"),
        ([lost("followed"), lost("gone")], None, "human"),
        ([lost("followed", structural=True)], None, "human"),
        ([], None, "human"),
    ],
)
def test_a_rename_is_followed_only_as_far_as_the_values_bear_it(
    columns: list[LostColumn], remedy: str | None, risk: str
) -> None:
    works = {"probe.connection": "ok"}
    diagnosis = Diagnosis(root_cause="schema.column_renamed", probability=0.9, lost=tuple(columns), facts=works)
    plan = planned(diagnosis, BOOKS, 0, "p")
    assert (plan.remedy, plan.risk) == (remedy, risk)
    refused = diagnosis.model_copy(update={"facts": {"probe.connection": "auth.credentials_rejected"}})
    assert planned(refused, BOOKS, 0, "p").remedy is None  # its canary sync would send the refused login again


@pytest.mark.parametrize(
    ("facts", "tries", "remedy", "rows"),
    [
        ({"probe.page": "net.timeout", "page.rows": "100"}, 0, "smaller_pages", 10),
        ({"probe.page": "slow", "page.rows": "1000"}, 1, "smaller_pages", 100),
        ({"probe.page": "slow", "page.rows": "1000"}, 2, "wait_for_return", None),
        ({"probe.page": "net.timeout", "page.rows": "10"}, 0, "wait_for_return", None),
        ({"probe.slow": "about 2 s a call", "page.rows": "100"}, 0, "wait_for_return", None),
        ({}, 0, "wait_for_return", None),
    ],
)
def test_pages_become_smaller_only_where_single_rows_come_at_once(
    facts: dict[str, str], tries: int, remedy: str, rows: int | None
) -> None:
    seen = {"probe.connection": "ok", **facts}
    plan = planned(Diagnosis(root_cause="upstream.slow", probability=0.9, facts=seen), BOOKS, tries, "p")
    assert (plan.remedy, plan.risk, plan.page_rows) == (remedy, "safe", rows)


@pytest.mark.parametrize(("found", "remedy"), [(0, None), (1, "use_database"), (2, None)])
def test_another_database_is_proposed_only_where_exactly_one_holds_our_rows(found: int, remedy: str | None) -> None:
    there = tuple(OtherDatabase(name=f"d{n}", address=f"x{n}", overlap=1.0, rows=40) for n in range(found))
    plan = planned(Diagnosis(root_cause="config.wrong_database", probability=0.9, databases=there), BOOKS, 0, "p")
    assert plan.remedy == remedy
    assert plan.risk == ("guarded" if remedy else "human")


def test_a_third_try_is_a_persons() -> None:
    works = {"probe.connection": "ok"}
    diagnosis = Diagnosis(root_cause="schema.column_renamed", probability=0.9, lost=(lost("followed"),), facts=works)
    assert planned(diagnosis, BOOKS, 1, "p").remedy == "rename_column"
    third = planned(diagnosis, BOOKS, 2, "p")
    assert (third.remedy, third.escalated) == (None, "self.healing_ineffective")
    assert "not tried again" in third.guidance["en"]


# -- the book itself -----------------------------------------------------------------------------------------------------


def test_nothing_that_faults_forbids_is_ever_automatic() -> None:
    by_hand = {"auth.credentials_rejected", "auth.forbidden", "tls.untrusted", "tls.certificate_expired",
               "config.endpoint_moved", "schema.column_removed", "data.silent_zero", "data.mass_delete",
               "data.truncated_file", "data.encoding", "file.permission"}  # fmt: skip
    assert {code for code in by_hand if BOOKS[code].remedy is not None} == set()
    assert {code for code, book in BOOKS.items() if book.remedy is None and book.risk != "human"} == set()
    assert BOOKS["config.wrong_database"].risk == "guarded"


def test_every_runbook_speaks_both_languages() -> None:
    assert {code for code, book in BOOKS.items() if not {"en", "de"} == set(book.guidance) == set(book.title)} == set()


@pytest.mark.parametrize("cause", [*BOOKS, "unknown", "a.code_without_a_runbook"])
def test_every_cause_that_can_be_named_has_guidance_in_both_languages(cause: str) -> None:
    plan = planned(Diagnosis(root_cause=cause, probability=0.9), BOOKS, 0, "p")
    assert plan.guidance.keys() == {"en", "de"}
    assert min(map(len, plan.guidance.values())) > 40
    assert plan.guidance["en"] != plan.guidance["de"]
    assert guidance_for(Diagnosis(root_cause=cause, probability=0.9), plan)
    unsaid = plan.model_copy(update={"guidance": {}})  # as a checkpoint of an earlier version holds it
    assert min(map(len, guidance_for(Diagnosis(root_cause=cause, probability=0.9), unsaid).values())) > 40


def test_every_cause_that_the_suites_inject_and_every_anomaly_has_a_runbook() -> None:
    anomalies = {"upstream.slow", "data.volume_drop", "data.rejected_rows", "queue.backlog"}
    assert {each.root_cause for each in CASES} | anomalies <= BOOKS.keys()


@pytest.mark.parametrize(
    "code", ["data.poison_record", "data.identity_missing", "data.encoding", "data.truncated_file"]
)
def test_whatever_is_set_aside_is_named(code: str) -> None:
    found = diagnosed(Evidence({"probe.connection": "ok", "dead.code": code}), BOOKS, "")
    assert found.root_cause == ("data.poison_record" if code == "data.identity_missing" else code)


def test_every_error_of_the_world_has_a_runbook() -> None:
    codes = {
        str(line.value.value)
        for path in Path(__file__).parents[2].joinpath("tools").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and _is_error(node)
        for line in node.body
        if isinstance(line, ast.AnnAssign) and getattr(line.target, "id", "") == "code"
        and isinstance(line.value, ast.Constant)
    }  # fmt: skip
    assert "net.refused" in codes
    assert {code for code in codes if code not in BOOKS} <= NO_ROOT_CAUSE


def _is_error(node: ast.ClassDef) -> bool:
    return any(getattr(base, "id", "") == "PmsError" for base in node.bases)


def test_every_reason_has_one_german_wording() -> None:
    """Diagnoses are stored with the English one and found by it, so two books may not mean different things by it."""
    said: dict[str, set[str]] = {}
    for book in BOOKS.values():
        for sign in book.all_signs:
            said.setdefault(sign.because["en"], set()).add(sign.because["de"])
    assert [each for each in said.items() if len(each[1]) != 1 or each[0] in each[1]] == []
    assert all(in_both_languages(english) == {"en": english, "de": german} for english, (german,) in said.items())


def test_a_reason_that_no_book_says_any_more_can_still_be_read() -> None:
    assert in_both_languages("as it was said last year") == {"en": "as it was said last year"}


def test_what_the_evidence_leaves_open_is_said_in_both_languages() -> None:
    facts = {"schema.structural": "people.id", "schema.thin": "people.{town}"}
    plan = planned(Diagnosis(root_cause="schema.column_renamed", probability=0.9, facts=facts), BOOKS, 0, "plan_x")
    assert "stands on people.id" in plan.guidance["en"]
    assert "hängt an people.id" in plan.guidance["de"]
    assert all("people.{town}" in text for text in plan.guidance.values())
