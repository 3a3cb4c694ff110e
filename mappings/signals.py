"""Signals between all columns and all targets, as arrays of (n_columns, n_fields) in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mappings.lexicon import folded
from mappings.reading import Reading, Words
from mappings.targets import FloatArray, TargetSpace

_PART = 256  # texts at a time


@dataclass(frozen=True)
class Overlap:
    """How well texts and fields cover each other at the field's best phrase: harmonic mean and both sides."""

    score: FloatArray
    of_text: FloatArray
    of_phrase: FloatArray


def phrase_overlap(words: Words, matrix: FloatArray, starts: np.ndarray, weights: FloatArray) -> Overlap:
    """Overlap of every text with every field's phrases.

    `matrix` is (n_phrases, n_atoms); `starts` (n_fields,) where each field's phrases begin; `weights` (n_atoms,) how
    telling an atom is. Returns (n_texts, n_fields) arrays, 0 where nothing is shared. Works through the texts in parts
    that fit a processor's cache.
    """
    n = len(words.total)
    score, of_text, of_phrase = (np.zeros((n, len(starts)), np.float32) for _ in range(3))
    phrase_weight = np.maximum(matrix @ weights, 1e-6)
    for at in range(0, n, _PART):
        part = slice(at, at + _PART)
        if words.total[part].any():
            score[part], of_text[part], of_phrase[part] = _overlap(words, part, matrix, starts, weights, phrase_weight)
    return Overlap(score, of_text, of_phrase)


def _overlap(
    words: Words, part: slice, matrix: FloatArray, starts: np.ndarray, weights: FloatArray, phrase_weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    covered = words.weighted[part] @ matrix.T
    of_text = np.minimum(covered / np.maximum(words.total[part], 1e-6)[:, None], 1)
    of_phrase = np.minimum((words.present[part] * weights) @ matrix.T / phrase_weight, 1)
    both = of_text + of_phrase
    score = np.zeros_like(both)
    np.divide(2 * of_text * of_phrase, both, out=score, where=both > 0)
    best = np.maximum.reduceat(score, starts, axis=1)
    chosen = score >= np.repeat(best, np.diff([*starts, matrix.shape[0]]), axis=1) - 1e-6
    return (
        best,
        np.maximum.reduceat(of_text * chosen, starts, axis=1),
        np.maximum.reduceat(of_phrase * chosen, starts, axis=1),
    )


def trigram_cosine(reading: Reading, space: TargetSpace) -> FloatArray:
    """Cosine of TF-IDF weighted character trigrams of column names and field names, (n_columns, n_fields).

    Finds what the lexicon does not know: the column that is called like the field but for an ending or a prefix.
    """
    vocabulary, idf, target = space.spelling(_field_trigrams)
    source = _rows([_trigrams(column.name) for column in reading.columns], vocabulary, idf, known_only=False)
    return np.asarray(source @ target.T, np.float32)


def _field_trigrams(space: TargetSpace) -> tuple[dict[str, int], FloatArray, FloatArray]:
    """The trigrams of all field names, their weights, and the fields' rows (n_fields, n_trigrams)."""
    fields = [_trigrams(each.name) for each in space.fields]
    vocabulary = {gram: at for at, gram in enumerate(sorted({gram for grams in fields for gram in grams}))}
    counts = np.zeros(len(vocabulary), np.float32)
    for grams in fields:
        counts[[vocabulary[gram] for gram in grams]] += 1
    idf = np.asarray(np.log((len(fields) + 1) / (counts + 1)) + 1, np.float32)
    return vocabulary, idf, _rows(fields, vocabulary, idf, known_only=True)


def _trigrams(name: str) -> set[str]:
    text = f"  {folded(name).lower().replace('_', ' ').strip()} "
    return {text[at : at + 3] for at in range(len(text) - 2)}


def _rows(texts: list[set[str]], vocabulary: dict[str, int], idf: FloatArray, *, known_only: bool) -> FloatArray:
    rows = np.zeros((len(texts), len(vocabulary)), np.float32)
    for row, grams in enumerate(texts):
        ats = [vocabulary[gram] for gram in grams if gram in vocabulary]
        rows[row, ats] = idf[ats]
        foreign = 0 if known_only else len(grams) - len(ats)  # grams that no field has lengthen the vector too
        norm = float(np.sqrt((rows[row] ** 2).sum() + foreign * float(idf.max()) ** 2))
        rows[row] /= max(norm, 1e-6)
    return rows
