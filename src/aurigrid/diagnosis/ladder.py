"""The rescue ladder to its last rung: where no start leads to a solution, the nearest dispatch that has one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.opf import OpfStatus, optimal_power_flow
from aurigrid.powerflow import Rung, Solution, power_flow
from aurigrid.powerflow.cases import Cases
from aurigrid.powerflow.grid import compile_grid
from aurigrid.powerflow.newton import Settings
from aurigrid.powerflow.problem import Start
from aurigrid.powerflow.start import newton_cases

Array = np.ndarray[Any, np.dtype[Any]]

_ROWS = ("status", "iterations", "mismatch_pu", "v", "held", "need_pu", "slack_mw")


def rescued_power_flow(
    net: Network,
    scenarios: Scenarios | None = None,
    *,
    tol_pu: float = 1e-8,
    q_limits: bool = False,
    threads: int | None = None,
) -> tuple[Solution, Scenarios]:
    """Solve power flows, and redispatch those that the whole rescue ladder cannot solve as they are.

    `power_flow` with ``rescue=True`` comes first. Scenarios that it leaves unsolved go to the optimal power flow: the
    operating point nearest to their schedule that keeps every limit (at least cost where costs are piecewise linear), solved
    again exactly as a power flow. Such rows answer another dispatch than was asked for and say so: ``rung`` is `Rung.OPF`.
    Where no point keeps the limits the row stays unsolved, NaN; `aurigrid.diagnosis.diagnose` tells why.

    Args:
        net, scenarios, tol_pu, q_limits, threads: as in `power_flow`.

    Returns:
        The solution, and the scenarios that it solves: the given ones, with dispatch and voltage set-points of the rows whose
        rung is `Rung.OPF` replaced.

    Raises:
        InputError: as `power_flow` does; costs that are not convex.
    """
    asked = scenarios if scenarios is not None else Scenarios.base(net)
    done = power_flow(net, asked, tol_pu=tol_pu, q_limits=q_limits, rescue=True, threads=threads)
    failed = np.flatnonzero(~done.converged)
    failed = failed[[not _has(asked, int(i), ("bus_out", "hvdc_out")) for i in failed]] if failed.size else failed
    if not failed.size:
        return done, asked
    objective = "cost" if len(net.cost_point) else "change"
    point = optimal_power_flow(net, asked[failed], objective=objective, threads=threads)
    usable = np.flatnonzero(np.isin(point.status, (OpfStatus.OPTIMAL, OpfStatus.FEASIBLE)))
    if not usable.size:
        return done, asked
    rows = failed[usable]
    redispatched = _redispatched(asked, rows, point.scenarios[usable], point.gen_q_mvar[usable])
    part = _from_point(
        net, redispatched[rows], point.solution.v[usable], Settings(tol_pu, q_limits=q_limits, threads=threads)
    )
    good = np.flatnonzero(part.converged)
    for name in _ROWS:
        getattr(done, name)[rows[good]] = getattr(part, name)[good]
    done.iterations[rows[good]] += point.iterations[usable[good]]
    done.rung[rows[good]] = Rung.OPF
    k = rows[good]
    solved = _redispatched(asked, k, point.scenarios[usable[good]], point.gen_q_mvar[usable[good]]) if k.size else asked
    return replace(done, cases=Cases.of(solved)), solved


def _has(scenarios: Scenarios, i: int, names: tuple[str, ...]) -> bool:
    return any(len(getattr(scenarios, name).take(np.array([i])).idx) for name in names)


def _redispatched(asked: Scenarios, rows: Array, points: Scenarios, gen_q_mvar: Array) -> Scenarios:
    """The scenarios with the units of some rows at other points."""
    values = {name: asked.values(name).copy() for name in ("gen_p_mw", "gen_q_mvar", "gen_v_pu")}
    values["gen_p_mw"][rows] = points.values("gen_p_mw")
    values["gen_v_pu"][rows] = points.values("gen_v_pu")
    values["gen_q_mvar"][rows] = gen_q_mvar
    return asked.replace(**values)


def _from_point(net: Network, scenarios: Scenarios, v: Array, how: Settings) -> Solution:
    """Exact power flows, each from its own start."""
    grid = compile_grid(net)
    start = Start.at(grid, np.where(np.isfinite(v), v, 1.0))
    return newton_cases(grid, Cases.of(scenarios), start, np.arange(scenarios.n, dtype=np.int32), how.from_guess())
