"""Asks an HL7 v2 listener for an acknowledgement, with a message that no system may act on."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime

from tools.probes.base import Finding, ProbeBudget
from tools.probes.tcp import connected, state_of

START, END = b"\x0b", b"\x1c\r"
ANSWER_SECONDS = 3.0
MOST_BYTES = 64 * 1024
US = "PATCHBAY"


async def ask_mllp(host: str, port: int, budget: ProbeBudget, now: datetime) -> Finding:
    """`mllp.ack`: send one `ZPB^Z01` (no event of any standard, processing id T) and read who rejects or accepts it.

    Only after a person's consent, since it is more than listening. Facts: `acknowledged`, and of the answer `MSH-3`,
    `MSH-4`, `MSH-12`, `MSA-1`. An answer counts only if its MSA-2 is our control id: an echo has no MSA.
    """
    subject, control = f"{host}:{port}", secrets.token_hex(8).upper()
    if not budget.take():
        return Finding("mllp.ack", subject, {"acknowledged": False, "state": "not asked"}, 0)
    try:
        async with connected(host, port, budget) as (reader, writer):
            writer.write(START + probe_message(control, now).encode("ascii") + END)
            await writer.drain()
            async with asyncio.timeout(budget.within(ANSWER_SECONDS)):
                answer = await _frame(reader)
    except OSError as error:
        return Finding("mllp.ack", subject, {"acknowledged": False, "state": state_of(error)})
    return Finding("mllp.ack", subject, acknowledgement(answer, control))


def probe_message(control: str, now: datetime) -> str:
    """The message: a header and nothing else; never an ADT, which would register a patient."""
    return f"MSH|^~\\&|{US}|PROBE|||{now:%Y%m%d%H%M%S}||ZPB^Z01|{control}|T|2.3\r"


async def _frame(reader: asyncio.StreamReader) -> bytes:
    """The first whole MLLP frame, or what came before the peer hung up. Raises TimeoutError."""
    heard = b""
    while END[:1] not in heard and len(heard) < MOST_BYTES:
        part = await reader.read(4096)
        if not part:
            break
        heard += part
    return heard


def acknowledgement(answer: bytes, control: str) -> dict[str, object]:
    """What an answer says, if it is an acknowledgement of the message with that control id."""
    text = answer.lstrip(START).partition(END[:1])[0].decode("latin-1")
    segments = {line[:3]: line.split("|") for line in text.replace("\n", "\r").split("\r") if line}
    header, told = segments.get("MSH", []), segments.get("MSA", [])
    ours = len(told) > 2 and told[2].strip() == control and told[1] in {"AA", "AE", "AR", "CA", "CE", "CR"}
    if not answer.startswith(START) or not ours or len(header) < 4:
        return {"acknowledged": False}
    facts: dict[str, object] = {"acknowledged": True, "MSA-1": told[1], "MSH-3": header[2], "MSH-4": header[3]}
    return facts | ({"MSH-12": header[11].strip()} if len(header) > 11 else {})
