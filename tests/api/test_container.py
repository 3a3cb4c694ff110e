"""The container and compose files: linted, and the rules that matter checked, since nothing here can build or run them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

ROOT = Path(__file__).parents[2]
CONTAINERFILE = (ROOT / "Containerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
OURS = ("migrate", "serve", "worker")


def instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction with its arguments, continued lines joined, comments left out."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines)
    pairs = [line.split(None, 1) for line in joined.splitlines() if line.strip()]
    return [(pair[0].upper(), pair[1]) for pair in pairs]


def last_stage() -> list[tuple[str, str]]:
    every = instructions(CONTAINERFILE)
    return every[max(place for place, (name, _) in enumerate(every) if name == "FROM") :]


def test_the_linter_has_nothing_to_say() -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if linter is None:
        pytest.skip("hadolint has no wheel for this machine")
    done = subprocess.run(
        [linter, str(ROOT / "Containerfile")], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_it_runs_as_nobody_in_particular_and_says_whether_it_is_well() -> None:
    stage = dict(last_stage())
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", stage["USER"])
    assert "/healthz" in stage["HEALTHCHECK"]
    assert stage["ENTRYPOINT"] == '["patchbay"]'
    assert list(stage).index("USER") < list(stage).index("ENTRYPOINT")


def test_no_secret_and_no_tool_is_baked_in() -> None:
    for name, arguments in instructions(CONTAINERFILE):
        if name in {"ENV", "ARG"}:
            assert not re.search(r"(?i)key|password|secret|token", arguments), arguments
    assert "/opt/tools" not in " ".join(arguments for _, arguments in last_stage())
    ignored = (ROOT / ".containerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[0] == "*"
    assert ignored == (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_everything_that_is_copied_may_be_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".containerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = [arguments.split()[:-1] for name, arguments in instructions(CONTAINERFILE) if name == "COPY"]
    wanted = {each for sources in copied for each in sources if not each.startswith(("--", "/"))}
    assert wanted == sent
    assert all((ROOT / each).exists() for each in wanted)


def test_the_pins_are_installed_by_hash() -> None:
    installs = [step for step in re.split(r"&&|\n", CONTAINERFILE) if "pip install" in step]
    assert all("--require-hashes" in step or "--no-deps" in step for step in installs)
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert re.search(r"^uv==", pins, re.MULTILINE), "the build resolves with it"


def test_compose_has_no_secret_and_no_default_for_one() -> None:
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"(?i)key|password|url", name):
                assert re.search(r"\$\{\w+:\?", str(value)), name


def test_compose_keeps_the_service_small_and_private() -> None:
    for name in OURS:
        service = COMPOSE["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert not service.get("privileged", False)
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE["services"]["serve"]["ports"])
    assert "ports" not in COMPOSE["services"]["database"]


def test_nothing_starts_before_the_tables_are_there() -> None:
    services = COMPOSE["services"]
    assert services["migrate"]["depends_on"]["database"]["condition"] == "service_healthy"
    for name in ("serve", "worker"):
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_every_command_of_the_files_exists_and_every_image_has_a_tag() -> None:
    from api.cli import app

    known = set(CliRunner().invoke(app, ["--help"]).output.split())
    said = {COMPOSE["services"][name]["command"][0] for name in ("migrate", "worker")} | {"serve"}
    assert said <= known
    assert all(":" in COMPOSE["services"][name]["image"] for name in ("database",))
