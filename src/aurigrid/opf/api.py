"""`optimal_power_flow`: batched AC optimal power flow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.kernels.ipm import OPTIMAL
from aurigrid.model.base import on_base
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.opf.discrete import rounded
from aurigrid.opf.neighbours import improved
from aurigrid.opf.objective import check_weights
from aurigrid.opf.result import OptimalPowerFlow
from aurigrid.opf.run import BASE_MVA, NOT_BEST, SOFT_PU, Raw, Run, Start, solved_rows
from aurigrid.opf.tables import FIXED, FREE, Freedom
from aurigrid.powerflow.api import ensure_valid
from aurigrid.powerflow.newton import thread_count

Array = np.ndarray[Any, np.dtype[Any]]

_WARM_GAMMA, _WARM_SLACK = 1e-3, 1e-3
"""Barrier and least slack from a neighbour's optimum: with those of a flat start, its nearness would be lost."""
_LAST_TRY = 60
"""Iterations of the hard problem from a point that is known to keep all limits: where they do not do, more rarely do."""

_LIMITS_BY = ("mva", "current")


def optimal_power_flow(
    net: Network,
    scenarios: Scenarios | None = None,
    *,
    gen_p_max_mw: Array | None = None,
    objective: str | dict[str, float] = "cost",
    free: Iterable[str] = (),
    load_shed_price: float | Array | None = None,
    discrete: bool = False,
    deadband_steps: float = 0.5,
    limit: str = "mva",
    soft: bool = False,
    soft_price: float = 10_000.0,
    warm_start: OptimalPowerFlow | None = None,
    max_iterations: int = 150,
    threads: int | None = None,
) -> OptimalPowerFlow:
    """Find the operating point of least cost of every scenario, in full AC.

    Units choose active and reactive power within their limits (of the scenarios' ``gen_p_mw`` only a change is counted, and
    ``gen_v_pu`` is not used) and their capability curves; voltages, branch flows at both ends and angle differences keep their
    limits. Loads, outages, shunts and HVDC set-points are the scenario's; what ``free`` names starts from there. Every
    scenario ends in a labelled point: where none keeps all limits, the one of least violation is given, with what is missing at
    each bus.

    Args:
        net: the network.
        scenarios: n conditions of it; the network as it is where absent.
        gen_p_max_mw: (n, n_gen) or (n_gen,) what units can give (wind and sun), MW; it lowers p_max_mw.
        objective: what to minimise: ``"cost"``, ``"change"`` (squared MW from the scenario's ``gen_p_mw``), ``"losses"`` (MW),
            ``"curtailment"`` (MW of wind and sun), or weights of several of these.
        free: what may move besides units, from ``"taps"``, ``"shifters"`` (branches with positions), ``"shunts"`` (0 to
            ``step_max``, as if steps were continuous), ``"hvdc"`` (``p_min_mw`` to ``p_max_mw``); nothing where absent.
        discrete: round free taps, shifters and shunts to whole positions, try neighbouring ones where that costs something,
            and optimise the rest again; ``moves`` lists what moved, ``rounding_cost`` what it costs against continuous positions.
        deadband_steps: steps that a discrete control moves at least; below, it stays where it is.
        load_shed_price: () or (n_load,) price of not serving a load, currency/MWh, at its power factor; ``inf`` serves it.
        limit: ``"mva"``: ratings limit apparent power; ``"current"``: current, in MVA at 1 pu.
        soft: let balances and limits be broken at a price from the start; else only where no feasible point is found.
        soft_price: price of missing or unusable power and of overload, currency/MWh; voltages and angles cost ten times that
            for a pu or a radian.
        warm_start: start each scenario from the point of this result in the same place (or from its only one).
        max_iterations: interior-point iterations a scenario may take.
        threads: threads to use; all CPUs this process may use where absent.

    Returns:
        n results with prices and a certificate.

    Raises:
        InputError: an invalid network, costs that are not convex, scenarios of another network, shapes or options that
            do not fit.
    """
    sc = scenarios if scenarios is not None else Scenarios.base(net)
    freedom, by_current = _freedom(net, free, load_shed_price, limit, discrete, deadband_steps)
    run = checked_run(
        net, sc, gen_p_max_mw, objective, soft_price, max_iterations, threads, warm_start, freedom, by_current
    )
    raw = _answered(run, soft, soft_price, _start_of(warm_start))
    if not discrete:
        return run.result(raw)
    positions = rounded(raw.problem, run.sc, raw.x, deadband_steps)
    v = np.where(np.isfinite(raw.v), raw.v, 1.0)
    final = _answered(replace(run, pinned=positions), soft, soft_price, Start(v, np.nan_to_num(raw.x), None, None))
    final, positions = improved(run, raw, final, positions, deadband_steps, soft_price if soft else None)
    final = replace(final, iterations=final.iterations + raw.iterations)
    return replace(run, pinned=positions).result(final, rounding_cost=final.cost - raw.cost)


