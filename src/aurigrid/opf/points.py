"""Points of an optimal power flow in the users' terms: as scenarios, and as a network."""

from __future__ import annotations

from typing import Any

import numpy as np

from aurigrid.kernels.tile import OFF, REF
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.opf.conditions import reference_groups_of
from aurigrid.opf.problem import Problem
from aurigrid.opf.tables import (
    ACTIVE,
    BOTH,
    GEN,
    LINK,
    LINK_BACK,
    OTHER,
    REACTIVE,
    SHED,
    SHUNT,
    STORAGE,
    TAP,
    shunt_unit,
    tap_unit,
)
from aurigrid.powerflow.cases import Cases

Array = np.ndarray[Any, np.dtype[Any]]


_WHOLE = 1e-9
"""Distance from a whole number of steps that is rounding of the arithmetic."""


def by_element(problem: Problem, x: Array, owner: int, axis: int, size: int) -> Array:
    """(n, size) sums of the values of an owner's rows by element, pu; 0 without any."""
    rows = np.flatnonzero((problem.injection.owner == owner) & (problem.injection.axis == axis))
    out = np.zeros((size, len(x)))
    np.add.at(out, problem.injection.element[rows], x[:, rows].T)
    return out.T


def unit_powers(problem: Problem, x: Array) -> tuple[Array, Array]:
    """(n, n_gen) active and reactive power of units, pu; 0 where they do not run."""
    injection, size = problem.injection, problem.grid.net.n_gen
    p, q = by_element(problem, x, GEN, ACTIVE, size), by_element(problem, x, GEN, REACTIVE, size)
    if (injection.axis == BOTH).any():
        p = p + by_element(problem, x, GEN, BOTH, size)
        q = q + by_element(problem, x * injection.ratio, GEN, BOTH, size)
    return p, q


def _given(problem: Problem, owners: tuple[int, ...], size: int) -> Array:
    """(size,) elements that an owner has rows for."""
    found = np.zeros(size, bool)
    found[problem.injection.element[np.isin(problem.injection.owner, owners)]] = True
    return found


def _snapped(steps: Array) -> Array:
    """Steps that are whole but for rounding, made whole."""
    whole: Array = np.rint(steps)
    return np.where(np.abs(steps - whole) < _WHOLE, whole, steps)


def tap_positions(problem: Problem, x: Array) -> Array:
    """(n, n_branch) positions of taps, not whole where they are free."""
    net = problem.grid.net
    unit = tap_unit(net)
    moved = by_element(problem, x, TAP, OTHER, net.n_branch) / np.where(unit > 0, unit, 1.0)
    return _snapped(net.branch.tap_pos + moved)


def shunt_steps(problem: Problem, sc: Scenarios, x: Array) -> Array:
    """(n, n_shunt) steps in service, not whole where they are free."""
    net = problem.grid.net
    size = len(net.shunt)
    unit = shunt_unit(net)
    free = by_element(problem, x, SHUNT, OTHER, size) / np.where(unit > 0, unit, 1.0)
    return np.where(_given(problem, (SHUNT,), size), _snapped(free), sc.values("shunt_step"))


