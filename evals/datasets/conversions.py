"""Systems made for conversions that the six generators need seldom: parts of names and addresses, units, plus cylinders, keys
to codes, amounts in cents. Each has a few tables; values and meanings come of the same facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from random import Random

from evals.datasets.costumes import canonical_value
from evals.datasets.facts import Fact, Row, country_of
from evals.datasets.naming import Naming
from evals.datasets.styles import draw_naming
from evals.datasets.words import LANGUAGES, code_words
from evals.labelled import Label, LabelledSchema, Target, TransformTruth
from knowledge.canonical import canonical_model
from mappings.records import PracticeFacts
from mappings.schema import (
    CodeMap,
    Column,
    Concat,
    Copy,
    Datetime,
    Number,
    Scalar,
    Schema,
    Split,
    Table,
    Transform,
    Transpose,
    Unit,
)  # fmt: skip

_ROWS = 24
_STYLES = ("normalised", "wide", "export", "service")
_DOCTORS = {
    "en": ("Dr.", "Prof."), "de": ("Dr.", "Dr. med. dent.", "Prof. Dr."), "es": ("Dr.", "Dra."), "pt": ("Dr.", "Dra."),
    "it": ("Dott.", "Dott.ssa"), "fr": ("Dr", "Pr"),
}  # fmt: skip
_OPEN = frozenset({"in_last", "slots"})
_POWERS = ("sphere", "cylinder", "axis")
Texts = Sequence[str | None]


@dataclass
class Sheet:
    """One table as it grows: each column with its target and what its samples mean."""

    name: str
    naming: Naming
    random: Random
    language: str
    columns: list[Column] = field(default_factory=list)
    targets: dict[str, Target | None] = field(default_factory=dict)
    truths: dict[str, TransformTruth] = field(default_factory=dict)

    def called(self, notion: str, kind: str) -> str:
        """A name for the notion that no other column has."""
        name = self.naming.column(notion, kind, "t_patient", self.random)
        while name in self.targets:
            name += "2"
        return name

    def add(self, name: str, target: Target | None, samples: Sequence[Scalar], truth: TransformTruth | None) -> None:
        """A column; `truth` None where its target or its meaning is not told here."""
        self.columns.append(Column(name=name, samples=tuple(samples)))
        self.targets[name] = target
        if truth is not None:
            self.truths[name] = truth

    def add_facts(
        self, notion: str, target: Target, facts: Sequence[Fact], write: Callable[[Fact], Scalar], transform: Transform,
        *, kind: str = "", told: bool = True,
    ) -> None:  # fmt: skip
        """A column that writes these facts."""
        values = meaning(target, facts, self.language)
        truth = TransformTruth(transform, values, told=told)
        self.add(self.called(notion, kind or notion), target, [write(fact) for fact in facts], truth)


def meaning(target: Target, facts: Sequence[Fact], language: str) -> tuple[Scalar, ...]:
    """The facts in canonical form."""
    canonical = canonical_model().entities[target[0]].fields[target[1]]
    return tuple(canonical_value(fact, canonical, language) for fact in facts)


def conversion_sets(count: int = 24, seed: int = 5) -> list[LabelledSchema]:
    """`count` systems, the same for the same arguments; languages in turn."""
    return [_system(number, LANGUAGES[number % len(LANGUAGES)], seed) for number in range(count)]


def _system(number: int, language: str, seed: int) -> LabelledSchema:
    random = Random(f"conversions-{seed}-{number}-{language}")
    naming = draw_naming(random.choice(_STYLES), language, random)
    rows = [Row(language, random, at) for at in range(1, _ROWS + 1)]
    makers: Mapping[str, Callable[[Sheet, Sequence[Row]], None]] = {
        "t_patient": _people, "t_prescription": _lenses, "t_appointment": _visits, "t_payment": _amounts,
    }  # fmt: skip
    sheets: list[Sheet] = []
    for notion, make in makers.items():
        sheet = Sheet(f"{naming.table(notion, random)}{len(sheets)}", naming, random, language)
        make(sheet, rows)
        sheets.append(sheet)
    sheets.append(_states(sheets[2], rows))
    country, zone, currency = country_of(language)
    name = f"conversions_{language}_{number:02d}"
    tables = tuple(Table(name=sheet.name, columns=tuple(sheet.columns)) for sheet in sheets)
    labels = {(sheet.name, name): Label(target) for sheet in sheets for name, target in sheet.targets.items()}
    truths = {(sheet.name, name): truth for sheet in sheets for name, truth in sheet.truths.items()}
    return LabelledSchema(
        name, Schema(name=name, system=name, tables=tables), labels, language=language, generator="conversions",
        vendor=name, transforms=truths, practice=PracticeFacts(zone, country, currency),
    )  # fmt: skip


def _people(sheet: Sheet, rows: Sequence[Row]) -> None:
    random = sheet.random
    sheet.add(sheet.called("patient_key", "key"), ("Patient", "id"), [row.number for row in rows], None)
    _names(
        sheet,
        rows,
        random.choice(("comma", "title_first", "title_between", "title_last", "capitals", "plain", "in_last")),
    )
    _address(sheet, rows, random.choice(("line", "town", "apart", "street")))


def _names(sheet: Sheet, rows: Sequence[Row], form: str) -> None:
    random = sheet.random
    titled = form.startswith("title")
    titles: Texts = [
        random.choice(_DOCTORS[sheet.language]) if titled and random.random() < 0.4 else None for _ in rows
    ]
    firsts, lasts = [str(row.fact("first")) for row in rows], [str(row.fact("last")) for row in rows]
    written = [_name(form, *parts) for parts in zip(titles, firsts, lasts, strict=True)]
    target = ("Patient", "last_name" if form == "in_last" else "full_name")
    parts: dict[str, tuple[Scalar, ...]] = {"first_name": tuple(firsts), "last_name": tuple(lasts)}
    if form == "capitals":
        parts["last_name"] = tuple(last.upper() for last in lasts)
    if any(titles):
        parts["title"] = tuple(titles)
    truth = TransformTruth(Split(), tuple(written), parts=parts, told=form not in _OPEN)
    if form == "plain":
        truth = TransformTruth(Copy(), tuple(written))
    sheet.add(sheet.called("full_name", "full"), target, written, truth)


def _name(form: str, title: str | None, first: str, last: str) -> str:
    before = f"{title} " if title else ""
    match form:
        case "comma":
            return f"{last}, {first}"
        case "title_first":
            return f"{before}{last}, {first}"
        case "title_between":
            return f"{last}, {before}{first}"
        case "title_last":
            return f"{last}, {first}" + (f", {title}" if title else "")
        case "capitals":
            return f"{last.upper()} {first}"
    return f"{first} {last}"


def _address(sheet: Sheet, rows: Sequence[Row], form: str) -> None:
    streets = [f"{row.fact('street')} {row.random.randrange(1, 90)}" for row in rows]
    postal, city = [str(row.fact("postal")) for row in rows], [str(row.fact("city")) for row in rows]
    american = sheet.language == "en"
    states = [row.random.choice(("TX", "OH", "NY")) for row in rows]
    towns = [
        f"{town}, {state} {code}" if american else f"{code} {town}"
        for town, state, code in zip(city, states, postal, strict=True)
    ]
    parts: dict[str, tuple[Scalar, ...]] = {"city": tuple(city), "postal_code": tuple(postal)}
    if american:
        parts["state"] = tuple(states)
    if form == "line":
        lines = [f"{street}, {town}" for street, town in zip(streets, towns, strict=True)]
        whole = {"address_line1": tuple(streets), **parts}
        name = sheet.called("street", "street")
        sheet.add(name, ("Patient", "address_line1"), lines, TransformTruth(Split(), tuple(lines), parts=whole))
    elif form == "town":
        name = sheet.called("city", "city")
        sheet.add(name, ("Patient", "city"), towns, TransformTruth(Split(), tuple(towns), parts=parts))
    elif form == "apart":
        names = (sheet.called("street", "street"), sheet.called("house_number", "house"))
        truth = TransformTruth(Concat(columns=names), tuple(streets))
        for name, part in zip(names, (0, 2), strict=True):
            sheet.add(name, ("Patient", "address_line1"), [each.rpartition(" ")[part] for each in streets], truth)
    else:
        sheet.add(
            sheet.called("street", "street"),
            ("Patient", "address_line1"),
            streets,
            TransformTruth(Copy(), tuple(streets)),
        )


def _lenses(sheet: Sheet, rows: Sequence[Row]) -> None:
    form = sheet.random.choice(("hundredths", "comma", "signed", "plus", "plus_comma", "worded"))
    for side in ("right", "left"):
        names = {part: sheet.called(f"{side}+{part}", f"eye {side} {part}") for part in _POWERS}
        for part in _POWERS:
            _power(sheet, rows, form, side, part, names)
    _distance(sheet, rows, sheet.random.choice(("millimetres", "centimetres", "tenths", "worded")))


_READ: dict[str, Transform] = {
    "hundredths": Number(divisor=100), "comma": Number(decimal=","), "worded": Unit(words={"D": "1"}),
}  # fmt: skip


def _power(sheet: Sheet, rows: Sequence[Row], form: str, side: str, part: str, names: Mapping[str, str]) -> None:
    target = ("Prescription", f"{side}_{part}")
    facts = [row.fact(f"eye {side} {part}") for row in rows]
    shown = [_plus(row, side, part) if form.startswith("plus") else fact for row, fact in zip(rows, facts, strict=True)]
    transform: Transform = Copy()
    if form.startswith("plus"):
        transform = Transpose.model_validate({**names, "part": part})
    elif part != "axis":
        transform = _READ.get(form, Copy())
    values = meaning(target, facts, sheet.language)
    sheet.add(names[part], target, [_shown(form, part, each) for each in shown], TransformTruth(transform, values))


def _plus(row: Row, side: str, part: str) -> Fact:
    """The same lens with plus cylinder."""
    sphere, cylinder, axis = (row.fact(f"eye {side} {each}") for each in _POWERS)
    assert isinstance(sphere, Decimal)
    assert isinstance(cylinder, Decimal)
    assert isinstance(axis, int)
    turned = axis + 90 if axis <= 90 else axis - 90
    turned_lens: dict[str, Fact] = {"sphere": sphere + cylinder, "cylinder": -cylinder, "axis": turned}
    return turned_lens[part]


def _shown(form: str, part: str, fact: Fact) -> Scalar:
    if part == "axis" or not isinstance(fact, Decimal):
        return f"{fact}°" if form == "signed" else int(str(fact))
    match form:
        case "hundredths":
            return int(fact * 100)
        case "worded":
            return f"{fact:.2f} D"
        case "signed" | "plus":
            return f"{fact:+.2f}"
    return f"{fact:+.2f}".replace(".", ",")


def _distance(sheet: Sheet, rows: Sequence[Row], form: str) -> None:
    writes: dict[str, tuple[Callable[[Decimal], Scalar], Transform]] = {
        "millimetres": (float, Copy()),
        "centimetres": (lambda pd: f"{pd / 10}".replace(".", ","), Unit(factor="10", decimal=",")),
        "tenths": (lambda pd: int(pd * 10), Number(divisor=10)),
        "worded": (lambda pd: f"{pd} mm" if pd % 1 else f"{pd / 10} cm", Unit(words={"mm": "1", "cm": "10"})),
    }
    write, transform = writes[form]
    facts = [row.fact("pd") for row in rows]
    target = ("Prescription", "pupillary_distance")
    sheet.add_facts("pd", target, facts, lambda fact: write(Decimal(str(fact))), transform)


def _visits(sheet: Sheet, rows: Sequence[Row]) -> None:
    random = sheet.random
    sheet.add(sheet.called("appointment_key", "key"), ("Appointment", "id"), [row.number for row in rows], None)
    day, clock = (
        random.choice(("%d.%m.%Y", "%Y%m%d", "%y-%m-%d", "%Y/%m/%d")),
        random.choice(("%H:%M", "%H:%M:%S", "%I:%M %p")),
    )
    names = (sheet.called("start_date", "start_day"), sheet.called("start_time", "start_clock"))
    facts = [row.fact("start") for row in rows]
    target = ("Appointment", "start")
    truth = TransformTruth(
        Datetime(from_=f"{day} {clock}", parts=names), meaning(target, facts, sheet.language), told="%y" not in day
    )
    for name, form in zip(names, (day, clock), strict=True):
        sheet.add(name, target, [each.strftime(form) for each in facts if isinstance(each, datetime)], truth)
    _durations(sheet, rows, random.choice(("hours", "seconds", "slots", "minutes", "worded")))


def _durations(sheet: Sheet, rows: Sequence[Row], form: str) -> None:
    writes: dict[str, tuple[Callable[[int], Scalar], Transform]] = {
        "hours": (lambda minutes: minutes / 60, Unit(factor="60")),
        "seconds": (lambda minutes: minutes * 60, Number(divisor=60)),
        "slots": (lambda minutes: minutes // 15, Unit(factor="15")),
        "minutes": (lambda minutes: minutes, Copy()),
        "worded": (lambda minutes: f"{minutes} min" if minutes % 60 else f"{minutes // 60} h", Unit(words={"min": "1", "h": "60"})),
    }  # fmt: skip
    write, transform = writes[form]
    facts = [row.fact("minutes") for row in rows]
    sheet.add_facts(
        "duration", ("Appointment", "duration_minutes"), facts, lambda fact: write(int(str(fact))), transform,
        kind="minutes", told=form not in _OPEN,
    )  # fmt: skip


def _amounts(sheet: Sheet, rows: Sequence[Row]) -> None:
    random = sheet.random
    sheet.add(sheet.called("payment_key", "key"), ("Payment", "id"), [row.number for row in rows], None)
    facts: list[Fact] = [row.fact("money") for row in rows]
    form = random.choice(("named_cents", "cents", "sign", "thousands"))
    target = ("Payment", "amount")
    values = meaning(target, facts, sheet.language)
    amounts = [Decimal(str(fact)) for fact in facts]
    name = sheet.called("paid_amount", "money")
    truth = TransformTruth(Number(divisor=100), values)
    samples: list[Scalar] = [int(amount * 100) for amount in amounts]
    if form == "named_cents":
        name += random.choice(("_cents", "_cent", "_ct"))
    elif form == "cents":
        truth = TransformTruth(Number(divisor=100), values, Number())
    elif form == "sign":
        samples, truth = (
            [f"{amount:.2f} €".replace(".", ",") for amount in amounts],
            TransformTruth(Number(decimal=","), values),
        )
    else:
        whole = [amount.to_integral_value() * 1000 for amount in amounts]
        texts = [f"{amount:,}" for amount in whole]
        samples = [*texts]
        values = tuple(f"{amount:.2f}" for amount in whole)
        grouped = (
            Number(thousands=",", divisor=100) if any(text.count(",") > 1 for text in texts) else Number(decimal=",")
        )
        truth = TransformTruth(Number(thousands=","), values, grouped)
    sheet.add(name, target, samples, truth)


def _states(visits: Sheet, rows: Sequence[Row]) -> Sheet:
    """The states of visits as a table of their own; the visit holds its key."""
    words = list(code_words("appt_status", visits.language).items())
    sheet = Sheet(f"{visits.name}_status", visits.naming, visits.random, visits.language)
    key = sheet.called("code", "key")
    text = sheet.called("appt_status", "code appt_status")
    sheet.add(key, None, list(range(1, len(words) + 1)), None)
    sheet.add(text, ("Appointment", "status"), [pair[0] for _, pair in words], None)
    chosen = [row.random.randrange(len(words)) for row in rows]
    codes = {str(at): word for at, (word, _) in enumerate(words, 1)}
    truth = TransformTruth(CodeMap(map=codes), tuple(words[at][0] for at in chosen))
    visits.add(
        visits.called("appt_status", "code appt_status"), ("Appointment", "status"), [at + 1 for at in chosen], truth
    )
    return sheet
