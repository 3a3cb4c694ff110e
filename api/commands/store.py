"""`patchbay migrate`, `backup`, `restore`."""

from __future__ import annotations

from api.output import Output
from api.running import run_at_home
from knowledge.errors import BadInput
from tools.store.settings import Settings
from tools.text_file import named_path


def run_migrate(*, as_json: bool) -> int:
    """Bring all tables up to date, the checkpoints' too."""
    from tools.store.open import migrate

    output = Output(as_json)
    changed = run_at_home(lambda: migrate(Settings()))
    output.line({"migrated": True, "changed": changed})
    output.text("The tables were brought up to date." if changed else "The tables are up to date already.")
    return 0


def run_backup(file: str, *, as_json: bool) -> int:
    """Write a consistent copy; the key is not in it."""
    from tools.store.backup import backup

    output, settings = Output(as_json), Settings()
    path = named_path(f"FILE {file}", file, "Name a file in a folder of yours.")
    if path.is_dir():
        raise BadInput(f"FILE {file}", "is a folder.", "Name a file in it.")
    if path.exists():
        raise BadInput(f"FILE {file}", "is there already.", "Name a new file, with the date in it for example.")
    run_at_home(lambda: backup(settings, path))
    output.line({"backup": file})
    key = "PATCHBAY_KEY" if settings.key is not None else str(settings.key_file)
    output.text(f"{file} holds a consistent copy. The key is not in it: keep {key} apart.")
    return 0


def run_restore(file: str, *, as_json: bool) -> int:
    """Put a backup into an empty home or database."""
    from tools.store.backup import restore
    from tools.store.database import database_url

    output, settings = Output(as_json), Settings()
    mend = "Name a file that `patchbay backup` wrote."
    path = named_path(f"FILE {file}", file, mend)
    if not path.is_file():
        raise BadInput(f"FILE {file}", "is no file.", mend)
    run_at_home(lambda: restore(settings, path))
    output.line({"restored": file})
    url = database_url(settings)
    where = settings.home if url.get_backend_name() == "sqlite" else url.set(drivername="postgresql").render_as_string()
    output.text(f"{file} was restored to {where}.")
    if settings.key is None and not settings.key_file.exists():
        output.say(f"Nothing in it can be read before its key is there: put the old master.key at "
                   f"{settings.key_file}, or what stands in it into PATCHBAY_KEY.")  # fmt: skip
    return 0
