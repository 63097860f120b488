"""The command line. A command is loaded when it is called and imports what it needs when it runs, so that it starts at once.

Exit codes: 0 done, 1 no solution or results that could not be written, 2 bad input or usage, 130 interrupted.
"""

from __future__ import annotations

import gc
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core
import typer.main

from aurigrid import __version__

if TYPE_CHECKING:
    from click import Command, Context

_HOME = {
    "info": "grid",
    "pf": "grid",
    "opf": "opf",
    "diagnose": "diagnose",
    "n1": "outages",
    "actions": "secure",
    "dispatch": "dispatch",
    "day": "runs",
    "generate": "runs",
    "sql": "runs",
    "serve": "serve",
    "similar": "similar",
    "convert": "grid",
    "dataset": "learn",
    "train": "learn",
    "bench": "bench",
    "models": "learn",
}
"""Commands in the order of the help, each with the module that has it."""


def _load(name: str) -> Command:
    found = getattr(import_module(f"aurigrid.cli.{_HOME[name]}"), name)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command()(found)
        found = alone
    command = typer.main.get_command(found)
    command.name = name
    return command


class Commands(typer.core.TyperGroup):
    """Commands that are loaded when they are asked for: making all of them takes longer than many a command."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = dict.fromkeys(_HOME)  # type: ignore[assignment]

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """A command by its name; None where there is none."""
        if cmd_name in _HOME and self.commands[cmd_name] is None:
            self.commands[cmd_name] = _load(cmd_name)
        return self.commands.get(cmd_name)


app = typer.Typer(
    name="aurigrid",
    cls=Commands,
    help="Exact AC power flow, optimal power flow and outage analysis of power grids, in batches.",
    epilog="Exit codes: 0 done, 1 no solution, 2 bad input, 130 interrupted. Every command has --help and --json.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help loads rich only where a table is shown
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"aurigrid {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Exact AC power flow, optimal power flow and outage analysis of power grids, in batches."""


def main() -> None:
    """Entry point of the ``aurigrid`` command."""
    # What start-up makes lives to the end: walking it again and again while modules load only costs time.
    gc.set_threshold(100_000, 20, 20)
    app()
