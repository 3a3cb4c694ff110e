"""Money, documents and findings that visits leave behind."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from evals.simulators.practice import Practice
from evals.simulators.records import (
    Appointment,
    Charge,
    Claim,
    Coverage,
    DiagnosticResult,
    Document,
    Payment,
    Prescription,
    State,
    TreatmentCode,
)

CENT = Decimal("0.01")
PDF = b"%PDF-1.4\n% a one-page letter of a practice that does not exist\n%%EOF\n"


def seed_ledger(practice: Practice, random: Random, today: date) -> None:
    """One or two charges for each visit kept; a claim where a policy covers it; payments; what is left is the balance."""
    policies: dict[str, Coverage] = {}
    for coverage in practice.coverages.values():
        policies.setdefault(coverage.patient_id, coverage)
    for visit in practice.appointments.values():
        if visit.status != "fulfilled":
            continue
        charges = [_charge(practice, random, visit) for _ in range(random.choice((1, 1, 2)))]
        policy = policies.get(visit.patient_id)
        claim = None
        if policy is not None and random.random() < 0.7:
            claim = _claim(practice, random, visit, policy, charges, today)
        for charge in charges:
            charge.claim_id = claim.id if claim else None
            practice.charges[charge.id] = charge
            practice.patients[visit.patient_id].balance += charge.amount
        _pay(practice, random, visit, claim, charges)


def charge_for(
    practice: Practice, random: Random, visit: Appointment, code: TreatmentCode, charge_id: str, at: datetime
) -> Charge:
    """One line of the ledger, priced by the catalogue."""
    price = code.price or Decimal("0.00")
    factor = None
    if code.code_system == "GOZ":
        factor = Decimal(random.choice(("1", "1.8", "2.3", "3.5")))
        price = (price * factor).quantize(CENT, ROUND_HALF_UP)
    quantity = Decimal(random.choices((1, 2, 3), (85, 10, 5))[0])
    german = practice.country == "DE"
    has_tooth = random.random() < 0.6
    tooth = str(random.choice((11, 14, 16, 26, 36, 37, 46, 48, 55, 85))) if german else str(random.randint(1, 32))
    return Charge(
        id=charge_id,
        created_at=at,
        updated_at=at,
        patient_id=visit.patient_id,
        service_date=visit.start.date(),
        code=code.code,
        code_system=code.code_system,
        description=code.description,
        quantity=quantity,
        unit_amount=price,
        amount=price * quantity,
        currency=practice.currency,
        status="completed",
        provider_id=visit.provider_id,
        location_id=visit.location_id,
        appointment_id=visit.id,
        diagnosis_code=random.choice(("K02.1", "K04.0", "K05.1")) if random.random() < 0.2 else None,
        tooth=tooth if has_tooth else None,
        surface=random.choice(("M", "O", "MO", "MOD", "B")) if has_tooth and random.random() < 0.7 else None,
        factor=factor,
    )


def _charge(practice: Practice, random: Random, visit: Appointment) -> Charge:
    code = random.choice(list(practice.treatment_codes.values()))
    number = str(200_001 + len(practice.charges))
    at = datetime.combine(visit.start.date(), time(16, random.randrange(60), random.randrange(60)), UTC)
    charge = charge_for(practice, random, visit, code, number, at)
    practice.charges[charge.id] = charge
    return charge


def _claim(
    practice: Practice, random: Random, visit: Appointment, coverage: Coverage, charges: list[Charge], today: date
) -> Claim:
    billed = sum((charge.amount for charge in charges), Decimal("0.00"))
    status = random.choices(("paid", "submitted", "denied"), (75, 18, 7))[0]
    decided = status in ("paid", "denied")
    submitted = min(visit.start.date() + timedelta(days=2), today)
    allowed = (billed * Decimal("0.8")).quantize(CENT) if decided else None
    paid = allowed if status == "paid" else Decimal("0.00") if decided else None
    at = datetime.combine(submitted, time(12, random.randrange(60)), UTC)
    claim = Claim(
        id=str(400_001 + len(practice.claims)),
        created_at=at,
        updated_at=at,
        patient_id=visit.patient_id,
        coverage_id=coverage.id,
        provider_id=visit.provider_id,
        claim_number=f"CLM{700_000 + len(practice.claims)}",
        claim_type="KCH" if practice.country == "DE" else "dental",
        service_date=visit.start.date(),
        submitted_date=submitted,
        adjudicated_date=min(submitted + timedelta(days=14), today) if decided else None,
        billed_amount=billed,
        allowed_amount=allowed,
        paid_amount=paid,
        patient_amount=billed - paid if paid is not None else None,
        denial_reason="not covered" if status == "denied" else None,
        status=status,
    )
    practice.claims[claim.id] = claim
    for charge in charges:
        charge.status = "paid" if status == "paid" else "billed"
    return claim


def _pay(practice: Practice, random: Random, visit: Appointment, claim: Claim | None, charges: list[Charge]) -> None:
    due = sum((charge.amount for charge in charges), Decimal("0.00"))
    if claim is not None and claim.paid_amount:
        payer = practice.coverages[claim.coverage_id or ""].payer_name
        add_payment(
            practice, random, visit.patient_id, claim.paid_amount, "insurance", visit.start.date(), claim.id, payer
        )
        due -= claim.paid_amount
    if due > 0 and random.random() < 0.7:
        method = random.choice(("cash", "card", "transfer", "check" if practice.country == "US" else "transfer"))
        patient = practice.patients[visit.patient_id]
        payer = f"{patient.first_name} {patient.last_name}"
        add_payment(practice, random, visit.patient_id, due, method, visit.start.date(), None, payer)


def add_payment(
    practice: Practice,
    random: Random,
    patient_id: str,
    amount: Decimal,
    method: str,
    day: date,
    claim_id: str | None,
    payer: str,
) -> Payment:
    """Money received; it lowers the patient's balance."""
    at = datetime.combine(day, time(16, random.randrange(60), random.randrange(60)), UTC)
    payment = Payment(
        id=str(600_001 + len(practice.payments)),
        created_at=at,
        updated_at=at,
        patient_id=patient_id,
        payment_date=day,
        amount=amount,
        currency=practice.currency,
        method=method,
        claim_id=claim_id,
        payer_name=payer,
        reference=f"R{random.randrange(10**6):06d}" if method != "cash" else None,
    )
    practice.payments[payment.id] = payment
    practice.patients[patient_id].balance -= amount
    return payment


