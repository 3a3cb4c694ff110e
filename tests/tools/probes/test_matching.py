"""Fingerprints against findings: what counts as a mark of a system, and what does not."""

from __future__ import annotations

import pytest

from knowledge.catalogue import catalogue
from knowledge.manifest import Fingerprint
from tools.probes.base import Finding, ProbeBudget, agrees, at_path
from tools.probes.matching import MATCHERS, hit_of, is_capability_statement, path_of, version_of


def answer(path: str, status: int = 200, **facts: object) -> Finding:
    return Finding("http", f"http://host{path}", {"path": path, "base": "", "status": status, "headers": {}, **facts})


def fingerprint(probe: str, version: str | None = None, **match: object) -> Fingerprint:
    return Fingerprint(probe=probe, match=match, weight=1.0, version=version)


def test_texts_agree_without_case_and_a_star_stands_for_anything() -> None:
    assert agrees("epic", "Epic")
    assert agrees("*.hs1api.com", "PROD.hs1api.com")
    assert not agrees("Epic", "Epical Gateway")
    assert not agrees("*", None)


def test_brackets_in_a_pattern_are_meant_as_written() -> None:
    assert agrees("v[1]", "V[1]")
    assert not agrees("v[1]", "v1")


def test_a_number_is_no_boolean_and_a_list_asks_for_all_its_members() -> None:
    assert not agrees(1, True)
    assert agrees(["a", "b"], ["b", "c", "a"])
    assert not agrees(["a", "d"], ["a", "b"])


def test_a_dotted_path_that_leads_nowhere_is_none() -> None:
    assert at_path({"software": {"version": "1"}, "rest": [{"mode": "server"}]}, "rest.0.mode") == "server"
    assert at_path({"software": "Epic"}, "software.version") is None
    assert at_path([1], "7") is None


def test_a_budget_gives_no_more_than_it_has() -> None:
    budget = ProbeBudget(requests=3)
    assert budget.take(2)
    assert not budget.take(2)
    assert (budget.spent, budget.left) == (2, 1)
    assert not ProbeBudget(seconds=0).take()


def test_json_needs_status_keys_and_values_at_the_path_named() -> None:
    health = fingerprint(
        "http.json", path="/api/health", has=["version"], equals={"status": "healthy"}, version="version"
    )
    found = answer("/api/health", json={"status": "healthy", "version": "24.2"})
    hit = hit_of(health, found)
    assert hit is not None
    assert hit.sentence == "GET /api/health answers JSON with version, status 'healthy'."
    assert version_of(health, hit) == "24.2"
    assert hit_of(health, answer("/health", json={"status": "healthy", "version": "24.2"})) is None
    assert hit_of(health, answer("/api/health", 503, json={"status": "healthy", "version": "24.2"})) is None
    assert hit_of(health, answer("/api/health", json={"status": "sick", "version": "24.2"})) is None
    assert hit_of(health, answer("/api/health", json=[1])) is None


def test_a_status_may_be_told_by_body_json_or_header() -> None:
    closed = answer(
        "/x", 400, text="RESTEASY003210: no", json={"error": "MissingDatabase"}, headers={"server": "Jetty(9)"}
    )
    assert hit_of(fingerprint("http.status", path="/x", status=400, json_equals={"error": "MissingDatabase"}), closed)
    assert hit_of(fingerprint("http.status", path="/x", body_has="RESTEASY003210"), closed)
    assert hit_of(fingerprint("http.status", path="/x", header={"Server": "jetty*"}), closed)
    assert hit_of(fingerprint("http.status", path="/x", status=401), closed) is None
    assert hit_of(fingerprint("http.status", path="/x", header={"mtrestapi-requestid": "*"}), closed) is None


def test_only_a_capability_statement_that_names_its_fhir_version_is_fhir() -> None:
    spoken = {
        "resourceType": "CapabilityStatement",
        "fhirVersion": "4.0.1",
        "software": {"name": "Epic", "version": "May 2026"},
    }
    epic = fingerprint("fhir.metadata", software="Epic", version="software.version")
    hit = hit_of(epic, answer("/metadata", json=spoken))
    assert hit is not None
    assert version_of(epic, hit) == "May 2026"
    assert not is_capability_statement(answer("/metadata", json={"resourceType": "CapabilityStatement"}))
    assert not is_capability_statement(answer("/metadata", 401, json=spoken))
    assert hit_of(epic, answer("/other", json=spoken)) is None


