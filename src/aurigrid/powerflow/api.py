"""`power_flow`: one call for every engine."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.kernels.tile import OFF, REF
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.validate import require_valid
from aurigrid.powerflow.cases import Cases, Pairs
from aurigrid.powerflow.dc import dc_voltages, solve_dc
from aurigrid.powerflow.grid import Grid, compile_grid
from aurigrid.powerflow.newton import Other, Settings, mark_islanded, solve
from aurigrid.powerflow.problem import Start, build_batch
from aurigrid.powerflow.references import reference_groups
from aurigrid.powerflow.remote import has_remote, solve_remote
from aurigrid.powerflow.solution import Solution
from aurigrid.powerflow.status import Status
from aurigrid.powerflow.supply import unsupplied

Array = np.ndarray[Any, np.dtype[Any]]
Engine = Literal["newton", "dc"]
Slack = Literal["reference", "distributed"]

ENGINES: tuple[Engine, ...] = ("newton", "dc")
SLACKS: tuple[Slack, ...] = ("reference", "distributed")

_BASE_ITERATIONS = 40
_BASE: weakref.WeakKeyDictionary[Grid, dict[tuple[float, bool], Start]] = weakref.WeakKeyDictionary()


def power_flow(
    net: Network,
    scenarios: Scenarios | None = None,
    *,
    engine: Engine = "newton",
    tol_pu: float = 1e-8,
    max_iterations: int = 20,
    q_limits: bool = False,
    slack: Slack = "reference",
    threads: int | None = None,
) -> Solution:
    """Solve a batch of power flows of one network.

    Every scenario starts from the solved base case of the network, which is found once from the source's stored state,
    else from a DC solution, else from a flat start. Scenarios do not influence one another.

    Args:
        net: the network.
        scenarios: n conditions of it; the network as it is where absent.
        engine: ``"newton"`` (exact AC) or ``"dc"`` (linear, active power only; voltages 1 pu).
        tol_pu: largest power mismatch accepted, pu of ``net.base_mva``.
        max_iterations: Newton iterations a scenario may take.
        q_limits: hold regulating units within their reactive limits (PV-PQ switching and back).
        slack: ``"reference"``: reference units take the balance of their island; ``"distributed"``: all units with a
            participation factor do (by p_max_mw where the source gives no factors).
        threads: threads to use; all CPUs this process may use where absent.

    Returns:
        n results; a scenario that failed has its status and NaN values.

    Raises:
        InputError: an invalid network, scenarios of another network, an unknown engine or option value.
    """
    check_options(net, scenarios, engine, tol_pu, max_iterations, slack, threads)
    cases = Cases.of(scenarios if scenarios is not None else Scenarios.base(net))
    how = Settings(tol_pu, max_iterations, q_limits, slack == "distributed", threads)
    solution = solve_cases(net, cases, engine, how)
    if scenarios is None and engine == "newton":
        # the base case itself: count the steps that found it, not those from it
        base = base_start(compile_grid(net, single_reference=how.distributed), how)
        solution.iterations[:] += base.iterations
    return solution


def check_options(
    net: Network,
    scenarios: Scenarios | None,
    engine: str,
    tol_pu: float,
    max_iterations: int,
    slack: str,
    threads: int | None,
) -> None:
    """Refuse options that make no sense, and validate the network once."""
    issues = IssueList()
    if engine not in ENGINES:
        issues.add("power_flow", "engine", f"is {engine!r}", hint="choose one of " + ", ".join(ENGINES))
    if slack not in SLACKS:
        issues.add("power_flow", "slack", f"is {slack!r}", hint="choose one of " + ", ".join(SLACKS))
    if not tol_pu > 0:
        issues.add("power_flow", "tol_pu", f"is {tol_pu}", hint="give a positive tolerance, such as 1e-8")
    if max_iterations < 1:
        issues.add("power_flow", "max_iterations", f"is {max_iterations}", hint="give at least 1")
    if threads is not None and threads < 1:
        issues.add("power_flow", "threads", f"is {threads}", hint="give at least 1, or nothing for all CPUs")
    if scenarios is not None and scenarios.net is not net and scenarios.net.digest != net.digest:
        issues.add("scenarios", "", "belong to another network", hint="build them with this one")
    issues.raise_if_any()
    ensure_valid(net)


_VALID: weakref.WeakSet[Network] = weakref.WeakSet()


def ensure_valid(net: Network) -> None:
    """Validate a network once in its life."""
    if net not in _VALID:
        require_valid(net)
        _VALID.add(net)


def solve_cases(
    net: Network,
    cases: Cases,
    engine: Engine,
    how: Settings,
    start: Start | None = None,
    start_row: Array | None = None,
) -> Solution:
    """`power_flow` on cases; the network and the options are taken as checked.

    Args:
        start: start rows of the Newton engine, and which one each case takes; the solved base case where absent.
    """
    grid = compile_grid(net, single_reference=how.distributed)
    if engine != "dc" and start is None:
        start = base_start(grid, how)

    off = unsupplied(grid, cases)
    # an outage that takes a reference away moves it to the largest regulating unit left: another set of node kinds;
    # the new reference keeps the angle that it has in the base case
    groups = [(which, kind) for which, kind in reference_groups(grid, cases, off) if kind is not grid.kind]
    others = [(which, grid.with_kind(kind)) for which, kind in groups]
    for which, other in others:
        off = _put_pairs(off, which, unsupplied(other, cases.take(which)))
    if engine == "dc" or start is None:
        done = solve_dc(grid, cases, distributed=how.distributed)
        for which, other in others:
            part = solve_dc(other, cases.take(which), distributed=how.distributed)
            for name in ("status", "mismatch_pu", "v", "slack_mw"):
                getattr(done, name)[which] = getattr(part, name)
        return replace(done, off=off)
    row = np.zeros(cases.n, np.int32) if start_row is None else start_row
    if start.solved:
        return _solve_newton(grid, cases, start, row, how, off, others)
    return _other_starts(
        _solve_newton(grid, cases, start, row, how.from_guess(), off, others), how.from_guess(), others
    )


def _put_pairs(pairs: Pairs, which: Array, part: Pairs) -> Pairs:
    """The pairs of all cases, those of ``which`` replaced by the pairs of a part that counts cases from its own first."""
    keep = ~np.isin(pairs.case, which)
    case = np.concatenate([pairs.case[keep], which[part.case].astype(np.int32)])
    element = np.concatenate([pairs.element[keep], part.element])
    by_case = np.argsort(case, kind="stable")
    return Pairs(case[by_case], element[by_case])


def _solve_newton(
    grid: Grid,
    cases: Cases,
    start: Start,
    start_row: Array,
    how: Settings,
    off: Pairs | None = None,
    others: Sequence[Other] = (),
) -> Solution:
    batch, off = build_batch(grid, cases, start, start_row, enforce_q=how.q_limits, off=off)
    run = solve_remote if has_remote(grid) else solve
    done = run(grid, batch, how, others)
    mark_islanded(done.status, off)
    slack_mw = done.slack * grid.base_mva
    return Solution(
        grid,
        cases,
        done.status,
        done.iterations,
        done.mismatch_pu,
        done.v,
        done.held,
        done.need,
        slack_mw,
        off,
        "newton",
    )


def _other_starts(done: Solution, how: Settings, others: Sequence[Other]) -> Solution:
    """Where there is no solved base case, take failed cases up again from each further guess."""
    grid = done.grid
    for v in list(_guesses(grid, Cases.of(Scenarios.base(grid.net))))[1:]:
        failed = np.flatnonzero(~done.converged)
        if not failed.size:
            break
        begin = Start.at(grid, _turned(grid, v)[None])
        still = [(np.flatnonzero(np.isin(failed, which)), other) for which, other in others]
        again = _solve_newton(
            grid,
            done.cases.take(failed),
            begin,
            np.zeros(len(failed), np.int32),
            how,
            done.off.take(failed, done.n),
            still,
        )
        good = np.flatnonzero(again.converged)
        for name in ("status", "iterations", "mismatch_pu", "v", "held", "need_pu", "slack_mw"):
            getattr(done, name)[failed[good]] = getattr(again, name)[good]
    return done


def base_start(grid: Grid, how: Settings) -> Start:
    """The solved base case of a grid, from which scenarios start; the best guess where it does not converge."""
    kept = _BASE.setdefault(grid, {})
    key = (how.tol_pu, how.q_limits)
    if key not in kept:
        kept[key] = _find_base(
            grid, replace(how, threads=1, one_step=False, max_iterations=_BASE_ITERATIONS).from_guess()
        )
    return kept[key]


def _find_base(grid: Grid, how: Settings) -> Start:
    cases = Cases.of(Scenarios.base(grid.net))
    first: Start | None = None
    for v in _guesses(grid, cases):
        v = _turned(grid, v)
        guess = Start.at(grid, v[None])
        first = first or guess
        batch, _ = build_batch(grid, cases, guess, np.zeros(1, np.int32), enforce_q=how.q_limits)
        run = solve_remote if has_remote(grid) else solve
        done = run(grid, batch, how)
        if done.status[0] == Status.CONVERGED:
            v = np.where(np.isfinite(done.v), done.v, 1.0)
            return Start(v, done.held, done.slack, iterations=int(done.iterations[0]))
    assert first is not None
    return replace(first, solved=False)


def _turned(grid: Grid, v: Array) -> Array:
    """The same voltages with each reference at the angle that its unit gives, its island turned along."""
    unit = grid.regulators.reference & (grid.regulators.table == 0) & (grid.kind[grid.regulators.node] == REF)
    node, first = np.unique(grid.regulators.node[unit], return_index=True)
    angle = np.deg2rad(grid.net.gen.v_ang_deg[grid.regulators.element[unit][first]])
    turn = angle - np.angle(v[node])
    by_island = np.zeros(grid.n_island)
    by_island[grid.island[node][::-1]] = turn[::-1]
    out: Array = v * np.exp(1j * by_island[grid.island])
    out[node] = np.abs(v[node]) * np.exp(1j * angle)
    return out


def _guesses(grid: Grid, cases: Cases) -> Iterator[Array]:
    """Start voltages to try, in order: the stored state, DC angles with set-point magnitudes, flat."""
    bus = grid.net.bus
    magnitude = np.ones(grid.n_node)
    magnitude[grid.regulators.node] = grid.regulators.v_set_pu
    stored = bus.v_mag_pu * np.exp(1j * np.deg2rad(bus.v_ang_deg))
    known = np.isfinite(stored) & (bus.v_mag_pu > 0)
    if known.any() and known[grid.kind[grid.node_of_bus] != OFF].all():
        v = np.ones(grid.n_node, complex)
        v[grid.node_of_bus[::-1]] = np.where(known, stored, 1.0)[::-1]
        yield v
    yield magnitude * np.exp(1j * dc_voltages(grid, cases, distributed=False)[0])
    yield magnitude.astype(complex)
