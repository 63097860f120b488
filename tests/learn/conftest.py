"""The command line, in this process."""

import pytest
from typer.testing import CliRunner

from aurigrid.cli import app


@pytest.fixture
def run():
    return lambda args: CliRunner().invoke(app, args)
