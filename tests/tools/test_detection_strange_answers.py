"""A server whose answers no specification allows is unknown, and the report says what it did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tools.address import parse_address
from tools.detection import detect

Web = Any  # conftest.py
Respond = Callable[..., bytes]


@pytest.mark.parametrize(
    "location", ["http://[::1", "http://127.0.0.1:99999/x", "https://127.0.0.1:abc/", "https://[gibberish]/"]
)
async def test_a_redirect_to_what_is_no_address_is_an_answer_like_any_other(
    web: Web, respond: Respond, location: str
) -> None:
    web.script = lambda seen: respond(307, b"", location=location)
    report = await detect(parse_address(web.url))
    assert report.decision == "unknown"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n" + b"x" * (5 << 20), "sends an answer without end"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{}", "breaks its answers off"),
        (b"220 mail.example ESMTP\r\n\r\n", "speaks no HTTP"),
    ],
)
async def test_what_was_wrong_with_the_answer_is_said(web: Web, sent: bytes, said: str) -> None:
    web.script = lambda seen: sent
    report = await detect(parse_address(web.url))
    assert report.decision == "unknown"
    assert any(said in each.finding for each in report.details.observations)
