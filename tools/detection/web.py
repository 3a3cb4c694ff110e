"""Looks at a web server: which scheme, which base path, which of the answers that manifests describe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.address import Address
from tools.detection.judge import judge
from tools.detection.repair import stays_private
from tools.detection.report import UNKNOWN
from tools.probes.base import Finding
from tools.probes.http import REDIRECTS, HttpProber, Origin, is_silent
from tools.probes.plan import (
    Place,
    given_bases,
    named_places,
    parent_places,
    paths_of,
    places_below,
)
from tools.probes.tcp import ask_tls
from tools.protocols.http import BROKE_OFF, TOO_LONG
from tools.protocols.web_address import origin_of

if TYPE_CHECKING:
    from tools.detection.look import Look

FIRST = 2  # places asked before all others: a peer that speaks no HTTP is not asked thirty times
_SCHEMES = {"http": ("http", "https"), "https": ("https", "http"), "tls": ("https",)}


@dataclass(frozen=True, slots=True)
class Moved:
    """The server sends everybody to https at this port of its own."""

    port: int


async def look_at_web(look: Look, address: Address, *, given: Address | None = None, speaks: str = "") -> bool:
    """Ask a web server at the address's host and port, by the scheme given and else by the other; False: none is there.

    An https that turns out to be http is followed only inside a private network: elsewhere that would loosen security.
    A server that sends everybody from http to its own https is followed.
    """
    scheme = address.scheme if address.scheme in {"http", "https"} else None
    typed = given or address
    for tried in _SCHEMES.get(speaks or scheme or "", ("https", "http")):
        if scheme == "https" and tried == "http" and not stays_private(address.host or ""):
            continue
        found = await _look_by(look, address.with_(scheme=tried), typed)
        if isinstance(found, Moved):
            tried, found = "https", await _look_by(look, address.with_(scheme="https", port=found.port), typed)
        if found:
            if scheme and tried != scheme:
                look.notes.repaired.append("scheme")
            return True
    return False


async def _look_by(look: Look, address: Address, typed: Address) -> bool | Moved:
    """Ask by one scheme: whether HTTP is spoken so, or that the server is to be asked by https."""
    origin = await _origin(look, address)
    if origin is None:
        return False
    async with HttpProber(origin, look.budget, look.credentials.get("ca_file")) as prober:
        return await _ask_places(look, prober, typed)


async def _origin(look: Look, address: Address) -> Origin | None:
    """The origin to ask, its certificate judged; None where no TLS is spoken."""
    host, port = address.host or "", address.port or 0
    if address.scheme == "http":
        return Origin("http", host, port)
    ca_file = look.credentials.get("ca_file")
    finding = await ask_tls(host, port, look.budget, ca_file)
    if not finding.facts.get("spoken"):
        if finding.facts.get("state") in {"refused", "no_name"}:
            look.notes.shut(finding)
        return None
    trusted, reason = bool(finding.facts.get("trusted")), str(finding.facts.get("reason", ""))
    if not trusted:
        expired = "expired" in reason
        code = "tls.certificate_expired" if expired else "tls.untrusted"
        look.notes.observe(code, f"The certificate of {address.where} is not trusted: {reason}.", code=code)
        if not expired and not ca_file:
            look.notes.ask("ca_file")
    return Origin("https", host, port, verified=trusted)


async def _ask_places(look: Look, prober: HttpProber, typed: Address) -> bool | Moved:
    """Ask in waves, each only if the one before settled nothing; False where no HTTP is spoken; else as `_look_by`."""
    waves = _waves(look, typed.path)
    first = await _ask(prober, waves[0][:FIRST])
    if is_silent(first):
        _note_silence(look, first, prober)
        return False
    if (port := https_port(first, prober.origin.host)) and prober.origin.scheme == "http":
        return Moved(port)
    look.notes.heard(*first)
    for number, wave in enumerate([waves[0][FIRST:], *waves[1:]]):
        look.notes.heard(*await _ask(prober, wave))
        decision = judge(look.manifests, look.notes.findings)
        if decision.decision != UNKNOWN or decision.near:
            _note_path(look, decision.place, prober, typed, number)
            return True
    _note_nothing_known(look)
    return True


def https_port(findings: Sequence[Finding], host: str) -> int | None:
    """The port of the https to which every answer sends us at this very host; None where one says anything else."""
    ports: set[int | None] = set()
    for each in findings:
        headers = each.facts.get("headers")
        target = origin_of(str(headers.get("location", "")) if isinstance(headers, Mapping) else "")
        here = each.facts.get("status") in REDIRECTS and target is not None and target[:2] == ("https", host)
        ports.add(target[2] if target is not None and here else None)
    return ports.pop() if len(ports) == 1 else None


def _note_nothing_known(look: Look) -> None:
    """Say in one sentence what answered instead."""
    answers = [each.facts for each in look.notes.findings if "status" in each.facts]
    statuses = {status for each in answers if isinstance(status := each["status"], int)}
    if max(statuses) >= 500:
        look.notes.observe("http", "The server there answers with errors of its own.", code="upstream.down")
    elif statuses <= {401, 403, 407}:
        look.notes.observe("http", "Every answer asks for a login.")
        if not look.credentials:
            look.notes.ask("credentials")
    elif any(each.get("web_page") and each["status"] == 200 for each in answers):
        look.notes.observe("http", "A web page answers there.")
    else:
        look.notes.observe("http", "Nothing there is described by a manifest.")


def _waves(look: Look, path: str) -> list[list[Place]]:
    """First what the address says, then the bases that manifests name, then the folders above the path given."""
    paths = paths_of(look.manifests)
    named = named_places([each for each in look.manifests if not each.generic or each.fingerprints])
    if not path.rstrip("/"):
        return [named]
    given = places_below(given_bases(path, paths), paths)
    return [given, named, parent_places(path, paths)]


async def _ask(prober: HttpProber, places: Sequence[Place]) -> list[Finding]:
    return await prober.ask_each(places)


def _note_silence(look: Look, findings: Sequence[Finding], prober: HttpProber) -> None:
    codes = {str(each.facts.get("error")) for each in findings}
    where = prober.origin.url.partition("://")[2]
    for code, sentence in (("net.refused", f"Nothing listens at {where}."), ("net.dns", f"No address is known for {where}."),
                           ("net.timeout", f"{where} did not answer in time.")):  # fmt: skip
        if code in codes:
            look.notes.observe("http", sentence, code=code)
            return
    said = {str(each.facts.get("said")) for each in findings}
    for detail, sentence in ((TOO_LONG, f"{where} sends an answer without end."),
                             (BROKE_OFF, f"{where} breaks its answers off.")):  # fmt: skip
        if any(detail in each for each in said):
            look.notes.observe("http", sentence, code="upstream.unexpected")
            return


def _note_path(look: Look, place: str | None, prober: HttpProber, typed: Address, wave: int) -> None:
    """Remember that the base found is not the path that was typed."""
    if (
        place
        and wave > 0
        and place.startswith(prober.origin.url)
        and place != prober.origin.url + typed.path.rstrip("/")
        and "path" not in look.notes.repaired
    ):
        look.notes.repaired.append("path")
