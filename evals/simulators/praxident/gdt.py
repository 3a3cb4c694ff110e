"""Writes GDT 2.1 records: 6301 (patient), 6310 and 6311 (results), cleanly or as sloppily as real files are.

A line is LLL FFFF content CR LF, LLL counting all of it. Source: GDT 2.1; field numbers as in the fact sheet.
"""

from collections.abc import Iterable
from random import Random

from evals.simulators.practice import Practice, shown, shown_date
from evals.simulators.praxident.share import VERSION
from evals.simulators.records import Coverage, DiagnosticResult, Patient

Fields = list[tuple[str, str]]
CODES = {"cp437": "2", "latin-1": "3", "utf-8": "4"}
SINS = ("", "", "", "", "", "", "wrong lengths", "no 8100", "false charset", "line feeds", "blank lines", "no charset")
SEX = {"male": "1", "female": "2"}  # GDT 2.1 knows no other


def patient_fields(patient: Patient, coverage: Coverage | None, *, split_city: bool) -> Fields:
    """The fields of 6301; what is empty is left out."""
    place = [("3112", patient.postal_code), ("3113", patient.city)]
    fields = [
        ("3000", patient.id),
        ("3101", patient.last_name),
        ("3102", patient.first_name),
        ("3103", shown_date(patient, "birth_date", "%d%m%Y")),
        ("3104", patient.title),
        ("3105", coverage.member_id if coverage else None),
        *(place if split_city else [("3106", " ".join(part for _, part in place if part))]),
        ("3107", patient.address_line1),
        ("3110", SEX.get(patient.sex)),
        ("3618", shown(patient, "phone_mobile")),
        ("3619", shown(patient, "email")),
        ("3626", shown(patient, "phone_home")),
    ]
    return [(field, str(content)) for field, content in fields if content]


def result_fields(practice: Practice, result: DiagnosticResult) -> Fields:
    """The fields of 6310 or 6311: one test, its finding in 6220 or as result table in 6228."""
    finding = "6228" if kind_of(result) == "6311" else "6220"
    fields = [
        ("8310", result.id),
        ("3000", result.patient_id),
        ("6200", result.result_date.strftime("%d%m%Y")),
        ("6201", f"{practice.local(result.created_at):%H%M%S}"),
        ("8402", "ALLG01"),
        (finding, result.description),
        ("8410", result.code),
        ("8411", "Sondierungstiefe"),
        ("8418", "B"),
        ("8420", result.value),
        ("8421", result.unit),
        ("8460", result.reference_range),
    ]
    return [(field, str(content)) for field, content in fields if content]


def kind_of(result: DiagnosticResult) -> str:
    return "6311" if int(result.id) % 3 == 0 else "6310"


def charset_for(contents: Iterable[Fields], preferred: str) -> str:
    """The preferred charset, or the first that has every letter."""
    text = "".join(content for fields in contents for _, content in fields)
    for charset in (preferred, "latin-1", "cp437"):
        try:
            text.encode(charset)
        except UnicodeEncodeError:
            continue
        return charset
    return "utf-8"


def record(kind: str, fields: Fields, charset: str, *, sin: str = "", declared: str | None = None) -> bytes:
    """One record in bytes. `sin` is one of `SINS`; `declared` a charset to claim instead of the true one."""
    claimed = declared or charset
    if sin == "false charset":
        claimed = {"cp437": "latin-1", "latin-1": "cp437"}.get(charset, charset)
    head = [("8315", "PATCHBAY"), ("8316", "PRAXIDEN"), ("9206", CODES[claimed]), ("9218", "02.10")]
    head += [("0102", "PraxiDent (simulator)"), ("0103", "PraxiDent"), ("0132", VERSION)]
    if sin == "no charset" and charset == "cp437":  # GDT 2 without 9206 means CP437
        head = [each for each in head if each[0] != "9206"]
    lines = [line("8000", kind, charset), *(line(name, content, charset) for name, content in [*head, *fields])]
    if sin != "no 8100":
        size = sum(map(len, lines)) + 14
        lines.insert(1, line("8100", f"{size - 3 if sin == 'wrong lengths' else size:05d}", charset))
    if sin == "wrong lengths":
        lines[-1] = b"%03d" % (int(lines[-1][:3]) - 2) + lines[-1][3:]
    data = (b"\r\n" if sin == "blank lines" else b"").join(lines)
    return data.replace(b"\r\n", b"\n") if sin == "line feeds" else data


def line(field: str, content: str, charset: str) -> bytes:
    coded = content.encode(charset)
    return b"%03d%s%s\r\n" % (len(coded) + 9, field.encode(), coded)


def some_sin(random: Random) -> str:
    return random.choice(SINS)
