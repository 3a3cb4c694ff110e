"""`Idempotency-Key` on every write: the same request again answers the same and does nothing twice."""

from __future__ import annotations

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter

from api.auth import Caller, admit, role_asked
from api.problems import status_of
from api.request_body import look_into
from knowledge.errors import BadInput, PatchbayError
from tools.store.idempotency import Claim, IdempotencyRepository
from tools.store.ids import new_id
from tools.store.models import KeptAnswer

HEADER = "Idempotency-Key"
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
MOST_LETTERS = 255
CLAIM_SECONDS = 60.0
PATIENCE_SECONDS = 30.0
SHOWN_AGAIN_SECONDS = 600.0
_KEPT_HEADERS = ("content-type", "location", "etag")
_REPLAYED = {"Idempotent-Replayed": "true"}

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(eq=False)
class InProgress(PatchbayError):
    code: ClassVar[str] = "idempotency.in_progress"
    cause: ClassVar[str] = "The same request is being worked on right now."
    mend: ClassVar[str] = "Ask again in a moment with the same Idempotency-Key."
    transient: ClassVar[bool] = True


class IdempotentRoute(APIRoute):
    """A route whose writes can be repeated safely by a key of the caller's. Who may not call it is refused first of all."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        role = role_asked(each.call for each in self.dependant.dependencies)
        look = self._look_into
        shown_once: tuple[str, ...] = getattr(self.response_model, "shown_once", ())

        async def answer(request: Request) -> Response:
            caller = await admit(request, role)  # before the body is read, and before an answer is repeated
            await look(request)
            key = request.headers.get(HEADER)
            if request.method not in WRITES or key is None:
                return await handle(request)
            if not key.isprintable() or not 0 < len(key) <= MOST_LETTERS:
                raise BadInput(f"header {HEADER}", "is empty, too long or unprintable.", "Give a UUID.")
            return await _once(request, caller, key, handle, shown_once)

        return answer

    async def _look_into(self, request: Request) -> None:
        if self.body_field is not None:
            await look_into(request, self._adapter)

    def _adapter(self) -> TypeAdapter[Any]:
        """What the body is to be; made when the first one comes."""
        if self._made is None:
            form = self.body_field.field_info.annotation if self.body_field else None
            assert form is not None
            self._made = TypeAdapter(form)
        return self._made

    _made: TypeAdapter[Any] | None = None


def id_for(request: Request, keys: IdempotencyRepository, prefix: str, body: BaseModel | None) -> str:
    """An id for what the request makes. It follows from the caller's key, so that the same request again, after a crash
    that lost our answer, finds what is there instead of making another. Bodies hold credentials: the tenant's own key
    goes in, so that nobody can try from the id what they were."""
    key = request.headers.get(HEADER)
    if key is None:
        return new_id(prefix)
    said = body.model_dump_json() if body is not None else ""
    named = "\x00".join((request.url.path, key, said)).encode()
    return f"{prefix}_{urlsafe_b64encode(keys.digest(named)[:9]).decode()}"


async def _once(
    request: Request, caller: Caller, key: str, handle: Handler, shown_once: tuple[str, ...]
) -> Response:  # fmt: skip
    keys = caller.store.idempotency
    body = await request.body()
    url = request.url
    asked = b"\x00".join((caller.who.encode(), request.method.encode(), url.path.encode(), url.query.encode(), body))
    claim = await _claimed(keys, key, asked)
    if claim.answer is not None:
        return _replay(claim.answer, claim.age_seconds, shown_once)
    async with _kept_claim(keys, key, claim.token):
        response = await _worked(request, handle, keys, key, claim.token)
    if response.status_code >= 300 or not isinstance(response.body, bytes):
        await keys.release(key, claim.token, free=response.status_code < 500)
        return response
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    answer = KeptAnswer(status=response.status_code, headers=headers, body=response.body.decode())
    await keys.settle(key, claim.token, answer)
    return response


def _replay(kept: KeptAnswer, age_seconds: float, shown_once: tuple[str, ...]) -> Response:
    """The answer as it was. What is shown once is shown again only as long as the first answer may have been lost."""
    body = kept.body
    if shown_once and age_seconds > SHOWN_AGAIN_SECONDS:
        body = json.dumps({**json.loads(body), **dict.fromkeys(shown_once)})
    return Response(body.encode(), kept.status, {**kept.headers, **_REPLAYED})


async def _worked(request: Request, handle: Handler, keys: IdempotencyRepository, key: str, token: str) -> Response:
    try:
        return await handle(request)
    except BaseException as error:
        await keys.release(key, token, free=_did_nothing(error))
        raise


def _did_nothing(error: BaseException) -> bool:
    """Whether the request was refused before it changed anything, so that its key may be used otherwise."""
    if isinstance(error, PatchbayError):
        return 400 <= status_of(error) < 424
    return isinstance(error, RequestValidationError)


async def _claimed(keys: IdempotencyRepository, key: str, asked: bytes) -> Claim:
    """The claim, once nobody else works on the same request. Raises `InProgress` where that takes long."""
    wait, waited = 0.05, 0.0
    while (claim := await keys.claim(key, asked, CLAIM_SECONDS)).state == "busy":
        if waited >= PATIENCE_SECONDS:
            raise InProgress
        await asyncio.sleep(wait)
        waited, wait = waited + wait, min(1.0, wait * 2)
    return claim


@asynccontextmanager
async def _kept_claim(keys: IdempotencyRepository, key: str, token: str) -> AsyncIterator[None]:
    """The claim renewed for as long as the work takes."""

    async def renew() -> None:
        while await keys.renew(key, token, CLAIM_SECONDS):  # noqa: ASYNC110 - nothing tells but time
            await asyncio.sleep(CLAIM_SECONDS / 3)

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
