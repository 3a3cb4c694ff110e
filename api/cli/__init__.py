"""The command line. Nothing here but typer is imported: every command imports what it needs when it runs."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from api.cli import codes, discovery, evaluation, integrations, keys, mapping, onboarding, service

app = typer.Typer(
    name="patchbay", add_completion=False, pretty_exceptions_enable=False,
    help="One address in, a live, mapped, scheduled, self-healing integration out.",
)  # fmt: skip


@app.callback()
def choose_tenant(
    tenant: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose data the command works on (PATCHBAY_TENANT, else local).")
    ] = None,
) -> None:
    """One address in, a live, mapped, scheduled, self-healing integration out."""
    if tenant is not None:
        from tools.store.settings import tenant_named

        os.environ["PATCHBAY_TENANT"] = tenant_named("--tenant", tenant)  # as if it had been set: all read it there


for _part in (discovery, onboarding, integrations, mapping, service, evaluation):
    app.add_typer(_part.commands)
app.add_typer(keys.keys, name="keys")
app.add_typer(codes.codes, name="codes")


def main() -> None:
    """Run a command; every failure is one clear sentence and an exit code, never a trace."""
    try:
        _check_arguments()
        code = app(standalone_mode=False) if sys.argv[1:] else _show_help()
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("patchbay: interrupted; the same command goes on where it stopped.", err=True)
        code = 130
    except Exception as error:  # noqa: BLE001 - whatever it is, a person gets one sentence
        from api.failures import exit_code, sentence_of, trace_of

        sys.stderr.write(trace_of(error))
        typer.echo(f"patchbay: {sentence_of(error)}", err=True)
        code = exit_code(error)
    sys.exit(code or 0)


def _check_arguments() -> None:
    """Arguments are text: bytes that are none can be neither stored nor shown."""
    for number, argument in enumerate(sys.argv[1:], 1):
        if not argument.isascii() and argument.encode("utf-8", "replace").decode() != argument:
            raise typer.BadParameter(f"argument {number} is not UTF-8 text")


def _show_help() -> int:
    """No command is wrong usage, and the help is what mends it."""
    app(["--help"], standalone_mode=False)
    return 2
