"""What runs there: the demo, the catalogue, simulators, detection."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Json, end

commands = typer.Typer()


@commands.command()
def demo(
    json: Json = False,
    keep: Annotated[bool, typer.Option(help="Leave everything up and say where.")] = False,
) -> None:
    """Start simulated practices, onboard them, sync, break one, heal it, and report."""
    from api.commands.demo import run_demo

    end(run_demo(as_json=json, keep=keep))


@commands.command()
def systems(
    key: Annotated[str | None, typer.Argument(help="One system's key, or any name people use for it.")] = None,
    json: Json = False,
) -> None:
    """The catalogue: methods, authentication, entities, quirks, how well proven."""
    from api.commands.catalogue import show_systems

    end(show_systems(key, as_json=json))


@commands.command()
def simulate(
    key: Annotated[str, typer.Argument(help="The system to stand in for, e.g. dentrix.")],
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of its data address (default: a free one).")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same practice.")] = 7,
    patients: Annotated[int, typer.Option(min=1, max=200_000, help="How many patients.")] = 500,
    json: Json = False,
) -> None:
    """A faithful local stand-in of a system over its real protocols; runs until Ctrl-C."""
    from api.commands.simulate import run_simulator

    end(run_simulator(key, port=port, seed=seed, patients=patients, as_json=json))


@commands.command()
def detect(
    address: Annotated[str, typer.Argument(help="A URL, host, host:port or folder.")],
    credentials: Annotated[str | None, typer.Option(help="JSON file with the login; - reads standard input.")] = None,
    json: Json = False,
) -> None:
    """Which system, version and method answers there, with evidence."""
    from api.commands.detect import run_detect

    end(run_detect(address, credentials, as_json=json))
