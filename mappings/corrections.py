"""What people's corrections say of other columns: their tables, columns of like names, the same system elsewhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mappings.context import FirstLook
from mappings.habits import habits
from mappings.lexicon import pieces
from mappings.reading import Reading
from mappings.schema import Correction, Evidence
from mappings.targets import FloatArray, TargetSpace

UNTOLD, NOTHING = -2, -1
# Chosen on development sets, each system by weights that never saw it; the report shows what they give.
_NO_TARGET = 0.65  # how often a column of a table that carries an entity maps to nothing
_OTHER_ENTITY = 0.3  # how often one that maps belongs to another entity
_MAPPED_OF_NONE = 0.15  # how often a column of a table that carries nothing maps
_LIKE, _ELSEWHERE, _UNPROVEN, _MOST = 0.5, 5.0, 2.5, 6.0  # log odds
_ELSEWHERE_TABLES, _RENAMED = 0.5, 0.9
_OLDER = 0.8  # what a word counts beside a later one on the same column
_FLOOR = -7.0  # log odds below which no option falls, so that a word can lift it again
_BY_CHANCE, _NOTHING_BY_CHANCE = 0.02, 0.5  # how likely any one field, and nothing, is to somebody who does not care
_CLEAR, _DENIED, _PROVEN = 0.85, 0.5, 4


@dataclass(frozen=True, slots=True)
class Word:
    """A correction that speaks of a column here: `row` and `target` (a field's index or NOTHING), how surely it means
    this column, and where it was said (None: here)."""

    row: int
    target: int
    weight: float
    practice: str | None
    correction: Correction


@dataclass(frozen=True)
class Told:
    """Corrections as the engine takes them in.

    `fixed` (n_columns,) is the field that a person named here, NOTHING or UNTOLD; `heard` the same of all who are
    believed, elsewhere too. `leaning` (n_columns, n_fields + 1) is what they add to the log odds of columns of which
    nobody spoke here, nothing last. `tables` (n_tables, n_target_tables + 1) is the log likelihood of what was said of
    each table's columns. `reasons` are by row and field; `proven` are the words on this very column, by row, of other
    practices whose words have proved right.
    """

    fixed: np.ndarray
    heard: np.ndarray
    leaning: FloatArray
    tables: FloatArray
    reasons: dict[tuple[int, int], Evidence]
    proven: dict[int, Correction]

    def entities(self, entities: FloatArray) -> FloatArray:
        """(n_tables, n_target_tables) what tables carry, given what was said of their columns (Bayes' rule)."""
        none = 1 - entities.sum(axis=1, keepdims=True)
        whole = np.maximum(np.concatenate([entities, none], axis=1), 1e-4)
        given = whole * np.exp(self.tables - self.tables.max(axis=1, keepdims=True))
        given /= given.sum(axis=1, keepdims=True)
        silent = (self.tables == 0).all(axis=1, keepdims=True)
        return np.asarray(np.where(silent, entities, given[:, :-1]), np.float32)

    def first(self, fields: FloatArray, none: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The first look's (n_columns, n_fields) and (n_columns,) with certainty where a person spoke."""
        at = np.flatnonzero(self.fixed != UNTOLD)
        fields, none = fields.copy(), none.copy()
        fields[at] = 0
        mapped = at[self.fixed[at] >= 0]
        fields[mapped, self.fixed[mapped]] = 1
        none[at] = self.fixed[at] == NOTHING
        return fields, none

    def candidates(self, first: FloatArray) -> FloatArray:
        """(n_columns, n_fields) the first look's, with the fields that people named among the likely ones."""
        return np.asarray(first + np.maximum(self.leaning[:, :-1], 0), np.float32)

    def second(self, raw: FloatArray, chosen: np.ndarray, features: FloatArray, none: FloatArray) -> FloatArray:
        """(n_columns, k + 1) of the second look, none last, before columns compete: by the source's own habits, and by
        what was said of like columns and elsewhere."""
        rows = np.arange(len(chosen))[:, None]
        said = np.concatenate([self.leaning[rows, chosen], self.leaning[:, -1:]], axis=1)
        odds = np.log(np.maximum(raw, 1e-5)).astype(np.float64)
        odds += habits(odds, features, none, self._wanted(chosen))
        spoken_of = said.any(axis=1, keepdims=True)
        odds -= odds.max(axis=1, keepdims=True)
        odds = np.where(spoken_of, np.maximum(odds, _FLOOR) + said, odds)
        shares = np.exp(odds - odds.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)

    def settled(self, raw: FloatArray, chosen: np.ndarray) -> FloatArray:
        """(n_columns, k + 1) with certainty where a person spoke, after columns have competed: who shares a field with
        a corrected column is not forbidden it."""
        at = np.flatnonzero(self.fixed != UNTOLD)
        shares = raw.copy()
        shares[at, :-1] = chosen[at] == self.fixed[at][:, None]
        shares[at, -1] = self.fixed[at] == NOTHING
        return shares

    def _wanted(self, chosen: np.ndarray) -> FloatArray:
        """(n_columns, k + 1) 1 at what was said of a column; rows of zeros where nothing was, or no candidate is it."""
        said = self.heard[:, None]
        return np.asarray(np.concatenate([chosen == said, said == NOTHING], axis=1), np.float32)


def take_in(corrections: Sequence[Correction], reading: Reading, space: TargetSpace, first: FirstLook) -> Told | None:
    """What corrections of this system say of a source; None where nothing that is believed speaks of it. `first` is what the engine thinks without them.

    Whoever contradicts what is clear more often than not is taken at his word for his own columns and is not believed
    for any other.
    """
    words = list(_words(corrections, reading, space))
    by_practice: defaultdict[str | None, list[Word]] = defaultdict(list)
    for word in words:
        by_practice[word.practice].append(word)
    believed = {practice for practice, said in by_practice.items() if _is_believed(said, first)}
    if not believed and None not in by_practice:
        return None
    proven = {each for each in believed if each is not None and len(by_practice[each]) >= _PROVEN}
    told = Told(
        fixed=np.full(len(reading.columns), UNTOLD, np.intp), heard=np.full(len(reading.columns), UNTOLD, np.intp),
        leaning=np.zeros((len(reading.columns), len(space.fields) + 1), np.float32),
        tables=np.zeros((len(reading.tables), len(space.tables) + 1), np.float32), reasons={}, proven={},
    )  # fmt: skip
    for word in words:
        if word.practice is None:
            told.fixed[word.row] = word.target
        if word.practice in proven or (word.practice is None and None in believed):
            _believe(word, told, reading, space)
        elif word.practice in believed:
            _lean(word, told)
    own = [word for word in by_practice[None] if None in believed]
    _lean_on_like_columns(own, told, reading, space)
    exact = [word for word in words if word.practice in proven and word.weight == 1]
    told.proven.update({word.row: word.correction for word in exact if _prevails(word, told)})
    np.clip(told.leaning, -_MOST, _MOST, out=told.leaning)
    return told


def _prevails(word: Word, told: Told) -> bool:
    """Whether what several practices say of a column adds up to this."""
    leaning = told.leaning[word.row]
    return bool(leaning[word.target] >= leaning.max())


def _words(corrections: Sequence[Correction], reading: Reading, space: TargetSpace) -> Iterator[Word]:
    """The corrections that speak of a column of this source; those of a table that is called otherwise here too."""
    fields = {f"{each.table}.{each.name}": at for at, each in enumerate(space.fields)}
    rows = {_place(reading, row): row for row in range(len(reading.columns))}
    tables = {table.name: set(pieces(table.name)) for table in reading.tables}
    for each in corrections:
        target = NOTHING if each.target is None else fields.get(_without_instance(each.target))
        if target is None:
            continue
        row = rows.get((each.source_table, each.source_column))
        if row is not None:
            yield Word(row, target, 1.0, each.practice, each)
        elif each.practice is not None and each.source_table not in tables:
            for table in _renamed(each.source_table, tables):
                row = rows.get((table, each.source_column))
                if row is not None:
                    yield Word(row, target, _RENAMED, each.practice, each)


def _place(reading: Reading, row: int) -> tuple[str, str]:
    return reading.tables[reading.table_of[row]].name, reading.columns[row].name


def _without_instance(target: str) -> str:
    entity, _, field = target.rpartition(".")
    return f"{entity.partition('#')[0]}.{field}"


def _renamed(name: str, tables: dict[str, set[str]]) -> list[str]:
    """The tables whose name has all words of this one, or whose words this one has: PATIENT and PATIENT_NEU."""
    own = set(pieces(name))
    return [table for table, words in tables.items() if own and words and (own <= words or words <= own)]


def _is_believed(said: Sequence[Word], first: FirstLook) -> bool:
    """Whether what somebody says is likelier than chance, and hardly ever against what is clear."""
    rows, targets = np.array([word.row for word in said]), np.array([word.target for word in said])
    own = np.where(targets == NOTHING, first.none[rows], first.fields[rows, np.maximum(targets, 0)])
    if len(said) < _PROVEN:
        return True  # too few to judge, and too few to do harm: nobody is spared a question by them
    clear = np.maximum(first.fields[rows].max(axis=1), first.none[rows]) > _CLEAR
    against = int((clear & (own < _DENIED)).sum())
    agreed = int(clear.sum()) - against
    chance = np.where(targets == NOTHING, _NOTHING_BY_CHANCE, _BY_CHANCE)
    likelier = float(np.log((0.9 * own + 0.1 * chance) / chance).sum())
    return likelier >= 0 and against <= max(1, min(2 + agreed / 4, agreed))


def _believe(word: Word, told: Told, reading: Reading, space: TargetSpace) -> None:
    """What was said here, or by those who proved right elsewhere, tells of the column, its table and the habits."""
    here = word.practice is None
    told.heard[word.row] = word.target
    share = 1.0 if here else _ELSEWHERE_TABLES * word.weight
    told.tables[reading.table_of[word.row]] += share * _likelihood(word.target, space)
    if not here:
        told.leaning[word.row] *= _OLDER
        told.leaning[word.row, word.target] += word.weight * _ELSEWHERE  # NOTHING is the last place
        told.reasons[word.row, word.target] = _reason(word, "at another practice")


def _lean(word: Word, told: Told) -> None:
    """A word of those who said too little to be judged: it tells of its column alone, and many count as one."""
    leaning = told.leaning[word.row]
    leaning[word.target] = max(leaning[word.target], word.weight * _UNPROVEN)
    told.reasons[word.row, word.target] = _reason(word, "at another practice")


def _likelihood(target: int, space: TargetSpace) -> FloatArray:
    """(n_target_tables + 1,) how likely a column of a table that carries each, or nothing, is said to be this; log."""
    if target == NOTHING:
        return np.log(np.array([_NO_TARGET] * len(space.tables) + [1 - _MAPPED_OF_NONE], np.float32))
    found = np.full(len(space.tables) + 1, (1 - _NO_TARGET) * _OTHER_ENTITY, np.float32)
    found[space.tables.index(space.fields[target].table)] = (1 - _NO_TARGET) * (1 - _OTHER_ENTITY)
    found[-1] = _MAPPED_OF_NONE
    return np.log(found)


def _lean_on_like_columns(words: Sequence[Word], told: Told, reading: Reading, space: TargetSpace) -> None:
    """A column that is called like a corrected one is likelier to hold the same: that field, in its own entity."""
    if not words:
        return
    called = _own_words(reading)
    alike: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, own in enumerate(called):
        alike[own].append(row)
    for word in words:
        if called[word.row]:
            options = _same_field(word.target, space)
            for row in alike[called[word.row]]:
                if row != word.row:
                    told.leaning[row, options] += _LIKE
                    told.reasons.update({(row, at): _reason(word, "here") for at in options})


def _same_field(target: int, space: TargetSpace) -> list[int]:
    if target == NOTHING:
        return [NOTHING]
    return [at for at, field in enumerate(space.fields) if field.name == space.fields[target].name]


def _own_words(reading: Reading) -> list[tuple[str, ...]]:
    """Each column's words without the table's own, and those that more than half of its columns share."""
    words = [pieces(column.name) for column in reading.columns]
    counts = [Counter[str]() for _ in reading.tables]
    for found, at in zip(words, reading.table_of, strict=True):
        counts[at].update(set(found))
    usual = [max(2, len(table.columns) / 2) for table in reading.tables]
    own = [set(pieces(table.name)) for table in reading.tables]
    return [
        tuple(each for each in found if counts[at][each] <= usual[at] and each not in own[at])
        for found, at in zip(words, reading.table_of, strict=True)
    ]


def _reason(word: Word, where: str) -> Evidence:
    said = word.correction
    detail = (
        f"{where} a person said that {said.source_table}.{said.source_column} is {said.target or 'nothing of ours'}"
    )
    return Evidence(signal="correction", score=0.8, detail=detail)
