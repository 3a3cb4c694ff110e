"""Six ways in which practice software keeps the same things; each is a generator that can be left out as a whole.

`normalised` a table a subject, code tables, headers and lines · `wide` old desktop programs: everything on the patient's
row, eight to twelve letters a name · `party` persons, addresses and contacts apart, attributes as rows · `service`
JSON resources with nested names · `export` lists for a spreadsheet, with headings · `coded` numbered fields.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from evals.datasets.costumes import draw_dress
from evals.datasets.eyes import measured_columns, near_columns, prescribed_columns
from evals.datasets.facts import Row
from evals.datasets.notation import NotedColumn, noted_columns
from evals.datasets.practice import Maker, blueprint
from evals.datasets.styles import draw_manner, draw_naming
from evals.datasets.words import LANGUAGES, code_words
from evals.labelled import LabelledSchema

DOMAINS = ("dental", "optical", "general")
_SUBJECTS = {
    "dental": (
        "coverage",
        "charge",
        "payment",
        "claim",
        "catalogue",
        "room",
        "visit_type",
        "document",
        "consent",
        "result",
    ),
    "optical": ("prescription", "measurement", "frame", "lens", "accessory", "payment", "coverage", "document"),
    "general": ("coverage", "charge", "claim", "payment", "catalogue", "document", "result", "visit_type", "consent"),
}
_NATIONAL = 0.7


def normalised(maker: Maker, domain: str) -> None:
    """One table a subject, with code tables, a header with lines, and the tables of the program itself."""
    patient = [*maker.draw("patient"), *_people(maker, 0.6)]
    _keep_one_flag(maker, maker.plan("patient", "t_patient", patient).columns)
    for subject in ("provider", "location", "appointment", *_SUBJECTS[domain]):
        if subject in ("provider", "appointment") or maker.random.random() < 0.75:
            _subject(maker, subject, domain)
    _header(maker, "order" if domain == "optical" else "visit")
    _lookups(maker, 0.5)
    _technical(maker, 8)


def wide(maker: Maker, domain: str) -> None:
    """The patient's row holds guarantor, insurance, recall and eyes; three telephones are numbered."""
    patient = [
        *maker.draw("patient", 0.7),
        *_people(maker, 0.5),
        *maker.draw("guarantor", 0.6),
        *maker.draw("emergency", 0.6),
    ]
    patient += _insurance(maker, 0.4)
    patient += [each for each in maker.draw("consent", 0.5) if each.name != "created_by"]
    if domain == "optical":
        patient += [*prescribed_columns(maker.random), *measured_columns(maker.random)]
    _keep_one_flag(maker, maker.plan("patient", "t_patient", _distinct(patient)).columns)
    for subject in ("appointment", "charge" if domain != "optical" else "prescription", "provider", "payment"):
        _subject(maker, subject, domain)
    if domain == "optical":
        _subject(maker, "frame", domain)
    _technical(maker, 5)


def party(maker: Maker, domain: str) -> None:
    """Persons, their addresses and contacts in tables of their own; the patient is a side table of the person."""
    person = noted_columns("patient_key > Patient.id; person_kind") + [
        each for each in maker.draw("patient", 0.3) if each.name in _PERSONAL
    ]
    maker.plan("person", "t_person", person)
    side = noted_columns("record_key / Patient.id; patient_key > Patient.id : ref person")
    side += [each for each in maker.draw("patient", 0.6) if each.name not in (*_PERSONAL, "patient_key")]
    _keep_one_flag(maker, maker.plan("patient", "t_patient", side).columns)
    of_person = noted_columns("patient_key > Patient.id : ref person")
    maker.plan(
        "address",
        "t_address",
        [
            *noted_columns("record_key"),
            *of_person,
            *noted_columns("address_kind"),
            *maker.draw("address", 0.7),
            *noted_columns("updated_at; created_by; flag"),
        ],
    )
    maker.plan(
        "contact",
        "t_contact",
        [
            *noted_columns("record_key"),
            *of_person,
            *noted_columns(
                "contact_kind; contact_value > Patient.phone_home / Patient.email : phone; phone_note; sort_order; flag"
            ),
        ],
    )
    maker.plan(
        "attribute",
        "t_attribute",
        [*noted_columns("record_key"), *of_person, *noted_columns("attribute_name; attribute_value; updated_at")],
    )
    for subject in ("provider", "location", "appointment", *_SUBJECTS[domain]):
        if maker.random.random() < 0.7:
            _subject(maker, subject, domain)
    if domain == "optical":
        rows = [*maker.draw("measurement"), *maker.draw("measurement_rows")]
        maker.plan("measurement", "t_measurement", _distinct(rows))
    _lookups(maker, 0.7)
    _technical(maker, 8)


