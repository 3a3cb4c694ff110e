"""What `backup` and `restore` say about where the key and the data are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.api.conftest import Patchbay


def test_backup_says_which_key_to_keep(patchbay: Patchbay, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from_environment = patchbay("backup", home.parent / "one.zip")
    assert from_environment.code == 0, from_environment.err
    assert "keep PATCHBAY_KEY apart" in from_environment.out
    monkeypatch.delenv("PATCHBAY_KEY")
    of_the_home = patchbay("backup", home.parent / "two.zip")
    assert f"keep {home / 'master.key'} apart" in of_the_home.out


def test_restore_says_where_it_went(patchbay: Patchbay, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert patchbay("backup", home.parent / "one.zip").code == 0
    monkeypatch.setenv("PATCHBAY_HOME", str(home.parent / "other"))
    ended = patchbay("restore", home.parent / "one.zip")
    assert ended.code == 0, ended.err
    assert f"was restored to {home.parent / 'other'}" in ended.out
