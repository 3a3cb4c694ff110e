"""What the values of a notion are: the kind of fact that a column of that name holds."""

from __future__ import annotations

from functools import cache

from evals.datasets.notation import NotedColumn

_KINDS = {
    "key": "patient_key record_key appointment_key visit_key provider_key location_key room_key visit_type_key coverage_key payer_key charge_key payment_key claim_key document_key result_key rx_key measure_key frame_key lens_key item_key order_key supplier_key series_key parent_key record_ref subscriber_key guarantor_key code",
    "first": "first_name middle_name preferred_name guarantor_first_name", "last": "last_name second_last_name birth_name guarantor_last_name search_name",
    "full": "full_name subscriber_name emergency_name patient_name_copy payer_person father_name mother_name family_doctor contact_person referrer",
    "birth": "birth_date subscriber_birth patient_birth_copy",
    "past": "first_visit last_visit deceased_date privacy_date last_recall valid_from service_date payment_date submitted_date adjudicated_date result_date rx_date order_date hire_date card_read delivery_date start_date wait_since lab_due",
    "future": "next_recall valid_to rx_expires due_date task_due warranty",
    "moment": "created_at updated_at doc_date measured_at log_time last_login reminder_sent",
    "clock": "arrival_time seated_time checkout_time shift_from shift_to start_time",
    "start": "start_at", "end": "end_at", "minutes": "duration default_minutes waiting_minutes", "slots": "duration_slots",
    "flag": "active inactive deceased email_opt_in sms_opt_in phone_opt_in mail_opt_in marketing_opt_in confirmed is_new_patient is_hygiene online_bookable smoker pregnant pacemaker printed needs_tooth abnormal copay_exempt done flag sync_flag",
    "money": "balance balance_30 balance_90 copay annual_maximum deductible amount unit_price discount tax lab_cost paid_amount billed_amount allowed_amount insurer_paid patient_share price price2 cost retail order_total deposit rest_due",
    "email": "email email2", "phone": "phone_home phone_work phone_other fax guarantor_phone emergency_phone patient_phone_copy payer_phone",
    "mobile": "phone_mobile", "postal": "postal_code", "city": "city birth_place", "street": "street guarantor_address", "house": "house_number",
    "address2": "address2 postbox", "state": "state", "country": "country nationality", "language": "language", "national": "national_id",
    "member": "member_id", "payer_code": "payer_code", "insurer": "payer_name", "company": "employer group_name supplier lab_name location_name bank_name school plan_name",
    "job": "occupation", "title": "title salutation", "specialty": "specialty", "npi": "npi site_number", "license": "license_number",
    "abbr": "abbreviation code_short", "login": "login created_by updated_by locked_by posted_by", "hash": "password row_hash doc_hash",
    "guid": "row_guid", "hex_color": "calendar_color", "iban": "iban", "mime": "mime_type", "path": "uri thumbnail photo signature", "file": "doc_title template",
    "blob": "content", "bytes": "size", "billing": "billing_code modifier", "tooth": "tooth", "surface": "surface", "code_system": "code_system",
    "icd": "diagnosis_pointer diagnosis_code", "service": "service_text code_text reason item_category category", "visit": "visit_type_name campaign",
    "room": "room_name", "diagnosis": "diagnosis_text history medication allergies drug_name", "text": "notes alert rx_notes cancel_reason denial_reason phone_note log_text message_body task_text text_block booking_text finding_note dosage",
    "material": "material coating", "color": "color tint", "brand": "brand lens_brand", "item": "item_name", "model": "", "relation": "emergency_relation",
    "sku": "sku model collection", "ean": "upc", "stock": "on_hand reorder", "eyesize": "eye_size", "bridge": "bridge", "temple": "temple",
    "index": "index", "pd": "pd near_pd", "factor": "factor", "points": "points", "small": "quantity", "percent": "tax_rate commission percent_cover rebate",
    "months": "recall_interval", "priority": "priority", "insured": "insured_status", "currency": "currency", "zone": "time_zone", "url": "website",
    "kind": "measure_kind", "measured": "measure_value", "lab": "result_value", "ucum": "unit", "range": "reference_range",
    "acuity": "acuity", "pressure": "pressure", "kerato": "keratometry", "marital": "marital_status",
    "number": "chart_number second_id debtor_number group_number claim_number pay_reference tax_number order_number batch charge_lot tray booking_account last_number",
    "number_small": "age height weight dunning_level row_version sort_order certainty role log_level queue_state cash_register segment_height vertex quadrant spare",
    "label": "label", "code sex": "sex", "code appt_status": "appt_status", "code relationship": "relationship", "code plan_type": "plan_type",
    "code channel": "preferred_channel", "code pay_method": "pay_method", "code charge_status": "charge_status order_status", "code claim_status": "claim_status",
    "code result_status": "result_status", "code rx_type": "rx_type", "code eye": "eye dominant_eye", "code doc_category": "doc_category", "code design": "design",
    "eye right sphere": "sphere", "eye right cylinder": "cylinder", "eye right base_curve": "base_curve", "eye right diameter": "diameter",
}  # fmt: skip
_MEASURES = frozenset(["sphere", "cylinder", "axis", "add", "prism", "prism_base", "base_curve", "diameter", "mono_pd"])


@cache
def _of_notion() -> dict[str, str]:
    return {notion: kind for kind, notions in _KINDS.items() for notion in notions.split()}


def kind_of(noted: NotedColumn) -> str:
    """The kind of a column: as its list says, by what a pair of eyes has, or by its notion; free text otherwise."""
    if noted.kind is not None:
        return noted.kind
    parts = noted.name.split("+")
    if len(parts) == 1:
        return _of_notion().get(noted.name, "text")
    if parts[-1] == "objective_sphere" or parts[0] == "objective_sphere":
        return "measured"
    side = "right" if "right" in parts else "left"
    measure = next((each for each in parts if each in _MEASURES), None)
    if measure is None:
        return next((_of_notion()[each] for each in parts if each in _of_notion()), "text")
    return f"{'near' if 'near' in parts and measure in ('sphere', 'cylinder', 'axis') else 'eye'} {side} {measure}"
