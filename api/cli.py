"""The command line. Imports nothing but typer here: every command imports what it needs when it runs."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

app = typer.Typer(
    name="patchbay", add_completion=False, pretty_exceptions_enable=False,
    help="One address in, a live, mapped, scheduled, self-healing integration out.",
)  # fmt: skip

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines on standard output, nothing else there.")]
Integration = Annotated[str, typer.Argument(help="The integration's id, or enough of it to be unique.")]


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


@app.command()
def demo(
    json: Json = False,
    keep: Annotated[bool, typer.Option(help="Leave everything up and say where.")] = False,
) -> None:
    """Start simulated practices, onboard them, sync, break one, heal it, and report."""
    from api.commands.demo import run_demo

    _end(run_demo(as_json=json, keep=keep))


@app.command()
def systems(
    key: Annotated[str | None, typer.Argument(help="One system's key, or any name people use for it.")] = None,
    json: Json = False,
) -> None:
    """The catalogue: methods, authentication, entities, quirks, how well proven."""
    from api.commands.catalogue import show_systems

    _end(show_systems(key, as_json=json))


@app.command()
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

    _end(run_simulator(key, port=port, seed=seed, patients=patients, as_json=json))


@app.command()
def detect(
    address: Annotated[str, typer.Argument(help="A URL, host, host:port or folder.")],
    credentials: Annotated[str | None, typer.Option(help="JSON file with the login; - reads standard input.")] = None,
    json: Json = False,
) -> None:
    """Which system, version and method answers there, with evidence."""
    from api.commands.detect import run_detect

    _end(run_detect(address, credentials, as_json=json))


@app.command()
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
    _end(run_connect(options, as_json=json))


@app.command()
def questions(
    thread: Annotated[str | None, typer.Argument(help="Only this onboarding's.")] = None,
    export: Annotated[str | None, typer.Option(help="Write them to a CSV that `correct` takes back.")] = None,
    json: Json = False,
) -> None:
    """What waits for a person."""
    from api.commands.questions import show_questions

    _end(show_questions(thread, export, as_json=json))


@app.command()
def answer(
    thread: Annotated[str, typer.Argument(help="The onboarding's id.")],
    question: Annotated[str, typer.Argument(help="The question's id.")],
    value: Annotated[str, typer.Argument(help="One of its options, a value, or for credentials a file.")],
    json: Json = False,
) -> None:
    """Answer a question; the onboarding goes on by itself."""
    from api.commands.questions import run_answer

    _end(run_answer(thread, question, value, as_json=json))


@app.command()
def chat(
    thread: Annotated[str | None, typer.Argument(help="An onboarding to continue (default: a new one).")] = None,
    language: Annotated[str | None, typer.Option(help="en or de; without it your words decide.")] = None,
    json: Json = False,
) -> None:
    """The same as a conversation, in English or German; secrets are typed unseen."""
    from api.commands.chat import run_chat

    _end(run_chat(thread, language, as_json=json))


@app.command()
def integrations(json: Json = False) -> None:
    """All integrations and their state."""
    from api.commands.integrations import show_integrations

    _end(show_integrations(as_json=json))


@app.command()
def records(
    integration: Integration,
    entity: Annotated[str, typer.Argument(help="A canonical entity, e.g. Patient.")],
    reveal: Annotated[bool, typer.Option(help="Show the values; this is audited.")] = False,
    json: Json = False,
) -> None:
    """The canonical records of an integration, masked unless revealed."""
    from api.commands.records import show_records

    _end(show_records(integration, entity, reveal=reveal, as_json=json))


@app.command("dead-letters")
def dead_letters(
    integration: Integration,
    replay: Annotated[bool, typer.Option(help="Try them again now.")] = False,
    json: Json = False,
) -> None:
    """What could not be processed, with the reason."""
    from api.commands.records import show_dead_letters

    _end(show_dead_letters(integration, replay=replay, as_json=json))


@app.command()
def pause(integration: Integration, json: Json = False) -> None:
    """Stop syncing an integration; nothing is lost."""
    from api.commands.integrations import set_state

    _end(set_state(integration, "paused", as_json=json))


@app.command()
def resume(integration: Integration, json: Json = False) -> None:
    """Go on syncing a paused integration where it stopped."""
    from api.commands.integrations import set_state

    _end(set_state(integration, "live", as_json=json))


@app.command()
def disconnect(
    integration: Integration,
    erase: Annotated[bool, typer.Option(help="Delete everything we hold of it as well.")] = False,
    json: Json = False,
) -> None:
    """End an integration."""
    from api.commands.integrations import run_disconnect

    _end(run_disconnect(integration, erase=erase, as_json=json))


@app.command("map")
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
    json: Json = False,
) -> None:
    """Mapping suggestions with calibrated confidence and evidence."""
    from api.commands.mapping import run_map

    _end(run_map(source, target, top, credentials, as_json=json, examples=examples))


@app.command()
def correct(file: Annotated[str, typer.Argument(help="Corrections as CSV or JSON lines.")], json: Json = False) -> None:
    """Record corrections; open questions they answer are answered."""
    from api.commands.mapping import run_correct

    _end(run_correct(file, as_json=json))


@app.command()
def sync(
    integration: Annotated[str | None, typer.Argument(help="The integration's id.")] = None,
    due: Annotated[bool, typer.Option(help="Run everything whose time has come.")] = False,
    json: Json = False,
) -> None:
    """Bring an integration up to date now, or everything that is due."""
    from api.commands.sync import run_sync

    _end(run_sync(integration, due=due, as_json=json))


@app.command()
def health(
    integration: Annotated[str | None, typer.Argument(help="Only this one.")] = None, json: Json = False
) -> None:
    """How the integrations are, stream by stream."""
    from api.commands.health import show_health

    _end(show_health(integration, as_json=json))


@app.command()
def fallback(
    integration: Integration,
    address: Annotated[str | None, typer.Argument(help="Where the second method is, e.g. the export's folder.")] = None,
    off: Annotated[bool, typer.Option("--off", help="Forget the second method.")] = False,
    json: Json = False,
) -> None:
    """A second method, read while the first does not answer; it only adds, and never deletes."""
    from api.commands.fallback import set_fallback

    _end(set_fallback(integration, address, off=off, as_json=json))


@app.command()
def heal(integration: Integration, json: Json = False) -> None:
    """Find the root cause, apply the safe remedy, verify it, or say what a person must do."""
    from api.commands.health import run_heal

    _end(run_heal(integration, as_json=json))


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8000,
    json: Json = False,
) -> None:
    """The API and a worker in one process; while it runs, other commands leave the work to it."""
    from api.commands.serve import run_serve

    _end(run_serve(host, port, as_json=json))


@app.command()
def worker(json: Json = False) -> None:
    """One more process that runs jobs, on PostgreSQL."""
    from api.commands.worker import run_worker

    _end(run_worker(as_json=json))


@app.command()
def migrate(json: Json = False) -> None:
    """Bring the database's tables up to date."""
    from api.commands.store import run_migrate

    _end(run_migrate(as_json=json))


