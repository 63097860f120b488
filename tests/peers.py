"""Other tools' solutions of the same grids, in the order of our tables, and the differences from ours."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.model.network import Network
from aurigrid.powerflow import Solution


@dataclass(frozen=True)
class Peer:
    """One solution: voltages by bus (pu, rad, NaN without supply) and flows (4, n_branch), MW and Mvar into the from and
    the to end, NaN where the tool gives none."""

    v_mag: np.ndarray
    v_ang: np.ndarray
    flow: np.ndarray


@dataclass(frozen=True)
class Difference:
    """Largest differences of a solution from a peer's, over everything that both give."""

    v_pu: float
    angle_rad: float
    flow_mva: float
    buses: int
    branches: int


def difference(sol: Solution, row: int, peer: Peer) -> Difference:
    """Ours less theirs; angles by whole turns."""
    flow = sol.branch_flow()
    ours = np.array([flow.p_from_mw[row], flow.q_from_mvar[row], flow.p_to_mw[row], flow.q_to_mvar[row]])
    turn = sol.v_ang[row] - peer.v_ang
    turn -= 2 * np.pi * np.round(np.nan_to_num(turn) / (2 * np.pi))
    gaps = [np.abs(x[np.isfinite(x)]) for x in (sol.v_mag[row] - peer.v_mag, turn, ours - peer.flow)]
    known = np.isfinite(peer.flow).all(0).sum()
    return Difference(*(float(g.max(initial=0.0)) for g in gaps), buses=len(gaps[0]), branches=int(known))


# --- pandapower -----------------------------------------------------------------------------------------------------


def pandapower_grid(name: str) -> Any:
    """A network of ``pandapower.networks`` by name."""
    import pandapower.networks

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = getattr(pandapower.networks, name)()
    return found[0] if isinstance(found, tuple) else found


def pandapower_state(net: Network, grid: Any, **options: Any) -> Peer | None:
    """pandapower's solution to 1e-9 MVA, None where it does not converge. `grid` receives its results.

    `net` is our reading of the same grid: a bus's id is pandapower's index, a branch's id is "line:3" or "trafo:0".
    """
    import pandapower

    chosen = {"tolerance_mva": 1e-9, "calculate_voltage_angles": True, "init": "auto", "max_iteration": 40}
    chosen |= {"lightsim2grid": False}  # its own Newton, also where the other package is installed
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pandapower.runpp(grid, **(chosen | options))
    except pandapower.LoadflowNotConverged:
        return None
    found = grid.res_bus.reindex(net.bus.id)
    flow = np.full((4, net.n_branch), np.nan)
    place = {id: k for k, id in enumerate(net.branch.id)}
    columns = {
        "line": ("p_from_mw", "q_from_mvar", "p_to_mw", "q_to_mvar"),
        "trafo": ("p_hv_mw", "q_hv_mvar", "p_lv_mw", "q_lv_mvar"),
    }
    for table, names in columns.items():
        result = grid[f"res_{table}"][list(names)].to_numpy(dtype=float)
        at = np.array([place.get(f"{table}:{i}", -1) for i in grid[table].index], dtype=int)
        flow[:, at[at >= 0]] = result[at >= 0].T
    return Peer(found.vm_pu.to_numpy(dtype=float), np.radians(found.va_degree.to_numpy(dtype=float)), flow)


def pandapower_outages(net: Network, grid: Any, check: Callable[[int, str, Peer | None], None]) -> None:
    """Take each line and transformer out, one by one, and hand pandapower's solution to `check(position, id, peer)`."""
    place = {id: k for k, id in enumerate(net.branch.id)}
    for table in ("line", "trafo"):
        for i in grid[table].index[grid[table].in_service]:
            grid[table].loc[i, "in_service"] = False
            peer = pandapower_state(net, grid, init="dc")
            if peer is None:
                peer = pandapower_state(net, grid, init="flat")
            grid[table].loc[i, "in_service"] = True
            check(place[f"{table}:{i}"], f"{table}:{i}", peer)
