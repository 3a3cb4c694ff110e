"""The evaluation harness."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Json, end

commands = typer.Typer()


@commands.command("eval")
def evaluate(
    suite: Annotated[
        str,
        typer.Argument(help="mapping, detection, onboarding, diagnosis, healing, billing, transforms, advisor or all."),
    ] = "all",
    sets: Annotated[
        str | None, typer.Option(help="A folder of labelled schemas for the mapping and advisor suites.")
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="Plans that the healing suite makes of made-up evidence.")
    ] = 10_000,
    report: Annotated[
        str | None, typer.Option(help="The folder for the mapping suite's report: Markdown and plots.")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Mapping: no other matchers, made-up systems, ablation.")
    ] = False,
    refits: Annotated[
        bool, typer.Option("--refits", help="Mapping: fit anew without each signal, half an hour or more.")
    ] = False,
    jobs: Annotated[int, typer.Option(min=1, help="Mapping: processes to fit with.")] = 1,
    advisor: Annotated[
        str | None,
        typer.Option(
            help="Advisor: a real OpenAI-compatible endpoint to measure; key and model by PATCHBAY_ADVISOR_KEY, _MODEL."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """The evaluation harness."""
    from api.commands.evaluate import Asked, run_eval

    end(run_eval(suite, Asked(sets, rounds, report, quick, refits, jobs, advisor), as_json=json))
