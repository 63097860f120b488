"""The state at an operating point of `aurigrid generate`: a run of them stores voltages and outputs, from which flows follow."""

from __future__ import annotations

from typing import Any

import numpy as np

from aurigrid.console.columns import Columns, packed
from aurigrid.console.library import Entry
from aurigrid.console.shown import State
from aurigrid.model.network import Network
from aurigrid.model.table import Array
from aurigrid.store.arrays import numbers


def point_state(entry: Entry, step: int) -> State:
    """Voltages and outputs as stored, flows and loading from the voltages; neither where none are stored."""
    run, net = entry.run(), entry.network()

    def dense(name: str, element: str, column: str, n: int) -> Array:
        table = run.table(name, (step,))
        out = np.full(n, np.nan)
        out[numbers(table.column(element))] = numbers(table.column(column))
        return out

    gen = {name: dense("point_gen", "gen", name, net.n_gen) for name in ("p_mw", "q_mvar")}
    if not len(run.table("point_bus", (step,))):  # not stored, or no point
        return State(
            step=step,
            status="",
            bus=_columns(net.n_bus, {}),
            branch=_columns(net.n_branch, {}),
            gen=_columns(net.n_gen, gen),
        )
    v_mag, v_ang = (dense("point_bus", "bus", name, net.n_bus) for name in ("v_mag", "v_ang"))
    return State(
        step=step,
        status="",
        bus=_columns(net.n_bus, {"v_mag": v_mag, "v_ang": v_ang}),
        branch=_columns(net.n_branch, flows(net, v_mag * np.exp(1j * v_ang))),
        gen=_columns(net.n_gen, gen),
    )


def _columns(rows: int, values: dict[str, Array]) -> Columns:
    return Columns(rows=rows, columns={name: packed(v, "f32") for name, v in values.items()})


def flows(net: Network, v: Array) -> dict[str, Any]:
    """Flows of every branch by the pi model of `aurigrid.kernels.flows`, MW, Mvar and as a share of the rating.

    Args:
        net: the network.
        v: (n_bus,) complex voltages, pu; NaN where there is none.
    """
    from aurigrid.powerflow.grid import branch_admittances

    branch = net.branch
    y = branch_admittances(net).view(complex)
    at_from, at_to = v[branch.from_bus], v[branch.to_bus]
    s_from = at_from * np.conj(y[:, 0] * at_from + y[:, 1] * at_to) * net.base_mva
    s_to = at_to * np.conj(y[:, 2] * at_from + y[:, 3] * at_to) * net.base_mva
    s_from, s_to = (np.where(branch.in_service, s, 0.0) for s in (s_from, s_to))
    with np.errstate(invalid="ignore", divide="ignore"):
        loading = np.maximum(np.abs(s_from), np.abs(s_to)) / branch.rate_mva
    return {"p_from_mw": s_from.real, "q_from_mvar": s_from.imag, "p_to_mw": s_to.real, "loading": loading}
