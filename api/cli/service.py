"""Running it day and night: server, workers, database, declarations."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Json, end

commands = typer.Typer()


@commands.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    json: Json = False,
) -> None:
    """The API and a worker in one process; while it runs, other commands leave the work to it."""
    from api.commands.serve import run_serve

    end(run_serve(host, port, as_json=json))


@commands.command()
def worker(json: Json = False) -> None:
    """One more process that runs jobs, on PostgreSQL."""
    from api.commands.worker import run_worker

    end(run_worker(as_json=json))


@commands.command()
def migrate(json: Json = False) -> None:
    """Bring the database's tables up to date."""
    from api.commands.store import run_migrate

    end(run_migrate(as_json=json))


@commands.command()
def backup(file: Annotated[str, typer.Argument(help="Where to write it.")], json: Json = False) -> None:
    """A consistent copy while running; the key is kept apart."""
    from api.commands.store import run_backup

    end(run_backup(file, as_json=json))


@commands.command()
def restore(file: Annotated[str, typer.Argument(help="A backup.")], json: Json = False) -> None:
    """Put a backup into an empty home."""
    from api.commands.store import run_restore

    end(run_restore(file, as_json=json))


@commands.command("apply")
def apply_file(
    file: Annotated[str, typer.Argument(help="Practices and integrations in YAML, as `export` prints them.")],
    plan: Annotated[bool, typer.Option("--plan", help="Stop after saying what differs.")] = False,
    json: Json = False,
) -> None:
    """Bring practices and integrations to what a file declares; says what differs first."""
    from api.commands.declare import run_apply

    end(run_apply(file, plan_only=plan, as_json=json))


@commands.command()
def export(
    integration: Annotated[str | None, typer.Argument(help="Only this one.")] = None, json: Json = False
) -> None:
    """Practices and integrations as `apply` takes them back; credentials by reference."""
    from api.commands.declare import run_export

    end(run_export(integration, as_json=json))
