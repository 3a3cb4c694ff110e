"""What each signal did for a candidate: how far its score falls when the signal says no more than it says of the others."""

from __future__ import annotations

import numpy as np

from mappings.context import CONTEXT_FEATURES
from mappings.features import PAIR_FEATURES
from mappings.model import Weights
from mappings.targets import FloatArray

_FEATURES = (*PAIR_FEATURES, *CONTEXT_FEATURES)
SIGNALS: dict[str, tuple[str, ...]] = {
    "glossary": ("local", "local_squared", "of_text", "of_phrase", "exact", "full", "local_gap", "local_entity_gap",
                 "rival", "mentions_own", "mentions_other", "technical", "unknown", "name_near", "known_alone"),
    "spelling": ("trigram",),
    "description": ("described", "described_phrase", "entity_described"),
    "table": ("entity_log", "entity", "entity_first", "entity_local", "rest", "rest_share", "covered", "other_table"),
    "neighbours": ("near", "wide", "group", "keyed"),
    "rivals": ("held", "elsewhere", "claim"),
    "type": ("type_agrees", "type_conflicts", "long_text"),
    "samples": ("values_agree", "values_conflict"),
    "key": ("is_id", "is_id_primary", "is_id_named", "is_id_first", "primary_no_id"),
    "reference": ("is_reference", "reference_agrees", "reference_conflicts", "refers_to_own"),
    "usual": ("popular",),
}  # fmt: skip
_FIRST, _FIRST_LOG, _FIRST_GAP = (_FEATURES.index(name) for name in ("first", "first_log", "first_gap"))


def contributions(options: FloatArray, shown: np.ndarray, weights: Weights) -> FloatArray:
    """(n, s, SIGNALS) in log odds, for the shown candidates.

    `options` (n, k, d) are the features of all candidates, `shown` (n, s) the places of those that are explained. A
    signal is taken away in both looks: the second sees the first's opinion without it too.
    """
    rows = np.arange(len(shown))[:, None]
    own = options[rows, shown]
    usual = options.mean(axis=1)
    full = _score(own, weights)
    linear = weights.first.pairs[0].linear
    parts = []
    for features in SIGNALS.values():
        at = [_FEATURES.index(name) for name in features]
        without = own.copy()
        without[:, :, at] = usual[:, None, at]
        early = [each for each in at if each < len(PAIR_FEATURES)]
        fall = (own[:, :, early] - usual[:, None, early]) @ linear[early]
        _weaken(without, own, fall)
        parts.append(full - _score(without, weights))
    return np.stack(parts, axis=2)


def _weaken(without: FloatArray, own: FloatArray, fall: FloatArray) -> None:
    """The first look's probability with its log odds lowered by `fall`, in the features that carry it."""
    before = np.clip(own[:, :, _FIRST], 1e-4, 1 - 1e-4)
    after = before / (before + (1 - before) * np.exp(np.clip(fall, -9, 9)))
    without[:, :, _FIRST] = after
    without[:, :, _FIRST_LOG] = np.log(np.maximum(after, 1e-4)) / 5
    without[:, :, _FIRST_GAP] += after - own[:, :, _FIRST]


def _score(options: FloatArray, weights: Weights) -> FloatArray:
    return np.asarray(np.mean([each.scores(options) for each in weights.second.pairs], axis=0), np.float32)
