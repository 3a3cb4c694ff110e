"""What PraxiDent tells of its practice, and in which of the two forms it told it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from evals.simulators.face import Face
from evals.simulators.practice import TruthRow
from evals.simulators.praxident import gdt, hl7
from evals.simulators.praxident.share import Share
from evals.simulators.records import Appointment, Coverage, DiagnosticResult, Patient, Record, State
from evals.simulators.seeding_people import newcomer
from evals.simulators.work import Change

ONLY_HL7 = ("chart_number", "address_line2", "state", "country", "phone_work", "middle_name", "name_suffix")
OF_POLICY = ("id", "patient_id", "priority", "member_id")  # what GDT can say of one
EVENTS = {"new": "S12", "moved": "S13", "changed": "S14", "cancelled": "S15", "deleted": "S17"}
LONG_AGO = timedelta(minutes=5)


@dataclass(eq=False)
class PraxidentFace(Face):
    """`by_hl7` are patients of whom an ADT message was written: only of these the wire told what GDT has no field for.

    Faults: `data.encoding` takes an optional `mixed` (true: two encodings in one file); the others nothing.
    """

    system = "praxident"
    carried = {
        "Patient": (
            "id",
            "title",
            "first_name",
            "last_name",
            "birth_date",
            "sex",
            "email",
            "phone_home",
            "phone_mobile",
            "address_line1",
            "postal_code",
            "city",
            *ONLY_HL7,
        ),
        "Coverage": (
            *OF_POLICY,
            "payer_name",
            "payer_id",
            "plan_name",
            "group_number",
            "start_date",
            "end_date",
            "subscriber_name",
            "relationship",
        ),
        "Appointment": (
            "id",
            "patient_id",
            "provider_id",
            "location_id",
            "operatory_id",
            "visit_type_id",
            "start",
            "end",
            "duration_minutes",
            "status",
            "reason",
            "notes",
            "cancellation_reason",
        ),
        "DiagnosticResult": (
            "id",
            "patient_id",
            "result_date",
            "code",
            "description",
            "value",
            "unit",
            "reference_range",
            "status",
        ),
    }
    fault_codes = frozenset(
        {
            "data.partial_file",
            "data.truncated_file",
            "data.encoding",
            "data.mass_delete",
            "data.poison_record",
            "data.duplicate_message",
            "file.share_unavailable",
            "file.permission",
        }
    )
    work_kinds = (
        ("Patient", "new"),
        ("Patient", "changed"),
        ("Appointment", "moved"),
        ("Appointment", "cancelled"),
        ("Patient", "merged"),
        ("Appointment", "deleted"),
        ("Appointment", "new"),
        ("Appointment", "changed"),
        ("Coverage", "changed"),
    )

    share: Share = field(kw_only=True)
    by_hl7: set[str] = field(default_factory=set)
    tokens: dict[str, str] = field(default_factory=dict)  # "Patient/1001" to the number that the writer gave it
    messages: int = 0
    unfinished: dict[str, bytes] = field(default_factory=dict)  # file name to what it will hold when it is whole
    last: tuple[str, bytes] | None = None  # ending and content of the last file
    policies: dict[str, list[Coverage]] = field(default_factory=dict)  # by patient; nobody here gets a new one

    # -- truth ---------------------------------------------------------------------------------------------------------

    def told(self, record: Record) -> TruthRow:
        if isinstance(record, Patient) and record.id not in self.by_hl7:
            silent = dict.fromkeys(ONLY_HL7)
            return {**silent, "sex": record.sex if record.sex in gdt.SEX else None}
        if isinstance(record, Coverage):
            row: TruthRow = {"id": f"{record.patient_id}-{record.priority}"}
            if record.patient_id not in self.by_hl7:
                row |= {name: None for name in self.carried["Coverage"] if name not in OF_POLICY}
            return row
        return {}

    def coverages_of(self, patient_id: str) -> list[Coverage]:
        if not self.policies:
            for row in sorted(self.practice.coverages.values(), key=lambda policy: policy.priority):
                self.policies.setdefault(row.patient_id, []).append(row)
        return self.policies.get(patient_id, [])

    def needs_hl7(self, patient: Patient) -> bool:
        """Whether GDT 2.1 has no way to say it: a third sex, a second policy, a value taken away."""
        taken_away = "" in (patient.raw.get("email"), patient.raw.get("phone_mobile"))
        return patient.sex not in gdt.SEX or taken_away or len(self.coverages_of(patient.id)) > 1

    # -- writing -------------------------------------------------------------------------------------------------------

    def adt(self, patient: Patient, event: str, at: datetime, *, deleted: Sequence[str] = ()) -> bytes:
        """An ADT message about a patient and the policies."""
        self.by_hl7.add(patient.id)
        body = [hl7.patient_segment(patient, self.tokens.get(f"Patient/{patient.id}"), deleted=deleted), "PV1|1|O"]
        body += [hl7.insurance_segment(policy) for policy in self.coverages_of(patient.id)]
        return self.message("ADT", event, at, body)

    def merge(self, loser: Patient, at: datetime) -> bytes:
        survivor = self.practice.patients[loser.merged_into or ""]
        return self.message("ADT", "A40", at, hl7.merge_segments(survivor, loser.id))

    def siu(self, visit: Appointment, event: str, at: datetime) -> bytes:
        token = self.tokens.get(f"Appointment/{visit.id}")
        return self.message("SIU", event, at, hl7.visit_segments(self.practice, visit, token))

    @property
    def declares_falsely(self) -> bool:
        """Whether files name a charset that they are not written in; `mixed` ones name one, and are written in two."""
        fault = self.faults.get("data.encoding")
        return fault is not None and not fault.get("mixed")

    def message(self, kind: str, event: str, at: datetime, body: Sequence[str]) -> bytes:
        self.messages += 1
        declared = "8859/1" if self.declares_falsely else ""
        return hl7.message(self.practice, kind, event, self.messages, at, body, declared=declared)

    def gdt_patient(self, patient: Patient, charset: str, sin: str = "") -> bytes:
        policies = self.coverages_of(patient.id)
        fields = gdt.patient_fields(patient, policies[0] if policies else None, split_city=int(patient.id) % 4 == 0)
        return self.gdt_record("6301", fields, charset, sin)

    def gdt_result(self, result: DiagnosticResult, charset: str, sin: str = "") -> bytes:
        return self.gdt_record(gdt.kind_of(result), gdt.result_fields(self.practice, result), charset, sin)

    def gdt_record(self, kind: str, fields: gdt.Fields, charset: str, sin: str = "") -> bytes:
        lies = self.declares_falsely and charset == "cp437"
        return gdt.record(kind, fields, charset, sin=sin, declared="latin-1" if lies else None)

    def charset_of(self, patient: Patient, preferred: str = "cp437") -> str:
        return gdt.charset_for([gdt.patient_fields(patient, None, split_city=False)], preferred)

    def send(self, ending: str, data: bytes) -> None:
        """A file that appears in `out/` now."""
        self.share.write(ending, data)
        self.last = (ending, data)

    # -- changes -------------------------------------------------------------------------------------------------------

    async def work(self, count: int, *, ordinary: bool = False) -> list[Change]:
        changes = await super().work(count, ordinary=ordinary)
        for change in changes:
            self._tell(change)
        return changes

    def _tell(self, change: Change) -> None:
        now = self.practice.clock()
        if change.entity == "Appointment":
            visit = self.practice.appointments[change.id]
            self.send("hl7", self.siu(visit, EVENTS[change.kind], now))
        elif change.entity == "Coverage":
            patient = self.practice.patients[self.practice.coverages[change.id].patient_id]
            self.send("hl7", self.adt(patient, "A08", now))
            if patient.merged_into:  # a policy under the old number; the merger stands
                self.send("hl7", self.merge(patient, now))
        elif change.kind == "merged":
            self.send("hl7", self.merge(self.practice.patients[change.id], now))
        else:
            self.tell_patient(self.practice.patients[change.id], "A04" if change.kind == "new" else "A08")

    def tell_patient(self, patient: Patient, event: str) -> None:
        """In GDT and HL7 by turns, in HL7 only where GDT cannot say it."""
        if self.share.written % 2 and not self.needs_hl7(patient):
            charset = self.charset_of(patient)
            ending = "001" if self.share.written % 4 == 1 else "gdt"
            self.send(ending, self.gdt_patient(patient, charset))
        else:
            self.send("hl7", self.adt(patient, event, self.practice.clock()))

    # -- faults --------------------------------------------------------------------------------------------------------

    async def start_fault(self, code: str, parameters: Mapping[str, object]) -> None:
        await super().start_fault(code, parameters)
        match code:
            case "file.share_unavailable":
                self.share.move_away()
            case "data.mass_delete":
                self.share.empty()
            case "file.permission":
                self.share.forbid(True)
            case "data.partial_file" | "data.truncated_file":
                self._write_half(old=code == "data.truncated_file")
            case "data.poison_record":
                self._write_poison()
            case "data.duplicate_message" if self.last is not None:
                self.share.write(*self.last)
            case "data.encoding" if parameters.get("mixed"):
                self._write_mixed()
            case "data.encoding":
                self._write_umlauts()

    async def end_faults(self) -> None:
        """The share comes back, half files are written to their end or again."""
        if "file.permission" in self.faults:
            self.share.forbid(False)
        self.share.come_back()
        for name, data in self.unfinished.items():
            path = self.share.root / "out" / name
            if path.exists():
                path.write_bytes(data)
                self.share.stamp(path, None)
            else:
                self.send(path.suffix.removeprefix("."), data)
        self.unfinished.clear()
        await super().end_faults()

    def _newcomer(self) -> Patient:
        """Somebody who registers now, told in GDT."""
        practice = self.practice
        random = Random(f"{practice.seed}-{len(practice.patients)}")
        patient = newcomer(practice, random, practice.clock().astimezone(practice.zone).date())
        if patient.sex not in gdt.SEX:
            patient.sex = "female"
        patient.birth_name = None
        practice.patients[patient.id] = patient
        return patient

    def _write_half(self, *, old: bool) -> None:
        """A new patient's file that ends too early: at a line end where `old`, so that only 8100 tells; else in a line."""
        patient = self._newcomer()
        data = self.gdt_patient(patient, self.charset_of(patient))
        lines = data.splitlines(keepends=True)
        half = b"".join(lines[: len(lines) // 2 + 2])
        at = datetime.now(UTC) - LONG_AGO if old else None
        path = self.share.write_openly("gdt", half if old else half[:-5], at)
        self.unfinished[path.name] = data

    def _write_mixed(self) -> None:
        """A new patient's file that two programs wrote, each in its own charset: no one charset reads both umlauts."""
        patient = self._newcomer()
        patient.last_name, patient.city = "Müller", "Köthen"
        data = self.gdt_patient(patient, "cp437")
        mixed = data.replace("Köthen".encode("cp437"), "Köthen".encode("latin-1"), 1)
        at = datetime.now(UTC) - LONG_AGO
        self.unfinished[self.share.write_openly("gdt", mixed, at).name] = data

    def _write_poison(self) -> None:
        """Three new patients in one file; a line of the second is no GDT."""
        records = [self.gdt_patient(patient, "utf-8") for patient in (self._newcomer() for _ in range(3))]
        records[1] = records[1].replace(b"3102", b"31#2", 1)
        self.send("gdt", b"".join(records))

    def _write_umlauts(self) -> None:
        """Somebody with umlauts changes, so that the false declaration shows."""
        for patient in self.practice.active_patients():
            if any(letter in patient.last_name for letter in "äöüß") and not self.needs_hl7(patient):
                self.practice.touch(patient)
                self.send("gdt", self.gdt_patient(patient, "cp437"))
                self.send("hl7", self.adt(patient, "A08", self.practice.clock()))
                return

    def living_visits(self) -> list[Appointment]:
        return [visit for visit in self.practice.appointments.values() if visit.state is State.ACTIVE]
