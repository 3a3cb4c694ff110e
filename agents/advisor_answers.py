"""What a model sent, as far as it came: chunks of a stream or one document, and the members that stand there whole."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

_DATA, _DONE = b"data:", b"[DONE]"
_DECODER = json.JSONDecoder()


class Heard:
    """The text of an answer while it comes. `ended` once the model said that it is done; `tokens` where the server counts."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._parts: list[str] = []
        self.tokens, self.ended = 0, False

    @property
    def text(self) -> str:
        return "".join(self._parts)

    async def read(self, chunks: AsyncIterator[bytes], *, streamed: bool) -> None:
        """Take chunks to their end. Raises ValueError for what is no completion, or too much."""
        waiting, size = b"", 0
        async for chunk in chunks:
            size += len(chunk)
            if size > self._most_bytes:
                raise ValueError("the answer is too long")
            waiting += chunk
            if streamed:
                *lines, waiting = waiting.split(b"\n")
                for line in lines:
                    self._take_line(line.strip())
        if streamed:
            self._take_line(waiting.strip())
        else:
            self._take(json.loads(waiting), "message")
            self.ended = True

    def _take_line(self, line: bytes) -> None:
        if not line.startswith(_DATA):
            return  # comments and blank lines between events
        data = line.removeprefix(_DATA).strip()
        if data == _DONE:
            self.ended = True
        else:
            self._take(json.loads(data), "delta")

    def _take(self, document: Any, part: str) -> None:
        if not isinstance(document, dict):
            raise ValueError("no completion")
        usage = document.get("usage")
        counted = usage.get("total_tokens") if isinstance(usage, dict) else None
        self.tokens = counted if isinstance(counted, int) and counted > 0 else self.tokens
        for choice in _list(document.get("choices"))[:1]:
            said = choice.get(part) if isinstance(choice, dict) else None
            content = said.get("content") if isinstance(said, dict) else None
            if isinstance(content, str):
                self._parts.append(content)
            if isinstance(choice, dict) and choice.get("finish_reason") == "stop":
                self.ended = True


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def complete_members(text: str, *, ended: bool) -> dict[str, Any]:
    """The members of the JSON object in `text`; of one that was cut off, those that stand there whole.

    Raises ValueError where an answer that ended is anything but one object, each key once.
    """
    if not ended:
        return _whole_members(text)
    found = json.loads(text, object_pairs_hook=_once)
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _whole_members(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at, opening = _past_blanks(text, 0), "{"
    while text[at : at + 1] == opening:
        try:
            key, at = _DECODER.raw_decode(text, _past_blanks(text, at + 1))
            at = _past_blanks(text, at)
            if not isinstance(key, str) or key in found or text[at : at + 1] != ":":
                break
            value, at = _DECODER.raw_decode(text, _past_blanks(text, at + 1))
        except json.JSONDecodeError:
            break  # here it was cut off
        if isinstance(value, dict):  # a number or a word could go on behind the cut
            found[key] = value
        at, opening = _past_blanks(text, at), ","
    return found


def _past_blanks(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\n", "\r", "\t"):
        at += 1
    return at
