"""Commands are loaded when they are called: all are listed, each is there, and no other one is loaded with it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from aurigrid.cli import _HOME, app


def test_help_lists_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    assert [name for name in _HOME if f"\n  {name} " not in shown] == []


@pytest.mark.parametrize("name", sorted(_HOME))
def test_each_command_is_there(name: str) -> None:
    found = CliRunner().invoke(app, [name, "--help"])
    assert found.exit_code == 0
    assert f" {name} " in found.output.splitlines()[0] or f" {name} " in found.output.splitlines()[1]


def test_a_slip_is_answered_with_what_was_meant() -> None:
    found = CliRunner().invoke(app, ["servx"])
    assert found.exit_code == 2
    assert "Did you mean 'serve'" in found.output


def test_a_command_is_loaded_alone() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from aurigrid.cli import app;"
        "CliRunner().invoke(app, ['serve', '--help']);"
        "print(sorted(m for m in sys.modules if m.startswith('aurigrid.cli.')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['aurigrid.cli.common', 'aurigrid.cli.serve']"
