"""Billing catalogues from people's own files, and codes mapped by them."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Json, end

codes = typer.Typer(help="Billing catalogues from your own files, and codes mapped by them.", no_args_is_help=True)

Catalogue = Annotated[str, typer.Argument(help="The catalogue's id, or enough of it to be unique.")]


@codes.command("import")
def codes_import(
    file: Annotated[str, typer.Argument(help="A CSV file with one code a row; - reads standard input.")],
    system: Annotated[str, typer.Option(help="Its code system: BEMA, GOZ, GOÄ, CDT, CPT or HCPCS.")],
    valid_from: Annotated[str | None, typer.Option(help="Its first day, e.g. 2026-01-01.")] = None,
    valid_to: Annotated[str | None, typer.Option(help="Its last day; a later version ends it anyway.")] = None,
    name: Annotated[str | None, typer.Option(help="The version's name (default: the file's).")] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="A field's header where its name does not tell, e.g. code=Ziffer.")
    ] = None,
    part: Annotated[bool, typer.Option("--part", help="It lists some codes only: others are not unknown.")] = False,
    json: Json = False,
) -> None:
    """Import a whole catalogue; every row that cannot be used is told and kept out."""
    from api.commands.codes import ImportOptions, run_import

    end(run_import(file, ImportOptions(system, name, valid_from, valid_to, part, column or ()), as_json=json))


@codes.command("list")
def codes_list(
    on: Annotated[str | None, typer.Option(help="The day that counts (default: today).")] = None, json: Json = False
) -> None:
    """The catalogues, and which are in force."""
    from api.commands.codes import list_catalogues

    end(list_catalogues(on, as_json=json))


@codes.command("show")
def codes_show(
    catalogue: Catalogue,
    code: Annotated[list[str] | None, typer.Argument(help="Only these codes.")] = None,
    json: Json = False,
) -> None:
    """One catalogue with its codes."""
    from api.commands.codes import show_catalogue

    end(show_catalogue(catalogue, code or (), as_json=json))


@codes.command("map")
def codes_map(
    code: Annotated[list[str], typer.Argument(help="Codes as they stand in the system.")],
    system: Annotated[str, typer.Option(help="The PMS, e.g. dampsoft.")],
    to_pms: Annotated[
        bool, typer.Option("--to-pms", help="They are canonical; write them as the system does.")
    ] = False,
    on: Annotated[str | None, typer.Option(help="The day of service (default: today).")] = None,
    code_system: Annotated[str | None, typer.Option(help="Their code system, where it is known.")] = None,
    integration: Annotated[str | None, typer.Option(help="Let this practice's own list count.")] = None,
    json: Json = False,
) -> None:
    """What billing codes mean; unknown ones pass through marked."""
    from api.commands.codes import MapOptions, run_map_codes

    end(run_map_codes(code, MapOptions(system, to_pms, on, code_system, integration), as_json=json))


@codes.command("remove")
def codes_remove(catalogue: Catalogue, json: Json = False) -> None:
    """Forget a catalogue with its codes."""
    from api.commands.codes import remove

    end(remove(catalogue, as_json=json))
