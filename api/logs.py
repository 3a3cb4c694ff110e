"""Where logs go: standard error, one redacted line each. Standard output belongs to what a command prints.

Set up when a command runs, never at import: whoever imports us keeps their own logging. `PATCHBAY_LOG_LEVEL` (default
`warning`) says how much, `PATCHBAY_LOG_FORMAT` (`json` or `text`; default: text on a terminal, JSON elsewhere) how.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

from knowledge.errors import BadInput
from tools.clock import rfc3339

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
HANDLER = "patchbay"

# Only these ever leave, whatever a library adds: a key that is not here might hold a patient, a record or a secret.
ALLOWED = frozenset(
    ["event", "level", "timestamp", "logger", "where_in_code", "callable", "retry_num", "wait_for", "waited_so_far",
     "caused_by", "error_type", "our_frames", "code", "integration", "system", "method", "stream", "run", "thread", "question", "pages",
     "rows", "seconds", "status", "attempt"]
)  # fmt: skip

# Texts of the server's own that hold nothing but themselves; any other text without a place to fill may hold anything.
CONSTANT = frozenset(["Exception in ASGI application\n", "Invalid HTTP request received."])
MOST_FRAMES = 6
_ROOT = Path(__file__).resolve().parents[1]
_ROOMS = frozenset(["knowledge", "mappings", "tools", "agents", "evals", "api"])


@dataclass(frozen=True)
class LogSettings:
    """How much is logged and in which form."""

    level: int
    render: Callable[[Mapping[str, object]], str]


def log_settings() -> LogSettings:
    """As the environment says. Raises `BadInput` for a level or form that does not exist."""
    level = os.environ.get("PATCHBAY_LOG_LEVEL", "").strip().lower() or "warning"
    if level not in LEVELS:
        raise BadInput("PATCHBAY_LOG_LEVEL", f"there is no level {level!r}.", f"Choose from {', '.join(LEVELS)}.")
    form = os.environ.get("PATCHBAY_LOG_FORMAT", "").strip().lower()
    if form not in {"", "json", "text"}:
        raise BadInput("PATCHBAY_LOG_FORMAT", f"there is no form {form!r}.", "Choose json or text.")
    as_text = form == "text" or (not form and sys.stderr.isatty())
    return LogSettings(LEVELS[level], _text_line if as_text else _json_line)


def log_to_stderr() -> None:
    """Send what any library logs by `logging` to standard error. Repeating it changes nothing."""
    settings = log_settings()
    root = logging.getLogger()
    for handler in [each for each in root.handlers if each.name == HANDLER]:
        root.removeHandler(handler)
    handler = _RedactingHandler(settings.render)
    handler.name = HANDLER
    handler.setLevel(settings.level)  # a logger that a library set lower by itself does not get past it
    root.addHandler(handler)
    root.setLevel(settings.level)
    # says of every crashed step that the checkpoint's note of the error is not read back as an object; nobody wants it to be
    logging.getLogger("langgraph.checkpoint.serde.jsonplus").setLevel(logging.ERROR)


def log_a_service_to_stderr() -> None:
    """All that a process which goes on for long may say: events, what libraries log, warnings, what a thread died of.

    Python itself prints the last two as they are, and an error's text may quote what lay in a row.
    """
    log_events_to_stderr()
    log_to_stderr()
    warnings.showwarning = _log_warning
    threading.excepthook = _log_ended_thread
    sys.unraisablehook = _log_unraisable


def log_events_to_stderr() -> None:
    """The same for what is logged by structlog, which otherwise prints to standard output (stamina's retries do).

    On its own because importing structlog costs a command that reaches no system an eighth of its time.
    """
    import structlog

    settings = log_settings()

    def render(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
        return settings.render(redacted(event))

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars, structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True), render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr), cache_logger_on_first_use=False,
    )  # fmt: skip


def redacted(event: Mapping[str, object]) -> dict[str, object]:
    """What is known to be harmless, and how much was left out; of an error only its kind, since its text may quote a value."""
    kept = {name: value for name, value in event.items() if name in ALLOWED}
    if "caused_by" in kept:
        kept["caused_by"] = str(kept["caused_by"]).partition("(")[0]
    return {**kept, "left_out": len(event) - len(kept)} if len(kept) < len(event) else kept


class _RedactingHandler(logging.Handler):
    """Writes a library's record to whatever standard error is now: its template, never what was put in."""

    def __init__(self, render: Callable[[Mapping[str, object]], str]) -> None:
        super().__init__()
        self._render = render

    def emit(self, record: logging.LogRecord) -> None:
        print(self._render(redacted(_told(record))), file=sys.stderr, flush=True)


def _told(record: logging.LogRecord) -> dict[str, object]:
    # a text without arguments was finished by its author and may hold anything; a template is code
    known = bool(record.args) or record.msg in CONSTANT
    template = str(record.msg).strip() if known else "a text that is not repeated here"
    told: dict[str, object] = {
        "event": template, "level": record.levelname.lower(), "logger": record.name,
        "timestamp": rfc3339(datetime.fromtimestamp(record.created, UTC)),
        "where_in_code": f"{record.module}:{record.lineno}",
    }  # fmt: skip
    if code := getattr(record, "code", None):
        told["code"] = code
    if record.exc_info and record.exc_info[0]:
        told["error_type"] = record.exc_info[0].__name__
        told["our_frames"] = our_frames(record.exc_info[2])
    return told


def our_frames(trace: TracebackType | None) -> list[str]:
    """The places of our own code that an error went through, the innermost last: `api/problems.py:12`, no line of it."""
    frames = [(Path(each.filename), each.lineno) for each in traceback.extract_tb(trace)]
    inside = [(path.relative_to(_ROOT), line) for path, line in frames if path.is_relative_to(_ROOT)]
    return [f"{path.as_posix()}:{line}" for path, line in inside if path.parts[0] in _ROOMS][-MOST_FRAMES:]


def _log_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int,
    file: TextIO | None = None, line: str | None = None,
) -> None:  # fmt: skip
    logging.getLogger("py.warnings").warning(
        "a library warned at line %d", lineno, exc_info=(category, Warning(), None)
    )


def _log_ended_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_type is not SystemExit and ended.exc_value is not None:
        info = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        logging.getLogger("threading").error("a thread ended with %s", ended.exc_type.__name__, exc_info=info)


def _log_unraisable(lost: sys.UnraisableHookArgs) -> None:
    if lost.exc_value is not None:
        info = (lost.exc_type, lost.exc_value, lost.exc_traceback)
        logging.getLogger("python").error("nobody could be told of %s", lost.exc_type.__name__, exc_info=info)


def _json_line(event: Mapping[str, object]) -> str:
    return json.dumps(event, ensure_ascii=False, default=str)


def _text_line(event: Mapping[str, object]) -> str:
    facts = [f"{name}={value}" for name, value in event.items() if name not in {"event", "level", "timestamp"}]
    text = " ".join([f"{event.get('level', '')}: {event.get('event', '')}", *facts])
    return "".join(char if char.isprintable() else " " for char in text)
