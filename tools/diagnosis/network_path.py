"""Where on the way to a server it ends: name, connection, TLS, first byte. Sends no credential and reads no data.

The certificate is looked at without being believed: the connection that looks carries nothing but a request for the
server's date, and no other connection trusts anything by what was seen here.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic

from cryptography import x509

from tools.address import Address
from tools.clock import Clock

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 12.0
SKEW_SECONDS = 300.0  # of two clocks: less is not worth a word (the Date header has whole seconds, networks take some)
POSTGRES_HELLO = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # SSLRequest: answered by one letter, before any login
_DEFAULT_PORTS = {"https": 443, "http": 80, "postgresql": 5432, "mysql": 3306}
_WEB = frozenset({"http", "https"})


async def follow_path(address: Address, scheme: str, clock: Clock) -> dict[str, str]:
    """Facts `path.dns`, `path.tcp`, `path.tls`, `path.app`, and what certificate and clock show (`tls.…`, `clock.…`)."""
    host, port = address.host, address.port or _DEFAULT_PORTS.get(scheme)
    if not host or port is None:
        return {}
    facts: dict[str, str] = {}
    began = monotonic()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
    except socket.gaierror:
        return {"path.dns": "unknown"}
    except TimeoutError:
        return {"path.dns": "ok", "path.tcp": "silent"}
    except ConnectionRefusedError:
        return {"path.dns": "ok", "path.tcp": "refused"}
    except OSError as error:
        return {"path.dns": "ok", "path.tcp": type(error).__name__}
    facts |= {"path.dns": "ok", "path.tcp": "ok", "path.connect_seconds": f"{monotonic() - began:.2f}"}
    try:
        if scheme == "https":
            facts |= await _look_at_certificate(writer, host)
        if facts.get("path.tls", "ok") == "ok":
            facts |= await _first_byte(reader, writer, scheme, host)
    finally:
        writer.transport.abort()
    return facts | _clock_facts(facts, clock)


async def _look_at_certificate(writer: asyncio.StreamWriter, host: str) -> dict[str, str]:
    unbelieving = ssl.create_default_context()
    unbelieving.check_hostname, unbelieving.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await writer.start_tls(unbelieving, server_hostname=host)
    except TimeoutError:
        return {"path.tls": "silent"}
    except (ssl.SSLError, OSError) as error:
        return {"path.tls": type(error).__name__}
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    certificate = x509.load_der_x509_certificate(shown)
    return {
        "path.tls": "ok", "tls.not_before": certificate.not_valid_before_utc.isoformat(),
        "tls.not_after": certificate.not_valid_after_utc.isoformat(),
    }  # fmt: skip


async def _first_byte(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, scheme: str, host: str
) -> dict[str, str]:
    """Whether anybody speaks: a web server is asked for its date, PostgreSQL whether it knows TLS."""
    if scheme in _WEB:
        writer.write(f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    elif scheme.startswith("postgresql"):
        writer.write(POSTGRES_HELLO)
    began = monotonic()
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            said = await reader.read(4096)
    except TimeoutError:
        return {"path.app": "silent"}
    except OSError:
        return {"path.app": "broken"}
    if not said:
        return {"path.app": "broken"}
    return {"path.app": "answers", "path.answer_seconds": f"{monotonic() - began:.2f}"} | _date_of(said)


def _date_of(answer: bytes) -> dict[str, str]:
    for line in answer.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "date":
            with suppress(ValueError):
                return {"clock.theirs": parsedate_to_datetime(value.strip()).astimezone(UTC).isoformat()}
    return {}


def _clock_facts(facts: Mapping[str, str], clock: Clock) -> dict[str, str]:
    """Whether the certificate is out of its time by both clocks, or only by ours."""
    found: dict[str, str] = {}
    if "clock.theirs" not in facts:
        return found
    theirs, ours = datetime.fromisoformat(facts["clock.theirs"]), clock()
    if abs((theirs - ours).total_seconds()) > SKEW_SECONDS:
        found["clock.skew_seconds"] = f"{(theirs - ours).total_seconds():+.0f}"
    if "tls.not_after" in facts:
        begins, ends = (datetime.fromisoformat(facts[name]) for name in ("tls.not_before", "tls.not_after"))
        if not begins <= ours <= ends:
            found["tls.out_of_time"] = "by our clock only" if begins <= theirs <= ends else "by both clocks"
    return found
