"""What an afternoon gives: fuzzy names, and TF-IDF over character n-grams of names and descriptions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from rapidfuzz.fuzz import WRatio
from rapidfuzz.process import cdist

from evals.matchers.question import Matcher, Question, words
from mappings.schema import Column, Table
from mappings.targets import FloatArray

_GRAMS = (2, 3, 4)


def fuzzy_names(question: Question) -> FloatArray:
    """rapidfuzz's weighted ratio of the names; the table's name counts a quarter."""
    own, other = question.columns, question.fields
    columns = cdist([words(each.name) for _, each in own], [words(each.name) for _, each in other], scorer=WRatio)
    tables = cdist([words(each.name) for each, _ in own], [words(each.name) for each, _ in other], scorer=WRatio)
    return np.asarray((0.75 * columns + 0.25 * tables) / 100, np.float32)


def tf_idf(question: Question) -> FloatArray:
    """Cosine of TF-IDF weighted character n-grams of table, name and description, as of one text."""
    own, other = _texts(question.columns), _texts(question.fields)
    rows = [Counter(_grams(text)) for text in [*own, *other]]
    seen = Counter(gram for row in rows for gram in row)
    place = {gram: at for at, gram in enumerate(sorted(seen))}
    rarity = np.log((len(rows) + 1) / (np.array([seen[gram] for gram in place], np.float32) + 1)) + 1
    matrix = np.zeros((len(rows), len(place)), np.float32)
    for at, row in enumerate(rows):
        matrix[at, [place[gram] for gram in row]] = 1 + np.log(np.fromiter(row.values(), np.float32, len(row)))
    matrix *= rarity
    matrix /= np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)
    return np.asarray(matrix[: len(own)] @ matrix[len(own) :].T, np.float32)


def _texts(columns: Sequence[tuple[Table, Column]]) -> list[str]:
    return [f"{words(table.name)} {words(each.name)} {words(each.description or '')}" for table, each in columns]


def _grams(text: str) -> list[str]:
    padded = [f" {word} " for word in text.split()]
    return [word[at : at + size] for word in padded for size in _GRAMS for at in range(len(word) - size + 1)]


PLAIN = (Matcher("rapidfuzz, names", fuzzy_names), Matcher("TF-IDF, names and descriptions", tf_idf))
