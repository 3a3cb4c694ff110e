"""Questions that wait for a person, answerable from any process."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tools.store.errors import NotFound, QuestionClosed
from tools.store.models import Question
from tools.store.onboarding_tables import QUESTIONS
from tools.store.scope import Repository
from tools.store.vault import Vault

_BODY = {"text", "options", "context"}


class QuestionRepository(Repository):
    """Questions by id; text, context and answer are sealed."""

    async def ask(self, question: Question) -> Question:
        """Ask. The same id asked again changes nothing, whatever became of it; returns it as it stands."""
        body = self._vault.seal_json(question.model_dump(mode="json", include=_BODY), _place(question.id, "body"))
        await self._insert(
            QUESTIONS, id=question.id, thread_id=question.thread_id, integration_id=question.integration_id,
            kind=question.kind, status="open", body=body, created_at=question.created_at or self._clock(),
        )  # fmt: skip
        return await self.get(question.id)

    async def open(self, thread_id: str | None = None) -> list[Question]:
        """Open questions, of one thread or of all, oldest first."""
        return await self.list(thread_id, status="open")

    async def get(self, id_: str) -> Question:
        """Raises `NotFound`."""
        row = await self._one(select(QUESTIONS).where(self.mine(QUESTIONS), QUESTIONS.c.id == id_))
        if row is None:
            raise NotFound("question", id_)
        return self._question(row)

    async def answer(self, id_: str, value: str) -> Question:
        """Answer an open question. Raises `QuestionClosed` where it is not open any more, `NotFound`."""
        sealed = self._vault.seal(value.encode(), _place(id_, "answer"))
        still_open = (QUESTIONS.c.id == id_) & (QUESTIONS.c.status == "open")
        changes = {"status": "answered", "answer": sealed, "answered_at": self._clock()}
        taken = await self._change(QUESTIONS, still_open, changes)
        question = await self.get(id_)
        if not taken:
            raise QuestionClosed(id_, question.status)
        return question

    async def reopen(self, id_: str) -> Question:
        """Take an answer back: the question is open again. Whoever calls knows that nobody has used it yet."""
        answered = (QUESTIONS.c.id == id_) & (QUESTIONS.c.status == "answered")
        await self._change(QUESTIONS, answered, {"status": "open", "answer": None, "answered_at": None})
        return await self.get(id_)

    async def close_obsolete(self, thread_id: str, except_ids: Collection[str] = ()) -> int:
        """Close the open questions of a thread that nobody needs answered any more; returns how many."""
        theirs = (QUESTIONS.c.thread_id == thread_id) & (QUESTIONS.c.status == "open")
        statement = update(QUESTIONS).where(self.mine(QUESTIONS), theirs, QUESTIONS.c.id.not_in(list(except_ids)))
        return await self._write(statement.values(status="obsolete"))

    async def list(
        self, thread_id: str | None = None, status: Literal["open", "answered", "obsolete"] | None = None
    ) -> list[Question]:
        """Questions of a thread, or of all, oldest first."""
        query = select(QUESTIONS).where(self.mine(QUESTIONS))
        if thread_id is not None:
            query = query.where(QUESTIONS.c.thread_id == thread_id)
        if status is not None:
            query = query.where(QUESTIONS.c.status == status)
        rows = await self._all(query.order_by(QUESTIONS.c.created_at, QUESTIONS.c.id))
        return [self._question(row) for row in rows]

    async def page(
        self, after: tuple[datetime, str] | None, limit: int, status: Literal["open", "answered", "obsolete"]
    ) -> Sequence[Question]:
        """At most `limit` of that status, oldest first, those behind the one of that time and id."""
        query = select(QUESTIONS).where(self.mine(QUESTIONS), QUESTIONS.c.status == status)
        if after is not None:
            at, id_ = after
            later = (QUESTIONS.c.created_at > at) | ((QUESTIONS.c.created_at == at) & (QUESTIONS.c.id > id_))
            query = query.where(later)
        rows = await self._all(query.order_by(QUESTIONS.c.created_at, QUESTIONS.c.id).limit(limit))
        return [self._question(row) for row in rows]

    def _question(self, row: RowMapping) -> Question:
        id_ = row["id"]
        body = self._vault.open_json(row["body"], _place(id_, "body"))
        assert isinstance(body, dict)
        answer = None if row["answer"] is None else self._vault.open(row["answer"], _place(id_, "answer")).decode()
        return Question.model_validate({**row, **body, "answer": answer})


async def logins_of(
    vault: Vault, connection: AsyncConnection, mine: ColumnElement[bool], threads: Collection[str]
) -> set[str]:
    """References of all logins that were ever given in these threads, the refused ones too."""
    asked = mine & QUESTIONS.c.thread_id.in_(threads) & (QUESTIONS.c.kind == "credentials")
    query = select(QUESTIONS.c.id, QUESTIONS.c.answer).where(asked, QUESTIONS.c.answer.is_not(None))
    rows = await connection.execute(query)
    return {vault.open(row.answer, _place(row.id, "answer")).decode() for row in rows}


def _place(id_: str, what: str) -> str:
    return f"questions|{id_}|{what}"
