"""Signals between all columns and all targets, as arrays of (n_columns, n_fields) in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mappings.lexicon import folded
from mappings.reading import Reading, Words
from mappings.targets import FloatArray, TargetSpace

_PART = 2048  # texts at a time, so that their pairs with phrases stay small


@dataclass(frozen=True)
class Overlap:
    """How well texts and fields cover each other at the field's best phrase: harmonic mean and both sides."""

    score: FloatArray
    of_text: FloatArray
    of_phrase: FloatArray


def phrase_overlap(words: Words, matrix: FloatArray, starts: np.ndarray, weights: FloatArray) -> Overlap:
    """Overlap of every text with every field's phrases.

    `matrix` is (n_phrases, n_atoms); `starts` (n_fields,) where each field's phrases begin; `weights` (n_atoms,) how
    telling an atom is. Returns (n_texts, n_fields) arrays, 0 where nothing is shared. Only pairs of text and phrase that
    share an atom are looked at: one in twenty-five of all.
    """
    n = len(words.total)
    found = Overlap(*(np.zeros((n, len(starts)), np.float32) for _ in range(3)))
    phrase_weight = np.maximum(matrix @ weights, 1e-6)
    with_atom = _Phrases(matrix)
    for at in range(0, n, _PART):
        _overlap(words, at, with_atom, starts, weights, phrase_weight, found)
    return found


class _Phrases:
    """The phrases of each atom: `phrases` from `starts[atom]` on, `counts[atom]` of them."""

    def __init__(self, matrix: FloatArray) -> None:
        atoms, self.phrases = np.nonzero(matrix.T)
        self.counts = np.bincount(atoms, minlength=matrix.shape[1])
        self.starts = np.cumsum(self.counts) - self.counts
        self.number = len(matrix)

    def sharing(self, texts: np.ndarray, atoms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For atoms of texts: (text, phrase) as one number and the place in `atoms`, sorted; and where each pair begins."""
        counts = self.counts[atoms]
        place = np.repeat(np.arange(len(atoms)), counts)
        within = np.arange(len(place)) - np.repeat(np.cumsum(counts) - counts, counts)
        pair = texts[place] * self.number + self.phrases[self.starts[atoms][place] + within]
        order = np.argsort(pair, kind="stable")
        pair = pair[order]
        return pair, place[order], np.flatnonzero(np.diff(pair, prepend=-1))


def _overlap(
    words: Words, at: int, phrases: _Phrases, starts: np.ndarray, weights: FloatArray, phrase_weight: FloatArray,
    found: Overlap,
) -> None:  # fmt: skip
    """Fill `found` for the texts of a part."""
    texts, atoms = np.nonzero(words.present[at : at + _PART])
    texts += at
    pair, place, begins = phrases.sharing(texts, atoms)
    if not len(pair):
        return
    text, phrase = pair[begins] // phrases.number, pair[begins] % phrases.number
    covered = np.add.reduceat(words.weighted[texts, atoms][place], begins)
    of_text = np.minimum(covered / np.maximum(words.total[text], 1e-6), 1)
    said = np.add.reduceat((words.present[texts, atoms] * weights[atoms])[place], begins)
    of_phrase = np.minimum(said / phrase_weight[phrase], 1)
    both = of_text + of_phrase
    score = np.zeros_like(both)
    np.divide(2 * of_text * of_phrase, both, out=score, where=both > 0)
    field = np.searchsorted(starts, phrase, "right") - 1
    edges = np.flatnonzero(np.diff(text * len(starts) + field, prepend=-1))
    best = np.maximum.reduceat(score, edges)
    chosen = score >= np.repeat(best, np.diff([*edges, len(score)])) - 1e-6
    where = text[edges], field[edges]
    found.score[where] = best
    found.of_text[where] = np.maximum.reduceat(of_text * chosen, edges)
    found.of_phrase[where] = np.maximum.reduceat(of_phrase * chosen, edges)


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
