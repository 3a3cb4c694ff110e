"""What is connected: its records, its state, its syncs and its health."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Integration, Json, end

commands = typer.Typer()


@commands.command()
def integrations(json: Json = False) -> None:
    """All integrations and their state."""
    from api.commands.integrations import show_integrations

    end(show_integrations(as_json=json))


@commands.command()
def records(
    integration: Integration,
    entity: Annotated[str, typer.Argument(help="A canonical entity, e.g. Patient.")],
    reveal: Annotated[bool, typer.Option(help="Show the values; this is audited.")] = False,
    json: Json = False,
) -> None:
    """The canonical records of an integration, masked unless revealed."""
    from api.commands.records import show_records

    end(show_records(integration, entity, reveal=reveal, as_json=json))


@commands.command("dead-letters")
def dead_letters(
    integration: Integration,
    replay: Annotated[bool, typer.Option(help="Try them again now.")] = False,
    json: Json = False,
) -> None:
    """What could not be processed, with the reason."""
    from api.commands.records import show_dead_letters

    end(show_dead_letters(integration, replay=replay, as_json=json))


@commands.command()
def pause(integration: Integration, json: Json = False) -> None:
    """Stop syncing an integration; nothing is lost."""
    from api.commands.integrations import set_state

    end(set_state(integration, "paused", as_json=json))


@commands.command()
def resume(integration: Integration, json: Json = False) -> None:
    """Go on syncing a paused integration where it stopped."""
    from api.commands.integrations import set_state

    end(set_state(integration, "live", as_json=json))


@commands.command()
def disconnect(
    integration: Integration,
    erase: Annotated[bool, typer.Option(help="Delete everything we hold of it as well.")] = False,
    json: Json = False,
) -> None:
    """End an integration."""
    from api.commands.integrations import run_disconnect

    end(run_disconnect(integration, erase=erase, as_json=json))


@commands.command()
def sync(
    integration: Annotated[str | None, typer.Argument(help="The integration's id.")] = None,
    due: Annotated[bool, typer.Option(help="Run everything whose time has come.")] = False,
    json: Json = False,
) -> None:
    """Bring an integration up to date now, or everything that is due."""
    from api.commands.sync import run_sync

    end(run_sync(integration, due=due, as_json=json))


@commands.command()
def health(
    integration: Annotated[str | None, typer.Argument(help="Only this one.")] = None, json: Json = False
) -> None:
    """How the integrations are, stream by stream."""
    from api.commands.health import show_health

    end(show_health(integration, as_json=json))


@commands.command()
def fallback(
    integration: Integration,
    address: Annotated[str | None, typer.Argument(help="Where the second method is, e.g. the export's folder.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Forget the second method.")] = False,
    json: Json = False,
) -> None:
    """A second method, read while the first does not answer; it only adds, and never deletes."""
    from api.commands.fallback import set_fallback

    end(set_fallback(integration, address, off=off, as_json=json))


@commands.command()
def heal(integration: Integration, json: Json = False) -> None:
    """Find the root cause, apply the safe remedy, verify it, or say what a person must do."""
    from api.commands.health import run_heal

    end(run_heal(integration, as_json=json))
