"""What the soft optimal power flow says about a grid: where power is missing, and what would have to be given up.

With balances and limits soft, it ends in the point nearest to the schedule that breaks them least. Power that it invents at
a node is power that the grid lacks there; the same amount less of the loads nearby, and units at the point's set-points,
restore what can be restored without a change of the grid itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.diagnosis.change import Change, around
from aurigrid.diagnosis.repair import Repair, changes_of
from aurigrid.errors import InputError
from aurigrid.model.network import Network
from aurigrid.opf import OpfStatus, OptimalPowerFlow, optimal_power_flow

Array = np.ndarray[Any, np.dtype[Any]]

_KEEPS = (OpfStatus.OPTIMAL, OpfStatus.FEASIBLE)
_LEAST_MW, _LEAST_SHARE = 0.01, 1e-4
_MARGIN = 1.01
_ROUNDS = 8
_MOVED_MW, _MOVED_SHARE, _MOVED_PU, _MOVED_DEG = 0.1, 1e-3, 1e-3, 1e-3
_MOST_LIMITS = 10


@dataclass(frozen=True, eq=False)
class Missing:
    """Power that a grid lacks, and the limits that bind at the point of least violation.

    Attributes:
        short_mw, short_mvar: (n_bus,) missing (positive) or not usable (negative).
        binding: limits, dearest first: kind, table, id, multiplier, excess.
        servable: whether a point keeps every limit.
    """

    short_mw: Array
    short_mvar: Array
    binding: list[dict[str, Any]]
    servable: bool
    point: OptimalPowerFlow


def missing_power(net: Network) -> Missing | None:
    """Solve the soft problem, nearest to the schedule; None where it has no answer."""
    point = _solve(net, soft=True)
    if point is None:
        return None
    status = OpfStatus(int(point.status[0]))
    servable = status in (OpfStatus.OPTIMAL, OpfStatus.FEASIBLE)
    return Missing(point.short_mw[0], point.short_mvar[0], _binding(net, point), servable, point)


def _solve(net: Network, soft: bool) -> OptimalPowerFlow | None:
    objective = "cost" if len(net.cost_point) else "change"
    try:
        point = optimal_power_flow(net, objective=objective, soft=soft, threads=1)
    except InputError:
        return None
    usable = np.isfinite(point.objective[0]) and np.isfinite(point.short_mw).all()
    return point if usable and int(point.status[0]) != OpfStatus.FAILED else None


def _binding(net: Network, point: OptimalPowerFlow) -> list[dict[str, Any]]:
    found = []
    for entry in point.binding(0)[:_MOST_LIMITS]:
        kind, at = entry["kind"], entry["element"]
        if kind.startswith("v_"):
            table, at = "bus", int(np.flatnonzero(point.problem.grid.node_of_bus == at)[0])
        else:
            table = "gen" if kind[0] in "pq" else "branch"
        name = getattr(net, table).id[at]
        found.append({"kind": kind, "table": table, "id": name.item() if isinstance(name, np.generic) else name,
                      "multiplier": entry["multiplier"], "excess": entry["excess"]})  # fmt: skip
    return found


def operating_repair(net: Network, missing: Missing) -> Repair | None:
    """The least load that has to go, and set-points that serve the rest; None where none are found."""
    now, point = net, missing.point
    if not missing.servable:
        for _ in range(_ROUNDS):
            found = _least_shed(now)
            if found is None:
                return None
            now, done = found
            if done:
                break
        for _ in range(_ROUNDS):
            again = _solve(now, soft=False)
            if again is None:
                return None
            point = again
            if int(point.status[0]) in _KEEPS:
                break
            now = _scaled(now, np.where(now.load.p_mw < net.load.p_mw, 0.97, 1.0))
        else:
            return None
    dispatch = _dispatch(now, point)
    changes = tuple(
        Change.of(net, "load", int(i), name, float(getattr(now.load, name)[i]))
        for i in np.flatnonzero(now.load.p_mw != net.load.p_mw)
        for name in ("p_mw", "q_mvar")
    )
    if not changes:
        return Repair("redispatch", dispatch, "other set-points of the units keep every limit", 0.0)
    lost = float((net.load.p_mw - now.load.p_mw).sum())
    return Repair("overload", changes, f"no dispatch can serve {lost:,.4g} MW of the load", 0.0, dispatch)


def _least_shed(net: Network) -> tuple[Network, bool] | None:
    """The network with the least demand taken off (a unit at each load that gives back up to its power, at a cost), and
    whether that was enough; where Mvar are missing, loads are lowered by these first."""
    gen, load = net.gen, net.load
    live = np.flatnonzero(load.in_service & (load.p_mw > 0))
    columns = {name: np.concatenate([values, np.zeros(len(live), values.dtype)]) for name, values in gen.items() if
               values.dtype != object and name != "id"}  # fmt: skip
    for name in ("cost_c0_per_h", "cost_c1_per_mwh", "cost_c2_per_mw2h"):
        columns[name][:] = 0.0
    mine = slice(len(gen), None)
    columns["bus"][mine], columns["p_max_mw"][mine] = load.bus[live], load.p_mw[live]
    columns["in_service"][mine], columns["controlled_bus"][mine], columns["cost_c1_per_mwh"][mine] = True, -1, 1.0
    columns["v_set_pu"][mine] = 1.0
    ids = [*gen.id.tolist(), *(f"load {load.id[i]} given back" for i in live)]
    helped = net.replace(gen=type(gen).make(len(ids), id=ids, **columns), cost_point=type(net.cost_point).empty(),
                         capability=net.capability)  # fmt: skip
    try:
        point = optimal_power_flow(helped, threads=1)
    except InputError:
        return None
    if int(point.status[0]) == OpfStatus.FAILED or not np.isfinite(point.short_mw).all():
        return None
    enough = int(point.status[0]) in _KEEPS
    share = np.ones(len(load))
    if enough:
        back = np.clip(point.gen_p_mw[0, len(gen) :], 0.0, load.p_mw[live])
        share[live] = np.where(
            back > _LEAST_SHARE * load.p_mw[live], 1 - np.minimum(_MARGIN * back / load.p_mw[live], 1.0), 1.0
        )
        return _scaled(net, share), True
    return _without(net, point.short_mw[0], point.short_mvar[0]), False


def _scaled(net: Network, share: Array) -> Network:
    t = net.load
    return net.replace(load=t.replace(p_mw=t.p_mw * share, q_mvar=t.q_mvar * share))


def _without(net: Network, short: Array, mvar: Array) -> Network:
    """The network with missing power taken off the loads nearest to where it is missing; loads keep their power factor."""
    t = net.load
    live = np.flatnonzero(t.in_service & (t.p_mw > 0))
    share = np.ones(len(t))
    for need, column in ((short, t.p_mw), (mvar, t.q_mvar)):
        for bus in np.argsort(-need).tolist():
            want = _MARGIN * float(need[bus])
            if want < _LEAST_MW:
                break
            steps = around(net, bus)[t.bus[live]]
            for i in live[np.argsort(np.where(steps < 0, net.n_bus, steps), kind="stable")].tolist():
                if column[i] <= 0:
                    continue
                taken = min(want, float(column[i] * share[i]))
                share[i] -= taken / column[i]
                want -= taken
                if want < _LEAST_MW:
                    break
    return _scaled(net, np.maximum(share, 0.0))


def _dispatch(net: Network, point: OptimalPowerFlow) -> tuple[Change, ...]:
    """Set-points of the point, where they differ from the network's."""
    t = net.gen
    p, v = point.gen_p_mw[0], point.scenarios.values("gen_v_pu")[0]
    angle = np.nan_to_num(np.rad2deg(point.solution.v_ang[0])[t.bus])
    found: list[Change] = []
    for g in np.flatnonzero(t.in_service).tolist():
        moved = max(_MOVED_MW, _MOVED_SHARE * abs(float(t.p_mw[g])))
        if abs(p[g] - t.p_mw[g]) > moved and np.isfinite(p[g]):
            found += changes_of(net, "gen", g, p_mw=float(p[g]))
        if t.regulates[g] and abs(v[g] - t.v_set_pu[g]) > _MOVED_PU and np.isfinite(v[g]):
            found += changes_of(net, "gen", g, v_set_pu=float(v[g]))
        if t.is_reference[g] and abs(angle[g] - t.v_ang_deg[g]) > _MOVED_DEG:
            # of several references the optimal power flow keeps the first one's angle only
            found += changes_of(net, "gen", g, v_ang_deg=float(angle[g]))
    return tuple(found)
