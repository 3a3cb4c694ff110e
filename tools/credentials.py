"""The credentials file: a JSON object whose fields the manifest names; file fields are resolved beside it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path

from knowledge.errors import BadInput
from knowledge.manifest import Method
from tools.text_file import named_path, parse_json, read_text_file

Credentials = Mapping[str, str]
MOST_LETTERS = 64 * 1024  # of one field; a private key has a few thousand
FORM = 'Write a flat JSON object like {"username": "…", "password": "…"}.'


def read_credentials(source: str) -> dict[str, str]:
    """The fields of a credentials file, `-` for standard input. Raises `BadInput` that names the place, never a value.

    A relative `…_file` is read beside the credentials file, so that a folder of credentials can be moved.
    """
    place = "credentials on standard input" if source == "-" else f"credentials file {source}"
    text = read_text_file(place, source, "Name a readable JSON file.", standard_input=True)
    if not text.strip():
        raise BadInput(place, "is empty.", FORM)
    fields = parse_json(place, text, FORM)
    if not isinstance(fields, dict):
        raise BadInput(place, "is no JSON object.", FORM)
    folder = Path.cwd() if source == "-" else named_path(place, source, FORM).parent
    return {name: _usable(place, folder, name, value) for name, value in fields.items()}


def _usable(place: str, folder: Path, name: str, value: object) -> str:
    """The field as text. A field's name may be shown, its value never."""
    if not name.isprintable() or not 0 < len(name) <= 100:
        raise BadInput(place, "has a field whose name is empty, too long or unprintable.", FORM)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadInput(f"{place}, field {name}", "is no text.", FORM)
    text = str(value)
    if len(text) > MOST_LETTERS:
        raise BadInput(
            f"{place}, field {name}", f"is longer than {MOST_LETTERS} letters.", "Check what was pasted there."
        )
    if any(not char.isprintable() for char in text.strip("\r\n") if char not in "\r\n\t" or not is_document(text)):
        raise BadInput(f"{place}, field {name}", "holds control characters.", "Check what was pasted there.")
    if name.endswith("_file") and is_document(text):
        raise BadInput(f"{place}, field {name}", "holds a key where a file is due.", "Save it and name that file.")
    if name.endswith("_file") and text:
        return _beside(f"{place}, field {name}", name, folder, text)
    return text if is_document(text) else text.strip("\r\n")


def _beside(place: str, name: str, folder: Path, value: str) -> str:
    path = (folder / named_path(place, value, "Name a readable file.")).absolute()
    text = read_text_file(place, str(path), "Name a readable PEM file.")
    if not (_holds_certificates(text) if name == "ca_file" else is_document(text)):
        raise BadInput(place, "names no PEM file that can be used.", "Name a readable PEM file.")
    return str(path)


def _holds_certificates(text: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):  # nothing in it, or nothing that is ASCII
        return False
    return True


def is_document(value: str) -> bool:
    """Whether a field holds a key or certificate itself (PEM), with its line ends, instead of a path to its file."""
    return "-----BEGIN " in value


def checked_document(place: str, name: str, text: str) -> str:
    """A pasted PEM for the field `name`. Raises `BadInput` where it holds no certificate, or no key."""
    usable = _holds_certificates(text) if name == "ca_file" else "PRIVATE KEY-----" in text
    if not usable or "-----END " not in text:
        kind = "certificate" if name == "ca_file" else "private key"
        raise BadInput(f"{place}, field {name}", f"holds no {kind} in PEM.", "Paste the whole file, first and last line included.")  # fmt: skip
    return f"{text.strip()}\n"


def missing_fields(method: Method, credentials: Credentials) -> list[str]:
    """The required credential fields of a method that are not there."""
    asked = method.auth.ask
    return [each.name for each in asked if each.required and each.default is None and not credentials.get(each.name)]
