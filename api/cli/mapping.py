"""Mapping suggestions and what people say to them."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Json, end

commands = typer.Typer()


@commands.command("map")
def map_source(
    source: Annotated[
        str, typer.Argument(help="A schema JSON, CSV, XML, JSON, GDT or HL7 file, a folder, or a database URL.")
    ],
    target: Annotated[str | None, typer.Option(help="A schema JSON to map to instead of the canonical model.")] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many candidates a column.")] = 5,
    credentials: Annotated[str | None, typer.Option(help="JSON file with the login of a database.")] = None,
    examples: Annotated[
        bool, typer.Option("--examples", help="Show what the transforms make of sampled values of the source.")
    ] = False,
    country: Annotated[str | None, typer.Option(help="The practice's, ISO 3166: for telephone numbers.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="The practice's, e.g. Europe/Berlin: for times.")] = None,
    json: Json = False,
) -> None:
    """Mapping suggestions with calibrated confidence and evidence."""
    from api.commands.mapping import MapOptions, run_map

    end(run_map(MapOptions(source, target, top, credentials, examples, country, time_zone), as_json=json))


@commands.command()
def correct(file: Annotated[str, typer.Argument(help="Corrections as CSV or JSON lines.")], json: Json = False) -> None:
    """Record corrections; open questions they answer are answered."""
    from api.commands.mapping import run_correct

    end(run_correct(file, as_json=json))


@commands.command()
def corrections(
    system: Annotated[str | None, typer.Argument(help="Only this system's.")] = None,
    take_back: Annotated[
        list[int] | None, typer.Option(help="Forget the one of this number; what was said before it counts again.")
    ] = None,
    json: Json = False,
) -> None:
    """What people said of columns, oldest first; with --json as `correct` takes it elsewhere."""
    from api.commands.corrections import run_corrections

    end(run_corrections(system, take_back or (), as_json=json))
