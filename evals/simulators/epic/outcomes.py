"""OperationOutcome with the vendor's numeric codes. Source: the error table of systems.md 2.1 (captured vendor pages).

Which HTTP status goes with which code is published only for 4107 (a redirect) and 4101, 4122 (warnings inside a 200 Bundle);
the other statuses are assumed from the FHIR standard.
"""

from typing import NamedTuple

from starlette.responses import JSONResponse, Response

CODES_OF_VENDOR = "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369"
FHIR_JSON = "application/fhir+json"


class Meaning(NamedTuple):
    severity: str  # fatal, error, warning, information
    kind: str  # FHIR issue type
    text: str
    status: int


MEANINGS = {
    "4100": Meaning("fatal", "value", "The resource request contained an invalid parameter", 400),
    "4101": Meaning("warning", "processing", "Resource request returns no results.", 200),
    "4102": Meaning("fatal", "not-found", "The read resource request contained an invalid ID", 404),
    "4103": Meaning("fatal", "deleted", "The resource requested has been deleted", 410),
    "4107": Meaning("fatal", "duplicate", "The read resource request has been merged", 301),
    "4110": Meaning("fatal", "required", "No parameters are provided in the search request", 400),
    "4111": Meaning("fatal", "required", "Required search parameter missing from request", 400),
    "4112": Meaning(
        "fatal", "business-rule", "The resource request contained an invalid combination of parameters", 400
    ),
    "4113": Meaning("fatal", "expired", "Session ID for cached search results has expired.", 400),
    "4115": Meaning("fatal", "value", "Required search parameter has an invalid value", 400),
    "4118": Meaning("fatal", "forbidden", "User not authorized for request", 403),
    "4122": Meaning("warning", "processing", "An unknown query parameter was supplied by the client", 200),
    "4127": Meaning("fatal", "too-costly", "Additional data may exist", 400),
    "4135": Meaning("fatal", "throttled", "Please try again tomorrow", 429),
    "40000": Meaning("fatal", "exception", "Incoming table mapping error", 500),
    "59105": Meaning("fatal", "structure", "A structural issue in the content.", 400),
    "59108": Meaning("fatal", "required", "Required element missing", 400),
    "59111": Meaning("fatal", "value", "Required element invalid", 400),
    "59159": Meaning("fatal", "not-supported", "The content/operation failed to pass a business rule", 405),
}


def issue(code: str, diagnostics: str = "") -> dict[str, object]:
    meaning = MEANINGS[code]
    coding = {"system": CODES_OF_VENDOR, "code": code, "display": meaning.text}
    made: dict[str, object] = {
        "severity": meaning.severity,
        "code": meaning.kind,
        "details": {"coding": [coding], "text": meaning.text},
    }
    return made | ({"diagnostics": diagnostics} if diagnostics else {})


def operation_outcome(*issues: dict[str, object]) -> dict[str, object]:
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


def refusal(
    code: str, diagnostics: str = "", *, status: int | None = None, headers: dict[str, str] | None = None
) -> Response:
    """An answer that says no with one vendor code."""
    body = operation_outcome(issue(code, diagnostics))
    return JSONResponse(body, status or MEANINGS[code].status, headers, media_type=FHIR_JSON)


class Refused(Exception):
    """Raised inside a handler; the gate answers it as an OperationOutcome."""

    def __init__(self, code: str, diagnostics: str = "", status: int | None = None) -> None:
        super().__init__(code)
        self.code, self.diagnostics, self.status = code, diagnostics, status

    @property
    def response(self) -> Response:
        return refusal(self.code, self.diagnostics, status=self.status)