@app.command()
def backup(file: Annotated[str, typer.Argument(help="Where to write it.")], json: Json = False) -> None:
    """A consistent copy while running; the key is kept apart."""
    from api.commands.store import run_backup

    _end(run_backup(file, as_json=json))


@app.command()
def restore(file: Annotated[str, typer.Argument(help="A backup.")], json: Json = False) -> None:
    """Put a backup into an empty home."""
    from api.commands.store import run_restore

    _end(run_restore(file, as_json=json))


@app.command("apply")
def apply_file(
    file: Annotated[str, typer.Argument(help="Practices and integrations in YAML, as `export` prints them.")],
    plan: Annotated[bool, typer.Option("--plan", help="Stop after saying what differs.")] = False,
    json: Json = False,
) -> None:
    """Bring practices and integrations to what a file declares; says what differs first."""
    from api.commands.declare import run_apply

    _end(run_apply(file, plan_only=plan, as_json=json))


@app.command()
def export(
    integration: Annotated[str | None, typer.Argument(help="Only this one.")] = None, json: Json = False
) -> None:
    """Practices and integrations as `apply` takes them back; credentials by reference."""
    from api.commands.declare import run_export

    _end(run_export(integration, as_json=json))


keys = typer.Typer(help="Keys of the service's callers.", no_args_is_help=True)
app.add_typer(keys, name="keys")

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

    _end(create_key(tenant, role, name, as_json=json))


@keys.command("list")
def keys_list(tenant: Tenant = None, json: Json = False) -> None:
    """The keys of a tenant, without what opens with them."""
    from api.commands.keys import list_keys

    _end(list_keys(tenant, as_json=json))


@keys.command("revoke")
def keys_revoke(
    id: Annotated[str, typer.Argument(help="The key's id, as `keys list` shows it.")],
    tenant: Tenant = None,
    json: Json = False,
) -> None:
    """End a key."""
    from api.commands.keys import revoke_key

    _end(revoke_key(tenant, id, as_json=json))


codes = typer.Typer(help="Billing catalogues from your own files, and codes mapped by them.", no_args_is_help=True)
app.add_typer(codes, name="codes")

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

    _end(run_import(file, ImportOptions(system, name, valid_from, valid_to, part, column or ()), as_json=json))


@codes.command("list")
def codes_list(
    on: Annotated[str | None, typer.Option(help="The day that counts (default: today).")] = None, json: Json = False
) -> None:
    """The catalogues, and which are in force."""
    from api.commands.codes import list_catalogues

    _end(list_catalogues(on, as_json=json))


@codes.command("show")
def codes_show(
    catalogue: Catalogue,
    code: Annotated[list[str] | None, typer.Argument(help="Only these codes.")] = None,
    json: Json = False,
) -> None:
    """One catalogue with its codes."""
    from api.commands.codes import show_catalogue

    _end(show_catalogue(catalogue, code or (), as_json=json))


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

    _end(run_map_codes(code, MapOptions(system, to_pms, on, code_system, integration), as_json=json))


@codes.command("remove")
def codes_remove(catalogue: Catalogue, json: Json = False) -> None:
    """Forget a catalogue with its codes."""
    from api.commands.codes import remove

    _end(remove(catalogue, as_json=json))


@app.command("eval")
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

    _end(run_eval(suite, Asked(sets, rounds, report, quick, refits, jobs, advisor), as_json=json))


def _end(code: int) -> None:
    if code:
        raise typer.Exit(code)


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
