"""Figures of a plan of `aurigrid.dispatch` as stored, and of many days as scenarios of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.model.table import Array
from aurigrid.plots.style import FUEL_COLOURS, OKABE_ITO, axes, nothing, time_axis, title_of
from aurigrid.store import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STORAGE = "#b48bd0"
LEAST_DAYS = 3
"""Days that a fan needs."""

FAN = ((0.05, 0.95), (0.25, 0.75))
"""Quantiles between which a fan is filled, the outer ones first."""


def dispatch_stack(plan: Run, *, ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Output by fuel, what stores feed or take, and on top, hatched, what is not used, by cause; the load as a line.

    Args:
        plan: a folder of ``aurigrid dispatch --out``, opened.
        ax: where to draw; new axes where absent.

    Raises:
        InputError: the folder holds no plan, or no step of it.
    """
    time, at = _steps(plan)
    hours = float(plan.info.options["step_h"])
    fuels = _sums(plan, at, "SELECT step, fuel AS k, p_mw AS v FROM plan_schedule")
    causes = _sums(plan, at, "SELECT step, cause AS k, mwh AS v FROM plan_curtailment")
    stores = plan.table("plan_storage")
    bands: list[tuple[str, Array, str, bool]] = []
    spare = iter(OKABE_ITO * 4)
    order = sorted(fuels, key=lambda f: (f in ("wind", "solar"), fuels[f].std() / max(fuels[f].mean(), 1e-12)))
    bands += [(f, fuels[f], FUEL_COLOURS.get(f) or next(spare), False) for f in order if fuels[f].any()]
    charging = np.zeros(len(time))
    if len(stores):
        split = "SELECT step, CASE WHEN p_mw > 0 THEN 'feeding' ELSE 'charging' END AS k, p_mw AS v FROM plan_storage"
        flow = _sums(plan, at, split)
        bands.append(("storage", flow.get("feeding", charging), STORAGE, False))
        charging = flow.get("charging", charging)
    bands += [
        (f"not used: {c}", v / hours, OKABE_ITO[k % 8], True) for k, (c, v) in enumerate(causes.items()) if v.any()
    ]
    fig, ax = axes(ax, (8.5, 4.4))
    drawn = ax.stackplot(
        time, [b[1] for b in bands], labels=[b[0] for b in bands], colors=[b[2] for b in bands], linewidth=0
    )
    for band, (_, _, colour, hatched) in zip(drawn, bands, strict=True):
        if hatched:
            band.set(facecolor="none", edgecolor=colour, hatch="///", linewidth=0)
    if charging.any():
        ax.fill_between(time, charging, 0, color=STORAGE, linewidth=0)
    load = plan.sql("SELECT load_mw FROM plan_steps ORDER BY step").column("load_mw").to_pylist()
    ax.plot(time, load, color="black", linewidth=1.8, label="load")
    ax.set_ylabel("MW")
    ax.set_title(f"Plan: {title_of(plan)}", loc="left")
    time_axis(ax, time)
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], labels[::-1], frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return fig, ax


def nodal_prices(plan: Run, *, ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Prices of all buses over the steps: lowest to highest, the tenth to the ninetieth percentile, median, and what demand pays.

    Raises:
        InputError: the folder holds no plan, or no step of it.
    """
    time, _ = _steps(plan)
    levels = (0.0, 0.1, 0.5, 0.9, 1.0)
    row = f"SELECT step, quantile_cont(price_per_mwh, {list(levels)}) AS q FROM plan_prices GROUP BY step ORDER BY step"
    low, p10, median, p90, high = np.array(plan.sql(row).column("q").to_pylist()).T
    paid = plan.sql("SELECT price_per_mwh AS p FROM plan_steps ORDER BY step").column("p").to_pylist()
    fig, ax = axes(ax, (8.5, 3.6))
    ax.fill_between(time, low, high, color=OKABE_ITO[0], alpha=0.16, linewidth=0, label="all buses")
    ax.fill_between(time, p10, p90, color=OKABE_ITO[0], alpha=0.3, linewidth=0, label="10 to 90 % of the buses")
    ax.plot(time, median, color=OKABE_ITO[0], label="median")
    ax.plot(time, paid, color="black", linestyle="--", label="what demand pays")
    ax.set_ylabel("currency/MWh")
    ax.set_title(f"Nodal prices: {title_of(plan)}", loc="left")
    time_axis(ax, time)
    ax.legend(frameon=False, fontsize="small")
    return fig, ax


def daily_fan(run: Run, value: str = "load_mw", *, ax: Axes | None = None) -> tuple[Figure, Axes]:
    """A figure over the day with its quantiles over all days of a run: each day is a scenario.

    Args:
        run: a run of at least `LEAST_DAYS` days.
        value: an expression over the columns of its steps, such as ``"load_mw - gen_by_fuel_mw['wind']"``.
        ax: where to draw; new axes where absent.

    Raises:
        InputError: fewer days, or an expression that SQL refuses.
    """
    source = next((name for name in ("steps", "points", "plan_steps") if name in run.table_names), "steps")
    quantiles = sorted({0.5, *(q for pair in FAN for q in pair)})
    row = (
        f"SELECT hour(time) + minute(time) / 60 AS h, quantile_cont({value}, {quantiles}) AS q, count(*) AS n "
        f"FROM {source} GROUP BY h ORDER BY h"
    )
    found = run.sql(row).to_pydict()
    if not found["n"] or max(found["n"]) < LEAST_DAYS:
        raise nothing("days", f"are {max(found['n'], default=0)}; a fan needs {LEAST_DAYS}")
    hour = np.array(found["h"])
    by = dict(zip(quantiles, np.array(found["q"], float).T, strict=True))
    fig, ax = axes(ax, (8.5, 3.6))
    for (low, high), alpha in zip(FAN, (0.18, 0.34), strict=True):
        label = f"{100 * low:.0f} to {100 * high:.0f} % of the days"
        ax.fill_between(hour, by[low], by[high], color=OKABE_ITO[0], alpha=alpha, linewidth=0, label=label)
    ax.plot(hour, by[0.5], color=OKABE_ITO[0], label="median")
    ax.set_xlim(0, 24)
    ax.set_xticks(range(0, 25, 3))
    ax.set_xlabel("hour")
    ax.set_ylabel(value)
    ax.set_title(f"{max(found['n'])} days: {title_of(run)}", loc="left")
    ax.legend(frameon=False, fontsize="small")
    return fig, ax


def _steps(plan: Run) -> tuple[Array, Array]:
    """Times and numbers of the steps."""
    if "plan_steps" not in plan.table_names:
        raise nothing("plan", f"{plan.path} holds none", "'aurigrid dispatch GRID --out FOLDER' writes one")
    found = plan.sql("SELECT step, time FROM plan_steps ORDER BY step").to_pydict()
    if not found["step"]:
        raise nothing("plan", f"{plan.path} has no settled step")
    return np.array(found["time"], "datetime64[ms]"), np.array(found["step"])


def _sums(plan: Run, at: Array, query: str) -> dict[str, Any]:
    """Sums of ``v`` by ``k``, each over the steps."""
    out: dict[str, Any] = {}
    for row in plan.sql(f"SELECT step, k, sum(v) AS v FROM ({query}) GROUP BY ALL ORDER BY k, step").to_pylist():
        out.setdefault(row["k"], np.zeros(len(at)))[np.searchsorted(at, row["step"])] = row["v"]
    return out
