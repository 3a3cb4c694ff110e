"""What to ask, drawn from the manifests: which paths below which base, which ports, which version columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from knowledge.manifest import Fingerprint, Manifest, MethodKind
from tools.probes.matching import METADATA, path_of

MOST_PORTS = 25
WEB: frozenset[MethodKind] = frozenset({"rest", "soap", "graphql", "fhir"})
Place = tuple[str, str]  # base path, path below it


def paths_of(manifests: Iterable[Manifest]) -> list[str]:
    """Every path that these manifests' fingerprints ask for, once, the most telling first."""
    weights: dict[str, float] = {METADATA: 0.0}  # FHIR is recognised even where no manifest names a vendor
    for fingerprint in _fingerprints(manifests):
        path = path_of(fingerprint)
        if path is not None:
            weights[path] = max(weights.get(path, 0.0), abs(fingerprint.weight))
    return sorted(weights, key=lambda path: (-weights[path], path))


def given_bases(path: str, known: Sequence[str]) -> list[str]:
    """The base paths that a given path may mean: itself, or itself without a known path at its end."""
    given = path.rstrip("/")
    shorter = [given.removesuffix(each) for each in known if each and given.endswith(each)]
    return list(dict.fromkeys([given, *shorter]))


def places_below(bases: Iterable[str], paths: Sequence[str]) -> list[Place]:
    """Every path below every base."""
    return [(base, path) for path in paths for base in bases]


def named_places(manifests: Collection[Manifest]) -> list[Place]:
    """Each manifest's own paths below the bases that it names itself; the most telling paths first."""
    bases = {manifest.key: web_bases(manifest) for manifest in manifests}
    wanted: list[Place] = []
    for path in paths_of(manifests):
        for manifest in manifests:
            if path in paths_of([manifest]) and (path != METADATA or _speaks_fhir(manifest)):
                wanted += [(base, path) for base in bases[manifest.key]]
    return list(dict.fromkeys([*wanted, ("", METADATA)]))


def parent_places(path: str, paths: Sequence[str], depth: int = 3) -> list[Place]:
    """Every path below the folders above a given path: whoever copies an address copies too much of it."""
    steps = path.rstrip("/").split("/")
    parents = ["/".join(steps[:length]) for length in range(len(steps) - 1, 0, -1)]
    return places_below([parent for parent in parents if parent][:depth], paths)


def web_bases(manifest: Manifest) -> list[str]:
    """The base paths of a manifest's web methods, without a slash at the end."""
    bases = [base.rstrip("/") for each in manifest.methods if each.method in WEB for base in each.base_paths]
    return list(dict.fromkeys(bases)) or [""]


def named_ports(manifests: Iterable[Manifest], kinds: Collection[MethodKind] | None = None) -> list[int]:
    """The ports that manifests name for these methods (None: for all), those named most often first, at most 25."""
    named = Counter[int]()
    for manifest in manifests:
        named.update(
            {port for each in manifest.methods if kinds is None or each.method in kinds for port in each.ports}
        )
    return [port for port, _ in sorted(named.items(), key=lambda item: (-item[1], item[0]))][:MOST_PORTS]


def version_columns(manifests: Iterable[Manifest]) -> list[tuple[str, str]]:
    """Table and column of every database version that a fingerprint names."""
    columns: list[tuple[str, str]] = []
    for each in _fingerprints(manifests):
        if each.probe == "sql.version":
            columns.append((str(each.match.get("table", "")), str(each.match.get("column", ""))))
        elif each.probe == "sql.catalogue" and each.version and "." in each.version:
            table, _, column = each.version.rpartition(".")
            columns.append((table, column))
    return list(dict.fromkeys(columns))


def _fingerprints(manifests: Iterable[Manifest]) -> Iterable[Fingerprint]:
    return (fingerprint for manifest in manifests for fingerprint in manifest.fingerprints)


def _speaks_fhir(manifest: Manifest) -> bool:
    return any(fingerprint.probe == "fhir.metadata" for fingerprint in manifest.fingerprints)
