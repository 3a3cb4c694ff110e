"""Builds one made-up practice system: tables planned by a generator become columns with names, types, keys and samples."""

from __future__ import annotations

from random import Random
from typing import Any

from evals.datasets.costumes import Dress
from evals.datasets.facts import country_of
from evals.datasets.kinds import kind_of
from evals.datasets.naming import Naming
from evals.datasets.notation import NotedColumn, noted_columns
from evals.datasets.plans import Manner, Planned
from evals.datasets.words import read_yaml
from evals.datasets.written import WrittenTable
from evals.labelled import LabelledSchema
from mappings.records import PracticeFacts
from mappings.schema import Schema


def blueprint() -> dict[str, Any]:
    """What practice software keeps, by subject."""
    return read_yaml("blueprint.yaml")


class Maker:
    """Collects the planned tables of one system, then writes them."""

    def __init__(self, language: str, naming: Naming, dress: Dress, manner: Manner, random: Random) -> None:
        self.language, self.naming, self.dress, self.manner, self.random = language, naming, dress, manner, random
        self.tables: list[Planned] = []
        self.plus_cylinder = random.random() < 0.25

    def draw(
        self, subject: str, share: float = 0.55, *, parts: tuple[str, ...] = ("core", "more")
    ) -> list[NotedColumn]:
        """The subject's core and a share of the rest."""
        raw = blueprint()["subjects"][subject]
        return self.draw_from(raw.get("core", ""), raw.get("more", "") if "more" in parts else "", share)

    def draw_from(self, core: str, more: str, share: float) -> list[NotedColumn]:
        likely = {True: 0.8 * share, False: 1.4 * share}  # real systems hold twice as many columns that map to nothing
        return noted_columns(core) + [
            each for each in noted_columns(more) if self.random.random() < likely[each.label.target is not None]
        ]

    def plan(self, subject: str, notion: str, columns: list[NotedColumn]) -> Planned:
        planned = Planned(subject, notion, columns)
        self.tables.append(planned)
        return planned

    def finish(self, name: str, domain: str, generator: str) -> LabelledSchema:
        """Write all tables: names first, since references need them."""
        taken: set[str] = set()
        for at, planned in enumerate(self.tables):
            planned.name = self._unique(self._table_name(planned, at), taken)
            self._name_columns(planned)
        written = [WrittenTable(self, planned) for planned in self.tables]
        country, zone, currency = country_of(self.language)
        labels = {
            (w.planned.name, n): c.label
            for w in written
            for n, c in zip(w.planned.names, w.planned.columns, strict=True)
        }
        return LabelledSchema(
            name, Schema(name=name, system=name, tables=tuple(each.table() for each in written)), labels,
            language=self.language, domain=domain, generator=generator, vendor=name,
            transforms={(each.planned.name, at): truth for each in written for at, truth in each.truths.items()},
            practice=PracticeFacts(zone, country, currency),
        )  # fmt: skip

    def target_of(self, subject: str) -> Planned | None:
        return next((each for each in self.tables if each.subject == subject), None)

    def _table_name(self, planned: Planned, at: int) -> str:
        if self.manner.coded_columns:
            return f"{self.naming.table_prefix or 'R'}{(at + 1) * 100:04d}"
        return self.naming.table(planned.notion, self.random)

    def _name_columns(self, planned: Planned) -> None:
        taken: set[str] = set()
        for at, each in enumerate(planned.columns):
            kind = kind_of(each)
            if self.manner.coded_columns:
                name = f"{3000 + at * 7 % 900 + 1000 * (self.tables.index(planned) % 6):04d}"
            else:
                name = self.naming.column(each.name, kind, planned.notion, self.random)
                if self.manner.machine_refs and kind.startswith("ref "):
                    name += ".id"
            planned.names.append(self._unique(name, taken))

    @staticmethod
    def _unique(name: str, taken: set[str]) -> str:
        found, number = name, 2
        while found.casefold() in taken:
            found, number = f"{name}{number}", number + 1
        taken.add(found.casefold())
        return found
