"""Billing codes and catalogues as JSON: the same on the command line and over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mappings.billing import MappedCode
    from mappings.catalogue_rows import CatalogueEntry, Remark
    from tools.code_catalogues import Held
    from tools.store.models import CodeCatalogue


def mapped_line(mapped: MappedCode) -> dict[str, object]:
    """The answer for one code."""
    return {
        "asked": mapped.asked, "asked_system": mapped.asked_system, "code": mapped.code,
        "code_system": mapped.code_system, "mark": mapped.mark, "confidence": round(mapped.confidence, 4),
        "reason": mapped.reason, "listed": mapped.listed, "text": mapped.text, "points": mapped.points,
        "price": mapped.price, "source": mapped.source, "valid_from": mapped.validity.valid_from,
        "valid_to": mapped.validity.valid_to, "written_back": mapped.written_back, "carried": dict(mapped.carried),
        "candidates": [
            {"code_system": each.identity[0], "code": each.identity[1], "confidence": round(each.confidence, 4)}
            for each in mapped.candidates
        ],
    }  # fmt: skip


def entry_line(entry: CatalogueEntry) -> dict[str, object]:
    """One code of a catalogue."""
    return {
        "line": entry.line, "code": entry.code, "text": entry.text, "abbreviation": entry.abbreviation,
        "points": entry.points, "price": entry.price, "category": entry.category,
        "valid_from": entry.validity.valid_from, "valid_to": entry.validity.valid_to,
    }  # fmt: skip


def held_line(held: Held) -> dict[str, object]:
    """A catalogue with the days on which it holds."""
    begins, ends = (held.days.valid_from, held.days.valid_to) if held.days else (None, None)
    return {**catalogue_line(held.catalogue), "in_force": held.in_force, "holds_from": begins, "holds_to": ends}


def catalogue_line(catalogue: CodeCatalogue) -> dict[str, object]:
    """A catalogue."""
    return {**catalogue.model_dump(mode="json", exclude={"content_hash"}), "content_hash": catalogue.content_hash.hex()}


def remark_line(remark: Remark) -> dict[str, object]:
    """What is to know of one row."""
    return {"line": remark.line, "last_line": remark.last_line, "why": remark.why, "reason": remark.reason}
