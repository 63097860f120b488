"""The map of a grid: branches by loading, buses by voltage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.console.layout import Places, places
from aurigrid.model.network import Network
from aurigrid.model.table import Array
from aurigrid.plots.style import FAINT, LOADING_RAMP, OVER, axes, nothing
from aurigrid.powerflow.solution import Solution
from aurigrid.store import Run
from aurigrid.store.features import read_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BAND = 0.1


def grid_map(
    source: Network | Solution | Run, scenario: int = 0, *, ax: Axes | None = None, title: str | None = None
) -> tuple[Figure, Axes]:
    """Map of a grid: geographic where it has coordinates, else a layout that is the same at every call.

    Args:
        source: a network (no colours), power flows, or a run.
        scenario: which of the power flows, or which step of the run.
        ax: where to draw; new axes where absent.
        title: over the map; name of the grid and what is shown where absent.

    Raises:
        InputError: no such scenario or step, or one without a solution.
    """
    net, loading, v_mag, words = _state(source, scenario)
    fig, ax = axes(ax, (7.5, 7.5))
    where = places(net)
    _draw_branches(fig, ax, net, where, loading)
    _draw_buses(fig, ax, net, where, v_mag)
    if where.geographic:
        _draw_scale(ax, where)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.margins(0.03)
    ax.set_title(words if title is None else title, loc="left")
    return fig, ax


def _state(source: Network | Solution | Run, scenario: int) -> tuple[Network, Array | None, Array | None, str]:
    """Network, loading and voltages of what is to be drawn, and its title."""
    if isinstance(source, Network):
        return source, None, None, source.name or "grid"
    if isinstance(source, Run):
        if scenario not in source.steps:
            raise nothing("step", f"{source.path} has no finished step {scenario}")
        net = read_grid(source.path)
        state, volts = source.table("branch_state", (scenario,)), source.table("bus_state", (scenario,))
        row = source.table("steps", (scenario,)).to_pylist()[0]
        words = f"{source.info.grid.get('name', 'grid')}, {row['time']:%Y-%m-%d %H:%M}"
        loading, v_mag = (np.asarray(t.column(c).to_numpy()) for t, c in ((state, "loading"), (volts, "v_mag")))
        return net, np.asarray(loading, float), np.asarray(v_mag, float), words
    if not 0 <= scenario < source.n:
        raise nothing("scenario", f"{scenario} does not exist", f"there are {source.n}")
    if not source.converged[scenario]:
        raise nothing("scenario", f"{scenario} has no solution")
    words = source.net.name or "grid"
    loading = source.branch_flow().loading[scenario]
    return source.net, loading, source.v_mag[scenario], words if source.n == 1 else f"{words}, scenario {scenario}"


def _draw_branches(fig: Figure, ax: Axes, net: Network, where: Places, loading: Array | None) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    i, j = net.branch.from_bus, net.branch.to_bus
    ends = np.stack([np.stack([where.x[i], where.y[i]], axis=1), np.stack([where.x[j], where.y[j]], axis=1)], axis=1)
    live = np.asarray(net.branch.in_service)
    thin = 1.2 if net.n_branch < 2000 else 0.6
    ax.add_collection(LineCollection(list(ends[~live]), colors=FAINT, linewidths=0.5 * thin, linestyles="dotted"))
    if loading is None:
        ax.add_collection(LineCollection(list(ends[live]), colors=FAINT, linewidths=thin))
        return
    share = np.where(live, np.nan_to_num(loading), 0.0)
    order = np.argsort(share, kind="stable")  # what is loaded most lies on top
    under, over = order[live[order] & (share[order] <= 1)], order[share[order] > 1]
    ramp = LinearSegmentedColormap.from_list("loading", LOADING_RAMP)
    width = thin * (0.6 + share[under])
    lines = LineCollection(list(ends[under]), cmap=ramp, norm=Normalize(0, 100), linewidths=width, zorder=2)
    lines.set_array(100 * share[under])
    ax.add_collection(lines)
    label = f"over its rating: {len(over)}"
    ax.add_collection(LineCollection(list(ends[over]), colors=OVER, linewidths=2.6 * thin, zorder=3, label=label))
    fig.colorbar(lines, ax=ax, label="loading of branches, %", shrink=0.5, pad=0.02)
    if len(over):
        ax.legend(loc="lower left", frameon=False)


def _draw_buses(fig: Figure, ax: Axes, net: Network, where: Places, v_mag: Array | None) -> None:
    real = np.flatnonzero(~net.bus.is_star)
    size = float(np.clip(4000 / max(len(real), 1), 2, 36))
    if v_mag is None:
        ax.scatter(where.x[real], where.y[real], s=size, color="#37474f", zorder=4, linewidths=0)
        return
    v = v_mag[real]
    dead = ~np.isfinite(v)
    ax.scatter(where.x[real[dead]], where.y[real[dead]], s=size, facecolors="none", edgecolors=FAINT, zorder=4)
    shown: dict[str, Any] = {
        "cmap": "PuOr_r",
        "vmin": 1 - _BAND,
        "vmax": 1 + _BAND,
        "edgecolors": "#37474f",
        "zorder": 4,
    }
    dots = ax.scatter(where.x[real[~dead]], where.y[real[~dead]], s=size, c=v[~dead], linewidths=0.3, **shown)
    fig.colorbar(dots, ax=ax, label="voltage of buses, pu", shrink=0.5, pad=0.02, extend="both")


def _draw_scale(ax: Axes, where: Places) -> None:
    """A bar of a round length, map units being kilometres."""
    width = float(np.ptp(where.x))
    length = next((km for km in (500, 200, 100, 50, 20, 10, 5, 2, 1) if km <= width / 3), None)
    if length is None:
        return
    x, y = float(where.x.max()) - length, float(where.y.min()) - 0.02 * float(np.ptp(where.y))
    ax.plot([x, x + length], [y, y], color="#37474f", linewidth=1.5, solid_capstyle="butt")
    ax.text(x + length / 2, y, f"{length} km", ha="center", va="bottom", fontsize="small", color="#37474f")
