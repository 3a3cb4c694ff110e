"""`patchbay chat`: the same thread as `connect`, by pipe and at a terminal, and no secret anywhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.api.conftest import Patchbay, Practices


def lines(*said: str) -> str:
    return "".join(f"{each}\n" for each in said)


def spoken(ended: object) -> str:
    return "".join(each["text"] for each in ended.event("token"))  # type: ignore[attr-defined]


def test_a_pipe_says_one_message_a_line_and_gets_events(patchbay: Patchbay, practice_of: Practices, home: Path) -> None:
    practice = practice_of("dental_suite")
    login = practice.login()
    ended = patchbay(
        "chat", "--json",
        stdin=lines(f"Wir nutzen Dental Suite unter {practice.address}, nur Patienten",
                    f"Benutzer ist {login['username']}, Passwort ist {login['password']}"),
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert ended.lines[0]["event"] == "thread"
    first, last = ended.event("done")
    assert (first["state"], first["language"]) == ("waiting", "de")
    assert last["state"] == "live"
    assert login["password"] not in ended.out + ended.err
    assert all(login["password"].encode() not in each.read_bytes() for each in home.rglob("*") if each.is_file())
    shown = patchbay("integrations", "--json").lines[0]
    assert shown["state"] == "live"


def test_a_thread_that_connect_began_is_continued_here_and_by_answer(patchbay: Patchbay, practice_of: Practices, login_file: Callable[..., str]) -> None:  # fmt: skip
    practice = practice_of("dental_suite")
    begun = patchbay("connect", practice.address, "--json")
    thread = begun.done["thread"]
    shown = patchbay("chat", thread, "--json", stdin=lines("what will you read?")).lines[0]
    assert shown["state"] == "waiting"
    assert [each["step"]["step"] for each in shown["entries"] if each["kind"] == "step"][:2] == ["detect", "detected"]
    login = json.dumps({"kind": "secret", "fields": practice.login()})
    ended = patchbay("chat", thread, "--json", stdin=lines(login))
    assert ended.done["state"] == "live"
    again = patchbay("answer", thread, shown["asking"], login_file(practice.login()), "--json")
    assert again.code != 0


def test_a_malformed_message_is_refused_without_repeating_it(patchbay: Patchbay) -> None:
    ended = patchbay(
        "chat", "--json", stdin=lines('{"kind": "secret", "fields": {"password": 5}, "x": "hunter2"}', "status")
    )
    assert [each["code"] for each in ended.event("error")] == ["input.invalid"]
    assert "hunter2" not in ended.out + ended.err
    assert ended.done["state"] == "new"


def test_a_login_file_is_read_where_the_person_sits(patchbay: Patchbay, practice_of: Practices) -> None:
    practice = practice_of("dental_suite")
    ended = patchbay("chat", "--json", stdin=lines(practice.address, f"/login {practice.credentials}"))
    assert ended.done["state"] == "live"


def test_without_json_a_person_reads_words_and_what_comes_next(patchbay: Patchbay) -> None:
    ended = patchbay("chat", stdin=lines("hallo, was braucht ihr von mir?", "exit"))
    assert ended.code == 0
    assert "Als Nächstes" in ended.out
    assert "patchbay chat thr_" in ended.err


def test_an_unknown_thread_and_language_are_wrong_usage(patchbay: Patchbay) -> None:
    assert patchbay("chat", "thr_nothing").code == 2
    assert patchbay("chat", "--language", "fr").code == 2
