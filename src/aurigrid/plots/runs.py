"""Figures of a stored day: generation, violations, and which outage endangers what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.model.table import Array
from aurigrid.plots.style import FAINT, FUEL_COLOURS, OKABE_ITO, OVER, axes, nothing, time_axis, title_of
from aurigrid.security.report import SecurityReport
from aurigrid.store import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WORST = """
SELECT contingency_label AS outage, element_id AS element, max(severity) AS severity FROM violations
WHERE contingency >= 0 AND new AND severity IS NOT NULL AND kind <> 'reactive_limit'{only} GROUP BY ALL
"""
_LEAST_SHARE = 0.005


def generation_stack(run: Run, *, ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Generation by fuel over the day, stacked with what varies least at the bottom, and the load as a line.

    Raises:
        InputError: the run has no finished step.
    """
    time, rows = _steps(run)
    fuels = sorted({fuel for row in rows for fuel, _ in row["gen_by_fuel_mw"]})
    power = np.array([[dict(row["gen_by_fuel_mw"]).get(fuel, 0.0) for row in rows] for fuel in fuels]) / 1000
    total = max(float(power.sum()), 1e-12)
    kept = [i for i in range(len(fuels)) if abs(power[i]).sum() / total >= _LEAST_SHARE]
    order = sorted(kept, key=lambda i: (fuels[i] in ("wind", "solar"), power[i].std() / max(power[i].mean(), 1e-12)))
    small = [i for i in range(len(fuels)) if i not in kept and power[i].any()]
    bands = [(fuels[i], np.maximum(power[i], 0)) for i in order]
    if small:
        bands.insert(0, ("others", np.maximum(power[small].sum(axis=0), 0)))
    fig, ax = axes(ax, (8.5, 4.4))
    spare = iter(OKABE_ITO)
    colours = [FUEL_COLOURS.get(name) or ("#dddddd" if name == "others" else next(spare)) for name, _ in bands]
    drawn = ax.stackplot(time, [b for _, b in bands], labels=[n for n, _ in bands], colors=colours, linewidth=0)
    for band in drawn:
        band.set_edgecolor("white")
        band.set_linewidth(0.4)
    ax.plot(time, [row["load_mw"] / 1000 for row in rows], color="black", linewidth=1.8, label="load")
    ax.set_ylim(0, None)
    ax.set_ylabel("GW")
    ax.set_title(f"Generation: {title_of(run)}", loc="left")
    time_axis(ax, time)
    handles, labels = ax.get_legend_handles_labels()  # from top to bottom, as the bands lie
    ax.legend(handles[::-1], labels[::-1], frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    return fig, ax


def violation_timeline(run: Run, *, ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Outages of each step that break limits or have no solution, as bars, and the largest base loading as a line.

    Raises:
        InputError: the run has no finished step.
    """
    from matplotlib.dates import date2num

    time, rows = _steps(run)
    fig, ax = axes(ax, (8.5, 3.6))
    minutes = float(run.info.options.get("step_min", 15))
    width = 0.95 * minutes / 1440
    at = np.asarray(date2num(time)) + width / 2
    broken, failed = (np.array([row[k] for row in rows]) for k in ("outages_violating", "outages_failed"))
    ax.bar(at, broken, width, color=OKABE_ITO[1], label="outages that break a limit")
    ax.bar(
        at,
        failed,
        width,
        bottom=broken,
        color="black",
        hatch="//",
        edgecolor="white",
        linewidth=0,
        label="without solution",
    )
    ax.set_ylabel(f"outages, of {max(row['outages'] for row in rows):,}")
    twin = ax.twinx()
    twin.plot(
        at,
        [100 * (row["max_loading"] or np.nan) for row in rows],
        color=OKABE_ITO[0],
        label="largest loading before outages",
    )
    twin.axhline(100, color=FAINT, linewidth=0.8, linestyle=":")
    twin.set_ylim(0, None)
    twin.set_ylabel("loading, %", color=OKABE_ITO[0])
    twin.spines["top"].set_visible(False)
    time_axis(ax, time)
    ax.set_title(f"Violations: {title_of(run)}", loc="left", pad=24)
    fig_handles = [h + t for h, t in zip(ax.get_legend_handles_labels(), twin.get_legend_handles_labels(), strict=True)]
    ax.legend(*fig_handles, frameon=False, fontsize="small", ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
    return fig, ax


def severity_matrix(
    source: Run | SecurityReport, step: int | None = None, top: int = 20, *, ax: Axes | None = None
) -> tuple[Figure, Axes]:
    """N-1 severity: which outage (rows) pushes which element (columns) how far past a limit that held before, in per cent.

    Args:
        source: a run or a security report; the worst over its steps or scenarios is shown.
        step: only this step (scenario) of it.
        top: the worst outages and elements are kept, so many of each.
        ax: where to draw; new axes where absent.

    Raises:
        InputError: no outage breaks a limit that held before.
    """
    from matplotlib.colors import LogNorm

    outage, element, severity = _severities(source, step)
    if not len(severity):
        raise nothing("violations", "are none: no outage breaks a limit that held before it")
    rows = _worst(outage, severity, top)
    columns = _columns(rows, outage, element, severity, top)
    grid = np.full((len(rows), len(columns)), np.nan)
    for o, e, s in zip(outage, element, severity, strict=True):
        if o in rows and e in columns:
            at = rows.index(o), columns.index(e)
            grid[at] = np.nanmax([grid[at], 100 * s])
    fig, ax = axes(ax, (max(5.5, 1.8 + 0.33 * len(columns)), max(3.5, 1.6 + 0.27 * len(rows))))
    most = max(float(np.nanmax(grid)), 2.0)
    shown = ax.imshow(grid, cmap="cividis_r", norm=LogNorm(1, most), aspect="auto")
    ax.set_xticks(range(len(columns)), columns, rotation=60, ha="right", rotation_mode="anchor", fontsize="small")
    ax.set_yticks(range(len(rows)), rows, fontsize="small")
    ax.set_xlabel("element at fault")
    ax.set_ylabel("outage")
    ax.set_title("N-1 severity, the worst outages and elements", loc="left")
    fig.colorbar(shown, ax=ax, label="past the limit, %", format="%g", extend="min")
    worst = np.unravel_index(int(np.nanargmax(grid)), grid.shape)
    ax.scatter([worst[1]], [worst[0]], marker="s", s=130, facecolors="none", edgecolors=OVER, linewidths=1.8)
    return fig, ax


def _severities(source: Run | SecurityReport, step: int | None) -> tuple[list[str], list[str], list[float]]:
    if isinstance(source, Run):
        only = "" if step is None else " AND step = $step"
        found = source.sql(_WORST.format(only=only), None if step is None else {"step": step}).to_pydict()
        return found["outage"], found["element"], found["severity"]
    from aurigrid.studies.rows import told

    new, _ = told(source.found)
    keep = new & np.isfinite(source.found.severity) & np.isfinite(source.found.limit)
    if step is not None:
        keep &= source.found.scenario == step
    table = source.found.take(np.flatnonzero(keep)).to_arrow(source.net, source.contingencies)
    rows = [r for r in table.to_pylist() if r["kind"] != "reactive_limit"]
    return [r["contingency_label"] for r in rows], [r["element_id"] for r in rows], [r["severity"] for r in rows]


def _worst(names: list[str], severity: list[float], top: int) -> list[str]:
    most: dict[str, float] = {}
    for name, value in zip(names, severity, strict=True):
        most[name] = max(most.get(name, -np.inf), value)
    return sorted(most, key=lambda name: (-most[name], name))[:top]


def _columns(rows: list[str], outage: list[str], element: list[str], severity: list[float], top: int) -> list[str]:
    """Elements to show: the worst one of each row, then the worst of what is left."""
    order = sorted((i for i, o in enumerate(outage) if o in rows), key=lambda i: (-severity[i], element[i]))
    first = {outage[i]: element[i] for i in reversed(order)}
    return list(dict.fromkeys([*(first[row] for row in rows), *(element[i] for i in order)]))[:top]


def _steps(run: Run) -> tuple[Array, list[dict[str, Any]]]:
    table = run.table("steps")
    if not len(table):
        raise nothing("run", f"{run.path} has no finished step")
    return table.column("time").to_numpy(), table.to_pylist()
