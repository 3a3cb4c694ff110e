"""Whose data a command works on: `local`, PATCHBAY_TENANT, or `patchbay --tenant NAME`."""

from __future__ import annotations

import os
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """The option sets the variable of the process, which is the tests' here."""
    monkeypatch.setenv("PATCHBAY_TENANT", "")


def test_what_one_tenant_connected_no_other_sees(patchbay: Any, dentrix: Any) -> None:
    as_north = ("--tenant", "north")
    made = patchbay(*as_north, "connect", dentrix.address, "--credentials", dentrix.credentials, "--yes", "--json")
    assert made.code == 0, made.err
    id_ = made.done["integration"]
    assert patchbay("integrations", "--json").done["id"] == id_  # the variable is set: the option is one way to do so
    os.environ["PATCHBAY_TENANT"] = ""
    assert patchbay("integrations", "--json").out == ""
    assert "No integration in the tenant local yet" in patchbay("integrations").out
    missed = patchbay("health", id_)
    assert missed.code == 2
    assert "no such integration in the tenant local" in missed.err
    assert "--tenant" in missed.err
    os.environ["PATCHBAY_TENANT"] = "north"
    assert patchbay("health", id_, "--json").code == 0
    assert "Dentrix at" in patchbay("export").out


def test_a_key_is_the_command_lines_tenants_unless_another_is_named(patchbay: Any) -> None:
    made = patchbay("--tenant", "north", "keys", "create", "--role", "viewer", "--json")
    assert made.done["tenant"] == "north"
    assert patchbay("keys", "list", "--tenant", "north", "--json").done["id"] == made.done["id"]
    assert patchbay("keys", "list", "--tenant", "south", "--json").out == ""


@pytest.mark.parametrize("name", ["", "../x", "a b", "ö", "x" * 65])
def test_a_name_that_no_tenant_has_is_refused_in_one_sentence(patchbay: Any, name: str) -> None:
    ended = patchbay("--tenant", name, "integrations")
    assert (ended.code, ended.out, len(ended.err.splitlines())) == (2, "", 1)
    assert "is no name of a tenant" in ended.err
    os.environ["PATCHBAY_TENANT"] = name
    ended = patchbay("integrations")
    if name:  # an empty variable is an unset one
        assert (ended.code, ended.out, len(ended.err.splitlines())) == (2, "", 1)
        assert "PATCHBAY_TENANT: " in ended.err
    else:
        assert ended.code == 0
