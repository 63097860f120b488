"""`power_flow`: one call for every engine."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.validate import require_valid
from aurigrid.powerflow.cases import Cases
from aurigrid.powerflow.dc import solve_dc
from aurigrid.powerflow.grid import compile_grid
from aurigrid.powerflow.newton import Settings
from aurigrid.powerflow.problem import Start
from aurigrid.powerflow.rescue import other_starts, rescue_failed
from aurigrid.powerflow.rung import Rung
from aurigrid.powerflow.solution import Solution
from aurigrid.powerflow.start import base_start, guesses, newton_cases, turned_references

Array = np.ndarray[Any, np.dtype[Any]]
Engine = Literal["newton", "dc"]
Slack = Literal["reference", "distributed"]

ENGINES: tuple[Engine, ...] = ("newton", "dc")
SLACKS: tuple[Slack, ...] = ("reference", "distributed")


def power_flow(
    net: Network,
    scenarios: Scenarios | None = None,
    *,
    engine: Engine = "newton",
    tol_pu: float = 1e-8,
    max_iterations: int = 20,
    q_limits: bool = False,
    slack: Slack = "reference",
    rescue: bool = False,
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
        rescue: take scenarios that fail up the rescue ladder (other starts, damped Newton, continuation);
            `Solution.rung` says what led to each answer, which is exact on every rung.
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
    if rescue and engine == "newton":
        solution = rescue_failed(solution, how)
    if scenarios is None and engine == "newton":
        # the base case itself: count the steps that found it, not those from it
        base = base_start(compile_grid(net, single_reference=how.distributed), how)
        solution.iterations[:] += base.iterations
        if base.solved:
            solution.rung[:] = base.rung
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

    off, others = turned_references(grid, cases)
    if engine == "dc" or start is None:
        done = solve_dc(grid, cases, distributed=how.distributed)
        for which, other in others:
            part = solve_dc(other, cases.take(which), distributed=how.distributed)
            for name in ("status", "mismatch_pu", "v", "slack_mw"):
                getattr(done, name)[which] = getattr(part, name)
        return replace(done, off=off)
    if start.solved:
        # how the base case itself was found is not what led to these
        return newton_cases(grid, cases, replace(start, rung=Rung.BASE), start_row, how, (off, others))
    done = newton_cases(grid, cases, start, start_row, how.from_guess(), (off, others))
    return other_starts(done, how, guesses(grid)[1:])
