"""What a manifest says of a JSON API's login, errors and requests, turned into headers, errors and requests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from knowledge.errors import BadInput
from knowledge.manifest import FieldSpec, Method, StreamSpec
from tools.address import parse_address
from tools.errors import (
    CredentialsMissing,
    CredentialsRejected,
    RateLimited,
    UnexpectedAnswer,
    WriteRefused,
    WrongDatabase,
)
from tools.protocols.http import HttpAnswer
from tools.protocols.rest import auth_headers, base_url, explained, fill, places

METHOD = Method.model_validate(
    {
        "method": "rest",
        "because": "test",
        "schemes": ["https", "http"],
        "auth": {
            "kind": "basic",
            "headers": {"X-Key": "{key}", "X-Site": "{site}", "X-Realm": "{realm}"},
            "ask": [
                {"name": "username"},
                {"name": "password", "secret": True},
                {"name": "key"},
                {"name": "site", "default": "main"},
                {"name": "realm", "required": False},
            ],
        },
        "settings": {
            "error": {"code": "error.code", "message": "error.text"},
            "errors": {"NoDb": "config.wrong_database", "BadKey": "auth.credentials_rejected", "Slow": "rate.limited"},
        },
    }
)
LOGIN = {"username": "zoë", "password": "a:b", "key": "k"}


def test_a_login_becomes_headers_by_the_manifests_templates() -> None:
    assert auth_headers(METHOD, LOGIN, "host") == {
        "Accept": "application/json",
        "Authorization": "Basic em/DqzphOmI=",
        "X-Key": "k",
        "X-Site": "main",
    }
    assert auth_headers(METHOD, {**LOGIN, "realm": "r"}, "host")["X-Realm"] == "r"


def test_missing_fields_are_named() -> None:
    with pytest.raises(CredentialsMissing, match="password, key"):
        auth_headers(METHOD, {"username": "u"}, "host")


@pytest.mark.parametrize("value", ["line\r\nX-Admin: 1", "schlüssel"])
def test_a_value_that_no_header_can_carry_is_bad_input(value: str) -> None:
    with pytest.raises(BadInput, match="key"):
        auth_headers(METHOD, {**LOGIN, "key": value}, "host")


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://host:8080/dental/", "http://host:8080/dental"),
        ("host:443", "https://host:443"),
        ("host", "https://host"),
        ("https://user@host", "https://host"),
    ],
)
def test_the_base_is_the_address(address: str, url: str) -> None:
    assert base_url(parse_address(address), METHOD) == url


def answered(status: int, body: Any, verb: str = "GET") -> HttpAnswer:
    headers = {"content-type": "application/json", "retry-after": "7"}
    return HttpAnswer(status, headers, json.dumps(body).encode(), "http://host/patients", verb)


def test_an_answers_own_code_tells_more_than_its_status() -> None:
    def told(code: str, status: int = 404, verb: str = "GET") -> Any:
        return explained(answered(status, {"error": {"code": code, "text": "…"}}, verb), METHOD)

    assert isinstance(told("NoDb"), WrongDatabase)
    assert isinstance(told("BadKey", 403), CredentialsRejected)
    limited = told("Slow")
    assert isinstance(limited, RateLimited)
    assert limited.retry_after_seconds == 7
    assert isinstance(told("Bad", 422, "POST"), WriteRefused)
    assert isinstance(told("Bad", 422, "GET"), UnexpectedAnswer)
    assert told("Unheard", 500) is None
    assert explained(answered(404, []), METHOD) is None


def test_of_a_servers_words_nothing_is_kept_but_the_fields_that_it_names() -> None:
    said = {"error": {"code": "Bad Käßner", "text": "lastName Käßner, born 1987, is not unique"}}
    method = METHOD.model_copy(
        update={
            "streams": {
                "patients": StreamSpec(
                    source="/patients",
                    entities=("Patient",),
                    key=("id",),
                    fields={"lastName": FieldSpec.model_validate({"maps": "Patient.last_name"})},
                )
            }
        }
    )
    refused = explained(answered(422, said, "POST"), method)
    assert refused is not None
    assert refused.detail == "status 422, lastName"


def test_templates_take_what_is_there_and_drop_what_is_not() -> None:
    template = {
        "id": "{id}",
        "from": "{start}T00:00:00",
        "minutes": "{minutes}",
        "kind": "visit",
        "all": ["{id}", "{nobody}"],
    }
    values = {"id": "7", "minutes": 30}
    assert fill(template, values) == {"id": "7", "minutes": 30, "kind": "visit", "all": ["7"]}
    assert places(template) == {"id", "start", "minutes", "nobody"}
