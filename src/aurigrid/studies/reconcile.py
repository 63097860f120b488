"""Reconciliation: does the network that was read mean what its source means?

Three independent questions, each answered where the data allow it:

1. Do the source's own voltages balance in our network? Needs no solver (`aurigrid.studies.balance`).
2. Do its voltages stand at our set-points?
3. Does our own power flow arrive at the same voltages, angles and flows?

The source's state is the one it stores, or the solution that its own tool (pandapower, OpenLoadFlow) computes.
Angles are compared relative to the reference of their island, since sources differ in where they put zero.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.io.report import Import, SourceState
from aurigrid.model.network import Network
from aurigrid.model.table import Array
from aurigrid.studies.balance import Balance, islands, power_balance
from aurigrid.studies.differences import explain

WORST = 10
_AGREES, _AGREES_MVA = {"pu": 1e-6, "deg": 1e-4}, 1e-3


@dataclass(frozen=True)
class Difference:
    """One element at which the two sides differ.

    Attributes:
        id: the element.
        ours: our value.
        theirs: the source's value.
        difference: ours minus theirs.
    """

    id: str
    ours: float
    theirs: float
    difference: float


@dataclass(frozen=True)
class Comparison:
    """One quantity, compared over all elements for which both sides have a value.

    Attributes:
        quantity: e.g. ``"voltage magnitude"``.
        unit: e.g. ``"pu"``.
        compared: number of elements compared.
        largest: largest absolute difference; 0 where nothing was compared.
        worst: up to ten elements, the largest difference first.
    """

    quantity: str
    unit: str
    compared: int
    largest: float
    worst: tuple[Difference, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing differs by more than 1e-6 pu, 1e-4 degrees or 1e-3 MW or Mvar."""
        return self.largest <= _AGREES.get(self.unit, _AGREES_MVA)

    def __str__(self) -> str:
        text = f"{self.quantity}: {self.compared} compared"
        return f"{text}, largest difference {self.largest:.3g} {self.unit}" if self.compared else text