def _answered(run: Run, soft: bool, soft_price: float, start: Start | None) -> Raw:
    """Points of all scenarios: of the hard problem, else of the forms that may break limits."""
    raw = run.solve(soft_price if soft else None, start)
    failed = np.setdiff1d(np.arange(run.sc.n), solved_rows(raw))
    if start is not None and failed.size:
        # the start may be at fault
        raw = raw.put(failed, run.some(failed).solve(soft_price if soft else None), None)
        failed = np.setdiff1d(np.arange(run.sc.n), solved_rows(raw))
    return explored(run, raw, failed, soft, soft_price) if failed.size else raw


def checked_run(
    net: Network,
    sc: Scenarios,
    gen_p_max_mw: Array | None,
    objective: str | dict[str, float],
    soft_price: float,
    max_iterations: int,
    threads: int | None,
    warm_start: OptimalPowerFlow | None = None,
    free: Freedom = FIXED,
    by_current: bool = False,
    curves: bool = True,
) -> Run:
    """The run that a call asks for; options as for `optimal_power_flow`, all checked.

    ``curves`` is false where scenarios will have cuts of their own, which take units' powers one by one: capability curves
    then count as the box that the units have.
    """
    weights = {objective: 1.0} if isinstance(objective, str) else dict(objective)
    limit = _check(net, sc, gen_p_max_mw, weights, soft_price, warm_start, max_iterations, threads)
    solved = on_base(net, BASE_MVA)
    mine = sc if solved is net else replace(sc, net=solved)
    return Run(solved, mine, sc, limit, weights, max_iterations, thread_count(threads), free, by_current, curves=curves)


def _freedom(
    net: Network, free: Iterable[str], price: float | Array | None, limit: str, discrete: bool, deadband: float
) -> tuple[Freedom, bool]:
    """Check and gather what may move and how ratings are meant."""
    issues = IssueList()
    kinds = frozenset([free] if isinstance(free, str) else free)
    for name in sorted(kinds - set(FREE)):
        issues.add("optimal_power_flow", "free", f"names {name!r}", hint="choose from " + ", ".join(FREE))
    if limit not in _LIMITS_BY:
        issues.add("optimal_power_flow", "limit", f"is {limit!r}", hint="choose from " + ", ".join(_LIMITS_BY))
    if not deadband >= 0:
        issues.add("optimal_power_flow", "deadband_steps", f"is {deadband}", hint="give 0 or more")
    if discrete and not kinds & {"taps", "shifters", "shunts"}:
        issues.add("optimal_power_flow", "discrete", "has nothing to round",
                   hint="set taps, shifters or shunts free")  # fmt: skip
    shed: list[tuple[int, float]] = []
    if price is not None:
        given = np.asarray(price, float)
        if given.shape not in ((), (net.n_load,)):
            issues.add("optimal_power_flow", "load_shed_price", f"has shape {given.shape}",
                       hint=f"give one price or ({net.n_load},)")  # fmt: skip
        elif not (given >= 0).all():
            issues.add("optimal_power_flow", "load_shed_price", "has prices below 0 or NaN",
                       hint="give inf for loads that must be served")  # fmt: skip
        else:
            each = np.broadcast_to(given, net.n_load)
            shed = [(int(k), float(each[k])) for k in np.flatnonzero(np.isfinite(each))]
    issues.raise_if_any()
    return Freedom(kinds, tuple(shed)), limit == "current"


