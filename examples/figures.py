"""The standard figures, as in a notebook: of a stored day, or of a small grid where none is given. Writes PNG files.

pip install 'aurigrid[plot]'
python examples/figures.py docs/images/notebook runs/1-EHV-mixed--0-no_sw_2016-12-06
python examples/figures.py figures
"""

# %% What is needed
from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import aurigrid as ag
from aurigrid import plots
from aurigrid.store import Run, open_run


# %% A stored day: its worst step on the map, what ran, what broke
def of_a_day(run: Run) -> dict[str, tuple]:
    query = "SELECT step FROM steps ORDER BY outages_violating DESC, step LIMIT 1"
    worst = run.sql(query).to_pylist()[0]["step"]
    return {
        "map": plots.grid_map(run, worst),
        "loading_duration": plots.loading_duration(run),
        "voltage_profile": plots.voltage_profile(run),
        "generation_stack": plots.generation_stack(run),
        "violation_timeline": plots.violation_timeline(run),
        "severity_matrix": plots.severity_matrix(run),
    }


# %% No day at hand: three buses, a day of loads, every outage
def of_a_small_grid() -> dict[str, tuple]:
    from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable

    net = ag.Network(
        bus=BusTable.make(id=["A", "B", "C"], v_nom_kv=220, v_min_pu=0.9, v_max_pu=1.1),
        branch=BranchTable.make(
            id=["AB", "AC", "BC"], from_bus=[0, 0, 1], to_bus=[1, 2, 2], r_pu=0.01, x_pu=0.1, rate_mva=[80, 80, 50]
        ),
        gen=GenTable.make(
            id=["hydro", "gas"], bus=[0, 1], p_max_mw=[120, 60], p_min_mw=0, cost_c1_per_mwh=[10, 50], fuel=["hydro", "gas"],
            regulates=True, is_reference=[True, False], q_min_mvar=-100, q_max_mvar=100,
        ),
        load=LoadTable.make(id=["b", "c"], bus=[1, 2], p_mw=[40, 60], q_mvar=[5, 10]),
        name="three buses",
    )  # fmt: skip
    hour = np.arange(24)
    shape = 0.8 + 0.35 * np.sin((hour - 9) / 24 * 2 * np.pi)
    day = ag.Scenarios(net, load_p_mw=np.outer(shape, net.load.p_mw))
    solution = ag.power_flow(net, day)
    return {
        "map": plots.grid_map(solution, scenario=15),
        "loading_duration": plots.loading_duration(solution),
        "voltage_profile": plots.voltage_profile(solution),
        "severity_matrix": plots.severity_matrix(ag.security_analysis(net, day)),
        "prices": plots.price_timeline(ag.optimal_power_flow(net, day)),
    }


def main(arguments: Sequence[str]) -> int:
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    try:
        figures = of_a_day(open_run(arguments[1])) if len(arguments) == 2 else of_a_small_grid()
    except ag.InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    folder.mkdir(parents=True, exist_ok=True)
    for name, (fig, _) in figures.items():
        fig.savefig(folder / f"{name}.png", dpi=110)
        print(folder / f"{name}.png")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
