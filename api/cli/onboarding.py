"""From an address to a live integration, and the questions on the way."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli.options import Json, end

commands = typer.Typer()


@commands.command()
def connect(
    address: Annotated[str, typer.Argument(help="A URL, host, host:port or folder.")],
    credentials: Annotated[str | None, typer.Option(help="JSON file with the login; - reads standard input.")] = None,
    login_works: Annotated[
        bool, typer.Option("--login-works", help="This login was refused and works again: send it once more.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Take what is safe without a person; the rest stays unmapped.")
    ] = False,
    new: Annotated[bool, typer.Option("--new", help="Start afresh although an onboarding is open.")] = False,
    plan: Annotated[bool, typer.Option("--plan", help="Stop after saying what would be read.")] = False,
    practice: Annotated[str | None, typer.Option(help="The practice's name.")] = None,
    country: Annotated[str | None, typer.Option(help="ISO 3166 code, e.g. DE.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="IANA zone, e.g. Europe/Berlin.")] = None,
    entities: Annotated[str | None, typer.Option(help="Only these, e.g. Patient,Appointment.")] = None,
    docs: Annotated[str | None, typer.Option(help="A description: column list, schema JSON, OpenAPI.")] = None,
    json: Json = False,
) -> None:
    """The whole onboarding: detect, configure, validate, map, first sync, schedule, health."""
    from api.commands.connect import ConnectOptions, run_connect

    options = ConnectOptions(
        address, credentials, yes, new, plan, practice, country, time_zone, entities, docs, login_works
    )
    end(run_connect(options, as_json=json))


@commands.command()
def questions(
    thread: Annotated[str | None, typer.Argument(help="Only this onboarding's.")] = None,
    export: Annotated[str | None, typer.Option(help="Write them to a CSV that `correct` takes back.")] = None,
    json: Json = False,
) -> None:
    """What waits for a person."""
    from api.commands.questions import show_questions

    end(show_questions(thread, export, as_json=json))


@commands.command()
def answer(
    thread: Annotated[str, typer.Argument(help="The onboarding's id.")],
    question: Annotated[str, typer.Argument(help="The question's id.")],
    value: Annotated[str, typer.Argument(help="One of its options, a value, or for credentials a file.")],
    json: Json = False,
) -> None:
    """Answer a question; the onboarding goes on by itself."""
    from api.commands.questions import run_answer

    end(run_answer(thread, question, value, as_json=json))


@commands.command()
def chat(
    thread: Annotated[str | None, typer.Argument(help="An onboarding to continue (default: a new one).")] = None,
    language: Annotated[str | None, typer.Option(help="en or de; without it your words decide.")] = None,
    json: Json = False,
) -> None:
    """The same as a conversation, in English or German; secrets are typed unseen."""
    from api.commands.chat import run_chat

    end(run_chat(thread, language, as_json=json))
