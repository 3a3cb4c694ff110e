"""Writes HL7 v2 messages: ADT^A04, A08, A40 and SIU^S12 to S15, S17. Segments end with CR. Source: HL7 v2.5.1."""

from collections.abc import Sequence
from datetime import datetime

from evals.simulators.practice import Practice, shown, shown_date
from evals.simulators.praxident.share import VERSION
from evals.simulators.records import Appointment, Coverage, Patient

NULL = '""'  # takes a value away; an empty field leaves it
ESCAPES = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\n": "\\.br\\"})
SEX = {"male": "M", "female": "F", "other": "O", "unknown": "U"}
STATUS = {
    "booked": "Booked",
    "confirmed": "Confirmed",
    "arrived": "Arrived",
    "in_progress": "Started",
    "fulfilled": "Complete",
    "cancelled": "Cancelled",
    "noshow": "Noshow",
}
RELATION = {"self": "SEL", "spouse": "SPO", "child": "CHD", "other": "OTH"}
STRUCTURES = {"A04": "ADT_A01", "A08": "ADT_A01", "A40": "ADT_A39"}


def field(*components: object) -> str:
    """Components joined, separators in them escaped; two quotes stay two quotes."""
    return "^".join(str("" if each is None else each).translate(ESCAPES) for each in components).rstrip("^")


def segment(name: str, fields: dict[int, str]) -> str:
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


def message(
    practice: Practice, kind: str, event: str, number: int, at: datetime, body: Sequence[str], *, declared: str = ""
) -> bytes:
    """A whole message in bytes: ISO 8859-1, or UTF-8 where a letter asks for it. `at` is UTC, MSH-7 the local time.

    `declared` makes the header lie: the bytes are CP437 then.
    """
    stamp = f"{practice.local(at):%Y%m%d%H%M%S}"
    version = "2.3" if number % 5 == 0 else "2.5"
    structure = STRUCTURES.get(event, "SIU_S12")
    lines = [line for line in body if line]
    if version == "2.5":
        lines.insert(0, f"SFT|PraxiDent (simulator)|{VERSION}|PRAXIDENT|{VERSION}")
    if kind == "ADT":
        lines.insert(0, f"EVN|{event}|{stamp}")
    try:
        coded = "\r".join(lines).encode("cp437" if declared else "latin-1")
        charset = declared or "8859/1"
    except UnicodeEncodeError:
        coded, charset = "\r".join(lines).encode(), "UNICODE UTF-8"
    header = (
        f"MSH|^~\\&|PRAXIDENT|PRAXIS|PATCHBAY|PATCHBAY|{stamp}||{kind}^{event}^{structure}|{number:08d}|P|{version}"
        f"||||||{charset}"
    )
    return header.encode() + b"\r" + coded + b"\r"


def patient_identity(patient_id: str, token: str | None = None) -> str:
    own = field(patient_id, "", "", "PRAXIDENT", "PI")
    return f"{own}~{field(token, '', '', 'PATCHBAY', 'XX')}" if token else own


def patient_segment(patient: Patient, token: str | None = None, *, deleted: Sequence[str] = ()) -> str:
    """PID. `deleted` names fields (`email`, `phone_mobile`) that are taken away by two quotes."""
    mobile = NULL if "phone_mobile" in deleted else shown(patient, "phone_mobile")
    email = NULL if "email" in deleted else shown(patient, "email")
    home, work = shown(patient, "phone_home"), shown(patient, "phone_work")
    phones = [
        field(home, "PRN", "PH") if home else "",
        field(mobile, "PRN", "CP") if mobile else "",
        field("", "NET", "Internet", email) if email else "",
    ]
    return segment(
        "PID",
        {
            1: "1",
            3: patient_identity(patient.id, token),
            5: field(
                patient.last_name, patient.first_name, patient.middle_name, patient.name_suffix, patient.title, "", "L"
            ),
            7: field(shown_date(patient, "birth_date", "%Y%m%d")),
            8: SEX[patient.sex],
            11: field(
                patient.address_line1,
                patient.address_line2,
                patient.city,
                patient.state_region,
                patient.postal_code,
                patient.country,
            ),
            13: "~".join(phone for phone in phones if phone),
            14: field(work, "WPN", "PH") if work else "",
            18: field(patient.chart_number),
        },
    )


def insurance_segment(coverage: Coverage) -> str:
    first, _, last = (coverage.subscriber_name or "").partition(" ")
    return segment(
        "IN1",
        {
            1: str(coverage.priority),
            2: field("", coverage.plan_name),
            3: field(coverage.payer_id),
            4: field(coverage.payer_name),
            8: field(coverage.group_number),
            12: f"{coverage.start_date:%Y%m%d}" if coverage.start_date else "",
            13: f"{coverage.end_date:%Y%m%d}" if coverage.end_date else "",
            16: field(last, first),
            17: field(RELATION.get(coverage.relationship or "")),
            36: field(coverage.member_id),
        },
    )


def merge_segments(survivor: Patient, loser_id: str) -> list[str]:
    return [
        segment("PID", {1: "1", 3: patient_identity(survivor.id), 5: field(survivor.last_name, survivor.first_name)}),
        segment("MRG", {1: field(loser_id, "", "", "PRAXIDENT", "PI")}),
    ]


def visit_segments(practice: Practice, visit: Appointment, token: str | None = None) -> list[str]:
    """The body of an SIU message."""
    kind = practice.visit_types.get(visit.visit_type_id or "")
    patient = practice.patients[visit.patient_id]
    start, end = f"{visit.start:%Y%m%d%H%M}", f"{visit.end:%Y%m%d%H%M}"
    return [
        segment(
            "SCH",
            {
                1: field(token, "PATCHBAY") if token else "",
                2: field(visit.id, "PRAXIDENT"),
                6: field("", visit.cancellation_reason) if visit.cancellation_reason else "",
                7: field("", visit.reason) if visit.reason else "",
                8: field(kind.id, kind.name, "L") if kind else "",
                9: str(visit.duration_minutes),
                10: "MIN",
                11: field("", "", f"M{visit.duration_minutes}", start, end),
                16: field("EMPFANG"),
                25: STATUS[visit.status],
            },
        ),
        segment("NTE", {1: "1", 3: field(visit.notes)}) if visit.notes else "",
        segment(
            "PID",
            {1: "1", 3: patient_identity(visit.patient_id), 5: field(patient.last_name, patient.first_name)},
        ),
        "RGS|1|A",
        segment("AIS", {1: "1", 3: field(kind.id, kind.name, "L"), 4: start}) if kind else "",
        segment("AIL", {1: "1", 3: field("", visit.operatory_id, "", visit.location_id)}),
        segment("AIP", {1: "1", 3: field(visit.provider_id)}) if visit.provider_id else "",
    ]
