"""What each signal is worth: the same systems without it, by the same weights or by weights fitted without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pydantic import BaseModel, ConfigDict

from evals.fit_mapping import LeftOut, left_out, other_systems
from evals.labelled import LabelledSchema
from evals.learning import Answer, Prepared, answers_of, predict, prepare
from evals.suites.mapping_figures import Figures
from mappings.assignment import assign_jointly, sharing
from mappings.engine import first_look
from mappings.features import CANDIDATES, Signals
from mappings.lexicon import Lexicon
from mappings.model import Weights
from mappings.reading import Words
from mappings.references import References
from mappings.schema import Column, Schema
from mappings.signals import Overlap
from mappings.targets import TargetSpace

Predict = Callable[[Prepared, TargetSpace, Weights], list[Answer]]


class Ablated(BaseModel):
    """Figures of all systems without one signal; `refitted` where the weights were fitted without it too."""

    model_config = ConfigDict(frozen=True)

    without: str
    refitted: bool
    figures: Figures


@dataclass(frozen=True)
class Ablation:
    """One signal taken away: from the source, from the signals, from the glossary, or from how they are used."""

    name: str
    source: Callable[[Schema], Schema] = lambda schema: schema
    signals: Callable[[Signals], Signals] | None = None
    space: Callable[[TargetSpace], TargetSpace] = lambda space: space
    weights: Callable[[Weights], Weights] = lambda weights: weights
    predict: Predict = predict

    @property
    def can_be_refitted(self) -> bool:
        """The second look, the competition and popularity are used after fitting, or fitted on their own."""
        return self.name not in {"second look", "competition for a field", "how often a field is met"}


def without_signal(
    ablation: Ablation, systems: Sequence[LabelledSchema], space: TargetSpace, weights: dict[str, Weights]
) -> dict[str, list[Answer]]:
    """Every system's answers without the signal, each by its own weights, which know the signal."""
    own = ablation.space(space)
    return {
        each.name: ablation.predict(_prepared(each, ablation, own, 1.0), own, ablation.weights(weights[each.name]))
        for each in systems
    }


def refitted_without(ablation: Ablation, systems: Sequence[LabelledSchema], space: TargetSpace, jobs: int) -> LeftOut:
    """Every system's answers by weights that were fitted without the signal, and never saw the system."""
    own = ablation.space(space)
    real = [_prepared(each, ablation, own, 1.0) for each in systems]
    others = [_prepared(each.labelled, ablation, own, each.importance) for each in other_systems(space)]
    return left_out(real, others, own, jobs)


def _prepared(system: LabelledSchema, ablation: Ablation, space: TargetSpace, importance: float) -> Prepared:
    return prepare(replace(system, schema=ablation.source(system.schema)), space, importance, ablation.signals)


def _columns(change: Callable[[Column], Column]) -> Callable[[Schema], Schema]:
    def changed(schema: Schema) -> Schema:
        tables = tuple(
            each.model_copy(update={"columns": tuple(change(column) for column in each.columns)})
            for each in schema.tables
        )
        return schema.model_copy(update={"tables": tables})

    return changed


def _undescribed(schema: Schema) -> Schema:
    tables = tuple(each.model_copy(update={"description": None}) for each in schema.tables)
    plain = _columns(lambda column: column.model_copy(update={"description": None}))
    return plain(schema.model_copy(update={"tables": tables}))


def _wordless(signals: Signals) -> Signals:
    return replace(
        signals, local=_no_overlap(signals.local), full=np.zeros_like(signals.full),
        reading=replace(signals.reading, names=_no_words(signals.reading.names)),
    )  # fmt: skip


def _nameless_tables(signals: Signals) -> Signals:
    reading = signals.reading
    return replace(
        signals,
        reading=replace(
            reading, table_names=_no_words(reading.table_names),
            table_descriptions=_no_words(reading.table_descriptions),
        ),
    )  # fmt: skip


def _unkeyed(signals: Signals) -> Signals:
    count = len(signals.references.table)
    nothing = np.zeros(count, np.float32)
    return replace(signals, references=References(np.full(count, -1, np.intp), nothing, nothing))


def _no_overlap(overlap: Overlap) -> Overlap:
    return Overlap(*(np.zeros_like(each) for each in (overlap.score, overlap.of_text, overlap.of_phrase)))


def _no_words(words: Words) -> Words:
    return Words(*(np.zeros_like(each) for each in (words.weighted, words.present, words.total)))


def _english_only(space: TargetSpace) -> TargetSpace:
    """The glossary without its terms of other languages; English ones and their abbreviations stay."""
    known = space.lexicon.languages
    terms = {
        term: kept
        for term, readings in space.lexicon.terms.items()
        if (kept := tuple(each for each in readings if "en" in known[term, each]))
    }
    return replace(space, lexicon=Lexicon(terms, space.lexicon.technical, known))


def _only_first_look(system: Prepared, space: TargetSpace, weights: Weights) -> list[Answer]:
    first = first_look(system.signals, space, system.table_options, system.table_none, weights)
    chosen = np.argsort(-first.fields, axis=1, kind="stable")[:, :CANDIDATES]
    raw = np.concatenate([np.take_along_axis(first.fields, chosen, axis=1), first.none[:, None]], axis=1)
    raw = assign_jointly(raw, chosen, system.signals.reading.table_of, sharing(space, weights.shares))
    return answers_of(system, space, first.entities, chosen, raw)


ABLATIONS = (
    Ablation("words of names (the whole glossary)", signals=_wordless),
    Ablation("translations (glossary of English only)", space=_english_only),
    Ablation("spelling", signals=lambda signals: replace(signals, trigram=np.zeros_like(signals.trigram))),
    Ablation("descriptions", source=_undescribed),
    Ablation("types", source=_columns(lambda column: column.model_copy(update={"type": None}))),
    Ablation("samples", source=_columns(lambda column: column.model_copy(update={"samples": ()}))),
    Ablation("keys and references", signals=_unkeyed),
    Ablation("names of tables", signals=_nameless_tables),
    Ablation("second look", predict=_only_first_look),
    Ablation("competition for a field", weights=lambda w: replace(w, shares=dict.fromkeys(w.shares, 1.0))),
    Ablation("how often a field is met", weights=lambda w: replace(w, popularity={})),
)