def point_scenarios(problem: Problem, sc: Scenarios, x: Array, v_mag: Array) -> Scenarios:
    """The scenarios with what the points decide: dispatch, set-points, storage, loads not served, shunts, HVDC power.

    Args:
        x: (n, k) injections, pu; v_mag: (n, n_node) magnitudes, pu, NaN without supply.
    """
    grid, net = problem.grid, problem.grid.net
    base, gen = grid.base_mva, net.gen
    x = np.nan_to_num(x)
    p, q = unit_powers(problem, x)
    held = np.where(gen.regulates & (gen.controlled_bus >= 0) & ~gen.is_reference, gen.controlled_bus, gen.bus)
    size = v_mag[:, grid.node_of_bus[held]]
    changes: dict[str, Array] = {
        "gen_p_mw": p * base,
        "gen_q_mvar": q * base,
        "gen_v_pu": np.where(size > 0, size, gen.v_set_pu),
    }
    if len(net.storage):
        free = _given(problem, (STORAGE,), len(net.storage))
        for name, axis in (("storage_p_mw", ACTIVE), ("storage_q_mvar", REACTIVE)):
            value = by_element(problem, x, STORAGE, axis, len(net.storage)) * base
            changes[name] = np.where(free, value, sc.values(name))
    if _given(problem, (SHED,), net.n_load).any():
        shed = by_element(problem, x, SHED, OTHER, net.n_load) * base
        p = sc.values("load_p_mw")
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.where(shed > 0, 1 - shed / p, 1.0)
        changes["load_p_mw"], changes["load_q_mvar"] = p * left, sc.values("load_q_mvar") * left
    if _given(problem, (SHUNT,), len(net.shunt)).any():
        changes["shunt_step"] = shunt_steps(problem, sc, x)
    links = _given(problem, (LINK, LINK_BACK), len(net.hvdc))
    if links.any():
        sent = by_element(problem, x, LINK, OTHER, len(links)) - by_element(problem, x, LINK_BACK, OTHER, len(links))
        changes["hvdc_p_mw"] = np.where(links, sent * base, sc.values("hvdc_p_mw"))
    return sc.replace(**changes)


def point_network(problem: Problem, net: Network, points: Scenarios, x: Array, v: Array, s: int) -> Network:
    """The network ``net`` at point ``s``: tables with the values of `point_scenarios`, taps, and set-points of everything that
    holds a voltage; what is out is out of service.

    Args:
        x: (n, k) injections, pu; v: (n, n_node) voltages, pu.
    """
    grid, row = problem.grid, points[s]
    position = tap_positions(problem, x[[s]])[0]
    t, dc, svc = net.branch, net.hvdc, net.compensator
    size = np.abs(v[s])
    alive = np.isfinite(size) & (grid.kind != OFF)

    def held(bus: Array, before: Array) -> Array:
        node = grid.node_of_bus[bus]
        value: Array = np.where(alive[node], np.where(alive[node], size[node], 1.0), before)
        return value

    def runs(table: str) -> Array:
        on = np.array(getattr(net, table).in_service)
        on[getattr(row, f"{table}_out").idx] = False
        return on

    def at(name: str) -> Array:
        return np.array(row.values(name)[0])

    _, groups = reference_groups_of(grid, Cases.of(row))
    gen_on, is_reference, angle = runs("gen"), np.array(net.gen.is_reference), np.array(net.gen.v_ang_deg)
    node = grid.node_of_bus[net.gen.bus]
    if not np.array_equal(groups[0][1], grid.kind):
        # the outage takes a reference: its angle is given at another unit
        is_reference = gen_on & alive[node] & (groups[0][1] == REF)[node]
        angle[is_reference] = np.rad2deg(np.angle(v[s, node[is_reference]]))
    controlled = np.where(svc.controlled_bus >= 0, svc.controlled_bus, svc.bus)
    return net.replace(
        bus=net.bus.replace(in_service=runs("bus")),
        branch=t.replace(
            tap_ratio=t.tap_ratio + (position - t.tap_pos) * t.tap_step_pu, tap_pos=np.rint(position).astype(np.int32),
            shift_deg=t.shift_deg + (position - t.tap_pos) * t.tap_step_deg, in_service=runs("branch"),
        ),
        gen=net.gen.replace(
            p_mw=at("gen_p_mw"), q_mvar=at("gen_q_mvar"), v_set_pu=at("gen_v_pu"), is_reference=is_reference,
            v_ang_deg=angle, in_service=gen_on,
        ),
        load=net.load.replace(p_mw=at("load_p_mw"), q_mvar=at("load_q_mvar"), in_service=runs("load")),
        storage=net.storage.replace(p_mw=at("storage_p_mw"), q_mvar=at("storage_q_mvar")),
        shunt=net.shunt.replace(step=at("shunt_step")),
        compensator=svc.replace(v_set_pu=held(controlled, svc.v_set_pu)),
        hvdc=dc.replace(
            p_mw=at("hvdc_p_mw"), v_set_from_pu=held(dc.from_bus, dc.v_set_from_pu),
            v_set_to_pu=held(dc.to_bus, dc.v_set_to_pu), in_service=runs("hvdc"),
        ),
    )  # fmt: skip