def seed_charts(practice: Practice, random: Random, today: date, *, optics: bool) -> None:
    """Letters and consents, findings, and spectacles where the practice has optics."""
    for visit in practice.appointments.values():
        if visit.status != "fulfilled":
            continue
        if random.random() < 0.15:
            _document(practice, random, visit)
        if random.random() < 0.15:
            _result(practice, random, visit)
    if optics:
        living = [patient for patient in practice.patients.values() if patient.state is State.ACTIVE]
        for number, patient in enumerate(living[:: max(1, len(living) // max(1, len(living) // 2))]):
            _spectacles(practice, random, patient.id, number, today)


def _document(practice: Practice, random: Random, visit: Appointment) -> None:
    at = datetime.combine(visit.start.date(), time(15, random.randrange(60)), UTC)
    number = str(80_001 + len(practice.documents))
    category = random.choice(("letter", "consent", "report", "x-ray"))
    practice.documents[number] = Document(
        id=number,
        created_at=at,
        updated_at=at,
        patient_id=visit.patient_id,
        author_id=visit.provider_id,
        title=f"{'Arztbrief' if practice.country == 'DE' else 'Letter'} {number}.pdf",
        category=category,
        mime_type="application/pdf",
        uri=f"documents/{number}.pdf",
        content=PDF,
        size_bytes=len(PDF),
    )


def _result(practice: Practice, random: Random, visit: Appointment) -> None:
    number = str(90_001 + len(practice.results))
    at = datetime.combine(visit.start.date(), time(14, random.randrange(60)), UTC)
    german = practice.country == "DE"
    practice.results[number] = DiagnosticResult(
        id=number,
        created_at=at,
        updated_at=at,
        patient_id=visit.patient_id,
        provider_id=visit.provider_id,
        appointment_id=visit.id,
        result_date=visit.start.date(),
        code=random.choice(("K02.1", "K04.0", "K05.1", "K08.1")),
        code_system="ICD-10",
        description="Taschentiefe größer als vier Millimeter" if german else "Pocket deeper than four millimetres",
        value=str(random.randint(4, 9)),
        unit="mm",
        reference_range="1-3",
        status="final",
    )


def _spectacles(practice: Practice, random: Random, patient_id: str, number: int, today: date) -> None:
    issued = today - timedelta(days=random.randint(1, 700))
    at = datetime.combine(issued, time(11), UTC)
    glasses = Prescription(
        id=str(95_001 + number),
        created_at=at,
        updated_at=at,
        patient_id=patient_id,
        rx_type="spectacles",
        issued_date=issued,
        expires_date=issued + timedelta(days=730),
        provider_id=str(random.randint(1, 4)),
        right_sphere=Decimal(random.randrange(-24, 13)) / 4,
        right_cylinder=Decimal(random.randrange(-8, 1)) / 4,
        right_axis=random.randint(1, 180),
        left_sphere=Decimal(random.randrange(-24, 13)) / 4,
        left_cylinder=Decimal(random.randrange(-8, 1)) / 4,
        left_axis=random.randint(1, 180),
        pupillary_distance=Decimal(random.randrange(116, 140)) / 2,
    )
    if number % 10 == 3:
        glasses.right_axis, glasses.raw["right_axis"] = None, "270"
    practice.prescriptions[glasses.id] = glasses
