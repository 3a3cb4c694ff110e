"""The paths of the Group export."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from evals.simulators.epic.bulk import HELD, File, Job, lines_of
from evals.simulators.epic.face import GROUP_ID, Epic
from evals.simulators.epic.gate import check_right, fhir
from evals.simulators.epic.login import Token
from evals.simulators.epic.outcomes import Refused, issue, operation_outcome


async def start_export(request: Request, epic: Epic) -> Response:
    """202 and where to ask; 429 while one runs."""
    if request.path_params["id"] != GROUP_ID:
        raise Refused("4102", "No such group.")
    if "respond-async" not in request.headers.get("Prefer", ""):
        raise Refused("4100", "Prefer: respond-async is required.")
    if running := epic.exports.running():
        headers = {"Retry-After": str(epic.exports.wait(running))}
        body = operation_outcome(issue("4100", "An export is running."))
        return fhir(body, 429, headers)
    wanted = [kind for kind in request.query_params.get("_type", ",".join(HELD)).split(",") if kind]
    if unknown := [kind for kind in wanted if kind not in HELD]:
        raise Refused("4100", f"The export does not hold {', '.join(unknown)}.")
    token: Token = request.state.token
    denied = {kind for kind in wanted if check_right(request, epic, kind, "r") or not token.allows(kind, "r")}
    if denied == set(wanted):
        raise Refused("4118")
    job = epic.exports.start(
        str(request.url),
        datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        [File(kind, _lines(epic, kind)) for kind in wanted if kind not in denied],
        [operation_outcome(issue("4118", kind)) for kind in sorted(denied)],
    )
    return Response(status_code=202, headers={"Content-Location": f"{epic.base}/BulkRequest/{job.id}"})


def _lines(epic: Epic, kind: str) -> list[bytes]:
    return [] if epic.is_silent(kind) else lines_of(epic.practice, kind)


def _job(request: Request, epic: Epic) -> Job:
    job = epic.exports.find(request.path_params["job"])
    if job is None or "cursor.lost" in epic.faults:
        raise Refused("4102", "No such export.")
    return job


async def show_export(request: Request, epic: Epic) -> Response:
    """202 with Retry-After until it is done, 429 for who does not wait; then the list of files."""
    job, exports = _job(request, epic), epic.exports
    if wait := exports.wait(job):
        if exports.clock() < job.poll_from:
            return fhir(operation_outcome(issue("4100", "Polled too early.")), 429, {"Retry-After": str(wait)})
        job.poll_from = exports.clock() + wait - 0.05  # a client's clock may tick a little faster
        return Response(status_code=202, headers={"X-Progress": "Searched patients", "Retry-After": str(wait)})
    place = f"{epic.base}/BulkRequest/{job.id}"
    manifest = {
        "transactionTime": job.transaction_time,
        "request": job.request,
        "requiresAccessToken": True,
        "output": [
            {"type": file.kind, "url": f"{place}/{number}", "count": len(file.lines)}
            for number, file in enumerate(job.files)
        ],
        "deleted": [],
        "error": [{"type": "OperationOutcome", "url": f"{place}/errors", "count": len(job.errors)}]
        if job.errors
        else [],
    }
    expires = datetime.now(UTC) + timedelta(seconds=job.ends_at - exports.clock())
    return JSONResponse(manifest, headers={"Expires": format_datetime(expires, usegmt=True)})


async def show_file(request: Request, epic: Epic) -> Response:
    job, name = _job(request, epic), request.path_params["file"]
    if name == "errors":
        body = b"".join(json.dumps(error).encode() + b"\n" for error in job.errors)
    elif name.isdigit() and int(name) < len(job.files):
        body = job.files[int(name)].body
    else:
        raise Refused("4102", "No such file.")
    return Response(body, media_type="application/fhir+ndjson")


async def end_export(request: Request, epic: Epic) -> Response:
    job = _job(request, epic)
    del epic.exports.jobs[job.id]
    return Response(status_code=202)
