"""The control address of a simulator: truth, faults, changes and counts, for tests and demos only."""

import json
from dataclasses import asdict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evals.simulators.face import Face, UnknownFault


def control_app(face: Face) -> Starlette:
    """Serve one face's control address. Wrong input answers 400 (404 for an entity) with one sentence."""
    app = Starlette(
        routes=[
            Route("/truth", list_entities),
            Route("/truth/{entity}", list_truth),
            Route("/faults", list_faults),
            Route("/faults/known", list_known_faults),
            Route("/faults", start_fault, methods=["POST"]),
            Route("/faults", end_faults, methods=["DELETE"]),
            Route("/changes", make_changes, methods=["POST"]),
            Route("/nights", pass_night, methods=["POST"]),
            Route("/counts", show_counts),
            Route("/writes", list_writes),
        ]
    )
    app.state.face = face
    return app


def face_of(request: Request) -> Face:
    face = request.app.state.face
    assert isinstance(face, Face)
    return face


def refuse(sentence: str, status: int = 400) -> Response:
    return JSONResponse({"error": sentence}, status)


async def body_of(request: Request) -> dict[str, object] | None:
    """The JSON object that was sent, None where something else was."""
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


async def list_entities(request: Request) -> Response:
    return JSONResponse(face_of(request).entities)


async def list_truth(request: Request) -> Response:
    face, entity = face_of(request), request.path_params["entity"]
    if entity not in face.entities:
        return refuse(f"{face.system} does not carry {entity}; it carries {', '.join(face.entities)}.", 404)
    return JSONResponse(face.truth(entity))


async def list_faults(request: Request) -> Response:
    return JSONResponse([{"code": code, **parameters} for code, parameters in face_of(request).faults.items()])


async def list_known_faults(request: Request) -> Response:
    return JSONResponse({"codes": sorted(face_of(request).fault_codes), "parameters": face_of(request).fault_words()})


async def start_fault(request: Request) -> Response:
    body = await body_of(request)
    if body is None or not isinstance(body.get("code"), str):
        return refuse('Send a JSON object such as {"code": "upstream.down"}.')
    code = str(body.pop("code"))
    try:
        await face_of(request).start_fault(code, body)
    except UnknownFault as error:
        return refuse(str(error))
    return JSONResponse({"code": code, **body}, 201)


async def end_faults(request: Request) -> Response:
    await face_of(request).end_faults()
    return Response(status_code=204)


async def make_changes(request: Request) -> Response:
    body = await body_of(request)
    count = body.get("count", 1) if body is not None else None
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 100_000:
        return refuse('Send {"count": N} with N from 1 to 100000.')
    ordinary = body.get("ordinary", False) if body is not None else False
    if not isinstance(ordinary, bool):
        return refuse('"ordinary" is true or false: on an ordinary day little is merged or deleted.')
    changes = await face_of(request).work(count, ordinary=ordinary)
    return JSONResponse({"changes": [asdict(change) for change in changes]})


async def pass_night(request: Request) -> Response:
    await face_of(request).pass_night()
    return Response(status_code=204)


async def show_counts(request: Request) -> Response:
    return JSONResponse(face_of(request).counts.as_json())


async def list_writes(request: Request) -> Response:
    return JSONResponse(face_of(request).counts.writes)