@dataclass(frozen=True)
class Reconciliation:
    """The account of one comparison.

    Attributes:
        origin: where the source's state came from; ``""`` where there is none.
        theirs_solved: whether it is known to be a converged power flow.
        our_status: status of our power flow in words; ``"not solved"`` where it was not asked for.
        balance: mismatch of our network at the source's voltages, active and reactive, in MW and Mvar.
        comparisons: set-points, and (where solved) voltages, angles and flows, ours against theirs.
        explain: differences of model and of state, by name.
    """

    origin: str
    theirs_solved: bool
    our_status: str
    balance: tuple[Comparison, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    explain: tuple[str, ...] = ()

    def comparison(self, quantity: str) -> Comparison:
        """The comparison of one quantity by name."""
        for found in (*self.balance, *self.comparisons):
            if found.quantity == quantity:
                return found
        known = ", ".join(c.quantity for c in (*self.balance, *self.comparisons))
        raise KeyError(f"{quantity!r} was not compared; compared were: {known}")

    @property
    def agrees(self) -> bool:
        """Whether there is a state and nothing differs by more than 1e-6 pu, 1e-4 degrees or 1e-3 MVA."""
        checks = (*self.balance, *self.comparisons)
        return bool(checks) and all(c.agrees for c in checks)

    def to_dict(self) -> dict[str, Any]:
        """The account as plain data, ready for JSON."""
        return dataclasses.asdict(self) | {"agrees": self.agrees}

    def lines(self) -> list[str]:
        """The account as text, one line a fact."""
        if not self.origin:
            return ["nothing to reconcile with: the source stores no state", *(f"  {e}" for e in self.explain)]
        out = [f"against: {self.origin}" + ("" if self.theirs_solved else " (not known to be solved)")]
        out.append(f"our power flow: {self.our_status}")
        for title, group in (("our balance at its voltages", self.balance), ("ours against theirs", self.comparisons)):
            if group:
                out.append(f"{title}:")
            for c in group:
                out.append(f"  {c}")
                shown = [d for d in c.worst if abs(d.difference) > 0.1 * c.largest and not c.agrees][:3]
                out.extend(f"    {d.id}: {d.ours:.6g} against {d.theirs:.6g} {c.unit}" for d in shown)
        if self.explain:
            out.append("known differences:")
            out.extend(f"  {e}" for e in self.explain)
        return out

    def __str__(self) -> str:
        return "\n".join(self.lines())


def reconcile(imported: Import, *, solve: bool = True, ask_tool: bool = True) -> Reconciliation:
    """Compare an imported network with the state of its source.

    Args:
        imported: the result of a reader.
        solve: solve our network too (Newton, no reactive limits, one reference an island); without, only the balance
            at the source's voltages and the set-points are compared.
        ask_tool: let the source's own tool solve where the source stores no state and the live object is at hand.
    """
    net, state = imported.network, imported.source_state
    if state is None and ask_tool and imported.source_object is not None:
        state = tool_state(imported)
    notes = _report_notes(imported)
    if state is None:
        return Reconciliation("", False, "not solved", explain=notes)
    balance = power_balance(net, state.v_mag_pu, state.v_ang_deg)
    held = _set_points(net, state)
    compared = [held]
    flows = _their_flows(net, state)
    if flows is not None:
        compared += _flow_comparisons(net, balance.flow_mva, flows, ", at its voltages")
    status = "not solved"
    if solve:
        status, ours = _our_solution(net)
        if ours is not None:
            compared += _against(net, ours, state, balance)
    compared = [c for c in compared if c.compared]
    known = (*state.remarks, *explain(net, state, balance, held.largest), *notes)
    return Reconciliation(state.origin, state.solved, status, _balance(net, balance), tuple(compared), known)


def tool_state(imported: Import) -> SourceState | None:
    """The state that the source's own tool computes, on a copy of the live object; None where it does not converge."""
    source = imported.source_object
    if hasattr(source, "get_bus_breaker_view_buses"):
        from aurigrid.io.powsybl import reference_state

        return reference_state(imported)
    if hasattr(source, "res_bus"):
        return _pandapower_state(imported.network, source)
    return None


def _pandapower_state(net: Network, source: Any) -> SourceState | None:
    """pandapower's own solution, with angles calculated and no reactive limits; bus ids are the pandapower index."""
    import copy

    import pandapower

    grid = copy.deepcopy(source)
    try:
        pandapower.runpp(
            grid, calculate_voltage_angles=True, init="auto", tolerance_mva=1e-8, enforce_q_lims=False, numba=False
        )
    except pandapower.LoadflowNotConverged:
        return None
    found = grid.res_bus.reindex(net.bus.id)
    v, angle = (found[c].to_numpy(dtype=float) for c in ("vm_pu", "va_degree"))
    return SourceState("pandapower runpp (angles calculated, no reactive limits)", True, v, angle)


@dataclass(frozen=True, eq=False)
class _Solved:
    v_mag: Array
    v_ang_deg: Array
    flow_mva: Array


def _our_solution(net: Network) -> tuple[str, _Solved | None]:
    """Our power flow: its status in words, and the solution where it converged."""
    from aurigrid.powerflow import Status, power_flow

    solution = power_flow(net)
    status = Status(int(solution.status[0]))
    if not np.isfinite(solution.v_mag[0]).any():
        return status.meaning, None
    flow = solution.branch_flow()
    ends = [flow.p_from_mw[0] + 1j * flow.q_from_mvar[0], flow.p_to_mw[0] + 1j * flow.q_to_mvar[0]]
    return status.meaning, _Solved(solution.v_mag[0], np.degrees(solution.v_ang[0]), np.array(ends))


def _compare(quantity: str, unit: str, ids: Array, ours: Array, theirs: Array) -> Comparison:
    gap = ours - theirs
    both = np.flatnonzero(np.isfinite(gap))
    order = both[np.argsort(-np.abs(gap[both]), kind="stable")][:WORST]
    worst = tuple(Difference(str(ids[i]), float(ours[i]), float(theirs[i]), float(gap[i])) for i in order)
    return Comparison(quantity, unit, len(both), abs(worst[0].difference) if worst else 0.0, worst)


def _balance(net: Network, balance: Balance) -> tuple[Comparison, ...]:
    zero = np.zeros(net.n_bus)
    return (
        _compare("active power balance", "MW", net.bus.id, balance.p_mw, zero),
        _compare("reactive power balance", "Mvar", net.bus.id, balance.q_mvar, zero),
    )


def _holders(net: Network) -> tuple[Array, Array, Array]:
    """Id, held bus and set-point of every element in service that holds a voltage."""
    gen, comp, link = net.gen, net.compensator, net.hvdc
    ids: list[str] = []
    bus: list[int] = []
    target: list[float] = []
    for table in (gen, comp):
        for i in np.flatnonzero(table.in_service & table.regulates):
            ids.append(str(table.id[i]))
            bus.append(int(table.controlled_bus[i] if table.controlled_bus[i] >= 0 else table.bus[i]))
            target.append(float(table.v_set_pu[i]))
    for holds, at, value in (
        (link.regulates_from, link.from_bus, link.v_set_from_pu),
        (link.regulates_to, link.to_bus, link.v_set_to_pu),
    ):
        rows = np.flatnonzero(link.in_service & holds)
        ids += [str(link.id[i]) for i in rows]
        bus += [int(at[i]) for i in rows]
        target += [float(value[i]) for i in rows]
    return np.array(ids, dtype=object), np.array(bus, dtype=int), np.array(target)


def _set_points(net: Network, state: SourceState) -> Comparison:
    ids, bus, target = _holders(net)
    return _compare("voltage set-point", "pu", ids, target, np.asarray(state.v_mag_pu)[bus])


def _their_flows(net: Network, state: SourceState) -> Array | None:
    if state.p_from_mw is None:
        return None
    nothing = np.full(net.n_branch, np.nan)
    parts = (state.p_from_mw, state.q_from_mvar, state.p_to_mw, state.q_to_mvar)
    p_from, q_from, p_to, q_to = (nothing if part is None else part for part in parts)
    return np.array([p_from + 1j * q_from, p_to + 1j * q_to])


def _flow_comparisons(net: Network, ours: Array, theirs: Array, suffix: str) -> list[Comparison]:
    return [
        _compare(f"{kind} flow, {end} end{suffix}", unit, net.branch.id, part(ours[k]), part(theirs[k]))
        for k, end in enumerate(("from", "to"))
        for kind, unit, part in (("active", "MW", np.real), ("reactive", "Mvar", np.imag))
    ]


def _against(net: Network, ours: _Solved, state: SourceState, balance: Balance) -> list[Comparison]:
    """Our solution against their state; flows against theirs, or those of their voltages where they give none."""
    theirs = _their_flows(net, state)
    angle = _aligned(net, ours.v_ang_deg, state.v_ang_deg)
    return [
        _compare("voltage magnitude", "pu", net.bus.id, ours.v_mag, state.v_mag_pu),
        _compare("voltage angle", "deg", net.bus.id, angle, state.v_ang_deg),
        *_flow_comparisons(net, ours.flow_mva, balance.flow_mva if theirs is None else theirs, ""),
    ]


def _aligned(net: Network, ours: Array, theirs: Array) -> Array:
    """Our angles turned, island by island, so that both sides agree at the reference, and by whole turns elsewhere."""
    out, island = ours.copy(), islands(net)
    for b in net.gen.bus[net.gen.in_service & net.gen.is_reference]:
        turn = theirs[b] - ours[b]
        if math.isfinite(turn):
            mine = island == island[b]
            out[mine] = ours[mine] + turn
    turns = np.round((out - theirs) / 360)
    return np.asarray(out - 360 * np.where(np.isfinite(turns), turns, 0))


def _report_notes(imported: Import) -> tuple[str, ...]:
    notes = [("approximated", n) for n in imported.report.approximated] + [
        ("ignored", n) for n in imported.report.ignored
    ]
    return tuple(f"{kind}: {note}" for kind, note in notes)
