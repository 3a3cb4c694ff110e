"""Reads by id and searches."""

from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from evals.simulators.epic.face import GROUP_ID, Epic
from evals.simulators.epic.gate import fhir
from evals.simulators.epic.outcomes import Refused, refusal
from evals.simulators.epic.resources import BUILDERS, ID_PREFIX, group_resource, organization_resource
from evals.simulators.epic.search import MOST_ROWS, PAGE_ROWS, RULES, Parameters, bundle, search
from evals.simulators.records import State


async def read(request: Request, epic: Epic) -> Response:
    """One resource by id; 4102 for a wrong one, 4103 for a deleted one, 4107 with a redirect for a merged patient."""
    kind, number = request.path_params["kind"], request.path_params["id"]
    practice = epic.practice
    if kind == "Group" and number == GROUP_ID:
        return fhir(group_resource(practice, GROUP_ID))
    if kind == "Organization" and number == "1":
        return fhir(organization_resource(practice))
    if kind not in BUILDERS:
        raise Refused("4102")
    table, build = BUILDERS[kind]
    record = practice.table(table).get(number.removeprefix(ID_PREFIX.get(kind, "")))
    if record is None or not number.startswith(ID_PREFIX.get(kind, "")):
        raise Refused("4102")
    if record.state is State.DELETED:
        raise Refused("4103")
    if record.state is State.MERGED:
        survivor = practice.survivor(record.id)
        place = {"Location": f"{epic.base}/Patient/{survivor}"}
        return refusal("4107", f"Patient/{survivor}", headers=place)
    return fhir(build(practice, record), headers={"ETag": f'W/"{epic.versions.get(f"{kind}/{number}", 1)}"'})


async def search_type(request: Request, epic: Epic) -> Response:
    kind = request.path_params["kind"]
    if kind not in RULES:
        raise Refused("4102", f"No searches on {kind}.", status=404)
    given = await _parameters(request)
    names = dict(given)
    if "sessionID" in names:
        if "cursor.lost" in epic.faults:
            raise Refused("4113")
        number = int(names["page"]) if names.get("page", "").isdigit() else 1
        found, total, more = epic.sessions.page(kind, names["sessionID"], number)
        link = _next_link(epic, kind, names["sessionID"], number + 1) if more else None
        return fhir(bundle(epic.base, kind, found, total, [], link))
    found, warnings = search(epic.practice, kind, given)
    if epic.is_silent(kind):
        found = []
    rows = _rows(names.get("_count"))
    link = _next_link(epic, kind, epic.sessions.keep(kind, rows, found), 2) if len(found) > rows else None
    return fhir(bundle(epic.base, kind, found[:rows], len(found), warnings, link))


async def _parameters(request: Request) -> Parameters:
    """Of the query, or of the form: a POST search ignores its query except `_format` (since February 2026)."""
    if request.method == "POST":
        return parse_qsl((await request.body()).decode("utf-8", "replace"))
    return [(name, value) for name, value in request.query_params.multi_items() if value]


def _rows(count: str | None) -> int:
    return max(1, min(int(count), MOST_ROWS)) if count and count.isdigit() else PAGE_ROWS


def _next_link(epic: Epic, kind: str, session: str, number: int) -> str:
    return f"{epic.base}/{kind}?sessionID={session}&page={number}"
