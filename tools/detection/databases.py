"""Looks at a database: whether it lets us in, which of its databases is meant, what its catalogue shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from knowledge.manifest import Manifest
from tools.address import Address
from tools.detection.judge import judge
from tools.probes.base import Finding, ProbeBudget
from tools.probes.plan import version_columns
from tools.probes.sql import ask_catalogue, ask_databases, lets_anybody_in
from tools.protocols.sql_errors import DatabaseDamaged

if TYPE_CHECKING:
    from tools.detection.look import Look

MOST_DATABASES = 5  # looked into where the address names none that is there


async def look_at_database(look: Look, address: Address) -> None:
    """Log in with what was given, once, and read the catalogue; without a login the database stays closed."""
    credentials = look.credentials
    if not _may_log_in(look, address) and not await lets_anybody_in(address, look.budget):
        look.notes.observe("sql.login", f"The database at {address.where} asks for a login.")
        look.notes.ask("credentials")
        return
    if not address.database and credentials.get("database"):
        address = address.with_(path=f"/{credentials['database']}")
    finding = await ask_catalogue(address, credentials, version_columns(look.manifests), look.budget)
    state = finding.facts["state"]
    if state == "ok" and address.database:
        look.notes.heard(finding)
    elif state == "ok":
        await _choose(look, address, finding)
    elif state == "no_database":
        await _replace(look, address)
    else:
        _refused(look, address, finding)


async def look_beside(look: Look, address: Address) -> None:
    """Look at a database on another port than the one that refused: only what a manifest describes counts there.

    It may be a stranger's: that it rejects the login says nothing about the login, and none of its other databases is
    tried.
    """
    if not _may_log_in(look, address) or not address.database:
        return
    finding = await ask_catalogue(address, look.credentials, version_columns(look.manifests), look.budget)
    if finding.facts["state"] == "ok" and _fitting(look.manifests, {address.database: finding}):
        look.notes.heard(finding)


def _may_log_in(look: Look, address: Address) -> bool:
    """Whether the credentials are a login for this database.

    On a bare host a database may be a stranger beside the service that is meant: it gets no login that holds fields
    (an API key, a client id) which no database of a manifest asks for.
    """
    credentials = look.credentials
    if not credentials.get("password") or not (credentials.get("username") or address.user):
        return False
    named = look.address.scheme is not None or look.address.port is not None
    return named or set(credentials) <= _login_fields(look.manifests)


def _login_fields(manifests: Sequence[Manifest]) -> set[str]:
    logins = [method.auth for each in manifests for method in each.methods if method.auth.kind == "database_login"]
    return {"username", "password", "database", "ca_file"} | {field.name for auth in logins for field in auth.ask}


def _refused(look: Look, address: Address, finding: Finding) -> None:
    """Note why no catalogue came; a rejected login is not tried again, another one is asked for."""
    state, code = finding.facts["state"], str(finding.facts.get("code", ""))
    sentences = {
        "rejected": f"The database at {address.where} rejects the credentials given.",
        "locked": f"The database at {address.where} asks for a login.",
    }
    sentence = sentences.get(str(state), f"The database at {address.where} could not be read ({code}).")
    look.notes.observe("sql.login", sentence, code=code)
    if state in sentences or code == "auth.forbidden":
        look.notes.ask("credentials")


async def _choose(look: Look, address: Address, maintenance: Finding) -> None:
    """The address names no database: take the one that fits, or the only one there is, else ask."""
    visible = [str(name) for name in _names(maintenance.facts.get("databases"))]
    look.notes.databases = visible
    looked = await _catalogues(look, address, visible)
    if maintenance.facts.get("tables"):  # some practices do keep their tables in the maintenance database
        looked[str(maintenance.facts["database"])] = _placed(maintenance, address)
    fitting = _fitting(look.manifests, looked)
    usable = fitting or [name for name in looked if looked[name].facts.get("tables")]
    if len(usable) == 1 and (fitting or len(looked) == len(visible) or len(visible) == 1):
        look.notes.heard(looked[usable[0]])
        return
    _ask_which(look, address, fitting or visible)


async def _replace(look: Look, address: Address) -> None:
    """The database named is not there: only one that a manifest fits, and only if it is the only one, takes its place."""
    visible = await ask_databases(address, look.credentials, look.budget)
    look.notes.databases = visible
    look.notes.observe("sql.catalogue", f"There is no such database at {address.where}.", code="config.wrong_database")
    looked = await _catalogues(look, address, visible)
    fitting = _fitting(look.manifests, looked)
    if len(fitting) == 1 and len(looked) == len(visible):
        look.notes.heard(looked[fitting[0]])
        look.notes.repaired.append("database")
        return
    _ask_which(look, address, fitting or visible)


def _ask_which(look: Look, address: Address, names: Sequence[str]) -> None:
    look.notes.observe("sql.catalogue", f"The login sees {len(names)} databases at {address.where}.")
    look.notes.ask("database", names)


async def _catalogues(look: Look, address: Address, names: Sequence[str]) -> dict[str, Finding]:
    """The catalogues of the first few databases that open, by name; one connection after the other."""
    found: dict[str, Finding] = {}
    for name in names[:MOST_DATABASES]:
        there = address.with_(path=f"/{name}")
        finding = await ask_catalogue(there, look.credentials, version_columns(look.manifests), look.budget)
        if finding.facts["state"] == "ok":
            found[name] = finding
    return found


def _fitting(manifests: Sequence[Manifest], catalogues: Mapping[str, Finding]) -> list[str]:
    """The databases in which a described system is recognised."""
    described = {each.key for each in manifests if not each.generic}
    return [name for name, finding in catalogues.items() if judge(manifests, [finding]).decision in described]


def _placed(finding: Finding, address: Address) -> Finding:
    place = address.with_(path=f"/{finding.facts['database']}").url
    return Finding(finding.probe, finding.subject, {**finding.facts, "place": place}, finding.requests)


def _names(value: object) -> list[object]:
    return value if isinstance(value, list) else []


async def fitting_databases(manifest: Manifest, address: Address, credentials: Mapping[str, str]) -> list[str]:
    """The databases at the address's server in which `manifest` is recognised; for mending a wrong database name.

    Exactly one may take the place of one that does not exist; two or more are a question for a person.
    """
    budget = ProbeBudget()
    found: dict[str, Finding] = {}
    for name in (await ask_databases(address, credentials, budget))[:MOST_DATABASES]:
        finding = await ask_catalogue(address.with_(path=f"/{name}"), credentials, version_columns([manifest]), budget)
        if finding.facts["state"] == "ok":
            found[name] = finding
    return _fitting([manifest], found)


async def look_at_file(look: Look, address: Address) -> None:
    """Open a SQLite file for reading and list its tables."""
    finding = await ask_catalogue(address, {}, version_columns(look.manifests), look.budget)
    if finding.facts["state"] == "ok":
        look.notes.heard(finding)
        if not finding.facts.get("tables"):
            look.notes.observe("sql.catalogue", "The database holds no table.")
        return
    code = str(finding.facts.get("code", ""))
    damaged = code == DatabaseDamaged.code
    sentence = (
        "The SQLite database at that path is damaged." if damaged else "There is no SQLite database at that path."
    )
    look.notes.observe("sql.catalogue", sentence, code=code)