def test_a_version_is_cut_to_one_short_printable_line() -> None:
    health = fingerprint("http.json", path="/h", version="version")
    hit = hit_of(health, answer("/h", json={"version": "1.0\n\x1b[31m" + "9" * 100}))
    assert hit is not None
    version = version_of(health, hit)
    assert version is not None
    assert version.isprintable()
    assert len(version) <= 40


def test_a_catalogue_needs_the_tables_and_columns_named_whatever_their_case() -> None:
    views = Finding("sql.catalogue", "host", {"tables": {"v_patient": ["PATNR", "NAME"], "praxis.v_termin": ["TERMINNR"]},
                                              "database": "x", "values": {"ds_version.version": "9.1"}})  # fmt: skip
    assert hit_of(fingerprint("sql.catalogue", tables=["V_PATIENT", "v_termin"]), views)
    assert hit_of(fingerprint("sql.catalogue", columns={"v_patient": ["patnr"]}), views)
    assert hit_of(fingerprint("sql.catalogue", tables=["v_patient", "v_zimmer"]), views) is None
    assert hit_of(fingerprint("sql.catalogue", columns={"v_patient": ["gebdat"]}), views) is None
    assert hit_of(fingerprint("sql.catalogue"), views) is None
    renamed = fingerprint("sql.catalogue", columns={"v_patient": ["PATNR", "NAME", "GEBDAT"], "v_termin": ["TERMINNR"]})
    assert hit_of(renamed, views), "one column of four may be missing"
    unseen = fingerprint("sql.catalogue", tables=["v_patient", "v_termin", "ds", "v_zimmer"])
    assert hit_of(unseen, views) is None, "two tables of four are not enough"
    version = fingerprint("sql.version", table="ds_version", column="VERSION", version="version")
    hit = hit_of(version, views)
    assert hit is not None
    assert version_of(version, hit) == "9.1"


def test_files_are_known_by_sender_columns_and_names_together() -> None:
    folder = Finding("folder.files", "/x", {
        "gdt": [{"8316": "PRAXIDEN", "8000": "6301"}, {"8316": "PRAXIDEN", "0132": "4.1"}], "hl7": [{"MSH-3": "PRAXIDENT"}],
        "csv": [{"name": "a.csv", "headers": ["Nr", "Name", "Ort"]}], "names": ["PDNT0001.gdt"],
    })  # fmt: skip
    gdt = fingerprint("folder.files", gdt_sender="PRAXIDEN", version="0132")
    hit = hit_of(gdt, folder)
    assert hit is not None
    assert version_of(gdt, hit) == "4.1"
    assert hit_of(fingerprint("folder.files", csv_headers=["name", "nr"], names=["pdnt*.gdt"]), folder)
    assert hit_of(fingerprint("folder.files", gdt_sender="PRAXIDEN", hl7_sender="OTHER"), folder) is None
    assert hit_of(fingerprint("folder.files"), folder) is None


@pytest.mark.parametrize("system", sorted(catalogue()))
def test_every_manifest_names_probes_and_conditions_that_exist(system: str) -> None:
    known = {
        "address.shape": {"host", "path", "scheme", "port"},
        "http.json": {"path", "has", "equals", "status"},
        "http.status": {"path", "status", "body_has", "json_equals", "header"},
        "sql.catalogue": {"tables", "columns", "database"},
        "sql.version": {"table", "column", "like"},
        "folder.files": {"gdt_sender", "gdt_company", "gdt_product", "hl7_sender", "csv_headers", "names"},
        "mllp.ack": {"sender", "facility"},
        "tcp.banner": {"speaks", "banner"},
    }
    for each in catalogue()[system].fingerprints:
        assert each.probe in MATCHERS
        assert set(each.match) <= known.get(each.probe, set(each.match)), each.match
        assert path_of(each) is None or each.probe.startswith(("http", "fhir"))
