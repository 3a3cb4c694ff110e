"""Logs: standard error only, an allow-list of keys, nothing that a library quoted, and none of it at import."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import subprocess
import sys
import threading
import warnings
from typing import TYPE_CHECKING

import pytest
import structlog

from api.logs import HANDLER, log_a_service_to_stderr, log_events_to_stderr, log_to_stderr
from tools.clock import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.conftest import Patchbay, Practice

PATIENT = "Erika Mustermann 12.08.1964"


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    """Logging as the other tests expect it."""
    root = logging.getLogger()
    before = root.level
    yield
    root.setLevel(before)
    for handler in [each for each in root.handlers if each.name == HANDLER]:
        root.removeHandler(handler)
    structlog.reset_defaults()


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own ways to print an error, put back after the test."""
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("PATCHBAY_LOG_LEVEL", raising=False)
    monkeypatch.delenv("PATCHBAY_LOG_FORMAT", raising=False)
    return monkeypatch


def test_events_are_json_lines_on_standard_error(clean: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        log_events_to_stderr()
        structlog.get_logger("stamina").warning("stamina.retry_scheduled", retry_num=1, wait_for=0.2)
    assert out.getvalue() == ""
    line = json.loads(err.getvalue())
    assert (line["event"], line["level"], line["retry_num"]) == ("stamina.retry_scheduled", "warning", 1)
    assert line["timestamp"].endswith("Z")


def test_what_is_not_known_to_be_harmless_is_left_out(clean: pytest.MonkeyPatch) -> None:
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        log_events_to_stderr()
        structlog.get_logger().warning(
            "page.read", stream="patients", patient=PATIENT, args=(PATIENT,), password="hunter2",
            caused_by=f"ValueError('{PATIENT}')",
        )  # fmt: skip
    line = json.loads(err.getvalue())
    assert (line["stream"], line["caused_by"], line["left_out"]) == ("patients", "ValueError", 3)
    assert "Mustermann" not in err.getvalue()
    assert "hunter2" not in err.getvalue()


def test_a_librarys_text_is_not_repeated_its_template_is(clean: pytest.MonkeyPatch) -> None:
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        log_to_stderr()
        logging.getLogger("some.driver").warning("row %s was refused", PATIENT)
        logging.getLogger("some.driver").warning(f"row {PATIENT} was refused")
        try:
            raise ValueError(PATIENT)
        except ValueError:
            logging.getLogger("some.driver").exception("could not do %s", "it")
    told, hidden, failed = map(json.loads, err.getvalue().splitlines())
    assert told["event"] == "row %s was refused"
    assert hidden["logger"] == "some.driver"
    assert failed["error_type"] == "ValueError"
    assert "Mustermann" not in err.getvalue()


def test_a_service_says_of_an_error_its_kind_and_our_places_by_whatever_road_it_leaves(
    clean: pytest.MonkeyPatch, hooks: None
) -> None:
    class Broken:
        def __del__(self) -> None:
            raise KeyError(PATIENT)

    def die() -> None:
        log_events_to_stderr(PATIENT)  # type: ignore[call-arg]

    for name in ("uvicorn", "uvicorn.error"):  # a server that another test ran may have silenced them
        clean.setattr(logging.getLogger(name), "level", logging.NOTSET)
        clean.setattr(logging.getLogger(name), "disabled", False)
        clean.setattr(logging.getLogger(name), "propagate", True)
        logging.getLogger(name).manager._clear_cache()  # type: ignore[attr-defined]
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        log_a_service_to_stderr()
        try:
            rfc3339(PATIENT)  # type: ignore[arg-type]
        except AttributeError:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
        warnings.showwarning(UserWarning(PATIENT), UserWarning, f"/x/{PATIENT}/page.py", 7)
        thread = threading.Thread(target=die)
        thread.start()
        thread.join()
        Broken()
    lines = [json.loads(line) for line in err.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        "Exception in ASGI application", "Invalid HTTP request received.", "a library warned at line %d",
        "a thread ended with %s", "nobody could be told of %s",
    ]  # fmt: skip
    assert [line.get("error_type") for line in lines] == [
        "AttributeError",
        None,
        "UserWarning",
        "TypeError",
        "KeyError",
    ]
    assert lines[0]["our_frames"][-1].startswith("tools/clock.py:")
    assert "Mustermann" not in err.getvalue()


def test_the_level_reaches_what_a_library_lets_through_by_itself(clean: pytest.MonkeyPatch, hooks: None) -> None:
    clean.setenv("PATCHBAY_LOG_LEVEL", "critical")
    err = io.StringIO()
    noisy = logging.getLogger("noisy.library")
    noisy.setLevel(logging.DEBUG)
    with contextlib.redirect_stderr(err):
        log_a_service_to_stderr()
        noisy.error("row %s", PATIENT)
        noisy.critical("it is over")
    assert len(err.getvalue().splitlines()) == 1


def test_the_level_is_warning_unless_said_otherwise(clean: pytest.MonkeyPatch) -> None:
    for variables, expected in (
        ({}, ["w"]),
        ({"PATCHBAY_LOG_LEVEL": "info"}, ["i", "w"]),
        ({"PATCHBAY_LOG_LEVEL": "error"}, []),
    ):
        err = io.StringIO()
        for name, value in variables.items():
            clean.setenv(name, value)
        with contextlib.redirect_stderr(err):
            log_events_to_stderr()
            log = structlog.get_logger()
            log.debug("d")
            log.info("i")
            log.warning("w")
        assert [json.loads(line)["event"] for line in err.getvalue().splitlines()] == expected


def test_text_is_for_people_and_steers_no_terminal(clean: pytest.MonkeyPatch) -> None:
    err = io.StringIO()
    clean.setenv("PATCHBAY_LOG_FORMAT", "text")
    with contextlib.redirect_stderr(err):
        log_events_to_stderr()
        structlog.get_logger().warning("page.read", stream="\x1b[31mpatients")
    assert err.getvalue() == "warning: page.read stream= [31mpatients\n"


def test_nothing_is_configured_by_an_import() -> None:
    code = "import logging, structlog, api.cli, api.logs, api.running; print(structlog.is_configured(), logging.getLogger().handlers)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "[]"]


def test_retries_do_not_reach_standard_output(process: Patchbay, dentrix: Practice) -> None:
    """A server that fails for a while makes the client try again, which is logged: machine output stays JSON lines."""
    dentrix.ask("POST", "/faults", {"code": "upstream.down"})
    ended = process("connect", dentrix.address, "--credentials", dentrix.credentials, "--yes", "--json")
    assert ended.code == 1
    assert all(line["event"] in {"step", "progress", "question", "done"} for line in ended.lines)
    assert dentrix.login()["api_key"] not in ended.err
