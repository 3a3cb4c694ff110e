"""`patchbay connect` with a person at the terminal: questions are asked right there, on a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.api.conftest import Patchbay, Practice, Practices

SCRIPT = Path(sys.executable).parent / "patchbay"
SECONDS = 90.0


class Terminal:
    """A command on a pseudo-terminal, and what a person sees and types there."""

    def __init__(self, *arguments: str) -> None:
        self.seen = ""
        self._read = b""
        self._expected = 0  # how far `seen` was asked for: one read may bring more than what is waited for
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [str(SCRIPT), *arguments], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            preexec_fn=_take_terminal,
        )  # fmt: skip
        os.close(theirs)

    def expect(self, text: str) -> str:
        """Read on until `text` stands behind what was expected last; what stands between, with `text`."""
        begin, ends = self._expected, time.monotonic() + SECONDS
        while (found := self.seen.find(text, begin)) < 0:
            if not select.select([self._ours], [], [], max(0.0, ends - time.monotonic()))[0]:
                raise AssertionError(f"{text!r} never came; seen: {self.seen[begin:]}")
            try:
                data = os.read(self._ours, 4096)
            except OSError:  # the other side was closed
                data = b""
            if not data:
                raise AssertionError(f"{text!r} never came before the end; seen: {self.seen[begin:]}")
            self._read += data  # a letter or an escape sequence may be cut where one read ends
            self.seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._read.decode(errors="replace"))
        self._expected = found + len(text)
        return self.seen[begin : self._expected]

    def type(self, line: str) -> None:
        os.write(self._ours, f"{line}\n".encode())

    def interrupt(self) -> None:
        """Ctrl-C, and again where nothing comes of it: one just before the terminal is read is noted and not acted on."""
        while self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(15)

    def end(self) -> int:
        """Read to the end; the exit code."""
        while True:
            try:
                data = os.read(self._ours, 4096)
            except OSError:
                break
            if not data:
                break
            self.seen += data.decode(errors="replace")
        return self.process.wait(SECONDS)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        os.close(self._ours)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal(home: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_terminal(*arguments: str) -> Terminal:
        opened.append(Terminal(*arguments))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


@pytest.mark.slow
def test_a_login_is_asked_for_and_typed_unseen(terminal: Callable[..., Terminal], dentrix: Practice, patchbay: Patchbay) -> None:  # fmt: skip
    login = dentrix.login()
    screen = terminal("connect", dentrix.address)
    screen.expect("wants a login")
    screen.expect("Path of the credentials file")
    screen.type("type")
    for name in ("username", "password", "database", "api_key"):
        screen.expect(f"{name}:")
        screen.type(login[name])
    screen.expect("ca_file")
    screen.type("")
    answer_columns(screen)
    assert screen.end() == 0
    assert login["password"] not in screen.seen
    assert login["api_key"] not in screen.seen
    assert patchbay("integrations", "--json").lines[0]["state"] == "live"
    assert dentrix.counts()["rejected_credentials"] == 0


def answer_columns(screen: Terminal) -> None:
    """Leave columns unmapped where any is asked about, and see it go live."""
    seen = screen.expect("Before anything is read")
    if "Number or value" in seen:
        screen.type("all")
        screen.expect("Before anything is read")


@pytest.mark.slow
def test_zone_and_columns_are_asked_and_an_impossible_answer_is_asked_again(
    terminal: Callable[..., Terminal], foreign: str, patchbay: Patchbay
) -> None:
    screen = terminal("connect", foreign)
    screen.expect("In which time zone")
    screen.expect("(Enter: later)")
    screen.type("Mars/Olympus")
    screen.expect("there is no zone")
    screen.type("Europe/Berlin")
    screen.expect("What does the column")
    screen.expect("Number or value")
    screen.type("999")
    screen.expect("is no canonical field")
    screen.type("all")
    screen.expect("Before anything is read")
    assert screen.end() in {0, 1}  # whether what is left suffices to be live is the mapping's business
    shown = patchbay("integrations", "--json").lines[0]
    assert shown["time_zone"] == "Europe/Berlin"
    assert shown["records"]["Patient"] == 30


@pytest.mark.slow
def test_enter_leaves_a_question_for_later_and_ctrl_c_ends(terminal: Callable[..., Terminal], dentrix: Practice, patchbay: Patchbay) -> None:  # fmt: skip
    screen = terminal("connect", dentrix.address)
    screen.expect("Path of the credentials file")
    screen.type("")
    assert screen.end() == 1
    assert "patchbay answer" in screen.seen
    assert [line["kind"] for line in patchbay("questions", "--json").lines] == ["credentials"]

    again = terminal("connect", dentrix.address)
    again.expect("Path of the credentials file")
    again.interrupt()
    assert again.end() == 130
    assert "Traceback" not in again.seen
    assert [line["kind"] for line in patchbay("questions", "--json").lines] == ["credentials"]


def test_off_a_terminal_nobody_is_asked(process: Patchbay, dentrix: Practice) -> None:
    ended = process("connect", dentrix.address, stdin="type\n")
    assert ended.code == 1
    assert "wants a login" in ended.out
    assert "Path of the credentials file" not in ended.out


@pytest.mark.slow
def test_in_a_conversation_a_login_is_typed_unseen(terminal: Callable[..., Terminal], practice_of: Practices) -> None:
    practice = practice_of("dental_suite")
    login = practice.login()
    screen = terminal("chat")
    screen.expect("You")
    screen.type(practice.address)
    screen.expect("Next:")
    screen.type("/login")
    for name in ("username", "password"):
        screen.expect(f"{name}:")
        screen.type(login[name])
    screen.expect("ca_file:")
    screen.type("")
    screen.expect("is live")
    screen.expect("You")
    screen.type("exit")
    assert screen.end() == 0
    assert login["password"] not in screen.seen
