"""The command line. Each command imports what it needs when it runs, so that ``--help`` and small grids start at once.

Exit codes: 0 done, 1 no solution or results that could not be written, 2 bad input or usage, 130 interrupted.
"""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from aurigrid import __version__
from aurigrid.cli import bench, diagnose, dispatch, grid, learn, opf, outages, runs, secure, serve, similar

app = typer.Typer(
    name="aurigrid",
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


for _command in (
    grid.info,
    grid.pf,
    opf.opf,
    diagnose.diagnose,
    outages.n1,
    secure.actions,
    dispatch.dispatch,
    runs.day,
    runs.generate,
    runs.sql,
    serve.serve,
    similar.similar,
    grid.convert,
    learn.dataset,
    learn.train,
    bench.bench,
):
    app.command()(_command)
app.add_typer(learn.models, name="models")


def main() -> None:
    """Entry point of the ``aurigrid`` command."""
    # What start-up makes lives to the end: walking it again and again while modules load only costs time.
    gc.set_threshold(100_000, 20, 20)
    app()
