"""The detection suite: every simulator as people give its address, and decoys that must stay unknown."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from evals.decoys.catalogue import all_decoys
from evals.decoys.decoy import Decoy
from evals.decoys.relay import slow_line
from evals.simulators.catalogue import simulate, systems
from evals.simulators.stand import Stand
from knowledge.catalogue import manifest_of
from tools.address import Address, parse_address
from tools.credentials import read_credentials
from tools.detection import Detection, detect
from tools.protocols.http import open_http

PATIENTS = 60
MOST_REQUESTS, MOST_SECONDS = 60, 10.0
RIGHT_SYSTEMS, UNKNOWN_DECOYS = 0.98, 0.99
SLOW_SECONDS = 0.15
BEHIND = {"base_path": "/practices/seven/pms"}
RENAMED = {"database": "q7_live"}
WEB = frozenset({"http", "https"})
# faults under which a system still says enough to be recognised; a simulator plays those that it knows
HALF_BROKEN: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("rate.limited", {}),
    ("upstream.slow", {}),
    ("auth.forbidden", {"view": "v_termin"}),
    ("schema.column_renamed", {"view": "v_patient", "column": "GEBDAT", "to": "GEBURTSTAG"}),
    ("data.partial_file", {}),
    ("data.encoding", {}),
)


class DetectionCase(BaseModel):
    """One address given to `detect`. `system` is a simulator's key, or `decoy`. `right` includes the version where shown."""

    system: str
    variation: str
    expected: list[str]
    decision: str
    version: str | None
    right: bool
    requests: int
    seconds: float
    writes: int = 0
    password_guesses: int = 0
    questions: list[str] = []

    @property
    def within_bounds(self) -> bool:
        """Few requests, little time, nothing written, no password guessed."""
        bounded = self.requests <= MOST_REQUESTS and self.seconds <= MOST_SECONDS
        return bounded and not self.writes and not self.password_guesses


class DetectionReport(BaseModel):
    """All cases. The figures are shares of 1."""

    cases: list[DetectionCase]

    @property
    def of_systems(self) -> list[DetectionCase]:
        return [each for each in self.cases if each.system != "decoy"]

    @property
    def of_decoys(self) -> list[DetectionCase]:
        return [each for each in self.cases if each.system == "decoy"]

    @property
    def accuracy(self) -> float:
        """Share of addresses of simulators that were answered rightly, version included."""
        return _share(self.of_systems)

    @property
    def decoys_unmasked(self) -> float:
        """Share of decoys for which no described system was named, but what they are: a bare protocol or unknown."""
        return _share(self.of_decoys)

    @property
    def good(self) -> bool:
        """Whether the figures of the design are reached and every bound was kept."""
        reached = self.accuracy >= RIGHT_SYSTEMS and self.decoys_unmasked >= UNKNOWN_DECOYS
        return reached and all(each.within_bounds for each in self.cases)


def _share(cases: Sequence[DetectionCase]) -> float:
    return sum(each.right for each in cases) / len(cases) if cases else 0.0


@dataclass(frozen=True)
class Variation:
    """One way of giving an address. `expected` is None where the simulator's own key is."""

    name: str
    address: str
    credentials: Mapping[str, str]
    expected: str | None = None


async def run(patients: int = PATIENTS, keys: Sequence[str] | None = None) -> DetectionReport:
    """Detect every simulated system in every variation, and every decoy."""
    cases: list[DetectionCase] = []
    for key in systems() if keys is None else keys:
        cases += await cases_of_system(key, patients)
    return DetectionReport(cases=cases + await cases_of_decoys())


async def cases_of_system(key: str, patients: int = PATIENTS) -> list[DetectionCase]:
    """All variations of one simulator: as it stands, behind a path or under another database's name, on a slow line."""
    cases: list[DetectionCase] = []
    for setting, options in settings_of(key):
        with tempfile.TemporaryDirectory(prefix="patchbay-detection-") as folder:
            async with simulate(key, folder=Path(folder), patients=patients, **dict[str, Any](options)) as stand:
                for each in variations(stand, plain=not options):
                    cases.append(await _case(stand, each, setting))
                async for each in slow_variations(stand):
                    cases.append(await _case(stand, each, setting))
                if not options:
                    cases += await _cases_half_broken(stand)
    return cases


async def _cases_half_broken(stand: Stand) -> list[DetectionCase]:
    """The stand-in as it is, under each fault that it can play."""
    cases: list[DetectionCase] = []
    login = read_credentials(str(stand.credentials))
    async with open_http(stand.control) as control:
        for code, parameters in HALF_BROKEN:
            started = await control.request("POST", "/faults", json={"code": code, **parameters}, raw=True)
            if started.status != 201:
                continue
            cases.append(await _case(stand, Variation(f"under {code}", stand.address, login), "plain"))
            await control.request("DELETE", "/faults")
    return cases


def settings_of(key: str) -> list[tuple[str, dict[str, str]]]:
    """The settings in which a simulator is started: plainly, and with each option of ours that it knows."""
    known = inspect.signature(import_module(f"evals.simulators.{key}").simulate).parameters
    odd = [("behind a path", BEHIND), ("database of another name", RENAMED)]
    return [("plain", {}), *((name, dict(options)) for name, options in odd if set(options) <= set(known))]


