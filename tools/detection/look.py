"""Walks over an address: what to ask next depends on what was heard; everything heard becomes a finding."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from knowledge.manifest import Manifest, MethodKind
from tools.address import Address
from tools.clock import Clock, utc_now
from tools.detection.databases import look_at_database, look_at_file, look_beside
from tools.detection.notes import Notes
from tools.detection.web import look_at_web
from tools.probes.address import read_shape
from tools.probes.base import Finding, ProbeBudget
from tools.probes.folder import ask_folder
from tools.probes.mllp import ask_mllp
from tools.probes.plan import WEB, named_ports
from tools.probes.tcp import GREETING_SECONDS, MLLP_SECONDS, ask_port

DEFAULT_PORTS = {
    "http": 80, "https": 443, "postgresql": 5432, "mllp": 2575, "mllps": 2575, "mysql": 3306, "mariadb": 3306,
    "mssql": 1433, "sftp": 22, "ftp": 21, "ftps": 21,
}  # fmt: skip
LISTENERS = frozenset({"mllp", "mllps"})
LOCKED = frozenset({"mysql", "mariadb", "mssql", "sftp", "ftp", "ftps"})  # behind a login, and read by no probe yet
_SPEAKS = {"postgresql": "A PostgreSQL", "mysql": "A MySQL", "ssh": "An SSH", "ftp": "An FTP"}


@dataclass
class Look:
    """One walk. `manifests` say what is asked, `credentials` open databases only: nothing else is ever sent them."""

    address: Address
    manifests: Sequence[Manifest]
    credentials: Mapping[str, str]
    budget: ProbeBudget
    consent: Collection[str] = ()
    clock: Clock = utc_now
    notes: Notes = field(default_factory=Notes)

    async def walk(self) -> Notes:
        """Ask all that this address allows; the findings stand in the notes."""
        self.notes.heard(read_shape(self.address))
        if self.address.scheme == "file":
            await self._folder()
        elif self.address.scheme == "sqlite":
            await look_at_file(self, self.address)
        elif self.address.scheme is None and self.address.port is None:
            await self._named_ports(named_ports(self.manifests))
        else:
            await self._port()
        return self.notes

    async def _folder(self) -> None:
        finding = await ask_folder(self.address.path, self.budget)
        state, kind = finding.facts.get("state"), finding.facts.get("kind")
        if kind == "sqlite":
            self.notes.repaired.append("scheme")
            await look_at_file(self, self.address.with_(scheme="sqlite"))
            return
        place = self.address.url
        self.notes.heard(Finding(finding.probe, finding.subject, {**finding.facts, "place": place}, finding.requests))
        if state in {"missing", "unreadable"}:
            self.notes.observe("folder.files", f"The path is {state}.", code="file.share_unavailable")
        elif not finding.facts.get("parsed"):
            self.notes.observe("folder.files", "No file there is GDT, HL7 or a table.")

    async def _port(self) -> None:
        address = self.address
        port = address.port or DEFAULT_PORTS.get(address.scheme or "", 0)
        if address.scheme in {"http", "https"}:
            if not await look_at_web(self, address.with_(port=port), given=address) and not self.notes.codes:
                self.notes.observe("http", f"What listens at {address.where} speaks no HTTP.")
        else:
            await self._ask(address, port)
        if "net.refused" in self.notes.codes and not self.notes.answered:
            await self._named_ports([each for each in named_ports(self.manifests, _kinds_of(address)) if each != port])

    async def _named_ports(self, ports: Sequence[int]) -> None:
        """Ask each port that a manifest names once, and go on where something listens."""
        host = self.address.host or ""
        asked = await asyncio.gather(*(ask_port(host, port, self.budget) for port in ports))
        before = self.notes.place_count
        opened = [each for each in zip(ports, asked, strict=True) if each[1].facts.get("state") == "open"]
        await asyncio.gather(*(self._go_on(self.address.with_(port=port), finding) for port, finding in opened))
        if self.notes.place_count > before and self.address.scheme is not None:
            self.notes.repaired.append("port")
        if ports and not opened:
            self.notes.observe("tcp.open", f"None of the {len(ports)} ports that manifests name answers.")

    async def _ask(self, address: Address, port: int) -> None:
        """Ask one port and go on where it is open."""
        host = address.host or ""
        if address.scheme in LISTENERS:
            finding = await ask_port(host, port, self.budget, listen_seconds=MLLP_SECONDS, ask=False)
        else:
            listen_seconds = 0.0 if address.scheme == "postgresql" else GREETING_SECONDS  # it never speaks first
            finding = await ask_port(host, port, self.budget, listen_seconds=listen_seconds)
        if finding.facts.get("state") != "open":
            self.notes.shut(finding)
            return
        await self._go_on(address.with_(port=port), finding)

    async def _go_on(self, address: Address, finding: Finding) -> None:
        """Speak to an open port in the language it was heard to speak, else in the address's own, else politely HTTP."""
        speaks = str(finding.facts.get("speaks") or "")
        self.notes.heard(finding)
        if speaks in _SPEAKS:
            self.notes.observe("tcp.open", f"{_SPEAKS[speaks]} server answers at {address.where}.")
        silent = not speaks and bool(self.credentials)  # slow to answer, perhaps: the login tells
        if speaks == "postgresql" and "net.refused" in self.notes.codes:
            await look_beside(self, address.with_(scheme="postgresql"))
        elif speaks == "postgresql" or (address.scheme == "postgresql" and silent):
            await look_at_database(self, address.with_(scheme="postgresql"))
        elif speaks == "mllp" or address.scheme in LISTENERS:
            await self._listener(address)
        elif speaks in _SPEAKS or address.scheme in LOCKED:
            self._locked(address, speaks)
        elif address.scheme == "postgresql":
            self.notes.observe("tcp.open", f"What listens at {address.where} is no PostgreSQL.")
        elif speaks == "other" or not await look_at_web(self, address, speaks=speaks):
            self.notes.observe("tcp.open", f"Something listens at {address.where} and speaks no protocol we know.")

    def _locked(self, address: Address, speaks: str) -> None:
        """A service behind a login that no probe can use yet: only a person who meant it is asked for credentials."""
        if address.scheme in LOCKED or speaks == "mysql":
            self.notes.ask("credentials")

    async def _listener(self, address: Address) -> None:
        """An HL7 v2 listener says nothing by itself: a test message goes out only with consent."""
        if "hl7v2" not in self.consent:
            self.notes.observe("mllp.listen", f"A listener at {address.where} waits for a message.")
            self.notes.ask("consent")
            return
        port = address.port or DEFAULT_PORTS["mllp"]
        finding = await ask_mllp(address.host or "", port, self.budget, self.clock())
        place = address.with_(scheme=address.scheme or "mllp").url
        self.notes.heard(Finding(finding.probe, finding.subject, {**finding.facts, "place": place}))


def _kinds_of(address: Address) -> frozenset[MethodKind] | None:
    """The methods whose ports may be meant where the given one is shut; None: the address leaves it open."""
    kinds: dict[str, frozenset[MethodKind]] = {
        "http": WEB, "https": WEB, "postgresql": frozenset({"sql"}), "mllp": frozenset({"hl7v2"}),
        "mllps": frozenset({"hl7v2"}),
    }  # fmt: skip
    return kinds.get(address.scheme, frozenset()) if address.scheme else None
