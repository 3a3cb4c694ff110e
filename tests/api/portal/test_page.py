"""The page as any HTTP client meets it: guarded by its headers, in the reader's language, of words from the phrase book alone."""

from __future__ import annotations

import json
import re
import shutil
import string
import subprocess
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import get_args

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app
from api.front import Application, Front
from api.portal import page
from knowledge.phrases import LANGUAGES, phrase_book
from knowledge.runbooks import Remedy
from tools.store.settings import Settings

PORTAL = Path(page.__file__).parent
SCRIPTS = sorted((PORTAL / "static").glob("*.js"))
GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    """The application; its database is never opened, since the page needs none."""
    return create_app(Settings(home=tmp_path_factory.mktemp("home")))


@pytest.fixture
async def anyone(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A caller without a key."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://patchbay") as client:
        yield client


async def test_the_page_runs_no_script_but_its_own_and_is_framed_and_kept_by_nobody(anyone: httpx.AsyncClient) -> None:
    answer = await anyone.get("/")
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"


async def test_the_page_holds_nothing_inline_and_names_no_other_host(anyone: httpx.AsyncClient) -> None:
    text = (await anyone.get("/")).text
    assert re.findall(r"<script(?![^>]*(?:src=\"/static/|type=\"application/json\"))", text) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:|//", text) == []
    for each in (PORTAL / "static").iterdir():
        if each.suffix != ".svg":
            assert "://" not in each.read_text(encoding="utf-8"), each.name


async def test_no_script_of_ours_can_turn_text_into_markup() -> None:
    """Policy forbids it too; a browser without trusted types would not."""
    sinks = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function|srcdoc")
    for script in SCRIPTS:
        assert sinks.findall(script.read_text(encoding="utf-8")) == [], script.name


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js here to parse the scripts with")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda each: each.stem)
def test_every_script_parses_as_a_module(script: Path, tmp_path: Path) -> None:
    module = tmp_path / f"{script.stem}.mjs"
    module.write_bytes(script.read_bytes())
    parsed = subprocess.run(["node", "--check", str(module)], capture_output=True, text=True, check=False)
    assert parsed.returncode == 0, parsed.stderr


async def test_a_browser_that_comes_while_the_service_starts_asks_again_by_itself() -> None:
    async def never(stack: AsyncExitStack) -> Application:
        raise AssertionError("not opened here")

    front = Front(never, lambda error: None)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(front), base_url="http://patchbay") as client:
        page, api = await client.get("/"), await client.get("/v1/practices")
    assert (page.status_code, page.headers["content-type"]) == (503, "text/html; charset=utf-8")
    assert '<meta http-equiv="refresh"' in page.text
    assert "startet" in page.text
    assert (api.status_code, api.json()["code"]) == (503, "service.starting")
    assert api.json()["type"] == "urn:patchbay:problem:service.starting"


async def test_the_key_is_typed_unseen_and_no_form_can_carry_it_away(anyone: httpx.AsyncClient) -> None:
    text = (await anyone.get("/")).text
    (field,) = re.findall(r"<input[^>]*>", text)
    assert 'type="password"' in field
    assert "name=" not in field  # a form sends named fields only
    assert re.findall(r"<form[^>]*method=\"(\w+)\"", text) == ["post"]  # never into an address
    (login,) = [each for each in SCRIPTS if each.name == "ask.js"]
    assert 'field.secret ? "password"' in login.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "en"), ("de", "de"), ("de-AT,de;q=0.9,en;q=0.5", "de"), ("en-GB,de;q=0.4", "en"), ("fr,de;q=0.1", "de"),
     ("fr", "en"), ("de;q=0,en;q=0.1", "en"), ("de;q=x", "en"), ("*", "en")],
)  # fmt: skip
async def test_the_language_is_the_one_that_the_browser_asks_for(
    anyone: httpx.AsyncClient, header: str, language: str
) -> None:
    answer = await anyone.get("/", headers={"Accept-Language": header})
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}">' in answer.text
    assert {"en": "Sign in", "de": "Anmelden"}[language] in answer.text


async def test_a_chosen_language_is_remembered_against_the_browser(anyone: httpx.AsyncClient) -> None:
    chosen = await anyone.get("/", params={"language": "en"}, headers=GERMAN)
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/")
    assert "samesite=strict" in chosen.headers["set-cookie"].lower()
    assert '<html lang="en">' in (await anyone.get("/", headers=GERMAN)).text
    assert (await anyone.get("/", params={"language": "xx"})).status_code == 422


