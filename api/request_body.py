"""What a request may bring: so many bytes, JSON, and so many mistakes; what is beyond is refused before work is spent on it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem_of
from knowledge.errors import PatchbayError


@dataclass(frozen=True)
class Most:
    """The limits of one address: the bytes of a body, and the values, lists and objects that its JSON may hold."""

    bytes: int = 2_000_000
    parts: int = 20_000


# A catalogue is a file of its own, of up to 8 million letters, which JSON may write as two bytes each or more; a mapping
# names every column of a system.
CATALOGUE, MAPPING = Most(32_000_000, 400_000), Most(8_000_000, 200_000)
MOST_MISTAKES = 1_000  # to tell each takes longer than to find them all

Adapter = Callable[[], TypeAdapter[Any]]


@dataclass(eq=False)
class BodyTooLarge(PatchbayError):
    code: ClassVar[str] = "request.too_large"
    cause: ClassVar[str] = "The request's body is larger than {most} bytes."
    mend: ClassVar[str] = "Send less at once."
    most: int


@dataclass(eq=False)
class BodyUnreadable(PatchbayError):
    code: ClassVar[str] = "request.unreadable"
    cause: ClassVar[str] = "The request's body cannot be read: {problem}."
    mend: ClassVar[str] = "Send JSON in UTF-8, of the form that `/openapi.json` describes."
    problem: str


@dataclass(eq=False)
class NotJson(PatchbayError):
    code: ClassVar[str] = "request.media_type"
    cause: ClassVar[str] = "The request's body is not declared as JSON."
    mend: ClassVar[str] = "Send it with the header Content-Type: application/json."


class BodyLimit:
    """An ASGI application that lets no body grow beyond the limit of its address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = _most(scope["path"]).bytes
        if _declared(scope) > most:
            await problem_of(BodyTooLarge(most))(scope, receive, send)
            return
        come = 0

        async def counted() -> Message:
            nonlocal come
            message = await receive()
            come += len(message.get("body", b""))
            if come > most:
                raise BodyTooLarge(most)
            return message

        await self._app(scope, counted, send)


def _most(path: str) -> Most:
    if path == "/v1/billing-codes/catalogues":
        return CATALOGUE
    return MAPPING if "/mapping" in path else Most()


def _declared(scope: Scope) -> int:
    value = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return int(value) if value.isdigit() and len(value) < 20 else 0


async def look_into(request: Request, adapter: Adapter) -> None:
    """Read the body and see that it is JSON which can be worked on. Raises what to answer where it is not."""
    body = await request.body()
    if not body:
        return
    if not _is_json(request.headers.get("content-type", "")):
        raise NotJson
    value, most = _parsed(body), _most(request.url.path).parts
    if sum(body.count(sign) for sign in (b",", b"[", b"{")) > most and _parts(value) > most:
        raise BodyUnreadable(f"it has more than {most} parts")
    try:
        adapter().validate_python(value, from_attributes=True)
    except ValidationError as error:
        if error.error_count() > MOST_MISTAKES:
            text = f"{error.error_count()} places are wrong"
            raise RequestValidationError([{"loc": ("body",), "msg": text, "type": "many"}]) from None


def _parts(value: object) -> int:
    """How many values, lists and objects there are in all."""
    count, rest = 0, [value]
    while rest:
        each = rest.pop()
        count += 1
        if isinstance(each, dict):
            rest.extend(each.values())
        elif isinstance(each, list):
            rest.extend(each)
    return count


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        text = f"at byte {len(error.doc[: error.pos].encode())} it is no JSON"
        raise RequestValidationError([{"loc": ("body",), "msg": text, "type": "json_invalid"}]) from None
    except UnicodeDecodeError:
        raise BodyUnreadable("it is no UTF-8") from None
    except RecursionError:
        raise BodyUnreadable("it is nested too deeply") from None
    except ValueError:  # a number of thousands of digits
        raise BodyUnreadable("a number in it has too many digits") from None
