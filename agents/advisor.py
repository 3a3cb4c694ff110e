"""One optional node type: a language model chooses among options that the tools offered, or the tools' choice stands.

Any OpenAI-compatible endpoint, on premise too, through the `openai` package. Questions go in batches with a JSON schema of
their options; answers are streamed, so those that were complete when the time ran out count. Late, missing or invalid
answers change nothing, and nothing that the other side does raises here.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agents.advisor_answers import Heard, complete_members
from knowledge.prompts import Prompt

MOST_BYTES = 1_000_000  # of one answer; whoever sends more is cut off
GIVEN_UP_AFTER = 2  # failed calls in a row
LETTERS_A_TOKEN = 4  # roughly, where a server does not say what it used
BELIEVED = 2  # a count below the estimate divided by this is not: else the budget would be the server's to keep
_CONNECT_SECONDS = 2.0
_REASON_LETTERS = 300


class AdvisorSettings(BaseModel):
    """Where the model answers and what it may cost. `timeout_seconds` is for a call; `job_seconds` and `max_tokens` are for
    all calls of one job."""

    model_config = ConfigDict(frozen=True)

    url: str
    key: str = Field(default="none", repr=False)
    model: str = "default"
    timeout_seconds: float = 8.0
    job_seconds: float = 30.0
    max_tokens: int = 50_000


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, all of it fit to leave the practice: facts, and the only answers that there are."""

    facts: Mapping[str, object]
    options: tuple[str, ...]


class Advice(BaseModel):
    """The option the model chose and why. `option` is always one of those offered."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    option: str
    reason: str = ""


@dataclass
class Spent:
    """What the advisor used and how it failed: recorded with the job."""

    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


@dataclass
class Advisor:
    """A model endpoint under the budget of one job."""

    settings: AdvisorSettings
    spent: Spent = field(default_factory=Spent)
    _failed_in_a_row: int = field(default=0, init=False)
    _is_poor: bool = field(default=False, init=False)  # the next call would cost more tokens than are left
    _knows_schemas: bool = field(default=True, init=False)  # until a server refuses a JSON schema

    @property
    def is_over(self) -> bool:
        """Whether nothing more is asked in this job: time or tokens are spent, or the model failed again and again."""
        settings, spent = self.settings, self.spent
        out = spent.tokens >= settings.max_tokens or spent.seconds >= settings.job_seconds
        return out or self._is_poor or self._failed_in_a_row >= GIVEN_UP_AFTER

    async def advise(
        self, prompt: Prompt, meanings: Mapping[str, str], questions: Sequence[Question]
    ) -> dict[int, Advice]:
        """Valid answers by the place of their question; `meanings` say what options are. Never raises for what the model did."""
        named = {f"q{place}": question for place, question in enumerate(questions, 1)}
        message = json.dumps(
            {"columns": {key: {**each.facts, "options": each.options} for key, each in named.items()}, "fields": meanings},
            ensure_ascii=False,
        ).encode("utf-8", "replace").decode()  # fmt: skip
        body = self._body(prompt, message, named)
        if not questions or self.is_over or not self._affords(body):
            return {}
        heard = Heard(MOST_BYTES)
        refused = await self._call(body, heard)
        if refused and not self.is_over:
            self._knows_schemas, heard = False, Heard(MOST_BYTES)
            await self._call(self._body(prompt, message, named), heard)
        answers = self._valid(heard, named)
        self._failed_in_a_row = 0 if answers else self._failed_in_a_row + 1
        return {int(key[1:]) - 1: advice for key, advice in answers.items()}

    def _body(self, prompt: Prompt, message: str, named: Mapping[str, Question]) -> dict[str, Any]:
        schema = {"name": "answers", "strict": True, "schema": answer_schema(named)}
        form = {"type": "json_schema", "json_schema": schema} if self._knows_schemas else {"type": "json_object"}
        return {
            "model": self.settings.model, "max_tokens": prompt.answer_tokens * len(named), "response_format": form,
            "messages": [{"role": "system", "content": prompt.rules}, {"role": "user", "content": message}],
        }  # fmt: skip

    def _affords(self, body: Mapping[str, Any]) -> bool:
        """Whether a call still fits into the tokens; a call that does not ends the job's advice."""
        self._is_poor = self.spent.tokens + _tokens(body) + int(body["max_tokens"]) > self.settings.max_tokens
        return not self._is_poor

    async def _call(self, body: Mapping[str, Any], heard: Heard) -> bool:
        """Fill `heard` as far as it goes. True where the server refused the form of the request, not the request."""
        import openai

        self.spent.calls += 1
        began, refused = perf_counter(), False
        try:
            async with asyncio.timeout(
                min(self.settings.timeout_seconds, self.settings.job_seconds - self.spent.seconds)
            ):
                await self._hear(body, heard)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            refused = self._knows_schemas
            self.spent.failures.append(type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever a foreign server does to a stream, the job goes on without it
            self.spent.failures.append(type(error).__name__)
        self.spent.seconds += perf_counter() - began
        estimated = _tokens(body) + len(heard.text) // LETTERS_A_TOKEN
        self.spent.tokens += max(heard.tokens, estimated // BELIEVED) if heard.tokens else estimated
        return refused

    async def _hear(self, body: Mapping[str, Any], heard: Heard) -> None:
        import openai

        settings = self.settings
        timeout = openai.Timeout(settings.timeout_seconds, connect=_CONNECT_SECONDS)
        async with (
            openai.DefaultAsyncHttpxClient(follow_redirects=False, timeout=timeout) as http,
            openai.AsyncOpenAI(
                base_url=settings.url, api_key=settings.key, max_retries=0, timeout=timeout, http_client=http
            ) as client,
            client.chat.completions.with_streaming_response.create(
                **body, stream=True, stream_options={"include_usage": True}
            ) as answer,
        ):
            chunks: AsyncIterator[bytes] = answer.iter_bytes()
            await heard.read(chunks, streamed="text/event-stream" in answer.headers.get("content-type", ""))

    def _valid(self, heard: Heard, named: Mapping[str, Question]) -> dict[str, Advice]:
        """The answers that are whole, were asked for and are among the options; every other one is a failure."""
        found: dict[str, Advice] = {}
        try:
            members = complete_members(heard.text, ended=heard.ended)
        except (ValueError, RecursionError) as error:
            self.spent.failures.append(type(error).__name__)
            return found
        if not heard.ended:
            self.spent.failures.append("an answer that was cut off")
        for key, member in members.items():
            try:
                advice = Advice.model_validate(member)
            except ValidationError:
                self.spent.failures.append("an answer of another form")
                continue
            if key in named and advice.option in named[key].options:
                found[key] = advice.model_copy(update={"reason": _one_line(advice.reason)})
            else:
                self.spent.failures.append("an option that was not offered")
        return found


def answer_schema(named: Mapping[str, Question]) -> dict[str, Any]:
    """The JSON schema of an answer: every question's key, with exactly its options."""
    members = {
        key: {
            "type": "object", "properties": {"option": {"type": "string", "enum": list(each.options)}, "reason": {"type": "string"}},
            "required": ["option", "reason"], "additionalProperties": False,
        }
        for key, each in named.items()
    }  # fmt: skip
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def _tokens(body: Mapping[str, Any]) -> int:
    return len(json.dumps(body, ensure_ascii=False)) // LETTERS_A_TOKEN


def _one_line(reason: str) -> str:
    return "".join(each if each.isprintable() else " " for each in reason)[:_REASON_LETTERS].strip()