def service(maker: Maker, domain: str) -> None:
    """Resources of a web service: nested names, references by id, moments with start and end."""
    patient = [*maker.draw("patient", 0.5), *_people(maker, 0.5), *maker.draw("consent", 0.4, parts=("core",))]
    _keep_one_flag(maker, maker.plan("patient", "t_patient", _distinct(patient)).columns)
    for subject in ("appointment", "provider", "location", *_SUBJECTS[domain]):
        if maker.random.random() < 0.75:
            _subject(maker, subject, domain)
    _technical(maker, 4)


def export(maker: Maker, domain: str) -> None:
    """Lists made for people: headings in words; where a list has no patient number, the name is what there is."""
    patient = [*maker.draw("patient", 0.5), *_people(maker, 0.6), *_insurance(maker, 0.15)]
    if maker.random.random() < 0.5:
        patient = noted_columns("full_name > Patient.full_name : reversed") + [
            each for each in patient if each.name not in ("first_name", "last_name", "full_name")
        ]
    _keep_one_flag(maker, maker.plan("patient", "t_patient", _distinct(patient)).columns)
    visits = [
        each for each in _appointment(maker) if not (each.name.startswith("patient_") and each.name.endswith("_copy"))
    ]
    if maker.random.random() < 0.6:
        named = noted_columns("patient_name_copy > Patient.full_name; patient_birth_copy > Patient.birth_date")
        visits = [*named, *(each for each in visits if each.name not in ("patient_key", "appointment_key"))]
    maker.plan("appointment", "t_appointment", visits)
    for subject in _SUBJECTS[domain]:
        if maker.random.random() < 0.5:
            _subject(maker, subject, domain)
    _header(maker, "order" if domain == "optical" else "visit")
    _technical(maker, 4)


def coded(maker: Maker, domain: str) -> None:
    """Record types whose fields are numbers; only the description says what they are."""
    patient = [*maker.draw("patient", 0.55), *_people(maker, 0.6), *maker.draw("emergency", 0.4)]
    _keep_one_flag(maker, maker.plan("patient", "t_patient", _distinct(patient)).columns)
    for subject in ("appointment", "provider", *_SUBJECTS[domain]):
        if maker.random.random() < 0.65:
            _subject(maker, subject, domain)
    _technical(maker, 5)


GENERATORS: dict[str, Callable[[Maker, str], None]] = {
    "normalised": normalised, "wide": wide, "party": party, "service": service, "export": export, "coded": coded,
}  # fmt: skip
_OF_POLICY = frozenset(
    [
        "payer_name",
        "member_id",
        "payer_code",
        "plan_name",
        "plan_type",
        "group_number",
        "group_name",
        "subscriber_key",
        "subscriber_name",
        "subscriber_birth",
        "relationship",
        "insured_status",
        "copay",
        "annual_maximum",
        "deductible",
        "card_read",
        "copay_exempt",
        "payer_phone",
    ]
)
_PERSONAL = (
    "title", "first_name", "last_name", "middle_name", "birth_name", "birth_date", "sex", "national_id", "salutation",
    "search_name", "nationality", "language", "created_at", "updated_by",
)  # fmt: skip


def make_system(number: int, generator: str, language: str, domain: str, seed: int) -> LabelledSchema:
    """One system, the same for the same arguments."""
    random = Random(f"{seed}-{number}-{generator}-{language}-{domain}")
    machine = generator == "service"
    maker = Maker(
        language,
        draw_naming(generator, language, random),
        draw_dress(language, random, machine=machine),
        draw_manner(generator, random),
        random,
    )
    GENERATORS[generator](maker, domain)
    return maker.finish(f"{generator}_{language}_{domain}_{number:02d}", domain, generator)


def _people(maker: Maker, share: float) -> list[NotedColumn]:
    found = [*maker.draw("phones", share), *maker.draw("address", share)]
    if maker.language == "es" and maker.random.random() < 0.4:
        found += noted_columns("second_last_name > Patient.last_name ?")
    if maker.random.random() < _NATIONAL:
        found += noted_columns(
            "national_id > Patient.national_id" + (" / Coverage.member_id" if maker.language == "fr" else "")
        )
    return found


def _insurance(maker: Maker, share: float) -> list[NotedColumn]:
    """The policy inside the patient's row: only what there still says that it is the policy's."""
    return [each for each in maker.draw("coverage", share) if each.name in _OF_POLICY]


