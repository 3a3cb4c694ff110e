"""`patchbay codes`: billing catalogues from the user's files, and codes mapped by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from api.code_lines import catalogue_line, entry_line, held_line, mapped_line, remark_line
from api.output import Output, short_time
from api.running import found, run_at_home, store_for
from knowledge.errors import BadInput
from mappings.code_forms import Validity

if TYPE_CHECKING:
    from mappings.billing import Direction
    from mappings.catalogue_rows import Remark
    from tools.code_catalogues import Imported
    from tools.store.models import CodeCatalogue
    from tools.store.open import Store

SHOWN = 20  # remarks and codes on a screen; --json has all
_TOGETHER = 1000


@dataclass(frozen=True)
class ImportOptions:
    """What was typed beside the file."""

    system: str
    name: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None
    part: bool = False
    columns: Sequence[str] = ()


@dataclass(frozen=True)
class MapOptions:
    """What was typed beside the codes."""

    system: str
    to_pms: bool = False
    on: str | None = None
    code_system: str | None = None
    integration: str | None = None


def run_import(file: str, options: ImportOptions, *, as_json: bool) -> int:
    """Import a catalogue's file; every row that is kept out is told."""
    from tools.clock import utc_now
    from tools.code_catalogues import CatalogueAsked, import_file
    from tools.text_file import read_file

    output = Output(as_json)
    validity = Validity(_day("--valid-from", options.valid_from), _day("--valid-to", options.valid_to))
    asked = CatalogueAsked(
        options.system, file, options.name, validity, whole=not options.part, columns=_columns(options.columns)
    )
    data = read_file(file, file, "Name a CSV file.", standard_input=True)

    async def work() -> int:
        async with store_for(output) as store:
            done = await import_file(store, asked, data, "cli", utc_now().date())
        _tell_import(output, done)
        return 0

    return run_at_home(work)


def list_catalogues(on: str | None, *, as_json: bool) -> int:
    """All catalogues, each with the days on which it holds."""
    from tools.clock import utc_now
    from tools.code_catalogues import catalogues_on

    output = Output(as_json)
    day = _day("--on", on) or utc_now().date()

    async def work() -> int:
        async with store_for(output) as store:
            held = await catalogues_on(store, day)
        for each in held:
            output.line(held_line(each))
        rows = [
            (each.catalogue.id, each.catalogue.code_system, each.catalogue.name, _days(each.days), each.catalogue.codes,
             "whole" if each.catalogue.whole else "part", "yes" if each.in_force else "no", each.catalogue.file,
             short_time(each.catalogue.imported_at))
            for each in held
        ]  # fmt: skip
        title = f"Billing catalogues on {day}" if rows else "No catalogue yet: patchbay codes import FILE --system GOZ"
        output.table(title, ("id", "system", "version", "holds", "codes", "is", "in force", "file", "imported"), rows)
        return 0

    return run_at_home(work)


def show_catalogue(wanted: str, codes: Sequence[str], *, as_json: bool) -> int:
    """One catalogue with its codes, or some of them."""
    output = Output(as_json)

    async def work() -> int:
        async with store_for(output) as store:
            catalogue = await _catalogue(store, wanted)
            output.line({"event": "catalogue", **catalogue_line(catalogue)})
            output.text(f"{catalogue.code_system} {catalogue.name} ({catalogue.id}): {catalogue.codes} codes from "
                        f"{catalogue.file}, {_days(Validity(catalogue.valid_from, catalogue.valid_to))}.")  # fmt: skip
            rows = await _show_entries(output, store, catalogue, codes)
        columns = ("line", "code", "text", "points", "price", "from", "to")
        output.table("Codes" if rows else "None of these codes.", columns, rows)
        if not codes and catalogue.codes > len(rows):
            output.text(f"… and {catalogue.codes - len(rows)} more: --json prints all.")
        return 0

    return run_at_home(work)


def run_map_codes(codes: Sequence[str], options: MapOptions, *, as_json: bool) -> int:
    """Read a system's codes, or write canonical ones as it does."""
    from mappings.billing import Asked
    from tools.clock import utc_now
    from tools.code_lists import map_billing_codes

    output = Output(as_json)
    day = _day("--on", options.on) or utc_now().date()
    asked = [Asked(code, options.code_system) for code in codes]

    async def work() -> int:
        async with store_for(output) as store:
            integration = await found(store, options.integration) if options.integration else None
            direction: Direction = "to_pms" if options.to_pms else "from_pms"
            mapped = await map_billing_codes(store, options.system, asked, direction, day, integration)
        for each in mapped:
            output.line(mapped_line(each))
        rows = [
            (each.asked, each.code, each.code_system, each.mark, f"{each.confidence:.0%}", each.text, each.reason)
            for each in mapped
        ]
        output.table(f"{options.system}, {day}", ("asked", "code", "system", "mark", "sure", "text", "because"), rows)
        return 0

    return run_at_home(work)


