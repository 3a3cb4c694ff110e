"""From evidence to belief: how probable each system is, `unknown` among them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from tools.detection.report import UNKNOWN

DECIDES = 0.9  # a system is named from here on
NEAR = 0.3  # a system this probable, and not decided for, is worth a question
PRIOR_UNKNOWN = 0.5  # half of all addresses are something nobody described: proxies, portals, other vendors
FEWEST_SYSTEMS = 25  # the prior of one system does not grow because few manifests are installed


def posterior(scores: Mapping[str, float]) -> dict[str, float]:
    """Probability of every system, and of `unknown`, given the sum of its evidence (log-likelihood ratios).

    `scores` must hold every system that could have answered. With equal priors of 0.02 one piece of evidence of weight
    6 reaches 0.94, one of 3 only 0.45.
    """
    prior = (1 - PRIOR_UNKNOWN) / max(FEWEST_SYSTEMS, len(scores))
    logs = {system: math.log(prior) + score for system, score in scores.items()}
    logs[UNKNOWN] = math.log(PRIOR_UNKNOWN)
    highest = max(logs.values())
    shares = {system: math.exp(value - highest) for system, value in logs.items()}
    total = sum(shares.values())
    return {system: share / total for system, share in shares.items()}
