"""`patchbay --help` must answer at once: nothing heavy is imported for it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("langgraph", "sklearn", "sqlalchemy", "numpy", "openai", "pydantic")


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom api.cli import app\n"
        "result = CliRunner().invoke(app, ['--help'])\nassert result.exit_code == 0, result.output\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
