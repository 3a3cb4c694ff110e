"""`patchbay detect`: names what answers at an address, with its evidence. Exits 0 whatever the answer is."""

from __future__ import annotations

from api.output import Output
from api.running import run
from tools.address import parse_address, require_local
from tools.credentials import Credentials, missing_fields, read_credentials
from tools.detection import Detection
from tools.detection import detect as detect_address

LOGIN = "a database wants username and password"


def run_detect(address: str, credentials: str | None, *, as_json: bool) -> int:
    """Detect once; nothing is stored."""
    output = Output(as_json)
    parsed = parse_address(address)
    require_local(parsed)
    login = read_credentials(credentials) if credentials is not None else None
    found = run(lambda: detect_address(parsed, login))
    output.line(found.model_dump(mode="json"))
    _show(output, found, _fields_wanted(found, login or {}))
    return 0


def _fields_wanted(found: Detection, login: Credentials) -> dict[str, list[str]]:
    """System (the decided one, else every candidate) to the fields of a login that its manifest's best method still wants."""
    from knowledge.catalogue import catalogue

    named = [found.decision] if found.decision in catalogue() else [each.system for each in found.candidates]
    lacking = {name: missing_fields(catalogue()[name].methods[0], login) for name in named if name in catalogue()}
    return {name: fields for name, fields in lacking.items() if fields}


def _show(output: Output, found: Detection, wanted: dict[str, list[str]]) -> None:
    best = found.candidates[0] if found.candidates else None
    version = f" {best.version}" if best and best.version and best.system == found.decision else ""
    output.text(f"{found.address}: {found.decision}{version}  ({found.probes} requests, {found.seconds:.1f} s)")
    for candidate in found.candidates:
        rows = [(each.probe, each.finding, f"{each.weight:+.1f}") for each in candidate.evidence]
        output.table(f"{candidate.system}: {candidate.confidence:.1%}", ("probe", "finding", "weight"), rows)
    if best and found.decision == best.system:
        output.table("methods, best first", ("method", "why"), [(each.method, each.reason) for each in best.methods])
    for each in found.details.observations:
        output.text(f"- {each.finding}")
    if found.questions:
        output.text(f"Still open, only a person knows: {', '.join(found.questions)}")
    if "credentials" in found.questions:
        told = [f"{name} wants {', '.join(fields)}" for name, fields in wanted.items()] or [LOGIN]
        output.text(f"The login is a JSON file for --credentials: {'; '.join(told)}.")
