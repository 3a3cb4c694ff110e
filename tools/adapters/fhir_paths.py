"""Where a column stands in a FHIR resource: `name[use=official].family`, and how a resource is built from columns again.

    name[use=official].given[1]                  of the elements that meet the conditions, one by its place in its list
    telecom[system=phone,use=home].value         all conditions must hold; true and false are written so
    identifier[type.coding.code=MR].value        a condition may look deeper, and passes if any value there fits
    participant[actor.reference=Patient/].status a value that ends in a slash is a beginning (a reference to that type)
    contact[relationship*.coding.code=C].name    a star marks an element that repeats, which only building must know
    subject.reference|id=Patient                 of a reference to that type (without `=`: to any) only the id
    deceasedDateTime|exists                      true where anything stands

Without a selector the first element that has the rest of the path counts; a path that fits nothing finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from knowledge.errors import BadInput
from mappings.records import JsonValue

Place = tuple[str | int, ...]  # where a value stands: ("name", 0, "family")
_STEP = re.compile(r"(?P<name>\w+)(?:\[(?P<inside>[^\[\]]+)\])?(?:\.|$)")
DEEPEST = 24
_SCALAR = (str, int, float)  # bool is an int


@dataclass(frozen=True, slots=True)
class Condition:
    """A relative path and the text that must stand there, or begin there; `repeats` are its elements that are lists."""

    path: tuple[str, ...]
    value: str
    repeats: frozenset[str] = frozenset({"coding"})  # in FHIR `coding` always is one

    def holds(self, node: object, place: Place) -> list[Place]:
        """Where it is met; empty where it is not."""
        if len(self.path) == 1:  # the usual case, a plain element
            found = node.get(self.path[0]) if isinstance(node, dict) else None
            return [(*place, self.path[0])] if found is not None and self._fits(found) else []
        return [at for at, found in _leaves_at(node, self.path, place) if self._fits(found)]

    def _fits(self, found: object) -> bool:
        text = ("true" if found else "false") if isinstance(found, bool) else str(found)
        return text.startswith(self.value) if self.value.endswith("/") else text == self.value


@dataclass(frozen=True, slots=True)
class Step:
    """Into an element `name`; where it is a list, to those that meet `conditions`, or to the one at `index`."""

    name: str
    index: int | None = None
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class FhirPath:
    """A parsed path; `function` is "", "id" or "exists", `kind` the resource type that an id must belong to."""

    steps: tuple[Step, ...]
    function: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A value, and every place that was looked at to find it: the value's own and those of met conditions."""

    value: JsonValue
    places: tuple[Place, ...]


@lru_cache(maxsize=2048)
def parse_fhir_path(text: str) -> FhirPath:
    """Raises `BadInput` for a path that cannot be read (a manifest's mistake)."""
    body, _, call = text.partition("|")
    function, _, kind = call.partition("=")
    steps: list[Step] = []
    at = 0
    while at < len(body):
        found = _STEP.match(body, at)
        if found is None or (found.end() == len(body) and body.endswith(".")):
            raise BadInput(
                f"path {text!r}", f"cannot be read at character {at + 1}.", "Write name[use=official].family."
            )
        steps.append(_step(found["name"], found["inside"]))
        at = found.end()
    if not steps or function not in {"", "id", "exists"}:
        raise BadInput(f"path {text!r}", "is no path.", "Functions are |id and |exists.")
    return FhirPath(tuple(steps), function, kind)


def _step(name: str, inside: str | None) -> Step:
    if inside is None:
        return Step(name)
    if inside.isdecimal():
        return Step(name, index=int(inside))
    pairs = (each.partition("=") for each in inside.split(","))
    return Step(name, conditions=tuple(_condition(path.strip(), value) for path, _, value in pairs))


def _condition(path: str, value: str) -> Condition:
    parts = path.split(".")
    repeats = {"coding", *(part[:-1] for part in parts if part.endswith("*"))}
    return Condition(tuple(part.removesuffix("*") for part in parts), value, frozenset(repeats))


def find(resource: Mapping[str, object], path: FhirPath) -> Hit | None:
    """The first value at the path."""
    hit = _first(resource, path, 0, (), ())
    if path.function == "exists":
        return Hit(True, hit.places) if hit else None
    if hit is None or path.function == "":
        return hit
    return Hit(id_of(hit.value), hit.places)


def id_of(reference: JsonValue) -> str | None:
    """The id in a reference: `Patient/1`, also absolute or with a version; None for one that names no resource."""
    text = str(reference or "").partition("/_history/")[0]
    kind, _, id_ = text.rpartition("/")
    return id_ if kind and id_ else None


