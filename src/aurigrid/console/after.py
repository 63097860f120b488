"""The state after an outage, solved again when it is looked at: a run stores what outages break, not their voltages.

The run has the base state of each step. Its branch flows and unit outputs give the demand at each bus, from which the
engine solves the outage with the run's own options. The answer is compared with what the run recorded for the outage
(largest loading, lowest and highest voltage), so that the page can say how well both agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.console.findings import outage_list
from aurigrid.console.library import Entry
from aurigrid.console.listed import kind_of
from aurigrid.errors import InputError, Issue
from aurigrid.model.islands import components
from aurigrid.model.network import Network
from aurigrid.model.scenario_input import OUTAGES
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.table import Array
from aurigrid.store.arrays import numbers

AGREE = 1e-3
"""Largest difference, pu and as a share of the rating, at which the state is called the recorded one."""


@dataclass(frozen=True)
class After:
    """A state after an outage; arrays as in ``bus_state`` and ``branch_state``, NaN where de-energised or out.

    Attributes:
        status: how the power flow ended.
        agrees: whether it is the state that the run recorded, within `AGREE`.
        out: (n_branch,) bool, branches that are out.
        lost: what lies in the parts without supply: table, id, MW.
    """

    status: str
    agrees: bool
    v_mag: Array
    v_ang: Array
    p_from_mw: Array
    p_to_mw: Array
    q_from_mvar: Array
    loading: Array
    out: Array
    lost: list[dict[str, Any]]


def after_outage(entry: Entry, contingency: int, step: int) -> After:
    """Solve one outage of one step.

    Raises:
        InputError: no such step or outage.
    """
    return entry.kept.get(("after", contingency, step), lambda: _solve(entry, contingency, step))


def engine_ahead(entry: Entry, step: int) -> None:
    """Load the engine, which takes a second, by solving one outage of a step; nothing where the run has none."""
    if kind_of(entry.run()) == "day" and len(outage_list(entry).label):
        after_outage(entry, 0, step)


def _solve(entry: Entry, contingency: int, step: int) -> After:
    from aurigrid.powerflow import Status, power_flow

    names, net, run = outage_list(entry), entry.network(), entry.run()
    if not 0 <= contingency < len(names.label):
        raise InputError(Issue("outage", "", f"{contingency} is not one of the {len(names.label)} outages of this run"))
    out = _positions(net, names.elements[contingency])
    options = run.info.options
    state = demand(entry, step)
    changes: dict[str, Any] = {**state, **{name: [rows] for name, rows in out.items()}}
    slack: Any = options.get("slack", "reference")
    solved = power_flow(
        net,
        Scenarios(net, **changes),
        tol_pu=float(options.get("tol_pu", 1e-8)),
        q_limits=bool(options.get("q_limits", True)),
        slack=slack,
        max_iterations=int(options.get("max_iterations", 20)),
    )
    flow = solved.branch_flow()
    gone = ~net.branch.in_service
    gone[out.get("branch_out", [])] = True
    v_mag = solved.v_mag[0]
    return After(
        status=Status(int(solved.status[0])).name.lower(),
        agrees=_agrees(entry, contingency, step, v_mag, flow.loading[0]),
        v_mag=v_mag,
        v_ang=solved.v_ang[0],
        p_from_mw=flow.p_from_mw[0],
        p_to_mw=flow.p_to_mw[0],
        q_from_mvar=flow.q_from_mvar[0],
        loading=flow.loading[0],
        out=gone,
        lost=_lost(net, v_mag, state) if Status(int(solved.status[0])).solved else [],
    )


def demand(entry: Entry, step: int) -> dict[str, Array]:
    """Loads and unit outputs of a step, from its stored flows: what units feed and branches do not carry away.

    Returns:
        Arrays as `Scenarios` takes them. A bus's demand is put on its loads, in proportion to their size; buses that
        closed switches join count as one.

    Raises:
        InputError: the step is not finished.
    """
    run, net = entry.run(), entry.network()
    if step not in run.steps:
        raise InputError(Issue("step", "", f"{step} is not a finished step of this run"))
    branch, gen = run.table("branch_state", (step,)).to_pydict(), run.table("gen_state", (step,)).to_pydict()
    bus = run.table("bus_state", (step,))
    v = np.nan_to_num(numbers(bus.column("v_mag")), nan=0.0)
    shunt = net.shunt
    on = np.where(shunt.in_service, shunt.step, 0.0) * v[shunt.bus] ** 2 if len(shunt) else np.zeros(0)
    closed = net.switch.closed
    node = components(net.n_bus, net.switch.from_bus[closed], net.switch.to_bus[closed])
    left = {}
    for axis, ends in (("p_mw", ("p_from_mw", "p_to_mw")), ("q_mvar", ("q_from_mvar", "q_to_mvar"))):
        given = np.zeros(net.n_bus)
        np.add.at(given, net.gen.bus, _real(gen[axis]))
        for table in (net.storage, net.compensator):
            if len(table) and hasattr(table, axis):
                np.add.at(given, table.bus, np.where(table.in_service, getattr(table, axis), 0.0))
        np.add.at(given, net.branch.from_bus, -_real(branch[ends[0]]))
        np.add.at(given, net.branch.to_bus, -_real(branch[ends[1]]))
        if len(shunt):
            np.add.at(given, shunt.bus, -on * shunt.g_mw if axis == "p_mw" else on * shunt.b_mvar)
        left[axis] = np.bincount(node, given, minlength=node.max() + 1)
    held: dict[str, Array] = {}
    if "points" in run.table_names:  # the set-points of an operating point are the voltages that it has
        at = np.where(net.gen.controlled_bus >= 0, net.gen.controlled_bus, net.gen.bus)
        held["gen_v_pu"] = np.where(v[at] > 0, v[at], net.gen.v_set_pu)
    return {
        **held,
        "load_p_mw": _shared(net, node, left["p_mw"], net.load.p_mw),
        "load_q_mvar": _shared(net, node, left["q_mvar"], net.load.p_mw),
        "gen_p_mw": _real(gen["p_mw"]),
        "gen_q_mvar": _real(gen["q_mvar"]),
    }


def _shared(net: Network, node: Array, total: Array, size: Array) -> Array:
    at = node[net.load.bus]
    weight = np.where(net.load.in_service, np.abs(size) + 1e-6, 0.0)
    whole = np.bincount(at, weight, minlength=len(total))[at]
    return np.where(whole > 0, total[at] * weight / np.where(whole > 0, whole, 1.0), 0.0)


def _real(values: list[float | None]) -> Array:
    return np.nan_to_num(np.array(values, dtype=np.float64), nan=0.0)


def _positions(net: Network, elements: list[str]) -> dict[str, list[int]]:
    """Outage lists of `Scenarios` from elements as ``table:id``."""
    kinds = {table: name for name, table in OUTAGES.items()}
    out: dict[str, list[int]] = {}
    for element in elements:
        table, _, id = element.partition(":")
        rows = np.flatnonzero(getattr(net, table).id.astype(str) == id)
        out.setdefault(kinds[table], []).extend(int(r) for r in rows)
    return out


def _agrees(entry: Entry, contingency: int, step: int, v_mag: Array, loading: Array) -> bool:
    table = entry.run().table("contingencies", (step,))
    row = table.filter(_equals(table, contingency)).to_pylist()
    if not row or not np.isfinite(v_mag).any():
        return False
    real = v_mag[np.isfinite(v_mag) & ~entry.network().bus.is_star]
    pairs = (
        (row[0]["max_loading"], np.nanmax(loading)),
        (row[0]["v_min_pu"], real.min()),
        (row[0]["v_max_pu"], real.max()),
    )
    return all(a is not None and abs(a - b) < AGREE for a, b in pairs)


def _equals(table: Any, contingency: int) -> Any:
    import pyarrow.compute as pc

    return pc.equal(table.column("contingency"), contingency)


def _lost(net: Network, v_mag: Array, state: dict[str, Array]) -> list[dict[str, Any]]:
    """Loads and units at buses without voltage, the largest first."""
    dead = ~np.isfinite(v_mag)
    rows: list[dict[str, Any]] = []
    for table, values in (("load", state["load_p_mw"]), ("gen", state["gen_p_mw"])):
        elements = getattr(net, table)
        there = np.flatnonzero(dead[elements.bus] & elements.in_service & (np.abs(values) > 1e-3)).tolist()
        ids, bus = elements.id.astype(str), elements.bus
        rows += [{"table": table, "id": str(ids[i]), "bus": int(bus[i]), "p_mw": float(values[i])} for i in there]
    return sorted(rows, key=lambda row: -abs(row["p_mw"]))
