"""What a port speaks: who greets, who answers PostgreSQL's SSLRequest, who shakes hands over TLS."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator

from tools.probes.base import Finding, ProbeBudget
from tools.protocols.http import tls_context

SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # PostgreSQL protocol 3, "SSLRequest": eight bytes, answered by S or N
CONNECT_SECONDS = 2.5
GREETING_SECONDS = 0.4
ANSWER_SECONDS = 1.2
MLLP_SECONDS = 2.0  # systems.md 5.2, step 7: connect and listen for two seconds
GREETING_BYTES = 512


async def ask_port(
    host: str, port: int, budget: ProbeBudget, *, listen_seconds: float = GREETING_SECONDS, ask: bool = True
) -> Finding:
    """`tcp.open`: connect once, listen, then ask politely whether PostgreSQL is there.

    Facts: `state` (open, refused, timeout, no_name, unreachable), and of an open port `speaks` (postgresql, http, tls,
    mysql, ssh, ftp, mllp, other) where its bytes tell, with `banner` of those that greet by name. Without `ask` nothing is sent.
    """
    subject = f"{host}:{port}"
    if not budget.take():
        return Finding(probe="tcp.open", subject=subject, facts={"state": "not asked"}, requests=0)
    try:
        async with connected(host, port, budget) as (reader, writer):
            heard = await _heard(reader, budget.within(listen_seconds))
            if not heard and ask and not reader.at_eof():
                writer.write(SSL_REQUEST)
                await writer.drain()
                heard = await _heard(reader, budget.within(ANSWER_SECONDS))
                return _port_finding(subject, heard, asked=True)
            return _port_finding(subject, heard, asked=False)
    except OSError as error:
        return Finding(probe="tcp.open", subject=subject, facts={"state": state_of(error)})


@contextlib.asynccontextmanager
async def connected(
    host: str, port: int, budget: ProbeBudget
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """One bare connection, closed at the end. Raises OSError (TimeoutError is one)."""
    async with asyncio.timeout(budget.within(CONNECT_SECONDS)):
        reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(0.2):
                await writer.wait_closed()


async def _heard(reader: asyncio.StreamReader, seconds: float) -> bytes:
    """The first bytes that come within so many seconds, none where the other side stays silent or hangs up."""
    try:
        async with asyncio.timeout(seconds):
            return await reader.read(GREETING_BYTES)
    except (TimeoutError, ConnectionError):
        return b""


def _port_finding(subject: str, heard: bytes, *, asked: bool) -> Finding:
    speaks, banner = protocol_of(heard, asked=asked)
    return Finding(probe="tcp.open", subject=subject, facts={"state": "open", "speaks": speaks, "banner": banner})


def protocol_of(heard: bytes, *, asked: bool) -> tuple[str | None, str | None]:
    """Protocol and banner that the first bytes of a peer tell; `asked`: they answer an SSLRequest."""
    if asked and heard in {b"S", b"N"}:
        return "postgresql", None
    if heard.startswith(b"HTTP/1."):
        return "http", None
    if heard[:2] == b"\x15\x03":  # a TLS alert to what was no ClientHello
        return "tls", None
    if heard[:1] == b"\x0b":
        return "mllp", None
    if match := re.match(rb"SSH-2\.0-([ -~]{1,60})", heard):
        return "ssh", match[1].decode("ascii")
    if match := re.match(rb"220[ -]([ -~]*FTP[ -~]*)", heard, re.IGNORECASE):  # mail servers say 220 as well
        return "ftp", match[1].decode("ascii")
    if match := re.match(rb"...\x00\x0a([0-9][ -~]{2,40})\x00", heard, re.DOTALL):
        return "mysql", match[1].decode("ascii")
    return ("other" if heard and not asked else None), None  # neither HTTP nor PostgreSQL ever speaks first


def state_of(error: OSError) -> str:
    """An error of connecting in one word."""
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, socket.gaierror):
        return "no_name"
    return "unreachable"


async def ask_tls(host: str, port: int, budget: ProbeBudget, ca_file: str | None = None) -> Finding:
    """`tls`: shake hands once and judge the certificate; nothing is sent afterwards.

    Facts: `spoken`, `trusted` (by the system's authorities, or by `ca_file`), and `reason` of a
    certificate that nobody trusts, in OpenSSL's words.
    """
    subject = f"{host}:{port}"
    if not budget.take():
        return Finding(probe="tls", subject=subject, facts={"spoken": False, "state": "not asked"}, requests=0)
    facts: dict[str, object] = {"spoken": True, "trusted": True}
    try:
        await _handshake(host, port, tls_context(ca_file), budget)
    except ssl.SSLCertVerificationError as error:
        facts = {"spoken": True, "trusted": False, "reason": str(error.verify_message)[:120]}
    except ssl.SSLError as error:
        # the peer speaks TLS and refuses us (no common version, a client certificate wanted), or it is no TLS at all
        spoken = bool(error.reason) and "ALERT" in str(error.reason)
        facts = {"spoken": spoken, "trusted": False, "reason": str(error.reason)[:120]}
    except OSError as error:
        facts = {"spoken": False, "state": state_of(error)}
    return Finding(probe="tls", subject=subject, facts=facts)


async def _handshake(host: str, port: int, context: ssl.SSLContext, budget: ProbeBudget) -> None:
    async with asyncio.timeout(budget.within(CONNECT_SECONDS)):
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(0.2):
            await writer.wait_closed()


def trust_nobody() -> ssl.SSLContext:
    """A context that checks no certificate: only to look at an open door, never with anything that proves who we are."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
