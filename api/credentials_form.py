"""A login as it comes over HTTP: the fields that the manifest names, file fields as the file's contents."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from api.service import Service
from knowledge.errors import BadInput
from tools.credentials import MOST_LETTERS, checked_document, is_document

_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]
_Value = Annotated[str, StringConstraints(max_length=MOST_LETTERS)]

CredentialsForm = Annotated[
    dict[_Name, _Value],
    Field(max_length=40, description="The fields that the system's manifest names; sealed, never shown again."),
]


def checked_credentials(service: Service, values: dict[str, str]) -> dict[str, str]:
    """The fields as they will be kept. Raises `BadInput` for a control character, `AddressRefused` for a file of ours."""
    for name, value in values.items():
        if any(not char.isprintable() and not (char in "\r\n\t" and is_document(value)) for char in value):
            raise BadInput(f"credentials, field {name}", "holds control characters.", "Check what was pasted there.")
    return {
        name: _checked_file(service, name, value) if name.endswith("_file") else value for name, value in values.items()
    }


def _checked_file(service: Service, name: str, value: str) -> str:
    """The file's contents (PEM), or a path, which may only lie where the service's admin put key files."""
    if is_document(value):
        return checked_document("credentials", name, value)
    if not value.startswith("/"):
        raise BadInput("credentials", "a file field holds no absolute path.", "Paste the key into the field itself.")
    service.outgoing.check_path(value)
    return value
