"""From a diagnosis to a plan: pure decisions, by the runbook and by what the evidence bears."""

from __future__ import annotations

from collections.abc import Mapping

from agents.heal_states import Diagnosis, LostColumn, OtherDatabase, Plan
from knowledge.phrases import LANGUAGES, Language, phrase, words
from knowledge.runbooks import Remedy, Risk, Runbook
from tools.diagnosis.evidence import Evidence
from tools.diagnosis.posterior import weigh
from tools.remedies.smaller_pages import smaller

SURE = 0.6  # faults.md 84: below this the cause is unknown
MOST_TRIES = 2  # of remedies that change something, for one cause of one integration within the window
STOPPED = "self.healing_ineffective"
RESTORABLE: frozenset[Remedy] = frozenset({"rename_column", "use_database", "smaller_pages"})  # a snapshot undoes them
CHANGING: frozenset[Remedy] = RESTORABLE | {"sync_again"}
OPEN = ("structural", "lookalikes", "thin", "table")  # what the evidence may leave open about columns that are gone


def diagnosed(evidence: Evidence, books: Mapping[str, Runbook], at: str) -> Diagnosis:
    """The most probable cause; `none` where all is quiet, `unknown` where nothing is sure enough."""
    weighed = weigh(evidence.facts, books)
    best = weighed[0]
    cause, probability = best.code, best.probability
    if evidence.is_quiet:
        cause, probability = "none", 1.0 - max(each.probability for each in weighed if each.code != "unknown")
    elif cause != "unknown" and probability < SURE:
        cause = "unknown"
    elif cause == "unknown" and "passed" in evidence.facts:
        cause = evidence.facts["passed"]  # no runbook of its own, but it is over
    return Diagnosis(
        root_cause=cause, probability=probability, supporting=best.supporting, contradicting=best.contradicting,
        facts=evidence.facts, streams=evidence.streams, codes=evidence.codes, at=at,
        lost=tuple(
            LostColumn(
                table=each.table, column=each.column, structural=each.structural, verdict=each.verdict, rows=each.rows,
                successor=each.candidates[0].column if each.candidates else None,
                overlap=each.candidates[0].overlap if each.candidates else 0.0,
            )
            for each in evidence.lost
        ),
        databases=tuple(
            OtherDatabase(name=each.name, address=each.address, overlap=each.overlap, rows=each.rows)
            for each in evidence.databases if each.is_ours
        ),
    )  # fmt: skip


def planned(diagnosis: Diagnosis, books: Mapping[str, Runbook], tries: int, plan_id: str) -> Plan:
    """The remedy that the runbook names, as far as the evidence bears it; `tries` were made in the window already."""
    book = books.get(diagnosis.root_cause)
    guidance = _guidance(book, diagnosis)
    by_hand = Plan(
        id=plan_id, remedy=None, risk="human", guidance=guidance, streams=diagnosis.streams, attempt=tries + 1
    )
    plan = _with_remedy(diagnosis, book, by_hand)
    if plan.remedy in CHANGING and tries >= MOST_TRIES:
        said = {language: f"{text} {guidance.get(language, '')}" for language, text in books[STOPPED].guidance.items()}
        return by_hand.model_copy(update={"escalated": STOPPED, "guidance": said})
    return plan


def _guidance(book: Runbook | None, diagnosis: Diagnosis) -> dict[str, str]:
    """What a person is told in each language: the runbook's words, or that nothing is known, and what is left open."""
    if diagnosis.root_cause == "none":
        return {}
    said = words("health.unexplained") if book is None else book.guidance
    points = [(point, diagnosis.facts[f"schema.{point}"]) for point in OPEN if f"schema.{point}" in diagnosis.facts]
    return {
        language: " ".join([said[language], *(phrase(f"health.open.{point}", language, what=what) for point, what in points)])
        for language in LANGUAGES
    }  # fmt: skip


def _with_remedy(diagnosis: Diagnosis, book: Runbook | None, plan: Plan) -> Plan:
    if diagnosis.facts.get("passed") == diagnosis.root_cause:
        what = ", ".join(diagnosis.streams)
        return plan.model_copy(update={"remedy": "sync_again", "risk": "safe", "what": what})
    if book is None or book.remedy is None:
        return plan
    if book.remedy == "rename_column":
        return _rename(diagnosis, plan)
    if book.remedy == "use_database":
        return _database(diagnosis, plan)
    if book.remedy == "smaller_pages":
        return _pages(diagnosis, plan)
    return plan.model_copy(update={"remedy": book.remedy, "risk": book.risk})


def _rename(diagnosis: Diagnosis, plan: Plan) -> Plan:
    """Follow only where every lost column has exactly one successor by value, and none is one the walk stands on.

    And only while the connection works: the canary sync would send a refused login again.
    """
    lost = diagnosis.lost
    if diagnosis.facts.get("probe.connection") != "ok":
        return plan
    if not lost or any(each.structural or each.verdict not in {"followed", "proposed"} for each in lost):
        return plan
    risk: Risk = "safe" if all(each.verdict == "followed" for each in lost) else "guarded"
    renames = tuple((each.table, each.column, each.successor or "") for each in lost)
    what = ", ".join(
        f"{each.table}.{each.column} → {each.successor} ({each.overlap:.1%} / {each.rows})" for each in lost
    )
    streams = tuple(sorted({each.table for each in lost}))
    return plan.model_copy(
        update={"remedy": "rename_column", "risk": risk, "renames": renames, "what": what, "streams": streams}
    )


def _database(diagnosis: Diagnosis, plan: Plan) -> Plan:
    """Another database takes the place of one that is gone only if its rows are ours, and only after a yes."""
    if len(diagnosis.databases) != 1:
        return plan
    there = diagnosis.databases[0]
    what = f"{there.name} ({there.overlap:.1%} / {there.rows})"
    return plan.model_copy(update={"remedy": "use_database", "risk": "guarded", "address": there.address, "what": what})


def _pages(diagnosis: Diagnosis, plan: Plan) -> Plan:
    """Smaller pages where single rows come at once and a page does not; else, and where that did not help, only waiting."""
    told = diagnosis.facts.get("page.rows", "")
    rows = smaller(int(told)) if told.isdecimal() else None
    bears = diagnosis.facts.get("probe.connection") == "ok" and "probe.page" in diagnosis.facts
    if rows is None or not bears or plan.attempt > MOST_TRIES:
        return plan.model_copy(update={"remedy": "wait_for_return", "risk": "safe"})
    what = f"{told} → {rows}"
    return plan.model_copy(update={"remedy": "smaller_pages", "risk": "safe", "page_rows": rows, "what": what})


def guidance_for(diagnosis: Diagnosis, plan: Plan) -> dict[Language, str]:
    """What a person reads."""
    if diagnosis.root_cause == "none":
        return words("health.quiet")
    general = words("health.unexplained")
    return {each: plan.guidance.get(each) or general[each] for each in LANGUAGES}  # an old checkpoint may hold none
