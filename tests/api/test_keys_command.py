"""`patchbay keys`: a key is made for a tenant and a role, shown once, listed without its secret, and revoked."""

from __future__ import annotations

from typing import Any

import pytest


def test_a_key_is_shown_once_listed_and_revoked(patchbay: Any) -> None:
    made = patchbay("keys", "create", "--tenant", "north", "--role", "operator", "--name", "portal", "--json")
    assert made.code == 0, made.err
    token = made.done["key"]
    assert token.startswith(f"pbk_{made.done['id']}_")
    listed = patchbay("keys", "list", "--tenant", "north", "--json")
    assert listed.done["role"] == "operator"
    assert token.split("_", 2)[2] not in listed.out + listed.err
    assert patchbay("keys", "list", "--tenant", "south", "--json").out == ""
    assert patchbay("keys", "revoke", made.done["id"], "--tenant", "south").code == 1
    assert patchbay("keys", "revoke", made.done["id"], "--tenant", "north").code == 0
    assert patchbay("keys", "list", "--tenant", "north", "--json").done["revoked_at"]


@pytest.mark.parametrize("wrong", [("--role", "king"), ("--tenant", "../x")])
def test_what_is_no_role_or_tenant_is_said(patchbay: Any, wrong: tuple[str, str]) -> None:
    asked = {"--tenant": "north", "--role": "viewer"} | dict([wrong])
    ended = patchbay("keys", "create", *[part for pair in asked.items() for part in pair])
    assert (ended.code, ended.out) == (2, "")
    assert wrong[0] in ended.err