def remove(wanted: str, *, as_json: bool) -> int:
    """Forget a catalogue with its codes."""
    from tools.code_catalogues import remove_catalogue

    output = Output(as_json)

    async def work() -> int:
        async with store_for(output) as store:
            removed = await remove_catalogue(store, (await _catalogue(store, wanted)).id, "cli")
        output.line({"event": "removed", **catalogue_line(removed)})
        output.text(f"{removed.code_system} {removed.name} ({removed.id}) with its {removed.codes} codes is forgotten.")
        return 0

    return run_at_home(work)


def _tell_import(output: Output, done: Imported) -> None:
    catalogue, read = done.catalogue, done.content.read
    for each in read.remarks:
        output.line({"event": "kept" if each.kept else "kept_out", **remark_line(each)})
    output.line(
        {"event": "unchanged" if done.unchanged else "imported", **catalogue_line(catalogue), "respelt": read.respelt,
         "columns": dict(done.content.used), "unused_columns": list(done.content.unused)}
    )  # fmt: skip
    rows = [(_lines(each), "kept" if each.kept else "kept out", each.reason) for each in read.remarks[:SHOWN]]
    if rows:
        output.table("Rows to look at", ("line", "is", "because"), rows)
    if len(read.remarks) > SHOWN:
        output.text(f"… and {len(read.remarks) - SHOWN} more: --json prints all.")
    output.text("Columns: " + ", ".join(f"{name} = {header}" for name, header in done.content.used.items()) + ".")
    if done.content.unused:
        output.text(f"Not used: {', '.join(done.content.unused)}. `--column text=HEADER` names one.")
    if read.respelt_example:
        output.text(
            f"Written otherwise and read by their form: {read.respelt}, such as {' → '.join(read.respelt_example)}."
        )
    if done.unchanged:
        output.text(f"{catalogue.code_system} {catalogue.name} ({catalogue.id}) was there already; nothing changed.")
        return
    output.text(f"{catalogue.code_system} {catalogue.name} ({catalogue.id}): {catalogue.codes} codes, "
                f"{_days(Validity(catalogue.valid_from, catalogue.valid_to))}; {catalogue.kept_out} rows kept out.")  # fmt: skip
    if not catalogue.whole and read.may_lack_codes:
        output.text("Rows that were kept out may hold codes, so a code that is not listed is not taken for unknown.")


async def _catalogue(store: Store, wanted: str) -> CodeCatalogue:
    """The catalogue of that id or unique beginning. Raises `BadInput`."""
    able = [each for each in await store.code_catalogues.list() if each.id.startswith(wanted)]
    exact = [each for each in able if each.id == wanted] or able
    if not wanted or len(exact) != 1:
        raise BadInput(f"CATALOGUE {wanted}", "there is no such catalogue.", "`patchbay codes list` lists them.")
    return exact[0]


async def _show_entries(
    output: Output, store: Store, catalogue: CodeCatalogue, codes: Sequence[str]
) -> list[Sequence[object]]:
    rows: list[Sequence[object]] = []
    after = 0
    while entries := await store.code_catalogues.entries(catalogue.id, after, _TOGETHER, codes or None):
        after = entries[-1].line
        for each in entries:
            output.line({"event": "code", **entry_line(each)})
        if len(rows) < SHOWN or codes:
            rows += [
                (each.line, each.code, each.text or each.abbreviation, each.points, each.price, each.validity.valid_from,
                 each.validity.valid_to)
                for each in entries
            ]  # fmt: skip
        if not output.as_json and not codes:
            break
    return rows if codes else rows[:SHOWN]


def _lines(remark: Remark) -> str:
    return str(remark.line) if remark.line == remark.last_line else f"{remark.line}-{remark.last_line}"


def _days(days: Validity | None) -> str:
    if days is None:
        return "never"
    if days.valid_from is None and days.valid_to is None:
        return "always"
    return " ".join(
        [
            *([f"from {days.valid_from}"] if days.valid_from else []),
            *([f"until {days.valid_to}"] if days.valid_to else []),
        ]
    )


def _columns(typed: Sequence[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for each in typed:
        name, equals, header = each.partition("=")
        if not equals or not header.strip():
            raise BadInput(f"--column {each}", "names no column.", "Write it as --column code=Ziffer.")
        found[name.strip()] = header.strip()
    return found


def _day(option: str, typed: str | None) -> date | None:
    if typed is None:
        return None
    try:
        return date.fromisoformat(typed)
    except ValueError:
        raise BadInput(option, f"{typed!r} is no day.", "Write it as 2026-01-31.") from None
