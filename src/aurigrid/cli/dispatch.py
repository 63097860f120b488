"""Unit commitment and dispatch: dispatch."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aurigrid.cli import show
from aurigrid.cli.common import Json, guarded, print_json

if TYPE_CHECKING:
    from aurigrid.dispatch.commit import Commitments

_MARKS = (0.01, 0.005, 0.001)


@guarded
def dispatch(
    case: Annotated[str, typer.Argument(metavar="FILE", help="A PGLib-UC instance (.json).", show_default=False)],
    gap: Annotated[float, typer.Option(min=0.0, max=1.0, help="Relative gap at which to stop.")] = 0.001,
    time_limit: Annotated[float, typer.Option(min=1.0, help="Seconds after which to stop with the best plan.")] = 570.0,
    json: Json = False,
) -> int:
    """Find the cheapest schedule of plants: which run, when, and at what output, with a proven bound."""
    from aurigrid.dispatch.commit import commit_units
    from aurigrid.dispatch.pglib_uc import read_pglib_uc

    system = read_pglib_uc(case)
    with show.waiting("searching for the cheapest schedule ..."):
        plan = commit_units(system, gap=gap, time_limit=time_limit)
    data: dict[str, Any] = {
        "case": Path(case).name,
        "steps": system.steps,
        "units": len(system.units),
        "objective": plan.found.cost,
        "bound": plan.found.bound,
        "gap": plan.found.gap,
        "seconds": plan.found.seconds,
        "status": plan.found.status,
        "solver": plan.found.solver,
        "seconds_to_gap": {f"{mark:g}": plan.found.time_to(mark) for mark in _MARKS},
        "unserved_mwh": float(plan.schedule.unserved_mw.sum() * system.step_h),
        "surplus_mwh": float(plan.schedule.surplus_mw.sum() * system.step_h),
        "starts": plan.starts,
    }
    if json:
        print_json(data)
    else:
        _print(case, plan, data)
    return 0


def _print(case: str, plan: Commitments, data: dict[str, Any]) -> None:
    print(f"{data['case']}: {data['units']} units, {data['steps']} steps; {data['solver']}")
    rows = [
        (f"{100 * float(mark):g} %", "-" if seconds is None else f"{seconds:.1f}")
        for mark, seconds in data["seconds_to_gap"].items()
    ]
    show.table("Time to a proven gap", [("gap", "r"), ("seconds", "r")], rows)
    sentences = [
        f"Cost {data['objective']:,.2f}; no schedule can cost less than {data['bound']:,.2f} (gap {show.percent(data['gap'])}, "
        f"{show.duration(data['seconds'])}). {data['starts']} starts.",
    ]
    if data["unserved_mwh"] > 1e-6 or data["surplus_mwh"] > 1e-6:
        sentences.append(f"{data['unserved_mwh']:,.1f} MWh not served, {data['surplus_mwh']:,.1f} MWh without use.")
    show.summary(sentences, [f"aurigrid dispatch {shlex.quote(case)} --gap {data['gap'] / 2:.2g}"])
