"""Creates and updates: Patient and DocumentReference, and a refusal of everything else."""

import json
from base64 import b64decode
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from evals.simulators.epic.capability import OFFERED
from evals.simulators.epic.face import Epic
from evals.simulators.epic.outcomes import Refused
from evals.simulators.epic.people import patient_of
from evals.simulators.epic.resources import DOCUMENT_TYPES
from evals.simulators.records import Document


async def create(request: Request, epic: Epic) -> Response:
    """Patient and DocumentReference only: 201, where it lies, and no body."""
    kind, practice = request.path_params["kind"], epic.practice
    if "c" not in OFFERED.get(kind, ""):
        raise Refused("59159", f"{kind} cannot be created here.")
    text = (await request.body()).decode("utf-8", "replace")
    body = _object(text, kind)
    epic.counts.wrote(f"POST {kind}", body, text)
    try:
        if kind == "Patient":
            patient = patient_of(practice, body)
            practice.patients[patient.id] = patient
            made = patient.id
        else:
            document = _document_of(epic, body)
            practice.documents[document.id] = document
            made = document.id
    except (KeyError, ValueError, TypeError) as error:
        raise Refused("59108", f"{type(error).__name__}: {error}") from error
    if epic.faults.pop("write.unconfirmed", None) is not None and epic.data is not None:
        epic.data.drop(request)
    return Response(status_code=201, headers={"Location": f"{epic.base}/{kind}/{made}", "ETag": 'W/"1"'})


async def update(request: Request, epic: Epic) -> Response:
    """DocumentReference only; `If-Match` must name the present version (412)."""
    kind, number = request.path_params["kind"], request.path_params["id"]
    if "u" not in OFFERED.get(kind, ""):
        raise Refused("59159", f"{kind} cannot be updated here.")
    document = epic.practice.documents.get(number)
    if document is None:
        raise Refused("4102")
    name = f"{kind}/{number}"
    version = epic.versions.get(name, 1)
    if request.headers.get("If-Match", f'W/"{version}"') != f'W/"{version}"':
        raise Refused("59159", "The version has changed.", status=412)
    text = (await request.body()).decode("utf-8", "replace")
    body = _object(text, kind)
    epic.counts.wrote(f"PUT {name}", body, text)
    document.title = str(body.get("description") or document.title)
    epic.practice.touch(document)
    epic.versions[name] = version + 1
    return Response(status_code=200, headers={"ETag": f'W/"{version + 1}"'})


async def refuse_verb(request: Request, epic: Epic) -> Response:
    raise Refused("59159", f"{request.method} is not offered on {request.path_params['kind']}.")


def _object(text: str, kind: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise Refused("59105") from error
    if not isinstance(body, dict) or body.get("resourceType") != kind:
        raise Refused("59105", f"A {kind} is required.")
    return body


def _document_of(epic: Epic, body: dict[str, Any]) -> Document:
    practice, now = epic.practice, epic.practice.clock()
    attachment = body["content"][0]["attachment"]
    subject = str(body["subject"]["reference"]).rpartition("/")[2]
    if subject not in practice.patients:
        raise ValueError("no such patient")
    content = b64decode(attachment["data"])
    number = practice.next_id(practice.documents)
    codes = [coding.get("code") for coding in body.get("type", {}).get("coding", [])]
    author = (body.get("author") or [{}])[0].get("reference", "")
    return Document(
        id=number,
        created_at=now,
        updated_at=now,
        patient_id=subject,
        author_id=author.rpartition("/")[2] or None,
        title=str(body.get("description") or attachment.get("title") or ""),
        category=next((word for word, (code, _) in DOCUMENT_TYPES.items() if code in codes), "letter"),
        mime_type=str(attachment["contentType"]),
        uri=f"documents/{number}",
        content=content,
        size_bytes=len(content),
    )
