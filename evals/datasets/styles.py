"""How systems of each generator are named, typed, keyed and sampled: drawn by chance within what suits the generator."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from evals.datasets import naming as names
from evals.datasets.naming import Naming
from evals.datasets.plans import Manner

_SQL = {
    "key": "int", "ref": "int", "birth": "date", "past": "date", "future": "date", "moment": "timestamp", "start": "timestamp",
    "end": "timestamp", "money": "numeric(10,2)", "flag": "boolean", "text": "text", "minutes": "smallint", "blob": "bytea",
}  # fmt: skip
_MSSQL = {
    **_SQL,
    "birth": "datetime",
    "moment": "datetime",
    "past": "datetime",
    "money": "money",
    "flag": "bit",
    "blob": "image",
    "text": "ntext",
}
_ORACLE = {
    "key": "NUMBER(10)",
    "ref": "NUMBER(10)",
    "birth": "DATE",
    "past": "DATE",
    "moment": "DATE",
    "money": "NUMBER(12,2)",
    "flag": "CHAR(1)",
    "text": "CLOB",
    "blob": "BLOB",
}
_DBASE = {
    "key": "N(8)",
    "ref": "N(8)",
    "birth": "D",
    "past": "D",
    "future": "D",
    "money": "N(10,2)",
    "flag": "L",
    "text": "M",
}
_JSON = {"key": "string", "ref": "string", "money": "number", "flag": "boolean", "minutes": "integer"}


def draw_naming(generator: str, language: str, random: Random) -> Naming:
    habit = random.choice(
        (
            names.full,
            names.full,
            names.full,
            names.members,
            names.without_vowels,
            names.clipped,
            names.clipped,
            names.initials,
        )
    )
    case = random.choice(
        (names.snake, names.camel, names.pascal, names.mixed, names.upper_snake, names.squashed, names.lowered)
    )
    naming = Naming(
        language, case, habit, random.choice((0.1, 0.4, 0.8)), random.choice(("", "", "", "tbl", "t", "dbo")),
        random.choices(("none", "table", "initials", "suffix", "hungarian"), (55, 12, 15, 8, 10))[0], 40, True,
    )  # fmt: skip
    if generator == "wide":
        case = random.choice((names.squashed, names.squashed, names.cobol, names.upper_snake))
        habit = random.choice((names.clipped, names.without_vowels, names.initials))
        return replace(
            naming,
            case=case,
            habit=habit,
            short_share=0.7,
            longest=random.choice((8, 10, 10, 12, 18)),
            decoration=random.choice(("none", "none", "initials")),
            table_prefix="",
        )
    if generator == "service":
        return replace(
            naming,
            case=random.choice((names.camel, names.camel, names.snake)),
            habit=names.full,
            short_share=0.1,
            table_prefix="",
            decoration="none",
        )
    if generator == "export":
        return replace(
            naming,
            case=names.heading,
            habit=names.full,
            short_share=0.15,
            decoration="none",
            table_prefix="",
            keep_accents=True,
            longest=60,
        )
    return naming


def draw_manner(generator: str, random: Random) -> Manner:
    sampled = random.choice((0.0, 0.6, 0.9))
    types = random.choice((_SQL, _MSSQL, _ORACLE, None))
    manner = Manner(types, random.choice(("varchar(80)", "varchar(50)", "nvarchar(60)", "VARCHAR2(40)")), random.choice(("declared", "declared", "described", "none")),
                    random.choice((0.0, 0.0, 0.3, 0.9)), sampled, random.randrange(3, 13), random.choice((0.05, 0.15, 0.35)))  # fmt: skip
    match generator:
        case "wide":
            return replace(
                manner, types=random.choice((_DBASE, None)), default_type="C(30)", keys="none", described=0.0
            )
        case "service":
            return replace(
                manner,
                types=random.choice((_JSON, None)),
                default_type="string",
                keys="none",
                machine_refs=random.random() < 0.5,
            )
        case "export":
            return replace(manner, types=None, keys="none", described=0.0, sampled=0.95)
        case "coded":
            return replace(
                manner,
                types=random.choice((None, {"key": "N8", "birth": "N8", "past": "N8", "money": "N9"})),
                default_type="AN30",
                keys="none",
                described=1.0,
                coded_columns=True,
            )
    return manner
