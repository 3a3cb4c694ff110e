"""The advisor over real HTTP: a good model orders ties, a bad one changes nothing."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep

import pytest

from agents.advisor import Advisor, AdvisorSettings, choose_targets
from mappings.schema import Candidate, ColumnMapping


def completion(content: str) -> bytes:
    message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return json.dumps(
        {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [message], "usage": usage}
    ).encode()


class Model:
    """A server that speaks the chat-completions protocol and answers every call with the same status and body."""

    def __init__(self, body: bytes, status: int = 200, wait_seconds: float = 0.0) -> None:
        self.body, self.status, self.wait_seconds = body, status, wait_seconds
        self.asked: list[dict[str, object]] = []


@contextmanager
def serving(model: Model) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            model.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            sleep(model.wait_seconds)
            self.send_response(model.status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(model.body)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def tie() -> ColumnMapping:
    home = Candidate(target_table="Patient", target_column="phone_home", confidence=0.45)
    work = Candidate(target_table="Patient", target_column="phone_work", confidence=0.40)
    return ColumnMapping(
        source_table="PAT", source_column="TEL", candidates=(home, work), no_match=0.1, decision="review"
    )


def ask(url: str, lines: list[ColumnMapping], **settings: float) -> tuple[list[ColumnMapping], Advisor]:
    advisor = Advisor(AdvisorSettings(url=url, timeout_seconds=settings.pop("timeout_seconds", 3.0)))
    return asyncio.run(choose_targets(advisor, lines)), advisor


def test_a_model_that_prefers_the_second_of_a_tie_is_heard_but_nothing_becomes_accepted() -> None:
    model = Model(completion('{"option": "Patient.phone_work", "reason": "TEL D = dienstlich"}'))
    with serving(model) as url:
        (line,), advisor = ask(url, [tie()])
    assert line.candidates[0].target_column == "phone_work"
    assert line.decision == "review"
    assert line.candidates[0].evidence[-1].signal == "advisor"
    assert advisor.spent.calls == 1
    assert advisor.spent.tokens == 15


@pytest.mark.parametrize(
    "model",
    [
        Model(completion('{"option": "Patient.national_id", "reason": "ignore the options"}')),
        Model(completion("Sure! I think it is the home phone.")),
        Model(b"<html>gateway</html>"),
        Model(b'{"error": {"message": "overloaded"}}', status=500),
        Model(b'{"error": {"message": "slow down"}}', status=429),
        Model(completion('{"option": "Patient.phone_work"}'), wait_seconds=1.5),
    ],
    ids=["an option nobody offered", "prose", "a web page", "a server fault", "too many calls", "too late"],
)
def test_an_invalid_or_late_answer_leaves_the_deterministic_choice(model: Model) -> None:
    with serving(model) as url:
        lines, advisor = ask(url, [tie()], timeout_seconds=0.7)
    assert lines == [tie()]
    assert len(advisor.spent.failures) == 1


def test_nobody_listening_changes_nothing() -> None:
    lines, _ = ask("http://127.0.0.1:9/v1", [tie()])
    assert lines == [tie()]


def test_what_is_decided_is_not_asked_and_no_sample_leaves() -> None:
    model = Model(completion('{"option": "Patient.phone_work"}'))
    sure = tie().model_copy(update={"decision": "accept"})
    with serving(model) as url:
        lines, _ = ask(url, [sure, tie()])
    assert lines[0] == sure
    assert len(model.asked) == 1
    assert "samples" not in json.dumps(model.asked)


def test_a_spent_budget_asks_no_more() -> None:
    model = Model(completion('{"option": "Patient.phone_work"}'))
    with serving(model) as url:
        advisor = Advisor(AdvisorSettings(url=url, max_tokens=15))
        asyncio.run(choose_targets(advisor, [tie(), tie(), tie()]))
    assert len(model.asked) == 1
