"""How often a stream changes and what a look at it costs, learned from what polls saw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from tools.store.models import Observation, Run


@dataclass(frozen=True, slots=True)
class Rate:
    """Changes an hour: posterior mean, a rough standard deviation, and over how many hours and looks it was watched."""

    per_hour: float
    deviation: float
    watched_hours: float
    looks: int = 0


# The prior counts as this many hours of watching: a day of real polls outweighs it.
PRIOR_HOURS = 8.0


def change_rate(observations: Sequence[Observation], prior_per_hour: float) -> Rate:
    """Gamma posterior of a Poisson rate: (changes + a) / (hours + b), with a / b the prior mean.

    A poll that saw n changed rows counts n. Rows that changed twice between polls count once, so the estimate is low for
    streams that are polled far too seldom; the allocation's floor keeps those from starving. A look that covers an
    unknown time (the first) says nothing. Source: conjugate prior of the Poisson distribution, e.g. Gelman et al.,
    Bayesian Data Analysis, 2.6.
    """
    timed = [each for each in observations if each.interval_s is not None]
    hours = sum(each.interval_s or 0.0 for each in timed) / 3600
    changes = sum(each.changed_rows for each in timed)
    shape, scale = prior_per_hour * PRIOR_HOURS + changes, PRIOR_HOURS + hours
    return Rate(shape / scale, sqrt(shape) / scale, hours, len(timed))


def calls_per_poll(runs: Sequence[Run], incremental: Collection[str]) -> Mapping[str, float]:
    """Mean pages of each stream's green runs, at least one call; of `incremental` streams only increments count."""
    pages: defaultdict[str, list[int]] = defaultdict(list)
    for run in runs:
        if run.status == "ok" and run.walk == ("changes" if run.stream in incremental else "all"):
            pages[run.stream].append(run.pages)
    return {stream: max(1.0, sum(seen) / len(seen)) for stream, seen in pages.items()}