async def test_what_stands_in_the_words_can_never_become_markup(
    anyone: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = "</script><script>alert(1)</script>\"'&"
    book = {**phrase_book(), "portal.title": dict.fromkeys(LANGUAGES, hostile)}
    monkeypatch.setattr(page, "phrase_book", lambda: book)
    page._page.cache_clear()
    try:
        text = (await anyone.get("/")).text
    finally:
        page._page.cache_clear()
    assert "<script>alert" not in text
    (data,) = re.findall(r'<script type="application/json" id="words">(.*?)</script>', text, re.DOTALL)
    assert json.loads(data)["title"] == hostile


async def test_static_files_are_served_by_name_and_sent_again_only_where_they_changed(
    anyone: httpx.AsyncClient,
) -> None:
    for each in (PORTAL / "static").iterdir():
        answer = await anyone.get(f"/static/{each.name}")
        assert answer.content == each.read_bytes()
        assert answer.headers["x-content-type-options"] == "nosniff"
        same = await anyone.get(f"/static/{each.name}", headers={"If-None-Match": answer.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
    for outside in ("page.py", "..%2fpage.py", "%2e%2e/page.py", "../page.py", "nothing.js"):
        assert (await anyone.get(f"/static/{outside}")).status_code == 404


async def test_every_file_that_the_page_asks_for_is_there() -> None:
    named = re.findall(r'"/static/([^"]+)"', (PORTAL / "templates" / "page.html").read_text(encoding="utf-8"))
    named += [each for script in SCRIPTS for each in re.findall(r'from "\./([^"]+)"', script.read_text("utf-8"))]
    assert set(named) == {each.name for each in (PORTAL / "static").iterdir()}


def test_the_page_is_no_part_of_the_api_s_description(app: FastAPI) -> None:
    described = set(app.openapi()["paths"])
    assert "/v1/questions" in described
    assert not {"/", "/static/{name}"} & described


def test_every_word_is_in_the_phrase_book_and_every_phrase_is_used() -> None:
    book = {key.removeprefix("portal.") for key in phrase_book() if key.startswith("portal.")}
    shell = (PORTAL / "templates" / "page.html").read_text(encoding="utf-8")
    facts = {"lang", "words", "en_current", "de_current"}
    in_shell = set(re.findall(r"\$\{([\w.]+)\}", shell)) - facts
    code = "\n".join(script.read_text(encoding="utf-8") for script in SCRIPTS)
    said = set(re.findall(r'\bsay\("([\w.]+)"', code))
    literals = set(re.findall(r'"([a-z_]+(?:\.[a-z_]+)*)"', code))
    assert in_shell | said <= book
    assert book <= in_shell | literals
    assert {each for each in literals if "." in each and not each.startswith("patchbay.")} <= book


def test_both_languages_of_a_phrase_hold_the_same_facts() -> None:
    for key, texts in phrase_book().items():
        if key.startswith("portal."):
            held = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in texts.values()]
            assert held[0] == held[1], key


@pytest.mark.parametrize("remedy", get_args(Remedy))
def test_every_remedy_that_an_incident_can_tell_of_has_its_words(remedy: str) -> None:
    assert f'{remedy}: "remedy.{remedy}"' in (PORTAL / "static" / "incidents.js").read_text(encoding="utf-8")
    said = phrase_book()[f"portal.remedy.{remedy}"]
    assert set(said) == set(LANGUAGES)
    assert len(set(said.values())) == len(LANGUAGES)


def test_no_word_for_people_stands_outside_the_phrase_book() -> None:
    shell = (PORTAL / "templates" / "page.html").read_text(encoding="utf-8")
    visible = re.sub(r"<[^>]*>|\$\{[^}]*\}|<!doctype html>", " ", shell)
    assert set(visible.split()) == {"English", "Deutsch"}  # a language is called by its own name
    for script in SCRIPTS:
        code = re.sub(r"//[^\n]*|/\*.*?\*/", "", script.read_text(encoding="utf-8"), flags=re.DOTALL)
        sentences = re.findall(r"[\"'`][A-Z][a-z]+ [a-z][^\"'`]*[\"'`]", code)
        assert sentences == [], script.name


def test_the_wheel_brings_the_page_along(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    (wheel,) = WheelBuilder(str(PORTAL.parents[1])).build(directory=str(tmp_path), versions=["standard"])
    with zipfile.ZipFile(wheel) as packed:
        inside = set(packed.namelist())
    wanted = {
        each.relative_to(PORTAL.parents[1]).as_posix()
        for each in PORTAL.rglob("*.*")
        if "__pycache__" not in each.parts
    }
    assert wanted <= inside
    assert "knowledge/phrases/portal.yaml" in inside
