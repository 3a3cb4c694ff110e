"""A server of `/v1/chat/completions` that answers by a script, streamed or whole; it knows the wire and nothing of ours."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_LETTERS_A_CHUNK = 60
Columns = Mapping[str, Mapping[str, Any]]  # the questions of a call by their key


@dataclass(frozen=True, slots=True)
class Reply:
    """What a call gets. `text` is the model's; `document` goes out in place of a completion. After `stall_after` or
    `cut_after` letters of the text the server falls silent, or hangs up."""

    text: str = ""
    status: int = 200
    document: str | None = None
    stall_after: int | None = None
    cut_after: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    total_tokens: int | None = None


Script = Callable[[Columns], Reply]


@dataclass
class ScriptedAdvisor:
    """A running advisor: where it is, and every request that it received, to the byte, headers first."""

    url: str
    received: list[bytes] = field(default_factory=list)
    _closing: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def calls(self) -> int:
        return len(self.received)

    def received_bodies(self) -> list[bytes]:
        """The requests without their headers."""
        return [each.partition(b"\r\n\r\n")[2] for each in self.received]

    def bodies(self) -> list[dict[str, Any]]:
        """The requests as they were meant."""
        return [json.loads(each) for each in self.received_bodies()]


@dataclass(frozen=True, slots=True)
class _Manners:
    """How the server answers: by which script, and what of the wire it knows."""

    script: Script
    streams: bool
    knows_schemas: bool


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, manners: _Manners) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.manners = manners
        self.advisor = ScriptedAdvisor(f"http://127.0.0.1:{self.server_port}/v1")

    def handle_error(self, *args: object) -> None:
        """Whoever hangs up on us may."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        manners = self.server.manners
        asked = json.loads(self._received())
        if not manners.knows_schemas and asked.get("response_format", {}).get("type") == "json_schema":
            self._whole(Reply(status=400, document='{"error": {"message": "response_format is not supported"}}'))
            return
        reply = manners.script(json.loads(asked["messages"][-1]["content"])["columns"])
        if manners.streams and asked.get("stream") and reply.document is None:
            self._streamed(reply)
        else:
            self._whole(reply)

    def _received(self) -> bytes:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"{self.path}\r\n{self.headers}".encode().rstrip()
        self.server.advisor.received.append(head + b"\r\n\r\n" + body)
        return body

    def _whole(self, reply: Reply) -> None:
        document = reply.document if reply.document is not None else _completion(reply)
        kind = "text/html" if document.startswith("<") else "application/json"
        self._head(reply, {"Content-Type": kind, **reply.headers})
        if reply.stall_after is not None:
            self._fall_silent()
        self.wfile.write(document.encode())

    def _streamed(self, reply: Reply) -> None:
        self._head(reply, {"Content-Type": "text/event-stream; charset=utf-8"})
        ends = [at for at in (reply.stall_after, reply.cut_after) if at is not None]
        until = min([len(reply.text), *ends])
        for start in range(0, until, _LETTERS_A_CHUNK):
            self._event({"content": reply.text[start : min(start + _LETTERS_A_CHUNK, until)]}, None)
        if reply.stall_after is not None and reply.cut_after is None:
            self._fall_silent()
        if not ends:
            self._event({}, "stop", _usage(reply))
            self.wfile.write(b"data: [DONE]\n\n")

    def _head(self, reply: Reply, headers: Mapping[str, str]) -> None:
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _fall_silent(self) -> None:
        self.server.advisor._closing.wait()

    def _event(self, delta: Mapping[str, str], finish: str | None, usage: Mapping[str, int] | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": [choice]}
        self.wfile.write(f"data: {json.dumps({**chunk, 'usage': usage})}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        """Quiet."""


@contextmanager
def serve_advisor(script: Script, *, streams: bool = True, knows_schemas: bool = True) -> Iterator[ScriptedAdvisor]:
    """Serve until the end of the `with`. Not `streams`: one document, whatever was asked for, as some servers do.

    Not `knows_schemas`: a JSON schema is refused, as servers do that know `json_object` only.
    """
    server = _Server(_Manners(script, streams, knows_schemas))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server.advisor
    finally:
        server.advisor._closing.set()
        server.shutdown()
        server.server_close()


def _completion(reply: Reply) -> str:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": reply.text}}
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": "scripted"}
    return json.dumps({**head, "choices": [choice], "usage": _usage(reply)})


def _usage(reply: Reply) -> dict[str, int] | None:
    if reply.total_tokens is None:
        return None
    return {"prompt_tokens": 0, "completion_tokens": reply.total_tokens, "total_tokens": reply.total_tokens}
