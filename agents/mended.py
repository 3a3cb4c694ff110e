"""What a run mended in passing, explained: a cause that is named although nothing is wrong any more."""

from __future__ import annotations

from agents.context import AgentContext
from agents.heal_report import HealReport
from knowledge.runbooks import runbooks
from tools.diagnosis.posterior import weigh
from tools.store.models import Incident, Integration
from tools.sync.incidents import add_entries, entries


async def explain_mended(context: AgentContext, integration: Integration) -> list[HealReport]:
    """Name the cause of each incident that a run opened and healed by itself, once."""
    reports = []
    for incident in await context.store.incidents.list(integration.id, "healed"):
        if entries(incident, "mended") and not entries(incident, "diagnosis"):
            reports.append(await _explain(context, incident))
    return reports


async def _explain(context: AgentContext, incident: Incident) -> HealReport:
    told = entries(incident, "mended")
    code, sentence = str(told[-1]["code"]), str(told[-1]["sentence"])
    facts = {f"mended.{code}": sentence, "probe.connection": "ok"}
    books = runbooks()
    best = next(each for each in weigh(facts, books) if each.code == code)
    seen: dict[str, object] = {
        "kind": "diagnosis", "root_cause": code, "probability": best.probability, "supporting": list(best.supporting),
        "contradicting": list(best.contradicting), "facts": facts, "at": context.clock().isoformat(),
    }  # fmt: skip
    await add_entries(context.store, incident, [seen])
    return HealReport(
        incident=incident.id, root_cause=code, probability=best.probability, status="healed", sentence=sentence,
        guidance=dict(books[code].guidance.items()), supporting=best.supporting, contradicting=best.contradicting,
        streams=tuple(dict.fromkeys(str(each["stream"]) for each in told)),
    )  # fmt: skip
