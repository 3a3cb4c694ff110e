"""The page itself: one shell in the reader's language; `static/` fills it from the API, with the reader's own key.

The key is typed once and kept in the tab's `sessionStorage`, sent as a bearer token by our own script. Not a cookie: a
cookie would go along with every request to this host, other ports included, and would have to be guarded against
requests that other sites cause; here nothing is sent that our script does not send, and closing the tab forgets it. What
remains is script of a stranger inside the page, and that the policy below shuts out: no inline script, no other host, and
no way to turn text into markup at all (trusted types).
"""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.exceptions import HTTPException

from knowledge.phrases import LANGUAGES, Language, phrase_book

router = APIRouter(include_in_schema=False)

COOKIE = "patchbay_language"
_YEAR_SECONDS = 365 * 24 * 3600
_PREFIX = "portal."
_MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_POLICY = "; ".join(
    [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
        "require-trusted-types-for 'script'", "trusted-types 'none'",
    ]
)  # fmt: skip
_GUARDED = {
    "Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
}  # fmt: skip


class _Shell(Template):
    """Placeholders are keys of the phrase book; whatever is filled in was escaped."""

    braceidpattern = r"[a-z][a-z0-9_.]*"


@router.get("/")
async def show_page(request: Request, language: Language | None = Query(None)) -> Response:
    """The page in the language that was chosen, else the one the browser asks for. `language` chooses and remembers."""
    if language is not None:
        answer = RedirectResponse("/", 303, {**_GUARDED, "Cache-Control": "no-store"})
        answer.set_cookie(COOKIE, language, max_age=_YEAR_SECONDS, httponly=True, samesite="strict")
        return answer
    chosen = chosen_language(request.cookies.get(COOKIE), request.headers.get("accept-language", ""))
    headers = {**_GUARDED, "Cache-Control": "no-store", "Content-Language": chosen, "Vary": "Accept-Language, Cookie"}
    return HTMLResponse(_page(chosen), headers=headers)


@router.get("/static/{name}")
async def show_static(name: str, request: Request) -> Response:
    """A script, the stylesheet or the icon; asked for again each time, sent again only where it changed."""
    found = _static().get(name)
    if found is None:
        raise HTTPException(404)
    body, media_type = found
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {**_GUARDED, "Cache-Control": "no-cache", "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def chosen_language(remembered: str | None, accepted: str) -> Language:
    """The remembered language, else the best of an Accept-Language header (RFC 9110), else English."""
    for language in LANGUAGES:
        if remembered == language:
            return language
    weighed = [_weighed(each) for each in accepted.split(",")]
    for _, tag in sorted(weighed, key=lambda each: -each[0]):
        for language in LANGUAGES:
            if tag.partition("-")[0] == language:
                return language
    return "en"


def _weighed(entry: str) -> tuple[float, str]:
    tag, _, parameters = entry.partition(";")
    name, _, value = parameters.partition("=")
    try:
        weight = float(value) if name.strip() == "q" else 1.0
    except ValueError:
        weight = 0.0
    return weight, tag.strip().lower() if weight > 0 else ""


@cache
def _page(language: Language) -> str:
    words = {
        key.removeprefix(_PREFIX): texts[language] for key, texts in phrase_book().items() if key.startswith(_PREFIX)
    }
    facts = {each: escape(text) for each, text in words.items()}
    facts |= {f"{each}_current": 'aria-current="true"' if each == language else "" for each in LANGUAGES}
    facts |= {"lang": language, "words": _data(words)}
    return _Shell(_read("templates", "page.html").decode()).substitute(facts)


def _data(words: dict[str, str]) -> str:
    """JSON that cannot end the element it stands in."""
    return json.dumps(words, ensure_ascii=False).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


@cache
def _static() -> dict[str, tuple[bytes, str]]:
    """By name, so that no path of a caller's is ever looked up on the disk."""
    folder = files("api") / "portal" / "static"
    return {
        each.name: (each.read_bytes(), _MEDIA_TYPES[f".{each.name.rpartition('.')[2]}"]) for each in folder.iterdir()
    }


def _read(folder: str, name: str) -> bytes:
    return (files("api") / "portal" / folder / name).read_bytes()
