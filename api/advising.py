"""The optional model advisor, by the environment. Without a URL there is none, and nothing is missing."""

from __future__ import annotations

from agents.advisor import Advisor, AdvisorSettings
from tools.store.settings import Settings


def advisor_of(settings: Settings) -> Advisor | None:
    """The advisor that PATCHBAY_ADVISOR_URL names, or None."""
    return advisor_at(settings.advisor_url, settings) if settings.advisor_url else None


def advisor_at(url: str, settings: Settings) -> Advisor:
    """An advisor for one job at that address; key, model and budget are the environment's."""
    named = AdvisorSettings(
        url=url, key=settings.advisor_key or "none", model=settings.advisor_model or "default",
        job_seconds=settings.advisor_seconds, max_tokens=settings.advisor_tokens,
    )  # fmt: skip
    return Advisor(named)
