"""Answers that are none change nothing: whoever mistypes is told what may be said, and may say it again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agents.alerts import AlertmanagerWebhook, take_alerts
from agents.context import AgentContext
from api.answering import take_answer
from knowledge.errors import BadInput
from tools.store.open import open_store
from tools.store.settings import Settings


async def test_a_nonsense_owner_of_an_alert_is_refused_and_the_question_stays_open(sqlite_settings: Settings) -> None:
    alert = {"status": "firing", "startsAt": datetime(2026, 11, 21, 7, tzinfo=UTC), "fingerprint": "c1d2"}
    async with open_store(sqlite_settings) as store:
        practice = await store.practices.create("Praxis Nord")
        integration, late = [
            await store.integrations.create(
                practice_id=practice.id,
                system=system,
                method="rest",
                address=f"https://{system}.example/",
                state="live",
            )
            for system in ("dentrix", "dampsoft")
        ]
        await store.integrations.update(late.id, state="disconnected")
        call = AlertmanagerWebhook.model_validate({"version": "4", "alerts": [alert]})
        await take_alerts(AgentContext(store, "taker"), call)
        (question,) = await store.questions.open()
        assert question.options == (integration.id,)
        with pytest.raises(BadInput, match=integration.id):
            await take_answer(store, question, "the dampsoft one")
        assert (await store.questions.get(question.id)).status == "open"
        await store.integrations.update(late.id, state="live")  # it came after the question
        await take_answer(store, question, f" {late.id} ")
        assert (await store.questions.get(question.id)).answer == late.id
