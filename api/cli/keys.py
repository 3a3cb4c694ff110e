"""Keys of the service's callers."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Json, end

keys = typer.Typer(help="Keys of the service's callers.", no_args_is_help=True)

Tenant = Annotated[str | None, typer.Option(help="Whose data the key opens (default: the command line's tenant).")]


@keys.command("create")
def keys_create(
    role: Annotated[str, typer.Option(help="viewer, operator or admin.")],
    tenant: Tenant = None,
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    json: Json = False,
) -> None:
    """An API key, shown once."""
    from api.commands.keys import create_key

    end(create_key(tenant, role, name, as_json=json))


@keys.command("list")
def keys_list(tenant: Tenant = None, json: Json = False) -> None:
    """The keys of a tenant, without what opens with them."""
    from api.commands.keys import list_keys

    end(list_keys(tenant, as_json=json))


@keys.command("revoke")
def keys_revoke(
    id: Annotated[str, typer.Argument(help="The key's id, as `keys list` shows it.")],
    tenant: Tenant = None,
    json: Json = False,
) -> None:
    """End a key."""
    from api.commands.keys import revoke_key

    end(revoke_key(tenant, id, as_json=json))
