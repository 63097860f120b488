"""Outages that no operating point survives: what they break is not for lack of search.

For one outage in one scenario the state afterwards is set free: every unit, storage and converter gives what it likes within
its limits (and its share of the balance besides), every voltage lies where it likes within the band that holds then, and limits
before the outage do not count. Whatever an operating point leaves behind is such a state. If the optimal power flow finds none
that keeps the limits after the outage, the outage is beyond the reach of any operating point: no redispatch helps, before or
after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aurigrid.model.network import Network
from aurigrid.opf.api import checked_run, explored
from aurigrid.opf.run import Run, solved_rows
from aurigrid.opf.status import OpfStatus
from aurigrid.powerflow.grid import compile_grid
from aurigrid.powerflow.injections import participation
from aurigrid.secure.check import Limits
from aurigrid.security.contingencies import Contingencies

Array = np.ndarray[Any, np.dtype[Any]]

_LOSSES = 0.01
"""Share of the load by which an outage may change the losses: units may have to make up for that beyond their limits."""
_WHOLE_TURN_DEG = 360.0
_TABLES = ("branch", "gen", "load", "bus", "hvdc")
_AT_ONCE = 4096


def beyond_reach(
    run: Run, outages: Contingencies, limits: Limits, q_limits: bool, soft_price: float, scenario: Array, outage: Array,
    lost_mw: Array,
) -> Array:  # fmt: skip
    """Which pairs of scenario and outage have no state within limits, for all that an operating point may choose.

    Args:
        run: the scenarios before outages; limits: what must hold after them.
        q_limits: whether units' reactive limits hold after outages.
        scenario, outage: (k,) positions; lost_mw: (k,) demand that each outage cuts off.

    Returns:
        (k,) bool; by a search for a point of the same kind as `optimal_power_flow`'s, not by a proof of another kind.
    """
    net, found = run.net, np.zeros(len(scenario), bool)
    # what units have to make up for: the largest of outages that take power away, and losses after all others
    top = np.where(np.isfinite(net.gen.p_max_mw), np.abs(net.gen.p_max_mw), np.abs(net.gen.p_mw))
    taken = lost_mw + np.array([top[outages.rows["gen"][o]].sum() for o in outage.tolist()])
    groups = [np.flatnonzero(taken == 0), np.flatnonzero(taken > 0)]
    tasks = [(g[a : a + _AT_ONCE], float(taken[g].max())) for g in groups for a in range(0, len(g), _AT_ONCE)]
    for some, power in tasks:
        after = _freed(run, limits, q_limits, power)
        points = run.given.take(scenario[some]).replace(
            **{f"{table}_out": _joined(run, outages, table, scenario[some], outage[some]) for table in _TABLES}
        )
        points = points.replace(net=after)
        most = run.available if run.available is None or len(run.available) == 1 else run.available[scenario[some]]
        part = checked_run(after, points, most, "losses", soft_price, run.max_iterations, run.threads, curves=False)
        raw = part.solve(None)
        lost = np.setdiff1d(np.arange(points.n), solved_rows(raw))
        if lost.size:
            raw = explored(part, raw, lost, False, soft_price)
        found[some] = part.result(raw).status == OpfStatus.INFEASIBLE
    return found


def _freed(run: Run, limits: Limits, q_limits: bool, power_mw: float) -> Network:
    """The network with the limits that hold after outages, and with room for the units' shares of ``power_mw`` and of losses."""
    net = run.net
    branch, gen, bus = net.branch, net.gen, net.bus
    share = participation(compile_grid(net, single_reference=True))
    power_mw += _LOSSES * float(np.abs(net.load.p_mw[net.load.in_service]).sum())
    room = power_mw * share / max(float(share.sum()), 1e-300)
    wide = np.full(net.n_branch, _WHOLE_TURN_DEG)
    changes = {"p_min_mw": gen.p_min_mw - room, "p_max_mw": gen.p_max_mw + room}
    if not q_limits:
        changes |= {"q_min_mvar": np.full(net.n_gen, -np.inf), "q_max_mvar": np.full(net.n_gen, np.inf)}
    return net.replace(
        branch=branch.replace(
            rate_mva=np.where(np.isfinite(limits.rate), limits.rate, np.inf), angle_min_deg=-wide, angle_max_deg=wide
        ),
        bus=bus.replace(v_min_pu=np.maximum(limits.v_min, 0.0), v_max_pu=limits.v_max),
        gen=gen.replace(**changes),
        capability=net.capability.take([]),
    )


def _joined(run: Run, outages: Contingencies, table: str, scenario: Array, outage: Array) -> list[list[int]]:
    """What is out of one table in each pair: the scenario's own and the outage's."""
    own, more = getattr(run.sc, f"{table}_out"), outages.rows[table]
    return [
        np.union1d(own[s], more[o]).astype(int).tolist()
        for s, o in zip(scenario.tolist(), outage.tolist(), strict=True)
    ]
