"""How a failure leaves the command line: one sentence, and 2 for what a person typed, 1 for what went wrong."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

from typer import TyperException

from api.output import one_line
from knowledge.errors import BadInput, PatchbayError

UNUSABLE_BACKUP = "store.backup_unusable"  # by its code: its class would bring the database along


def exit_code(error: Exception) -> int:
    """2 for what a person typed, 1 for everything else."""
    if isinstance(error, TyperException):
        return int(getattr(error, "exit_code", 2))
    handed_over = isinstance(error, BadInput) or getattr(error, "code", None) == UNUSABLE_BACKUP
    return 2 if handed_over else 1


def sentence_of(error: Exception) -> str:
    """Cause and mend, without anything a terminal would interpret.

    A fault of our own is told by its kind and place only: its text and its trace may quote a record.
    """
    if isinstance(error, TyperException):
        return f"{one_line(_usage(error))} `{_command(error)} --help` explains."
    if isinstance(error, PatchbayError):
        return one_line(error.sentence)
    if isinstance(error, OSError) and error.strerror:
        return one_line(f"{error.filename or 'the system'}: {error.strerror}. Mend that and run the command again.")
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    return (
        f"a fault of our own ({type(error).__name__} in {place}). Nothing half-done was stored; please report it. "
        "PATCHBAY_LOG_LEVEL=debug shows the whole trace, which may quote data."
    )


def trace_of(error: Exception) -> str:
    """The trace of a fault of our own where a person asked for it, else nothing."""
    expected = isinstance(error, TyperException | PatchbayError)
    wanted = os.environ.get("PATCHBAY_LOG_LEVEL", "").strip().lower() == "debug"
    return "".join(traceback.format_exception(error)) if wanted and not expected else ""


def _usage(error: TyperException) -> str:
    text = str(getattr(error, "format_message", error.__str__)()).strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _command(error: TyperException) -> str:
    context = getattr(error, "ctx", None)
    return str(getattr(context, "command_path", None) or "patchbay")
