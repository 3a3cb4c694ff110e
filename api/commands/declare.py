"""`patchbay apply` and `patchbay export`: practices and integrations declared in YAML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from api.output import Output
from api.running import context_of, found, run, run_at_home, store_for
from knowledge.errors import BadInput
from tools.credentials import read_credentials
from tools.text_file import parse_yaml, read_text_file

if TYPE_CHECKING:
    from agents.declaring import CredentialsBy, Declaration
    from tools.store.open import Store

MOST_BYTES = 5 * 1024 * 1024  # thousands of practices
FORM = "`patchbay export` prints one that can be used."


def run_apply(file: str, *, plan_only: bool, as_json: bool) -> int:
    """Print what differs from the file, then bring it about; running it twice changes nothing."""
    output = Output(as_json)
    declaration = _read(file)

    async def work() -> int:
        from agents.declaring import plan

        async with store_for(output) as store:

            async def login(by: CredentialsBy) -> dict[str, str]:
                return await _login(store, Path(file).parent, by)

            steps = await plan(context_of(store), declaration, login)
            for step in steps:
                output.line({"event": "plan", "step": step.what})
                output.text(f"- {step.what}")
            if not steps:
                output.text("Everything is as declared.")
            for step in [] if plan_only else steps:
                await step.do()
                await store.audit.record("declaration.applied", "declaration", "cli", {"step": step.what})
                output.say(f"done: {step.what}")
        output.line({"event": "done", "steps": len(steps), "applied": 0 if plan_only else len(steps)})
        return 0

    return run(work)


def run_export(wanted: str | None, *, as_json: bool) -> int:
    """Print what `apply` takes back."""
    import yaml

    output = Output(as_json)

    async def work() -> int:
        from agents.declaring import declared_by

        async with store_for(output) as store:
            declaration = await declared_by(store, await found(store, wanted) if wanted else None)
        body = declaration.model_dump(mode="json", by_alias=True, exclude_none=True)
        output.line(body)
        output.text(yaml.safe_dump(body, allow_unicode=True, sort_keys=False).rstrip())
        return 0

    return run_at_home(work)


def _read(file: str) -> Declaration:
    """Raises `BadInput` that names file, line or field."""
    from pydantic import ValidationError

    from agents.declaring import Declaration

    body = parse_yaml(file, read_text_file(file, file, "Name a readable YAML file.", most_bytes=MOST_BYTES), FORM)
    if not isinstance(body, dict):
        raise BadInput(file, "declares nothing.", FORM)
    try:
        return Declaration.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(each) for each in first["loc"])
        raise BadInput(f"{file}, {place}", f"{first['msg']}.", FORM) from None


async def _login(store: Store, folder: Path, by: CredentialsBy) -> dict[str, str]:
    if (by.file is None) == (by.ref is None):
        raise BadInput("credentials", "want either a file or a ref.", FORM)
    if by.ref is not None:
        return await store.credentials.get(by.ref)
    return read_credentials(str(folder / str(by.file)))
