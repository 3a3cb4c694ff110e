"""How an adapter behaves when things go wrong: typed errors, one presentation of a rejected credential, no hammering."""

from __future__ import annotations

from typing import Any

import pytest
import stamina

from tools.errors import (
    ConnectionRefused,
    CredentialsMissing,
    CredentialsRejected,
    PmsError,
    ProxyInterference,
    UpstreamDown,
)

# Fixtures come from conftest.py.
Office = Any


@pytest.fixture(autouse=True)
def no_waiting() -> Any:
    """Retries come at once, three in all as in the field."""
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


async def attempt_everything(office: Office, adapter: Any) -> list[PmsError]:
    """Every stream and the validation, whatever the one before said."""
    errors: list[PmsError] = []
    for stream in office.method.streams:
        try:
            await adapter.read_page(stream, None)
        except PmsError as error:
            errors.append(error)
    try:
        await adapter.validate_connection()
    except PmsError as error:
        errors.append(error)
    return errors


async def test_a_rejected_credential_is_presented_once(office: Office) -> None:
    await office.suffer("auth.credentials_rejected")
    async with office.adapter() as adapter:
        errors = await attempt_everything(office, adapter)
    assert {type(error) for error in errors} == {CredentialsRejected}
    counts = await office.counts()
    assert counts["rejected_credentials"] == 1
    assert counts["repeated_rejected"] == 0


async def test_missing_credentials_are_named_and_nothing_is_sent(office: Office) -> None:
    asked = [each.name for each in office.method.auth.ask if each.required and each.default is None]
    before = (await office.counts())["requests"]
    for name in asked:
        without = {key: value for key, value in office.credentials.items() if key != name}
        with pytest.raises(CredentialsMissing, match=name):
            async with office.adapter(credentials=without) as adapter:
                await adapter.validate_connection()
    assert (await office.counts())["requests"] == before


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("net.refused", ConnectionRefused),
        ("upstream.down", UpstreamDown),
        ("net.proxy_interference", ProxyInterference),
    ],
)
async def test_trouble_has_its_own_name(office: Office, code: str, error: type[PmsError]) -> None:
    await office.suffer(code)
    async with office.adapter() as adapter:
        with pytest.raises(error) as raised:
            await adapter.validate_connection()
    assert raised.value.code == code
    assert raised.value.transient
    await office.recover()
    async with office.adapter() as adapter:
        assert (await adapter.validate_connection()).version


async def test_trouble_that_passes_is_outlived_by_an_adapter_that_saw_it(office: Office, adapter: Any) -> None:
    await office.suffer("upstream.down")
    assert {type(error) for error in await attempt_everything(office, adapter)} == {UpstreamDown}
    await office.recover()
    assert await attempt_everything(office, adapter) == []


async def test_errors_carry_cause_and_mend_and_no_credential(office: Office) -> None:
    await office.suffer("auth.credentials_rejected")
    secrets = {office.credentials[each.name] for each in office.method.auth.ask if each.secret}
    async with office.adapter() as adapter:
        for error in await attempt_everything(office, adapter):
            assert error.sentence
            assert not any(secret in repr(error) + error.sentence for secret in secrets)
        assert not any(secret in repr(adapter.connection) for secret in secrets)
