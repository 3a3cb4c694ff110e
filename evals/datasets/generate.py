"""Made-up systems: a vocabulary, a naming style, types, keys, descriptions and values drawn for each."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random
from typing import cast

import yaml

from evals.datasets.values import noise_samples, samples_of
from evals.labelled import Label, LabelledSchema, Target
from knowledge.canonical import CanonicalField, canonical_model
from mappings.schema import Column, Scalar, Schema, Table

LANGUAGES = ("en", "de", "fr", "es", "en", "de", "pt", "en", "de", "it")
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
_SQL = {
    "id": "integer", "ref": "integer", "date": "date", "datetime": "timestamp", "boolean": "boolean", "integer": "int",
    "decimal": "numeric(8,2)", "money": "numeric(10,2)", "text": "text", "binary": "bytea",
}  # fmt: skip
_OBJECTS = {
    "id": "long", "ref": "long", "date": "DateTime", "datetime": "DateTime", "boolean": "bool", "integer": "int",
    "decimal": "double", "money": "double", "binary": "byte[]",
}  # fmt: skip


@dataclass(frozen=True)
class Vocabulary:
    """What systems of one language call things. `none` are columns without an answer, `other_tables` whole tables."""

    tables: dict[str, list[str]]
    fields: dict[str, list[str]]
    none: dict[str, list[str]]
    other_tables: dict[str, list[str]]


@dataclass(frozen=True)
class Manner:
    """How one system writes: case, decoration, types, and what it tells beside names."""

    language: str
    case: Callable[[list[str]], str]
    decoration: str  # none, initials, table, suffix
    table_prefix: str
    umlauts: str  # keep, german, drop
    types: dict[str, str] | None
    default_type: str
    keys: str  # catalogue, described, none
    described: bool
    coded: bool  # columns are numbers, the description says what they are
    sampled: bool
    iso: bool
    coded_tables: bool  # tables are called T04 or x017, whatever they hold


@cache
def vocabulary(language: str) -> Vocabulary:
    text = (files("evals") / "datasets" / "vocabulary" / f"{language}.yaml").read_text(encoding="utf-8")
    raw = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    none = dict(raw["none"])
    return Vocabulary(raw["tables"], raw["fields"], none, cast("dict[str, list[str]]", none.pop("other_tables")))


def generated_sets(count: int = 30, seed: int = 11) -> list[LabelledSchema]:
    """`count` systems, the same for the same seed."""
    return [_system(number, Random(seed * 1000 + number)) for number in range(count)]


def _system(number: int, random: Random) -> LabelledSchema:
    manner = _manner(LANGUAGES[number % len(LANGUAGES)], random)
    builder = _Builder(manner, random)
    words = vocabulary(manner.language)
    entities = [name for name in words.tables if name == "Patient" or random.random() < 0.6]
    inside_patient = {
        name for name in ("Coverage", "CommunicationPreference") if name not in entities and random.random() < 0.6
    }
    builder.name_tables(entities)
    for name in entities:
        builder.add_entity(name, inside_patient if name == "Patient" else set())
    for name, columns in words.other_tables.items():
        if random.random() < 0.6:
            builder.add_other(name, columns)
    name = f"made_up_{number:02d}_{manner.language}"
    return LabelledSchema(
        name, Schema(name=name, system=name, tables=tuple(builder.tables)), builder.labels, language=manner.language,
        generator="made_up", vendor=name,
    )  # fmt: skip


def _manner(language: str, random: Random) -> Manner:
    types: dict[str, str] | None = random.choice((_SQL, _SQL, _OBJECTS, None))
    coded = random.random() < 0.15
    return Manner(
        language=language,
        case=random.choice((_snake, _snake, _camel, _pascal, _upper, _squashed, _clipped)),
        decoration=random.choices(("none", "initials", "table", "suffix"), (50, 18, 18, 14))[0],
        table_prefix=random.choice(("", "", "", "tbl", "v", "tab")),
        umlauts=random.choice(("german", "german", "drop", "keep")),
        types=types, default_type="string" if types is _OBJECTS else "varchar(80)",
        keys=random.choice(("catalogue", "catalogue", "described", "none", "none")),
        described=coded or random.random() < 0.3, coded=coded,
        sampled=random.random() < 0.5, iso=random.random() < 0.5, coded_tables=random.random() < (0.7 if coded else 0.1),
    )  # fmt: skip


class _Builder:
    """Collects tables and labels of one system."""

    def __init__(self, manner: Manner, random: Random) -> None:
        self.manner, self.random = manner, random
        self.words = vocabulary(manner.language)
        self.tables: list[Table] = []
        self.labels: dict[tuple[str, str], Label] = {}
        self._spoken: dict[str, str] = {}
        self._names: dict[str, str] = {}  # entity to the table's name, for references

    def name_tables(self, entities: list[str]) -> None:
        """Every entity's table gets its name before any column refers to it."""
        for entity in entities:
            self._spoken[entity] = self.random.choice(self.words.tables[entity])
            self._names[entity] = self._table_name(self._spoken[entity])

    def add_entity(self, entity: str, inside: set[str]) -> None:
        spoken, table = self._spoken[entity], self._names[entity]
        columns: list[Column] = []
        for name in (entity, *sorted(inside)):
            for path, field in _fields_of(name):
                columns += self._columns(path, field, table, spoken, own=name == entity)
        noise = self.random.sample(self.words.none["common"], self.random.randrange(1, 5))
        listed = self.words.none.get(entity, [])
        noise += self.random.sample(listed, self.random.randrange(len(listed) // 3, len(listed) + 1))
        for said in noise:
            copied = entity == "Appointment" and said in _NAMES_OF_PATIENTS
            alternative = ("Patient", "full_name") if copied else None
            columns.append(self._column(said, table, spoken, None, Label(None, alternative, copied)))
        self._finish(table, columns)

    def add_other(self, spoken: str, columns: list[str]) -> None:
        table = self._table_name(spoken)
        made = [self._column(said, table, spoken, None, Label(None)) for said in columns]
        self._finish(table, made)

    def _columns(self, path: str, field: CanonicalField, table: str, spoken: str, *, own: bool) -> Iterator[Column]:
        said = self.words.fields.get(path)
        needed = own and field.name in ("id", "patient_id", "coverage_id")
        if said is None or (not own and field.name in ("id", "patient_id")):
            return
        if not needed and self.random.random() > 0.65:
            return
        together = [each for each in said if each[0] in "&@"]
        alone = [each for each in said if each[0] not in "&@"]
        chosen = [self.random.choice(alone)]
        if together and self.random.random() < 0.4:
            chosen = together
        target: Target = (field.entity, field.name)
        for each in chosen:
            yield self._column(each.lstrip("!&@"), table, spoken, field, Label(target))

    def _column(self, said: str, table: str, spoken: str, field: CanonicalField | None, label: Label) -> Column:
        manner, random = self.manner, self.random
        name = self._column_name(said, spoken)
        taken = {column for at, column in self.labels if at == table}
        if manner.coded:
            name = f"{3000 + len(taken):04d}"
        while name in taken:
            name += "2"
        self.labels[table, name] = label
        key = field is not None and field.type == "id"
        points = self._names.get(field.refers_to or "") if field is not None else None
        return Column(
            name=name, type=self._type(field), samples=self._samples(field),
            description=self._description(said, field, key, points),
            primary_key=key and manner.keys == "catalogue",
            references=f"{points}.id" if points and manner.keys == "catalogue" and random.random() < 0.9 else None,
        )  # fmt: skip

    def _description(self, said: str, field: CanonicalField | None, key: bool, points: str | None) -> str | None:
        if self.manner.keys == "described" and key:
            return "Primary key."
        if self.manner.keys == "described" and points:
            return f"FK to {points}.id."
        if not self.manner.described:
            return None
        others = self.words.fields.get(field.path, [said]) if field is not None else [said]
        return self.random.choice(others).lstrip("!&@").capitalize() if not self.manner.coded else said.capitalize()

    def _type(self, field: CanonicalField | None) -> str | None:
        manner = self.manner
        if manner.types is None:
            return None
        if field is None:
            return self.random.choice([*manner.types.values(), manner.default_type, manner.default_type])
        return manner.types.get(field.type, manner.default_type)

    def _samples(self, field: CanonicalField | None) -> tuple[Scalar, ...]:
        if not self.manner.sampled:
            return ()
        count = self.random.randrange(2, 9)
        if field is None:
            return noise_samples(self.random, count)
        return samples_of(field, self.manner.language, self.manner.iso, self.random, count)

    def _finish(self, table: str, columns: list[Column]) -> None:
        first, rest = columns[:1], columns[1:]
        if self.random.random() < 0.3:
            self.random.shuffle(rest)
        self.tables.append(Table(name=table, columns=tuple(first + rest)))

    def _table_name(self, spoken: str) -> str:
        if self.manner.coded_tables:
            return (
                f"{self.manner.table_prefix or 't'}{len(self._names) + len(self.tables):02d}{self.random.randrange(10)}"
            )
        words = _spelled(spoken, self.manner.umlauts)
        prefix = [self.manner.table_prefix] if self.manner.table_prefix else []
        name = self.manner.case([*prefix, *words])
        while name in self._names.values() or any(table.name == name for table in self.tables):
            name += "2"
        return name

    def _column_name(self, said: str, spoken: str) -> str:
        words = _spelled(said, self.manner.umlauts)
        head = _spelled(spoken, self.manner.umlauts)
        match self.manner.decoration:
            case "initials":
                words = ["".join(word[:2] for word in head)[:4], *words]
            case "table":
                words = [head[-1], *words] if head[-1] not in words else words
            case "suffix":
                words = [*words, head[0]] if head[0] not in words else words
        return self.manner.case(words)


_NAMES_OF_PATIENTS = frozenset(
    {"patient name", "patientenname", "nom patient", "nombre paciente", "nome paciente", "nome paziente"}
)


def _fields_of(entity: str) -> Iterator[tuple[str, CanonicalField]]:
    for field in canonical_model().entities[entity].fields.values():
        yield field.path, field


def _spelled(said: str, umlauts: str) -> list[str]:
    if umlauts == "german":
        said = said.translate(_GERMAN)
    if umlauts != "keep":
        said = unicodedata.normalize("NFKD", said).encode("ascii", "ignore").decode("ascii")
    return re.findall(r"\w+", said.lower())


def _snake(words: list[str]) -> str:
    return "_".join(words)


def _camel(words: list[str]) -> str:
    return words[0] + "".join(word.capitalize() for word in words[1:])


def _pascal(words: list[str]) -> str:
    return "".join(word.capitalize() for word in words)


def _upper(words: list[str]) -> str:
    return "_".join(words).upper()


def _squashed(words: list[str]) -> str:
    return "".join(words).upper()


def _clipped(words: list[str]) -> str:
    """Old databases: upper case, words clipped to four letters where there are several, ten in all."""
    return "".join(word[:4] if len(words) > 1 else word for word in words).upper()[:10]
