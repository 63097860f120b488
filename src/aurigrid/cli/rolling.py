"""`aurigrid dispatch --rolling`: turn by turn to a folder, with a bar; Ctrl-C keeps whole turns, the same command goes on."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aurigrid.cli import show
from aurigrid.cli.common import left_off, print_json

if TYPE_CHECKING:
    from aurigrid.studies.rolling import Rolled

DEFAULT_OUT = Path("runs/rolling")


def roll(case: str, given: dict[str, Any], rules: dict[str, float | None], out: Path | None, json: bool) -> int:
    """Run, and print what came out.

    Args:
        case: the grid.
        given: options of `roll_grid` by name; those that are None stay at their defaults.
        rules: likewise, those of the turns.
        out: folder.
        json: print the figures as one object.
    """
    from aurigrid.studies.rolling import roll_grid

    folder = DEFAULT_OUT if out is None else out
    chosen = {name: value for name, value in {**given, **rules}.items() if value is not None}
    state: dict[str, int] = {}
    with show.progress("settled steps") as bar:

        def advance(done: int, total: int) -> None:
            state.update(done=done)
            bar(done, total)

        try:
            done = roll_grid(case, out=folder, progress=advance, **chosen)
        except KeyboardInterrupt:
            return left_off(state["done"] if state else None)
    if json:
        print_json(
            {"grid": done.name, **done.summary, "new_turns": done.new_turns, "seconds": done.seconds, "out": done.out}
        )
    else:
        _print(case, done)
    return 0


def _print(case: str, done: Rolled) -> None:
    data = done.summary
    print(
        f"{done.name}: {data['steps']} steps of {60 * data['step_h']:g} min in {data['turns']} turns, "
        f"{data['commitments']} of them with a commitment\n"
    )
    show_energy(data)
    median = data["seconds_per_redispatch"]
    pace = "" if median is None else f", a re-dispatch takes {show.duration(median)} (median)"
    sentences = [
        f"Settled cost {data['cost']:,.0f}; commitments proven to {show.percent(data['worst_gap'])} or better{pace}. "
        f"{data['co2_t']:,.0f} t of CO2; {data['curtailed_mwh']:,.0f} MWh of wind, sun and water are curtailed.",
        *shortages(data),
        f"Tables as Parquet and CSV in {done.out}.",
    ]
    query = "SELECT time, committed, gap, seconds FROM plan_turns ORDER BY seconds DESC LIMIT 10"
    show.summary(sentences, [f'aurigrid sql {shlex.quote(str(done.out))} "{query}"'])


def show_energy(data: dict[str, Any], most: int = 8) -> None:
    """Tables of energy, cost and causes from a plan's main figures."""
    total = sum(data["energy_mwh"].values())
    rows = [(f, x, show.percent(x / max(total, 1e-9))) for f, x in data["energy_mwh"].items() if x > 0.5]
    show.table("Energy by fuel", [("fuel", "l"), ("MWh", "r"), ("share", "r")], rows[:most])
    items = [(name, f"{x:,.0f}") for name, x in data["cost_items"].items() if abs(x) > 0.005]
    show.table("Cost by item", [("item", "l"), ("cost", "r")], items)
    causes = [(name, x) for name, x in data["curtailed_by_cause_mwh"].items() if x > 0.05]
    if causes:
        show.table("Curtailed wind, sun and water by cause", [("cause", "l"), ("MWh", "r")], causes)


def shortages(data: dict[str, Any]) -> list[str]:
    """A sentence on what a plan is short of, if anything."""
    missing = {
        "MWh of load not served": data["unserved_mwh"], "MWh of power without use": data["surplus_mwh"],
        "MWh of reserve missing": data["reserve_short_mwh"], "MWh of flow above limits": data["limit_excess_mwh"],
    }  # fmt: skip
    told = [f"{x:,.1f} {what}" for what, x in missing.items() if x > 1e-3]
    return ["The plan is short: " + ", ".join(told) + "."] if told else []
