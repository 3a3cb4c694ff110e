"""The optional model advisor, by the environment. Without a URL there is none, and nothing is missing."""

from __future__ import annotations

from agents.advisor import Advisor, AdvisorSettings
from tools.store.settings import Settings


def advisor_of(settings: Settings) -> Advisor | None:
    """The advisor that PATCHBAY_ADVISOR_URL names, or None."""
    if not settings.advisor_url:
        return None
    return Advisor(
        AdvisorSettings(
            url=settings.advisor_url,
            key=settings.advisor_key or "none",
            model=settings.advisor_model or "default",
            job_seconds=settings.advisor_seconds,
            max_tokens=settings.advisor_tokens,
        )
    )
