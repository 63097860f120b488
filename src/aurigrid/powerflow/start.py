"""Where power flows start: the solved base case of a grid, and the guesses that lead to it."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from aurigrid.kernels.casewise import replaced
from aurigrid.kernels.tile import OFF, REF
from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow.cases import Cases, Pairs
from aurigrid.powerflow.dc import dc_voltages
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.newton import Settings, mark_islanded, solve
from aurigrid.powerflow.problem import Start, build_batch
from aurigrid.powerflow.references import Other, reference_groups
from aurigrid.powerflow.remote import has_remote, solve_remote
from aurigrid.powerflow.rung import Rung
from aurigrid.powerflow.solution import Solution
from aurigrid.powerflow.status import Status
from aurigrid.powerflow.supply import unsupplied

Array = np.ndarray[Any, np.dtype[Any]]

_BASE_ITERATIONS = 40
_BASE: weakref.WeakKeyDictionary[Grid, dict[tuple[float, bool], Start]] = weakref.WeakKeyDictionary()


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
    tried = []
    for rung, v in _guesses(grid):
        tried.append((rung, v))
        batch, _ = build_batch(grid, cases, Start.at(grid, v[None]), np.zeros(1, np.int32), enforce_q=how.q_limits)
        run = solve_remote if has_remote(grid) else solve
        done = run(grid, batch, how)
        if done.status[0] == Status.CONVERGED:
            v = np.where(np.isfinite(done.v), done.v, 1.0)
            return Start(v, done.held, done.slack, rung=rung, iterations=int(done.iterations[0]))
    rung, v = tried[0]
    return replace(Start.at(grid, v[None]), solved=False, rung=rung)


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


def guesses(grid: Grid) -> list[tuple[Rung, Array]]:
    """Start voltages (n_node,) to try, in order: the stored state, DC angles with set-point magnitudes, flat."""
    return list(_guesses(grid))


def _guesses(grid: Grid) -> Iterator[tuple[Rung, Array]]:
    """`guesses`, each worked out when it is its turn: a good stored state spares the DC solution."""
    bus = grid.net.bus
    magnitude = np.ones(grid.n_node)
    magnitude[grid.regulators.node] = grid.regulators.v_set_pu
    stored = bus.v_mag_pu * np.exp(1j * np.deg2rad(bus.v_ang_deg))
    known = np.isfinite(stored) & (bus.v_mag_pu > 0)
    if known.any() and known[grid.kind[grid.node_of_bus] != OFF].all():
        v = np.ones(grid.n_node, complex)
        v[grid.node_of_bus[::-1]] = np.where(known, stored, 1.0)[::-1]
        yield Rung.STORED, _turned(grid, v)
    angle = dc_voltages(grid, Cases.of(Scenarios.base(grid.net)), distributed=False)[0]
    yield Rung.DC, _turned(grid, magnitude * np.exp(1j * angle))
    yield Rung.FLAT, _turned(grid, magnitude.astype(complex))


Turned = tuple[Pairs, Sequence[Other]]


def turned_references(grid: Grid, cases: Cases) -> Turned:
    """What lies without supply in each case, and the cases whose outages move a reference.

    Such a reference goes to the largest regulating unit left: another set of node kinds. The new one keeps the angle that it
    has in the base case.
    """
    off = unsupplied(grid, cases)
    groups = [(which, kind) for which, kind in reference_groups(grid, cases, off) if kind is not grid.kind]
    others = [(which, grid.with_kind(kind)) for which, kind in groups]
    for which, other in others:
        part = unsupplied(other, cases.take(which))
        off = Pairs(*replaced(off.case, off.element, which, part.case, part.element))
    return off, others


def newton_cases(
    grid: Grid, cases: Cases, start: Start, start_row: Array | None, how: Settings, turned: Turned | None = None
) -> Solution:
    """Solve cases by the Newton engine.

    Args:
        start: start rows, and ``start_row`` (n,) which one each case takes, the first where absent.
        turned: `turned_references` of the cases, where they are known.
    """
    row = np.zeros(cases.n, np.int32) if start_row is None else start_row
    off, others = turned_references(grid, cases) if turned is None else turned
    batch, off = build_batch(
        grid, cases, start, row, enforce_q=how.q_limits, distributed=how.distributed, off=off, others=others
    )
    run = solve_remote if has_remote(grid) else solve
    done = run(grid, batch, how)
    mark_islanded(done.status, off)
    solution = Solution(
        grid, cases, done.status, done.iterations, done.mismatch_pu, done.v, done.held, done.need,
        done.slack * grid.base_mva, off, "newton", np.zeros(cases.n, np.int8),
    )  # fmt: skip
    solution.rung[solution.converged] = start.rung
    return solution
