"""`patchbay systems`: what we know of every system, and how well it is proven."""

from __future__ import annotations

from api.output import Output
from knowledge.catalogue import catalogue
from knowledge.errors import BadInput
from knowledge.manifest import Manifest, Method


def show_systems(key: str | None, *, as_json: bool) -> int:
    """The whole catalogue in a table, or one system in full."""
    output = Output(as_json)
    if key is None:
        _show_all(output)
        return 0
    manifest = named(key)
    output.line(_facts(manifest))
    _show_one(output, manifest)
    return 0


def named(text: str) -> Manifest:
    """The manifest a person means. Raises `BadInput` with the nearest keys."""
    wanted = text.strip().casefold()
    for manifest in catalogue().values():
        if wanted == manifest.key or wanted in {name.casefold() for name in manifest.names}:
            return manifest
    raise BadInput("KEY", f"no system is called {text!r}.", f"Known are {', '.join(catalogue())}.")


def _show_all(output: Output) -> None:
    rows = []
    for manifest in catalogue().values():
        output.line(_facts(manifest))
        proven = [f"{each.method}: {_proof(each)}" for each in manifest.methods]
        rows.append((manifest.key, manifest.names[0], manifest.grade, manifest.provenance, "; ".join(proven)))
    output.table("Systems", ("key", "name", "known", "from", "methods, best first"), rows)


def _proof(method: Method) -> str:
    if not method.built:
        return "not proven"
    shown = [word for word, is_so in (("simulator", method.proven.simulator), ("live", method.proven.live)) if is_so]
    return "proven on " + " and ".join(shown) if shown else "built"


def _facts(manifest: Manifest) -> dict[str, object]:
    return {
        "key": manifest.key, "names": list(manifest.names), "vendor": manifest.vendor, "grade": manifest.grade,
        "provenance": manifest.provenance, "countries": list(manifest.countries),
        "methods": [
            {"method": each.method, "because": each.because, "built": each.built, "proven": each.proven.model_dump(),
             "authentication": each.auth.kind, "ask": [field.name for field in each.auth.ask],
             "entities": sorted({entity for stream in each.streams.values() for entity in stream.entities}),
             "operations": sorted(each.operations), "unsupported": dict(each.unsupported)}
            for each in manifest.methods
        ],
        "quirks": list(manifest.quirks), "questions": list(manifest.questions),
    }  # fmt: skip


def _show_one(output: Output, manifest: Manifest) -> None:
    output.text(
        f"{manifest.names[0]} ({manifest.key}), {manifest.vendor or 'no vendor'}; known: grade {manifest.grade}"
    )
    for each in manifest.methods:
        output.text(f"\n{each.method}: {_proof(each)}. {each.because}")
        if not each.built:
            continue
        output.text(f"  login: {each.auth.kind}, asks {', '.join(field.name for field in each.auth.ask) or 'nothing'}")
        rows = [
            (name, ", ".join(stream.entities), len(stream.fields), "stamp" if stream.cursor else "compare", stream.deletes.by)
            for name, stream in each.streams.items()
        ]  # fmt: skip
        output.table("  streams", ("stream", "entities", "fields", "changes by", "deletes by"), rows)
        output.text(f"  can: {', '.join(sorted(each.operations))}")
        for operation, reason in each.unsupported.items():
            output.text(f"  cannot {operation}: {reason}")
    for quirk in manifest.quirks:
        output.text(f"- {quirk}")
