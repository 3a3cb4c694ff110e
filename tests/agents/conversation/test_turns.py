"""Turns against real simulators: from a sentence to a live integration, in whatever order people say things."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.agents.conftest import Practice
    from tests.agents.conversation.conftest import Begin


@pytest.fixture(scope="module")
def suite(simulators: Callable[..., Practice]) -> Practice:
    return simulators("dental_suite", patients=20)


async def test_one_sentence_and_a_login_in_prose_lead_to_a_live_integration(suite: Practice, begin: Begin) -> None:
    talk = await begin()
    first = await talk.say(f"We're on Dental Suite at {suite.address}, practice Zahnarzt Nord in Berlin, only patients")
    assert [each.kind for each in first.questions] == ["credentials"]
    assert first.done.state == "waiting"
    login = suite.login
    last = await talk.say(f"user is {login['username']}, password is {login['password']}")
    assert last.done.state == "live"
    assert last.cards == ["detected", "map", "plan", "synced", "health"]
    assert login["password"] not in first.everything + last.everything
    view = await talk.view()
    assert view.practice == "Zahnarzt Nord"
    assert login["password"] not in view.model_dump_json()
