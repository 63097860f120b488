"""Why a grid cannot be run, and what to change: diagnose."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aurigrid.cli import show
from aurigrid.cli.common import NOT_SOLVED, Grid, Json, Top, check_out, compiling_notice, guarded, print_json

if TYPE_CHECKING:
    from aurigrid.diagnosis import Diagnosis
    from aurigrid.model.network import Network


@guarded
def diagnose(
    grid: Grid,
    out: Annotated[
        Path | None, typer.Option(help="Write the repaired grid to this folder; it must not exist.", show_default=False)
    ] = None,
    top: Top = 5,
    json: Json = False,
) -> int:
    """Say why a grid cannot be run and what to change, each change verified by an exact power flow.

    Works on grids that are not valid, too. Exit code 0 if the grid is healthy or a repair was found, 1 if none was.
    """
    from aurigrid.diagnosis import diagnose as find

    if out is not None:
        check_out(out)
    net = _load(grid)
    clock = show.Clock()
    with compiling_notice():
        found = find(net)[0]
    seconds = clock.seconds
    written = out is not None and found.explained and not found.healthy
    if written:
        from aurigrid.io.folder import save

        assert out is not None
        save(found.apply(), out)
    if json:
        print_json({"grid": net.name, **found.to_dict(), "out": str(out) if written else None, "seconds": seconds})
    else:
        _print(grid, net, found, seconds, top, out if written else None)
    return 0 if found.healthy or found.explained else NOT_SOLVED


def _load(grid: str) -> Network:
    """The grid, valid or not.

    Raises:
        InputError: it cannot be read.
    """
    from aurigrid.errors import InvalidNetworkError
    from aurigrid.io.load import load_with_report

    try:
        return load_with_report(grid).network
    except InvalidNetworkError as error:
        network: Network = error.network
        return network


def _print(grid: str, net: Network, found: Diagnosis, seconds: float, top: int, out: Path | None) -> None:
    from aurigrid.diagnosis.change import named

    print(f"{net.name}: {net.n_bus:,} buses, {net.n_branch:,} branches, {net.n_gen:,} units, {net.n_load:,} loads")
    n = len(found.trials) if found.explained else 0
    counted = f"{n} repair{'' if n == 1 else 's'} found"
    state = "can be run" if found.healthy else "cannot be run"
    print(f"{state}; {counted}, {show.duration(seconds)}")
    short = [(str(s["bus"]), f"{s['mw']:+,.2f}", f"{s['mvar']:+,.2f}") for s in found.short_buses()[:top]]
    if short:
        show.table("Buses that lack power (+) or cannot use it (-)", [("bus", "l"), ("MW", "r"), ("Mvar", "r")], short)
    if found.suspects:
        rows = [(named(r.changes[0].table, r.changes[0].id), r.reason, f"{r.weight:.1f}") for r in found.suspects[:top]]
        show.table("Implausible data", [("element", "l"), ("why", "l"), ("score", "r")], rows)
    if found.trials and not found.healthy:
        changes = found.trials[0].repair.all_changes
        told = [c.words() for c in changes[:top]]
        if len(changes) > top:
            told.append(f"... and {len(changes) - top} more (--json lists all)")
        title = "Changes that restore it" if found.explained else "Changes that help"
        show.table(title, [("change", "l")], [(text,) for text in told])
    name = shlex.quote(grid)
    if found.healthy:
        commands = [f"aurigrid pf {name} --q-limits", f"aurigrid opf {name}"]
    elif out is not None:
        commands = [f"aurigrid pf {shlex.quote(str(out))} --q-limits"]
    elif found.explained:
        commands = [f"aurigrid diagnose {name} --out repaired", "aurigrid pf repaired --q-limits"]
    else:
        commands = [f"aurigrid info {name} --report", f"aurigrid pf {name} --rescue"]
    show.summary(found.words(), commands)
