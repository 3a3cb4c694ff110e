"""Compares findings with a manifest's fingerprints. Each probe's own conditions (`match`) are documented here.

| probe | match |
| --- | --- |
| `address.shape` | `host`, `path`, `scheme` (texts, `*` stands for anything), `port` |
| `http.json` | `path`; `has`: keys the object must hold; `equals`: dotted path to value; `status` (default: any 2xx) |
| `http.status` | `path`, `status`; `body_has`: text(s) in the body; `json_equals`: dotted path to value; `header`: name to value |
| `fhir.metadata` | `software`, `publisher`, `title` or any dotted path of the CapabilityStatement |
| `fhir.smart` | `issuer`, `token_endpoint` or any dotted path of the SMART configuration |
| `sql.catalogue` | `tables`: names, and `columns`: table to names, three quarters of each; `database` |
| `sql.version` | `table`, `column`: where the version stands; `like`: what it looks like |
| `folder.files` | `gdt_sender`, `hl7_sender`, `csv_headers`: columns of one file; `names`: patterns of file names |
| `mllp.ack` | `sender` (MSH-3), `facility` (MSH-4) |
| `tcp.banner` | `speaks`, `banner` |

A manifest's `version` is a dotted path into the same answer: `version`, `software.version`, `8316`-like field numbers of
GDT, `MSH-12` of HL7, `table.column` of a database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from knowledge.manifest import Fingerprint
from tools.probes.base import Finding, agrees, at_path, texts

METADATA = "/metadata"
SMART = "/.well-known/smart-configuration"
VERSION_CHARACTERS = 40
SHARE = 0.75  # a login may not see one view, a practice's view may lack a column: it is still that system


@dataclass(frozen=True, slots=True)
class Hit:
    """A fingerprint that was found: the sentence a person reads, and the part of the answer that holds the version."""

    sentence: str
    answer: object = None


Matcher = Callable[[Mapping[str, object], Finding], Hit | None]


def hit_of(fingerprint: Fingerprint, finding: Finding) -> Hit | None:
    """What `finding` says to this fingerprint; None where it is silent or says otherwise."""
    matcher = MATCHERS.get(fingerprint.probe)
    heard_by = HEARD_BY.get(fingerprint.probe, fingerprint.probe)
    return matcher(fingerprint.match, finding) if matcher and finding.probe == heard_by else None


def version_of(fingerprint: Fingerprint, hit: Hit) -> str | None:
    """The version that the answer names where the fingerprint says it stands, cut to one short printable line."""
    if fingerprint.version is None:
        return None
    found = at_path(hit.answer, fingerprint.version)
    if found is None and isinstance(hit.answer, Mapping):  # `table.column` is one key
        found = hit.answer.get(fingerprint.version.casefold())
    if not isinstance(found, str | int | float) or isinstance(found, bool):
        return None
    return "".join(char for char in str(found) if char.isprintable())[:VERSION_CHARACTERS].strip() or None


def path_of(fingerprint: Fingerprint) -> str | None:
    """The path below a base that an HTTP fingerprint asks for; None for other probes."""
    if fingerprint.probe == "fhir.metadata":
        return METADATA
    if fingerprint.probe == "fhir.smart":
        return SMART
    if fingerprint.probe in {"http.json", "http.status"}:
        path = str(fingerprint.match.get("path", ""))
        return f"/{path.lstrip('/')}" if path else ""
    return None


def is_capability_statement(finding: Finding) -> bool:
    """Whether FHIR was really spoken: a CapabilityStatement that names its FHIR version, at `/metadata`."""
    body = finding.facts.get("json")
    spoken = agrees({"resourceType": "CapabilityStatement"}, body)
    return finding.facts.get("status") == 200 and spoken and isinstance(at_path(body, "fhirVersion"), str)


def _shape(match: Mapping[str, object], finding: Finding) -> Hit | None:
    if not match or not all(agrees(value, finding.facts.get(name)) for name, value in match.items()):
        return None
    return Hit(f"The address looks like it ({', '.join(sorted(match))}).", finding.facts)


def _same_path(match: Mapping[str, object], finding: Finding) -> bool:
    path = str(match.get("path", ""))
    return finding.facts.get("path") == (f"/{path.lstrip('/')}" if path else "")


def _http_json(match: Mapping[str, object], finding: Finding) -> Hit | None:
    status, body = finding.facts.get("status"), finding.facts.get("json")
    fits = status == match["status"] if "status" in match else isinstance(status, int) and 200 <= status < 300
    if not fits or not _same_path(match, finding) or not isinstance(body, Mapping):
        return None
    keys, equals = texts(match.get("has")), match.get("equals", {})
    if not all(at_path(body, key) is not None for key in keys) or not _equals(equals, body):
        return None
    named = ", ".join([*keys, *(f"{key} {value!r}" for key, value in _pairs(equals))])
    return Hit(f"GET {finding.facts['path'] or '/'} answers JSON with {named or 'an object'}.", body)


def _http_status(match: Mapping[str, object], finding: Finding) -> Hit | None:
    status, facts = finding.facts.get("status"), finding.facts
    if not _same_path(match, finding) or status is None or status != match.get("status", status):
        return None
    if not all(part in str(facts.get("text", "")) for part in texts(match.get("body_has"))):
        return None
    if not _equals(match.get("json_equals", {}), facts.get("json")) or not _headers(match.get("header"), facts):
        return None
    said = [f"{key} {value!r}" for key, value in _pairs(match.get("json_equals", {}))]
    said += [repr(part) for part in texts(match.get("body_has"))]
    said += [f"the header {name}" for name in _header_names(match.get("header"))]
    words = f" with {', '.join(said)}" if said else ""
    return Hit(f"GET {facts['path'] or '/'} answers {status}{words}.", facts.get("json") or facts)


def _equals(expected: object, body: object) -> bool:
    return all(agrees(value, at_path(body, key)) for key, value in _pairs(expected))


def _pairs(expected: object) -> Iterable[tuple[str, object]]:
    return [(str(key), value) for key, value in expected.items()] if isinstance(expected, Mapping) else []


def _header_names(expected: object) -> list[str]:
    return [str(name) for name in expected] if isinstance(expected, Mapping) else texts(expected)


def _headers(expected: object, facts: Mapping[str, object]) -> bool:
    headers = facts.get("headers")
    known = headers if isinstance(headers, Mapping) else {}
    values = expected if isinstance(expected, Mapping) else dict.fromkeys(texts(expected), "*")
    return all(agrees(value, known.get(str(name).lower())) for name, value in values.items())


def _fhir_metadata(match: Mapping[str, object], finding: Finding) -> Hit | None:
    if finding.facts.get("path") != METADATA or not is_capability_statement(finding):
        return None
    body = finding.facts["json"]
    wanted = {"software.name" if name == "software" else name: value for name, value in match.items()}
    if not _equals(wanted, body):
        return None
    said = ", ".join(f"{name} {value!r}" for name, value in match.items())
    return Hit(f"The CapabilityStatement names {said or 'nothing'}.", body)


def _fhir_smart(match: Mapping[str, object], finding: Finding) -> Hit | None:
    body = finding.facts.get("json")
    if finding.facts.get("path") != SMART or finding.facts.get("status") != 200 or not isinstance(body, Mapping):
        return None
    if "token_endpoint" not in body or not _equals(match, body):
        return None
    return Hit(f"The SMART configuration fits ({', '.join(sorted(match)) or 'token_endpoint'}).", body)


def _sql_catalogue(match: Mapping[str, object], finding: Finding) -> Hit | None:
    visible, columns = _folded(finding.facts.get("tables")), _folded(match.get("columns"))
    named = list(dict.fromkeys([*(name.casefold() for name in texts(match.get("tables"))), *columns]))
    if not named or not agrees(match.get("database", "*"), finding.facts.get("database", "")):
        return None
    shown = [name for name in named if name in visible]
    wanted = {(table, name) for table in shown for name in columns.get(table, [])}
    there = {(table, name) for table, name in wanted if name in visible[table]}
    if len(shown) < SHARE * len(named) or len(there) < SHARE * len(wanted):
        return None
    rest = f" and {len(shown) - 3} more" if len(shown) > 3 else ""
    with_columns = f" with {len(there)} of {len(wanted)} columns" if wanted else ""
    return Hit(f"The catalogue shows {', '.join(shown[:3])}{rest}{with_columns}.", finding.facts.get("values"))


def _folded(tables: object) -> dict[str, list[str]]:
    """Tables and columns without regard to case, a schema before the name left away as well as kept."""
    if not isinstance(tables, Mapping):
        return {}
    folded = {str(name).casefold(): [column.casefold() for column in texts(names)] for name, names in tables.items()}
    return {name.rpartition(".")[2]: names for name, names in folded.items()} | folded


def _sql_version(match: Mapping[str, object], finding: Finding) -> Hit | None:
    values = finding.facts.get("values")
    place = f"{match.get('table')}.{match.get('column')}".casefold()
    value = values.get(place) if isinstance(values, Mapping) else None
    if value is None or not agrees(match.get("like", "*"), value):
        return None
    return Hit(f"{match.get('table')} names its version.", {"version": value, place: value, "value": value})


def _folder_files(match: Mapping[str, object], finding: Finding) -> Hit | None:
    records: list[object] = []
    said: list[str] = []
    for name, kind, field, words in _SENDERS:
        if name in match:
            senders = [each for each in _list(finding.facts.get(kind)) if agrees(match[name], at_path(each, field))]
            if not senders:
                return None
            records += senders
            said.append(f"{words} {match[name]!r}")
    if "csv_headers" in match:
        wanted = {name.casefold() for name in texts(match["csv_headers"])}
        if not any(wanted <= set(_columns(table)) for table in _list(finding.facts.get("csv"))):
            return None
        said.append(f"a file has the columns {', '.join(texts(match['csv_headers'])[:4])}")
    if "names" in match:
        if not agrees(texts(match["names"]), finding.facts.get("names")):
            return None
        said.append(f"files are named like {', '.join(texts(match['names']))}")
    return Hit(f"In the folder {' and '.join(said)}.", _merged(records)) if said else None


def _merged(records: Sequence[object]) -> dict[str, object]:
    """All fields of these records, the first that names one holds."""
    return {name: value for each in reversed(records) if isinstance(each, Mapping) for name, value in each.items()}


_SENDERS = (
    ("gdt_sender", "gdt", "8316", "GDT files name the sender"),
    ("gdt_company", "gdt", "0102", "GDT files name the company"),
    ("gdt_product", "gdt", "0103", "GDT files name the product"),
    ("hl7_sender", "hl7", "MSH-3", "HL7 messages name the sender"),
)


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else []


def _columns(table: object) -> list[str]:
    return [name.casefold() for name in texts(at_path(table, "headers"))]


def _mllp_ack(match: Mapping[str, object], finding: Finding) -> Hit | None:
    named = {"MSH-3": match.get("sender", "*"), "MSH-4": match.get("facility", "*")}
    if finding.facts.get("acknowledged") is not True or not agrees(named, finding.facts):
        return None
    return Hit(f"The acknowledgement names {', '.join(sorted(match)) or 'a sender'}.", finding.facts)


def _tcp_banner(match: Mapping[str, object], finding: Finding) -> Hit | None:
    if not match or not all(agrees(value, finding.facts.get(name)) for name, value in match.items()):
        return None
    return Hit(f"The port greets as {', '.join(str(value) for value in match.values())}.", finding.facts)


MATCHERS: Mapping[str, Matcher] = {
    "address.shape": _shape,
    "http.json": _http_json,
    "http.status": _http_status,
    "fhir.metadata": _fhir_metadata,
    "fhir.smart": _fhir_smart,
    "sql.catalogue": _sql_catalogue,
    "sql.version": _sql_version,
    "folder.files": _folder_files,
    "mllp.ack": _mllp_ack,
    "tcp.banner": _tcp_banner,
}
# Which probe's findings a fingerprint of another name reads: one answer serves many fingerprints.
HEARD_BY: Mapping[str, str] = {
    "http.json": "http",
    "http.status": "http",
    "fhir.metadata": "http",
    "fhir.smart": "http",
    "sql.version": "sql.catalogue",
    "tcp.banner": "tcp.open",
}
