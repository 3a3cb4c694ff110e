"""What learning is measured on: a second practice of the same system, and people who correct, rightly or not."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from evals.labelled import LabelledSchema, Target
from knowledge.canonical import canonical_model
from mappings.schema import Correction, Table


def second_practice(system: LabelledSchema, seed: int = 1, *, share: float = 0.5) -> LabelledSchema:
    """The same system as another practice runs it: a share of its tables renamed, columns as they were.

    Truths of transforms stay behind, since they name tables; samples do as well, since they are another practice's.
    """
    random = Random(f"{seed}-{system.name}")
    names = {
        table.name: f"{table.name}_{random.choice(('neu', '2', 'v2', 'old', 'main'))}"
        if random.random() < share
        else table.name
        for table in system.schema.tables
    }
    tables = tuple(_renamed(table, names) for table in system.schema.tables)
    labels = {(names[table], column): label for (table, column), label in system.labels.items()}
    schema = system.schema.model_copy(update={"tables": tables})
    return replace(system, name=f"{system.name}_second", schema=schema, labels=labels, transforms={})


def _renamed(table: Table, names: dict[str, str]) -> Table:
    def moved(reference: str | None) -> str | None:
        if reference is None:
            return None
        at, _, column = reference.rpartition(".")
        return f"{names.get(at, at)}.{column}"

    columns = tuple(
        each.model_copy(update={"samples": (), "references": moved(each.references)}) for each in table.columns
    )
    return table.model_copy(update={"name": names[table.name], "columns": columns})


def corrections(system: LabelledSchema, share: float = 0.1, *, wrong: float = 0.0, seed: int = 1) -> list[Correction]:
    """What a person says of a share of the columns, in chance order; `wrong` of them say something else than the label.

    `wrong=0.05` is a person who errs now and then, `wrong=1` a hostile one.
    """
    random = Random(f"{seed}-{system.name}-{share}-{wrong}")
    columns = sorted(system.labels)
    chosen = random.sample(columns, round(share * len(columns)))
    mistaken = set(random.sample(chosen, round(wrong * len(chosen))))
    return [
        Correction(
            system=system.schema.system or system.name, source_table=table, source_column=column,
            target=_path(_mistake(system, (table, column), random) if (table, column) in mistaken else system.labels[table, column].target),
        )
        for table, column in chosen
    ]  # fmt: skip


def _mistake(system: LabelledSchema, column: tuple[str, str], random: Random) -> Target:
    label = system.labels[column]
    fields = [(entity.name, name) for entity in canonical_model().entities.values() for name in entity.fields]
    return random.choice([each for each in fields if not label.accepts(each)])


def _path(target: Target | None) -> str | None:
    return None if target is None else ".".join(target)
