"""Loading duration, voltage profile and prices of batches and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.table import Array
from aurigrid.opf.result import OptimalPowerFlow
from aurigrid.plots.style import FAINT, OKABE_ITO, OVER, axes, nothing, title_of
from aurigrid.powerflow.solution import Solution
from aurigrid.store import Run
from aurigrid.store.features import read_grid

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)))


def loading_duration(source: Solution | Run, top: int = 5, *, ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Loading duration curves: for the branches with the highest loading, the share of scenarios or steps above each value.

    Args:
        source: power flows or a run.
        top: how many branches, at most 8.
        ax: where to draw; new axes where absent.

    Raises:
        InputError: no solution, or no rated branch.
    """
    net, loading, _ = _states(source)
    rated = np.flatnonzero(np.isfinite(net.branch.rate_mva) & net.branch.in_service)
    if not len(rated):
        raise nothing("branch", "has no rating, so there is no loading")
    falling = -np.sort(-loading[:, rated], axis=0)
    shown = np.argsort(-falling[0], kind="stable")[: min(top, len(OKABE_ITO))]
    fig, ax = axes(ax, (7.5, 4.2))
    share = 100 * np.arange(len(falling) + 1) / len(falling)
    for k, i in enumerate(shown.tolist()):
        values = 100 * np.concatenate([falling[:, i], falling[-1:, i]])
        style = _DASHES[k % len(_DASHES)]
        ax.step(share, values, where="post", color=OKABE_ITO[k], linestyle=style, label=str(net.branch.id[rated[i]]))
    envelope = -np.sort(-loading[:, rated].max(axis=1))
    ax.step(
        share, 100 * np.append(envelope, envelope[-1]), where="post", color=FAINT, linewidth=1, label="largest of all"
    )
    ax.axhline(100, color=OVER, linewidth=1)
    ax.set_xlim(0, 100)
    ax.set_ylim(0, None)
    ax.set_xlabel(f"share of {len(loading):,} {'steps' if isinstance(source, Run) else 'scenarios'}, %")
    ax.set_ylabel("loading, %")
    ax.set_title(f"Loading duration: {_name(source)}", loc="left")
    ax.legend(frameon=False, fontsize="small")
    return fig, ax


def voltage_profile(source: Solution | Run, *, ax: Axes | None = None) -> tuple[Figure, Axes]:
    """Voltage profile: every bus with its range and median over scenarios or steps, level by level, by median; limits shaded.

    Raises:
        InputError: no solution.
    """
    net, _, v = _states(source)
    real = np.flatnonzero(~net.bus.is_star & np.isfinite(v).any(axis=0))
    median = np.nanmedian(v[:, real], axis=0)
    order = real[np.lexsort((median, -net.bus.v_nom_kv[real]))]
    low, middle, high = np.nanmin(v[:, order], 0), np.nanmedian(v[:, order], 0), np.nanmax(v[:, order], 0)
    fig, ax = axes(ax, (8.5, 4.2))
    at = np.arange(len(order))
    ax.vlines(
        at, low, high, color=OKABE_ITO[4], linewidth=float(np.clip(400 / max(len(at), 1) ** 1.1, 0.5, 6)), label="range"
    )
    ax.plot(at, middle, ".", color=OKABE_ITO[0], markersize=3, label="median")
    for limit, word in ((net.bus.v_min_pu[order], "limits"), (net.bus.v_max_pu[order], None)):
        told = np.where(np.isfinite(limit) & (limit > 0), limit, np.nan)
        if np.isfinite(told).any():
            ax.step(at, told, where="mid", color=OVER, linewidth=1, label=word)
    levels, first = np.unique(-net.bus.v_nom_kv[order], return_index=True)
    for kv, start in zip((-levels).tolist(), first.tolist(), strict=True):
        if start:
            ax.axvline(start - 0.5, color=FAINT, linewidth=0.8, linestyle=":")
        if len(levels) <= 6:
            ax.annotate(f"{kv:g} kV", (start, 0.99), xycoords=("data", "axes fraction"), va="top", fontsize="small")
    ax.set_xlim(-1, len(at))
    ax.set_xlabel("buses, by level and median")
    ax.set_ylabel("voltage, pu")
    ax.set_title(f"Voltage profile: {_name(source)}", loc="left", pad=12)
    ax.legend(frameon=False, fontsize="small", loc="lower right", ncols=3)
    return fig, ax


def price_timeline(
    found: OptimalPowerFlow, time: Array | None = None, *, ax: Axes | None = None
) -> tuple[Figure, Axes]:
    """Locational prices by scenario: mean over the buses, and the range in which nine of ten buses lie.

    Args:
        found: optimal power flows; those without a price leave a gap.
        time: (n,) times or other places of the scenarios; their numbers where absent.
        ax: where to draw; new axes where absent.

    Raises:
        InputError: no scenario has prices.
    """
    price = found.price_per_mwh
    known = np.asarray(np.isfinite(price).all(axis=1))
    if not known.any():
        raise nothing("price", "is not known in any scenario", "the optimal power flows failed")
    low, high = (
        np.where(known, np.nanpercentile(np.where(known[:, None], price, 0), q, axis=1), np.nan) for q in (5, 95)
    )
    mean = np.where(known, price.mean(axis=1), np.nan)
    at = np.arange(found.n) if time is None else np.asarray(time)
    fig, ax = axes(ax, (8.5, 3.6))
    ax.fill_between(at, low, high, step="mid", color=OKABE_ITO[4], alpha=0.4, linewidth=0, label="nine of ten buses")
    ax.step(at, mean, where="mid", color=OKABE_ITO[0], label="mean of the buses")
    ax.set_ylabel("price, currency/MWh")
    ax.set_xlabel("scenario" if time is None else "")
    ax.set_title(f"Prices: {found.problem.grid.net.name or 'grid'}", loc="left")
    ax.legend(frameon=False, fontsize="small")
    return fig, ax


def _states(source: Solution | Run) -> tuple[Network, Array, Array]:
    """Network, loadings (n, n_branch) and voltages (n, n_bus) of the solved states."""
    if isinstance(source, Solution):
        solved = np.flatnonzero(source.converged)
        net, loading, v = source.net, source.branch_flow().loading[solved], source.v_mag[solved]
    else:
        net = read_grid(source.path)
        status = source.table("steps").column("status").to_pylist()
        solved = np.flatnonzero([word in ("converged", "islanded") for word in status])
        loading = _matrix(source, "branch_state", "loading", net.n_branch)[solved]
        v = _matrix(source, "bus_state", "v_mag", net.n_bus)[solved]
    if not len(solved):
        raise nothing("source", "holds no solved state")
    return net, np.nan_to_num(loading), v


def _matrix(run: Run, table: str, column: str, size: int) -> Array:
    """(n_step, size) values of a table with one row an element."""
    return np.asarray(run.table(table).column(column).to_numpy(), float).reshape(len(run.steps), size)


def _name(source: Solution | Run) -> str:
    return source.net.name or "grid" if isinstance(source, Solution) else title_of(source)
