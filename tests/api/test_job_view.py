"""What a job is said to have done is what its runs did, and an incident that went into another says which."""

from __future__ import annotations

from datetime import UTC, datetime

from api.routes.incidents import _guidance
from api.routes.sync import job_view
from tools.jobs import SYNC, JobStatus
from tools.store.models import Incident, Run

NOW = datetime(2026, 11, 21, 7, tzinfo=UTC)
ENDED = JobStatus("job_1", SYNC, "north", "done", {}, integration_id="int_1")


def a_run(stream: str, status: str, code: str | None = None) -> Run:
    return Run.model_validate(
        {"id": f"run_{stream}", "integration_id": "int_1", "stream": stream, "walk": "changes", "status": status,
         "started_at": NOW, "ended_at": NOW, "code": code, "sentence": code and "The column VNAME is gone."}
    )  # fmt: skip


def test_a_job_of_a_stream_that_failed_has_failed_and_says_by_what() -> None:
    runs = [a_run("visits", "partial", "sync.cap"), a_run("patients", "failed", "schema.column_renamed")]
    seen = job_view(ENDED, runs)
    assert (seen.status, seen.code, seen.integration_id) == ("failed", "schema.column_renamed", "int_1")
    assert seen.sentence == "patients: The column VNAME is gone."


def test_a_job_whose_runs_did_not_fail_is_done_and_still_names_what_is_not_well() -> None:
    assert job_view(ENDED, [a_run("patients", "ok")]).code is None
    seen = job_view(ENDED, [a_run("visits", "partial", "sync.cap")])
    assert (seen.status, seen.code) == ("done", "sync.cap")


def test_an_incident_that_went_into_another_says_which() -> None:
    moved = Incident.model_validate(
        {"id": "inc_1", "integration_id": "int_1", "status": "closed", "root_cause": "unknown", "evidence": [],
         "opened_at": NOW, "outcome": {"same_as": "inc_2"}}
    )  # fmt: skip
    said = _guidance(moved)
    assert said is not None
    assert all("inc_2" in each for each in said.values())
