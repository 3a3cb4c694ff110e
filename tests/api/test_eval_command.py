"""`patchbay eval`: what its help offers is what it runs."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.commands.evaluate import SUITES


@pytest.mark.parametrize("suite", SUITES)
def test_the_help_names_every_suite(suite: str) -> None:
    assert suite in CliRunner().invoke(app, ["eval", "--help"], env={"COLUMNS": "200"}).output
