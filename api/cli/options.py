"""What many commands take alike, and how each ends."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines on standard output, nothing else there.")]
Integration = Annotated[str, typer.Argument(help="The integration's id, or enough of it to be unique.")]


def end(code: int) -> None:
    """Leave with the command's exit code; 0 goes on to typer's own."""
    if code:
        raise typer.Exit(code)