def explored(run: Run, raw: Raw, failed: Array, soft: bool, soft_price: float) -> Raw:
    """What became of scenarios without a point that keeps all limits: a point of least violation at a price, unless one
    that keeps them is found by minimising violation alone."""
    part = run.some(failed)
    if soft:
        priced = raw.take(failed)
        lost = np.flatnonzero(priced.code != OPTIMAL)
        if lost.size:
            priced = priced.put(lost, part.some(lost).solve(soft_price, strict=True), None)
    else:
        priced = part.solve(soft_price, strict=True)
    bare = part.solve(soft_price, costless=True)
    neither = np.flatnonzero((priced.code != OPTIMAL) & (bare.code != OPTIMAL))
    if neither.size:
        bare = bare.put(neither, part.some(neither).solve(soft_price, costless=True, strict=True), None)
    feasible = np.flatnonzero((bare.code == OPTIMAL) & (bare.missing <= SOFT_PU))
    settled = (priced.code == OPTIMAL) & (priced.missing <= SOFT_PU)
    # where violation alone can be brought down but not at its price, or where the priced problem did not converge
    worse = np.flatnonzero((priced.code != OPTIMAL) & (bare.code == OPTIMAL))
    priced = priced.put(worse, bare.take(worse), OPTIMAL)
    again = feasible[~settled[feasible]]
    if again.size:
        priced = priced.put(again, bare.take(again), NOT_BEST)
        point = bare.take(again)
        start = Start(point.v, point.x, None, None)
        last = replace(part.some(again), max_iterations=min(_LAST_TRY, run.max_iterations))
        hard = last.solve(None, start)
        best = np.flatnonzero(hard.code == OPTIMAL)
        if best.size:
            priced = priced.put(again[best], hard.take(best).within(priced.problem), OPTIMAL)
    return (raw if soft else raw.within(priced.problem)).put(failed, priced, None)


def _check(
    net: Network,
    sc: Scenarios,
    limit: Array | None,
    weights: dict[str, float],
    price: float,
    warm: OptimalPowerFlow | None,
    most: int,
    threads: int | None,
) -> Array | None:
    """Refuse what makes no sense; returns the availabilities as (n or 1, n_gen), MW."""
    issues = IssueList()
    if sc.net is not net and sc.net.digest != net.digest:
        issues.add("scenarios", "", "belong to another network", hint="build them with this one")
    if not price > 0:
        issues.add("optimal_power_flow", "soft_price", f"is {price}", hint="give a positive price per MWh")
    if most < 1:
        issues.add("optimal_power_flow", "max_iterations", f"is {most}", hint="give at least 1")
    if threads is not None and threads < 1:
        issues.add("optimal_power_flow", "threads", f"is {threads}", hint="give at least 1, or nothing for all CPUs")
    if warm is not None and (warm.given.net is not net or warm.n not in (1, sc.n)):
        issues.add(
            "optimal_power_flow", "warm_start", "does not fit", hint="give a result of this network with 1 or n rows"
        )
    given = None
    if limit is not None:
        given = np.atleast_2d(np.asarray(limit, float))
        if given.shape not in ((1, net.n_gen), (sc.n, net.n_gen)):
            issues.add("optimal_power_flow", "gen_p_max_mw", f"has shape {np.shape(limit)}",
                       hint=f"give ({net.n_gen},) or ({sc.n}, {net.n_gen})")  # fmt: skip
        elif np.isnan(given).any():
            issues.add("optimal_power_flow", "gen_p_max_mw", "holds NaN", hint="give a number for every unit")
        else:
            endless = net.gen.in_service & np.isposinf(net.gen.p_max_mw) & np.isfinite(given).any(0)
            if endless.any():
                issues.add("optimal_power_flow", "gen_p_max_mw", "limits units that have no p_max_mw to be lowered",
                           net.gen.id[endless].tolist(), hint="give gen.p_max_mw a finite value")  # fmt: skip
    check_weights(net, weights, issues)
    issues.raise_if_any()
    ensure_valid(net)
    return given


def _start_of(warm: OptimalPowerFlow | None) -> Start | None:
    if warm is None:
        return None
    v = np.where(np.isfinite(warm.solution.v), warm.solution.v, 1.0)
    return Start(v, warm.x, warm.lam, warm.mu, _WARM_GAMMA, _WARM_SLACK)