def variations(stand: Stand, *, plain: bool) -> list[Variation]:
    """The ways in which a person may give a stand-in's address. Only a plain one is found without its path."""
    address, login = parse_address(stand.address), read_credentials(str(stand.credentials))
    locked = "unknown" if address.scheme == "postgresql" else None
    ways = [Variation("as it is", stand.address, login), Variation("without a login", stand.address, {}, locked)]
    if address.is_folder:
        return [*ways, Variation("bare path", address.path, {})]
    if plain or address.scheme not in WEB:
        ways += [
            Variation("host and port", address.where, login),
            Variation("host and port, no login", address.where, {}, locked),
        ]
    if address.scheme in WEB:
        ways += [Variation("too deep a path", f"{stand.address}/some/record", login), _other_scheme(address, login)]
        ways += [Variation("wrong path", address.with_(path="/not/there").url, login)] if plain else []
    if address.scheme == "postgresql":
        ways.append(Variation("wrong database", address.with_(path="/no_such_database").url, login))
        ways.append(Variation("wrong password", stand.address, {**login, "password": "never-valid"}, "unknown"))
    return ways


def _other_scheme(address: Address, login: Mapping[str, str]) -> Variation:
    other = "http" if address.scheme == "https" else "https"
    return Variation("wrong scheme", address.with_(scheme=other).url, login)


async def slow_variations(stand: Stand) -> AsyncIterator[Variation]:
    """The same stand-in at the far end of a slow line."""
    address = parse_address(stand.address)
    if address.host is not None and address.port is not None:
        async with slow_line(address.host, address.port, SLOW_SECONDS) as port:
            login = read_credentials(str(stand.credentials))
            yield Variation("slow line", address.with_(port=port).url, login)


async def _case(stand: Stand, variation: Variation, setting: str) -> DetectionCase:
    before = await _counts(stand)
    found = await detect(parse_address(variation.address), variation.credentials)
    after = await _counts(stand)
    expected = variation.expected or stand.system
    rejected = after["rejected_credentials"] - before["rejected_credentials"]
    given_wrong = variation.name == "wrong password"
    return DetectionCase(
        system=stand.system,
        variation=variation.name if setting == "plain" else f"{setting}, {variation.name}",
        expected=[expected],
        decision=found.decision,
        version=found.chosen.version if found.chosen else None,
        right=_is_right(found, expected, stand),
        requests=found.probes,
        seconds=found.seconds,
        writes=after["writes"] - before["writes"],
        password_guesses=max(0, rejected - given_wrong),
        questions=list(found.questions),
    )


def _is_right(found: Detection, expected: str, stand: Stand) -> bool:
    """Whether system and version are right, and what is locked asks for credentials."""
    if found.decision != expected:
        return False
    if expected == "unknown":
        return "credentials" in found.questions
    version = found.chosen.version if found.chosen else None
    tells = any(each.version for each in manifest_of(expected).fingerprints)
    return version == stand.version if tells else version is None


async def _counts(stand: Stand) -> Mapping[str, int]:
    """What the stand-in has counted so far."""
    async with open_http(stand.control) as control:
        counts = (await control.get("/counts")).json()
    return {name: int(counts[name]) for name in ("writes", "rejected_credentials")}


async def cases_of_decoys() -> list[DetectionCase]:
    """Every decoy; the web ones count what they were sent."""
    cases: list[DetectionCase] = []
    with tempfile.TemporaryDirectory(prefix="patchbay-decoys-") as folder:
        async with all_decoys(Path(folder)) as decoys:
            for each in decoys:
                cases.append(await _decoy_case(each))
    return cases


async def _decoy_case(decoy: Decoy) -> DetectionCase:
    found = await detect(parse_address(decoy.address), decoy.credentials)
    return DetectionCase(
        system="decoy",
        variation=decoy.name,
        expected=sorted(decoy.expected),
        decision=found.decision,
        version=None,
        right=found.decision in decoy.expected,
        requests=found.probes,
        seconds=found.seconds,
        writes=decoy.seen.writes,
        password_guesses=decoy.seen.proofs,
        questions=list(found.questions),
    )


def as_table(report: DetectionReport) -> Table:
    """One line a case; what went wrong is red."""
    table = Table(title="Detection", title_justify="left")
    for name in ("system", "address given as", "decision", "version", "requests", "seconds", "asks"):
        table.add_column(name, justify="right" if name in {"requests", "seconds"} else "left")
    for each in report.cases:
        wrong = not (each.right and each.within_bounds)
        decision = f"{each.decision} (expected {' or '.join(each.expected)})" if not each.right else each.decision
        table.add_row(
            each.system, each.variation, decision, each.version or "", str(each.requests), f"{each.seconds:.2f}",
            ", ".join(each.questions), style="red" if wrong else None,
        )  # fmt: skip
    return table


def as_text(report: DetectionReport) -> str:
    """The report for a person: every case, then the figures beside what they are to reach."""
    console = Console(file=StringIO(), width=132, record=True)
    console.print(as_table(report))
    most_requests = max((each.requests for each in report.cases), default=0)
    most_seconds = max((each.seconds for each in report.cases), default=0.0)
    lines = [
        f"right system and version: {report.accuracy:.1%} of {len(report.of_systems)} addresses (at least {RIGHT_SYSTEMS:.0%})",
        f"decoys taken for what they are: {report.decoys_unmasked:.1%} of {len(report.of_decoys)} (at least {UNKNOWN_DECOYS:.0%})",
        f"most requests: {most_requests} (at most {MOST_REQUESTS}), "
        f"longest: {most_seconds:.1f} s (at most {MOST_SECONDS:.0f})",
        f"writes: {sum(each.writes for each in report.cases)}, "
        f"password guesses: {sum(each.password_guesses for each in report.cases)} (none)",
    ]
    return console.export_text() + "\n".join(lines)