def _subject(maker: Maker, subject: str, domain: str) -> None:
    raw = blueprint()["subjects"][subject]
    columns = _appointment(maker) if subject == "appointment" else maker.draw(subject)
    if subject == "charge" and domain == "dental":
        columns += noted_columns(raw["dental"])
    if subject == "prescription":
        columns += prescribed_columns(maker.random)
        columns += near_columns(maker.random)
    if subject == "measurement":
        columns += measured_columns(maker.random)
    maker.plan(subject, raw["table"], _distinct(columns))


def _appointment(maker: Maker) -> list[NotedColumn]:
    """The visit's time in one of the usual forms: a moment, a day with two hours, a day with hour and length."""
    forms = (
        "start_at > Appointment.start; end_at > Appointment.end", "start_at > Appointment.start; duration > Appointment.duration_minutes",
        "start_date > Appointment.start : start_day; start_time > Appointment.start : start_clock; end_time > Appointment.end : end_clock",
        "start_date > Appointment.start : start_day; start_time > Appointment.start : start_clock; duration > Appointment.duration_minutes",
        "start_at > Appointment.start; duration_slots > Appointment.duration_minutes",
    )  # fmt: skip
    columns = maker.draw("appointment")
    return [*columns[:3], *noted_columns(maker.random.choice(forms)), *columns[3:]]


def _header(maker: Maker, which: str) -> None:
    raw = blueprint()["headers"][which]
    head = maker.plan(which, raw["table"], maker.draw_from(raw["core"], raw["more"], 0.6))
    line = maker.draw_from(raw["line_core"], raw["line_more"], 0.6)
    key = head.columns[0].name
    maker.plan(
        f"{which}_line",
        raw["line"],
        [replace(each, kind=f"ref {which}") if each.name == key else each for each in line],
    )


def _lookups(maker: Maker, share: float) -> None:
    """Code tables: the column that held the text now holds the key of a row there."""
    for name, raw in blueprint()["lookups"].items():
        subject, _, notion = raw["of"].partition(".")
        table = maker.target_of(subject)
        if table is None or maker.random.random() > share:
            continue
        if not any(each.name == notion for each in table.columns):
            target = noted_columns(raw["text"])[0].label.target
            assert target is not None
            table.columns.append(noted_columns(f"{notion} > {target[0]}.{target[1]}")[0])
        table.lookups[notion] = name
        columns = noted_columns(f"{raw['key']} : key; {raw['text']} : label; {raw['more']}")
        maker.plan(name, raw["table"], columns).words = _texts(name, maker)


def _texts(lookup: str, maker: Maker) -> tuple[str, ...]:
    """The first three texts of a code table."""
    code_set = {"paymethod": "pay_method", "status": "appt_status"}.get(lookup)
    if code_set:
        return tuple(spelled for spelled, _ in code_words(code_set, maker.language).values())[:3]
    row = Row(maker.language, maker.random, 0)
    return tuple(str(row.words({"payer": "insurer", "occupation": "job"}.get(lookup, lookup))) for _ in range(3))


def _technical(maker: Maker, count: int) -> None:
    tables: dict[str, str] = blueprint()["technical"]
    for notion in maker.random.sample(list(tables), count):
        maker.plan(notion, notion, noted_columns(tables[notion]))


def _keep_one_flag(maker: Maker, columns: list[NotedColumn]) -> None:
    """Most systems say of a patient's record that it is in use, or that it is not."""
    if maker.random.random() < 0.6:
        columns.append(noted_columns(maker.random.choice(("active > Patient.active", "inactive > Patient.active")))[0])


def _distinct(columns: list[NotedColumn]) -> list[NotedColumn]:
    """Each notion once, the first of its kind."""
    return list({each.name: each for each in reversed(columns)}.values())[::-1]


def practice_sets(
    count: int = 48, seed: int = 5, generators: tuple[str, ...] = tuple(GENERATORS)
) -> list[LabelledSchema]:
    """`count` systems, the same for the same arguments: generators in turn, languages and domains turning with them.

    Of 36 consecutive systems of all generators every generator has every language once.
    """
    made = []
    for number in range(count):
        turn, place = divmod(number, len(generators))
        language = LANGUAGES[(turn + place) % len(LANGUAGES)]
        domain = DOMAINS[(turn + place + turn // len(LANGUAGES)) % len(DOMAINS)]
        made.append(make_system(number, generators[place], language, domain, seed))
    return made