def _first(node: object, path: FhirPath, at: int, place: Place, passed: tuple[Place, ...]) -> Hit | None:
    """The first value below `node` that the steps from `at` on lead to."""
    if at == len(path.steps):
        if not isinstance(node, _SCALAR) or (path.kind and f"{path.kind}/" not in str(node)):
            return None
        return Hit(node, (*passed, place))
    step = path.steps[at]
    child = node.get(step.name) if isinstance(node, dict) else None
    if child is None:
        return None
    place = (*place, step.name)
    if not isinstance(child, list):
        return _if_met(child, path, at, place, passed) if not step.index else None
    for number, each in enumerate(child):
        if step.index is None or step.index == number:
            hit = _if_met(each, path, at, (*place, number), passed)
            if hit is not None:
                return hit
    return None


def _if_met(node: object, path: FhirPath, at: int, place: Place, passed: tuple[Place, ...]) -> Hit | None:
    for condition in path.steps[at].conditions:
        met = condition.holds(node, place)
        if not met:
            return None
        passed = (*passed, *met)
    return _first(node, path, at + 1, place, passed)


def _leaves_at(node: object, path: tuple[str, ...], place: Place) -> Iterator[tuple[Place, object]]:
    """Every value at a plain relative path; lists are looked through."""
    if isinstance(node, list):
        for number, each in enumerate(node):
            yield from _leaves_at(each, path, (*place, number))
    elif path:
        if isinstance(node, dict):
            yield from _leaves_at(node.get(path[0]), path[1:], (*place, path[0]))
    elif isinstance(node, _SCALAR):
        yield place, node


def leaves(node: object) -> list[tuple[Place, JsonValue]]:
    """Every scalar of a resource with its place, in order; nothing deeper than 24 steps."""
    found: list[tuple[Place, JsonValue]] = []
    _collect(node, (), found)
    return found


def _collect(node: object, place: Place, found: list[tuple[Place, JsonValue]]) -> None:
    if isinstance(node, dict):
        children = node.items()
    elif isinstance(node, list):
        children = enumerate(node)  # type: ignore[assignment]
    else:
        if isinstance(node, _SCALAR):
            found.append((place, node))
        return
    if len(place) < DEEPEST:
        for name, value in children:
            _collect(value, (*place, name), found)


def name_of(place: Place) -> str:
    """A place as a column's name: `telecom[1].rank`."""
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in place).lstrip(".")


# -- the way back ------------------------------------------------------------------------------------------------------------


def build(kind: str, values: Mapping[FhirPath, object]) -> dict[str, object]:
    """A resource that holds these values at these paths; None is left out. Conditions are written as they stand.

    A reference's type is the beginning that its path's condition names. Raises `BadInput` for a path that only reads.
    """
    resource: dict[str, object] = {"resourceType": kind}
    for path, value in values.items():
        if value is None:
            continue
        if path.function == "exists":
            raise BadInput(f"a column of {kind}", "can only be read.", "Leave it out of the write.")
        _put(resource, path, value)
    return resource


def _put(resource: dict[str, object], path: FhirPath, value: object) -> None:
    node = resource
    prefix = f"{path.kind}/" if path.kind else ""
    for number, step in enumerate(path.steps):
        last = number == len(path.steps) - 1
        for condition in step.conditions:
            if condition.value.endswith("/"):
                prefix = condition.value
        if last and step.index is None:
            node[step.name] = f"{prefix}{value}" if path.function == "id" else value
        elif last:
            _set_in_list(node, step, value)
        else:
            node = _enter(node, step, path, number)


def _set_in_list(node: dict[str, object], step: Step, value: object) -> None:
    """Texts of a list keep their order; a gap closes, since FHIR knows no empty element."""
    made = node.setdefault(step.name, [])
    if isinstance(made, list):
        made.append(value)


def _enter(node: dict[str, object], step: Step, path: FhirPath, number: int) -> dict[str, object]:
    """The object at a step, made where it is not there yet; it is in a list where the path selects among several."""
    if not step.conditions and step.index is None:
        child = node.setdefault(step.name, {})
        assert isinstance(child, dict)
        return child
    entries = node.setdefault(step.name, [])
    assert isinstance(entries, list)
    for entry in entries:
        if all(_wanted(condition) is None or condition.holds(entry, ()) for condition in step.conditions):
            assert isinstance(entry, dict)
            return entry
    fresh: dict[str, object] = {}
    for condition in step.conditions:
        if (wanted := _wanted(condition)) is not None:
            _set_deep(fresh, condition, wanted)
    entries.append(fresh)
    return fresh


def _wanted(condition: Condition) -> object:
    """What a condition writes; None for a beginning, which the value itself brings."""
    if condition.value.endswith("/"):
        return None
    return {"true": True, "false": False}.get(condition.value, condition.value)


def _set_deep(node: dict[str, object], condition: Condition, value: object) -> None:
    """`type.coding.code` writes `{"type": {"coding": [{"code": …}]}}`."""
    *parents, last = condition.path
    for parent in parents:
        child: object = node.setdefault(parent, [{}] if parent in condition.repeats else {})
        node = child[0] if isinstance(child, list) else child  # type: ignore[assignment]
    node[last] = value
