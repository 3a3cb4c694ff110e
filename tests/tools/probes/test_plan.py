"""What is asked, drawn from manifests: each path once, no more ports than allowed."""

from __future__ import annotations

from knowledge.catalogue import catalogue
from knowledge.manifest import Fingerprint, Manifest, Method
from tools.probes.plan import (
    given_bases,
    named_places,
    named_ports,
    parent_places,
    paths_of,
    places_below,
    version_columns,
)


def manifest(
    key: str, *fingerprints: Fingerprint, ports: tuple[int, ...] = (), bases: tuple[str, ...] = ("",)
) -> Manifest:
    method = Method(method="rest", because="test", ports=ports, base_paths=bases)
    return Manifest(key=key, names=(key,), fingerprints=fingerprints, methods=(method,))


def status(path: str, weight: float = 1.0) -> Fingerprint:
    return Fingerprint(probe="http.status", match={"path": path}, weight=weight)


def test_a_path_that_two_systems_name_is_asked_once_and_the_most_telling_first() -> None:
    known = [manifest("a", status("/health"), status("/info", 6)), manifest("b", status("health"))]
    assert paths_of(known) == ["/info", "/health", "/metadata"]


def test_a_path_copied_too_far_still_leads_to_its_base() -> None:
    assert given_bases("/r4/metadata", ["/metadata"]) == ["/r4/metadata", "/r4"]
    assert given_bases("/", ["/metadata"]) == [""]
    assert parent_places("/a/b/c", ["/x"]) == [("/a/b", "/x"), ("/a", "/x")]


def test_each_manifest_is_asked_below_its_own_bases() -> None:
    known = [manifest("a", status("/x"), bases=("/api/", "")), manifest("b", status("/y"))]
    assert set(named_places(known)) == {("/api", "/x"), ("", "/x"), ("", "/y"), ("", "/metadata")}


def test_places_are_every_path_below_every_base() -> None:
    assert places_below(["/a", "/b"], ["/x"]) == [("/a", "/x"), ("/b", "/x")]


def test_no_more_than_twenty_five_ports_and_the_commonest_first() -> None:
    known = [manifest("a", ports=tuple(range(9000, 9040))), manifest("b", ports=(9039,))]
    ports = named_ports(known)
    assert len(ports) == 25
    assert ports[0] == 9039
    assert named_ports(known, {"sql"}) == []


def test_version_columns_come_from_both_ways_of_writing_them() -> None:
    known = manifest(
        "a",
        Fingerprint(probe="sql.version", match={"table": "t", "column": "V"}, weight=1),
        Fingerprint(probe="sql.catalogue", match={"tables": ["u"]}, weight=1, version="u.w"),
    )
    assert version_columns([known]) == [("t", "V"), ("u", "w")]


def test_all_paths_of_the_catalogue_leave_room_in_the_budget() -> None:
    assert len(paths_of(catalogue().values())) <= 40
    assert len(named_ports(catalogue().values())) <= 25
