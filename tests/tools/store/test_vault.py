"""What the vault's fast paths must not change: standard HMAC, one form for equal rows, values back as they were."""

from __future__ import annotations

import hmac
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.store.vault import RowJson, Vault, normalised, read_json

KEY = (b"key-id__", bytes(range(32)))
INDEX = bytes(range(32, 64))
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text() | st.floats(allow_nan=False)
rows = st.dictionaries(st.text(), scalars, max_size=8)


@pytest.fixture
def vault() -> Vault:
    return Vault("t", dict([KEY]), KEY[0], INDEX)


def test_digests_are_plain_hmac_sha256(vault: Vault) -> None:
    key = hmac.digest(INDEX, b"patchbay blind index", "sha256")
    assert vault.blind_index("last_name", " Müller ") == hmac.digest(key, "last_name\0müller".encode(), "sha256")[:8]
    key = hmac.digest(INDEX, b"patchbay content hash", "sha256")
    assert vault.content_hash(b"x") == hmac.digest(key, b"x", "sha256")[:16]


@given(rows)
def test_a_row_comes_back_as_it_was(row: dict[str, object]) -> None:
    assert read_json(RowJson().encode(row)) == row


@given(rows, st.randoms())
def test_the_order_of_columns_does_not_matter(row: dict[str, object], random) -> None:  # type: ignore[no-untyped-def]
    names = list(row)
    random.shuffle(names)
    encoder = RowJson()
    assert encoder.encode(row) == encoder.encode({name: row[name] for name in names})


def test_half_a_surrogate_pair_of_a_torn_text_survives() -> None:
    assert read_json(RowJson().encode({"name": "M\ud800ller"})) == {"name": "M\ud800ller"}


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError):
        RowJson().encode({"x": object()})


def test_what_a_database_driver_gives_is_kept_as_text() -> None:
    row = {"d": date(1961, 3, 12), "n": Decimal("12.30")}
    assert read_json(RowJson().encode(row)) == {"d": "1961-03-12", "n": "12.30"}


@given(st.text(st.characters(max_codepoint=127)))
def test_what_is_looked_for_is_found_whatever_its_case(text: str) -> None:
    assert normalised(f" {text.upper()} ") == normalised(text)


def test_names_are_folded_as_people_write_them() -> None:
    assert normalised("WEISS ") == normalised("Weiß") == "weiss"
    assert normalised("Mu\u0308ller") == normalised("Müller")
