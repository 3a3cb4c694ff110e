"""Errors as RFC 9457 problem documents: what happened, why, and what mends it; never what a caller or a record held."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from knowledge.errors import BadInput, PatchbayError
from tools.errors import PmsError, Unsupported, WriteRefused

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:patchbay:problem:"
MOST_PLACES = 20  # told of one request
UNKNOWN_FIELDS = "it has fields that this operation does not take"
_SOON = 2  # seconds after which a caller may try again what somebody else is at

# By code; what is not here goes by its class. A fault of the practice's system is no fault of this service: 424, never 5xx.
_STATUS = {
    "auth.missing": 401, "auth.unknown": 401, "auth.role": 403,
    "store.not_found": 404, "integration.unknown": 404,
    "question.closed": 409, "sync.busy": 409, "heal.busy": 409, "idempotency.in_progress": 409,
    "write.busy": 409,
    "patient.likely_there": 409, "integration.at_rest": 409, "input.contradicts": 409, "request.too_large": 413,
    "request.unreadable": 400, "request.media_type": 415,
    "idempotency.key_reused": 422, "address.refused": 422,
    "storage.full": 503, "service.no_worker": 503, "store.unreachable": 503, "store.damaged": 503, "store.schema_behind": 503, "store.schema_ahead": 503,
}  # fmt: skip

# By code: what the sentence names of this machine's own paths is nothing for a caller, whose admin reads it in the log.
_SAID = {
    "storage.full": ("The service's own store cannot be written: no space is left.", "Ask its admin to free space."),
    "store.damaged": ("The service's own database is damaged.", "Ask its admin to restore a backup with `patchbay restore`."),
    "store.unreachable": ("The service's own database cannot be reached.", "Try again; if it lasts, ask its admin."),
}  # fmt: skip

log = logging.getLogger(__name__)


class FieldProblem(BaseModel):
    """One wrong place of a request: a JSON pointer into it, and what is wrong there."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """RFC 9457. `code` is a code of the fault catalogue, `cause` says what happened and `mend` what helps."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:patchbay:problem:store.not_found", "title": "There is no practice prc_x.", "status": 404,
                    "detail": "There is no practice prc_x. Check the id.", "code": "store.not_found",
                    "cause": "There is no practice prc_x.", "mend": "Check the id.",
                }
            ]
        },
    )  # fmt: skip

    type: str
    title: str
    status: int
    detail: str
    code: str
    cause: str
    mend: str
    errors: list[FieldProblem] | None = None


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE


def add_problem_handlers(app: FastAPI) -> None:
    """Every failure leaves as a problem document."""
    app.add_exception_handler(PatchbayError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)


def status_of(error: PatchbayError) -> int:
    """The HTTP status that an error leaves with."""
    if error.code in _STATUS:
        return _STATUS[error.code]
    if isinstance(error, BadInput | Unsupported | WriteRefused):
        return 422
    return 424 if isinstance(error, PmsError) else 500


def problem_of(error: PatchbayError) -> ProblemResponse:
    """The document of an error of ours."""
    status = status_of(error)
    cause, mend = _SAID.get(error.code) or (error.filled(error.cause), error.filled(error.mend))
    document = problem_document(status, error.code, cause, mend)
    return ProblemResponse(document, status, headers=_headers(error, status))


def problem_document(status: int, code: str, cause: str, mend: str) -> dict[str, object]:
    """The members that every problem document has."""
    return {
        "type": f"{_TYPE}{code}", "title": cause, "status": status, "detail": f"{cause} {mend}".strip(),
        "code": code, "cause": cause, "mend": mend,
    }  # fmt: skip


def _headers(error: PatchbayError, status: int) -> dict[str, str]:
    wait = getattr(error, "retry_after_seconds", None)
    if status == 401:
        return {"WWW-Authenticate": "Bearer"}
    if wait is not None:
        return {"Retry-After": str(math.ceil(wait))}
    return {"Retry-After": str(_SOON)} if error.transient and status in {409, 503} else {}


async def _ours(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, PatchbayError)
    if error.code in _SAID:
        log.error("this service's own store fails: %s", error.code, extra={"code": error.code})
    return problem_of(error)


async def _invalid(_: Request, error: Exception) -> ProblemResponse:
    """Places and reasons; never the value that stood there, which may be a patient's."""
    assert isinstance(error, RequestValidationError)
    cause = "The request is not of the form that this operation takes."
    document = problem_document(422, "request.invalid", cause, "Correct the places named under errors.")
    return ProblemResponse({**document, "errors": _told(error.errors())}, 422)


def _told(mistakes: Sequence[Mapping[str, object]]) -> list[dict[str, str]]:
    """The first of the wrong places, and how many more there are. Names that a caller made up are not repeated either."""
    places = list(dict.fromkeys((_pointer(each), _reason(each)) for each in mistakes))
    told = [{"pointer": pointer, "detail": detail} for pointer, detail in places[:MOST_PLACES]]
    more = len(places) - MOST_PLACES
    return [*told, {"pointer": "", "detail": f"and {more} more"}] if more > 0 else told


def _reason(error: Mapping[str, object]) -> str:
    return UNKNOWN_FIELDS if error.get("type") == "extra_forbidden" else str(error.get("msg", ""))


def _pointer(error: Mapping[str, object]) -> str:
    place = error.get("loc")
    parts = place if isinstance(place, tuple | list) else ()
    if error.get("type") == "extra_forbidden":
        parts = parts[:-1]
    elif parts and parts[-1] == "[key]":
        parts = parts[:-2]
    return "/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in parts)


async def _http(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)
    known = {
        404: ("request.no_such_path", "There is nothing at this address.", "`/openapi.json` lists what there is."),
        405: ("request.method", "This address does not take that method.", "The header Allow names those it takes."),
    }
    other = ("request.refused", str(error.detail), "`/openapi.json` describes every operation.")
    document = problem_document(error.status_code, *known.get(error.status_code, other))
    return ProblemResponse(document, error.status_code, headers=dict(error.headers or {}))


async def _fault(_: Request, error: Exception) -> ProblemResponse:
    """A fault of our own: its kind goes to the log, nothing of it to the caller."""
    log.error("a fault of our own while answering: %s", type(error).__name__)
    mend = "Try again with the same Idempotency-Key; if it lasts, report it."
    return ProblemResponse(
        problem_document(500, "service.fault", "A fault of our own stopped this request.", mend), 500
    )
