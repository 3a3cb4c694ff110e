"""Reads the small text files that a person names: one way to say what is wrong with them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from knowledge.errors import BadInput

MOST_BYTES = 32 * 1024 * 1024
MOST_DEPTH = 100  # of a YAML text


def is_text(name: str) -> bool:
    """Whether a file's name is UTF-8: bytes that are none come as lone surrogates, which nobody can store or show."""
    return not any("\ud800" <= char <= "\udfff" for char in name)


def shown_name(name: str) -> str:
    """A file's name as it can be stored and shown; bytes that are no UTF-8 are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def named_path(place: str, source: str, mend: str) -> Path:
    """The path that was meant, `~` resolved. Raises `BadInput` for one that no file system takes."""
    if not source or "\0" in source:
        raise BadInput(place, "names no file.", mend)
    try:
        return Path(source).expanduser()
    except RuntimeError as error:  # ~nobody/file
        raise BadInput(place, f"cannot be found ({error}).", mend) from None


def read_file(
    place: str, source: str, mend: str, *, standard_input: bool = False, most_bytes: int = MOST_BYTES
) -> bytes:
    """The bytes of a file, `-` for standard input where that is allowed. Raises `BadInput` with place and mend."""
    if standard_input and source == "-":
        data = sys.stdin.buffer.read(most_bytes + 1)
    else:
        path = named_path(place, source, mend)
        try:
            if path.exists() and not path.is_file():
                raise BadInput(place, "is no file.", mend)
            with path.open("rb") as file:
                data = file.read(most_bytes + 1)
        except OSError as error:
            raise BadInput(place, f"cannot be read ({error.strerror}).", mend) from error
    if len(data) > most_bytes:
        raise BadInput(place, f"is larger than {most_bytes // 2**20} MB.", mend)
    return data


def read_text_file(
    place: str, source: str, mend: str, *, standard_input: bool = False, most_bytes: int = MOST_BYTES
) -> str:
    """The text of a UTF-8 file, `-` for standard input where that is allowed. Raises `BadInput` with place and mend."""
    data = read_file(place, source, mend, standard_input=standard_input, most_bytes=most_bytes)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(place, "is not UTF-8 text.", mend) from None
    if "\0" in text:
        raise BadInput(place, "is not text: it holds NUL bytes.", mend)
    return text


def parse_yaml(place: str, text: str, mend: str) -> object:
    """The value of a YAML text. Raises `BadInput`; it never quotes the text.

    The depth is counted before anything is built: libyaml's builder goes down without a limit, and dies of it.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        depth = 0
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MOST_DEPTH:
                raise BadInput(place, "is no YAML that can be used (it is nested too deeply).", mend)
        return yaml.load(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadInput(f"{place}, line {line}", f"is no YAML ({error.problem}).", mend) from None
    except (yaml.YAMLError, ValueError, RecursionError):  # a number too long, a day that is none
        raise BadInput(place, "is no YAML that can be used (a value in it is none).", mend) from None


def parse_json(place: str, text: str, mend: str, *, first_line: int = 1) -> object:
    """The value of a JSON text that begins at `first_line` of the place. Raises `BadInput`; it never quotes the text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = first_line + error.lineno - 1
        raise BadInput(f"{place}, line {line}", f"is not JSON ({error.msg}).", mend) from None
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else "a number in it is too long"
        raise BadInput(f"{place}, line {first_line}", f"is no JSON that can be used ({reason}).", mend) from None
