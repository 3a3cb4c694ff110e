"""The master key: made once, for its owner only, never over another, and a database is never opened with a wrong one."""

from __future__ import annotations

import asyncio
import base64
import os
import stat
from pathlib import Path

import pytest

from knowledge.errors import BadInput
from tools.store.errors import KeyMissing, KeyWrong, SealBroken
from tools.store.keys import find_master_key, make_master_key
from tools.store.open import open_store
from tools.store.settings import Settings
from tools.store.vault import Vault

KEY = base64.b64encode(bytes(range(32))).decode()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_home_key_and_database_are_for_their_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    old = os.umask(0)
    try:
        async with open_store(Settings(home=home, database_url=None, key=None)) as store:
            assert store.key_made
            assert mode(home) == 0o700
            assert {mode(file) for file in home.iterdir()} == {0o600}
    finally:
        os.umask(old)


async def test_the_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=None, key=None)
    async with open_store(settings) as store:
        ref = await store.credentials.put({"password": "x"})
    made = (tmp_path / "master.key").read_bytes()
    async with open_store(settings) as store:
        assert not store.key_made
        assert await store.credentials.get(ref) == {"password": "x"}
    assert (tmp_path / "master.key").read_bytes() == made


async def test_a_key_of_the_environment_leaves_no_file(
    store_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATCHBAY_KEY", KEY)
    settings = Settings(home=store_settings.home, database_url=store_settings.database_url)
    async with open_store(settings) as store:
        assert not store.key_made
    assert not (store_settings.home / "master.key").exists()
    assert KEY not in repr(settings)


async def test_no_second_key_is_made_for_a_sealed_database(store_settings: Settings) -> None:
    async with open_store(store_settings):
        pass
    (store_settings.home / "master.key").unlink()
    with pytest.raises(KeyMissing):
        async with open_store(store_settings):
            pass
    assert not (store_settings.home / "master.key").exists()


async def test_a_wrong_key_is_told_at_opening(store_settings: Settings) -> None:
    async with open_store(store_settings):
        pass
    with pytest.raises(KeyWrong) as told:
        async with open_store(store_settings.model_copy(update={"key": KEY})):
            pass
    assert KEY not in str(told.value)


@pytest.mark.parametrize("text", ["", "short", "not base64!", base64.b64encode(b"x" * 31).decode()])
def test_what_is_no_key_is_bad_input(tmp_path: Path, text: str) -> None:
    (tmp_path / "master.key").write_text(text)
    with pytest.raises(BadInput, match=r"master\.key"):
        find_master_key(Settings(home=tmp_path, database_url=None, key=None))


def test_who_comes_second_takes_the_first_ones_key(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=None, key=None)
    assert make_master_key(settings).secret == make_master_key(settings).secret
    assert [file.name for file in tmp_path.iterdir()] == ["master.key"]


async def test_processes_that_open_a_new_home_at_once_agree_on_one_key(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=None, key=None)

    async def put(value: str) -> str:
        async with open_store(settings) as store:
            return await store.credentials.put({"password": value})

    refs = await asyncio.gather(*(put(str(number)) for number in range(4)))
    async with open_store(settings) as store:
        assert [(await store.credentials.get(ref))["password"] for ref in refs] == ["0", "1", "2", "3"]


def test_an_older_key_still_opens_what_it_sealed_and_the_newest_seals() -> None:
    old, new, index = (b"old-id__", bytes(32)), (b"new-id__", b"\x01" * 32), b"\x02" * 32
    before = Vault("t", dict([old]), old[0], index)
    after = Vault("t", dict([old, new]), new[0], index)
    sealed = before.seal(b"text", "place")
    assert after.open(sealed, "place") == b"text"
    assert before.blind_index("last_name", "Weiß") == after.blind_index("last_name", "WEISS")
    with pytest.raises(SealBroken):
        before.open(after.seal(b"text", "place"), "place")


@pytest.mark.parametrize("where", range(0, 60, 7))
def test_an_altered_seal_does_not_open(where: int) -> None:
    key = (b"key-id__", bytes(32))
    vault = Vault("t", dict([key]), key[0], bytes(32))
    sealed = bytearray(vault.seal(b"x" * 40, "place"))
    sealed[where] ^= 1
    with pytest.raises(SealBroken):
        vault.open(bytes(sealed), "place")


def test_a_seal_is_bound_to_tenant_and_place() -> None:
    key = (b"key-id__", bytes(32))
    ours, theirs = (Vault(tenant, dict([key]), key[0], bytes(32)) for tenant in ("a", "b"))
    sealed = ours.seal(b"x", "place")
    for vault, place in ((theirs, "place"), (ours, "another")):
        with pytest.raises(SealBroken):
            vault.open(sealed, place)
