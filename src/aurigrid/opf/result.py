"""`OptimalPowerFlow`: optimal operating points of a batch of scenarios, with prices and a certificate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.opf.points import by_element, point_network, shunt_steps, tap_positions, unit_powers
from aurigrid.opf.prices import delivery_factors
from aurigrid.opf.problem import LIMITS, Problem
from aurigrid.opf.residuals import Residuals
from aurigrid.opf.status import OpfStatus
from aurigrid.opf.tables import ACTIVE, COMPENSATOR, EXCESS, GEN, LINK, LINK_BACK, OTHER, REACTIVE, SHED, SHORT, STORAGE
from aurigrid.powerflow.moves import Move, moves_of
from aurigrid.powerflow.solution import Solution

if TYPE_CHECKING:
    from aurigrid.model.network import Network
    from aurigrid.model.scenarios import Scenarios

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class OptimalPowerFlow:
    """Optimal power flows of n scenarios.

    Attributes:
        objective: (n,) what was minimised, by default the cost of the units in currency/h; power that is missing or dropped
            is not in it.
        status: (n,) int8 `OpfStatus`; iterations: (n,) int32.
        residuals: the certificate, see `aurigrid.opf.residuals`.
        scenarios: the points as scenarios (dispatch and voltage set-points), ready for a power flow or a security analysis.
        solution: the points as a power flow's solution: voltages, flows, losses.
        x: (n, k) free injections, pu, in the order of ``problem.injection``; lam: (n, n_node) complex multipliers of the
            balances and mu: (n, n_limit) of the inequalities, in scaled cost.
        excess: (n, n_limit) by which soft limits are broken, as the solver scales them.
        scale: (n,) scaled cost for a unit of the objective.
        given: the scenarios as they were given; rounding_cost: (n,) what whole positions of discrete controls add to the
            objective, 0 where none were asked for.
    """

    problem: Problem
    objective: Array
    status: Array
    iterations: Array
    residuals: Residuals
    scenarios: Scenarios
    solution: Solution
    x: Array
    lam: Array
    mu: Array
    excess: Array
    scale: Array
    given: Scenarios
    rounding_cost: Array

    @property
    def n(self) -> int:
        return len(self.status)

    @property
    def kkt_residual(self) -> Array:
        """(n,) largest residual of the optimality conditions, recomputed in float64."""
        return self.residuals.kkt

    @property
    def max_violation_pu(self) -> Array:
        """(n,) largest broken balance or limit, pu or rad, power that a soft problem invents not counted as broken."""
        worst: Array = np.maximum(self.residuals.balance, self.residuals.violation)
        return worst

    def _units(self, owner: int, axis: int, size: int) -> Array:
        out = by_element(self.problem, self.x, owner, axis, size) * self.problem.grid.base_mva
        out[self.status == OpfStatus.FAILED] = np.nan
        return out

    @cached_property
    def _unit_powers(self) -> tuple[Array, Array]:
        """(n, n_gen) MW and Mvar of units."""
        both = tuple(power * self.problem.grid.base_mva for power in unit_powers(self.problem, self.x))
        for power in both:
            power[self.status == OpfStatus.FAILED] = np.nan
        return both[0], both[1]

    @cached_property
    def gen_p_mw(self) -> Array:
        """(n, n_gen) active power of units, MW; 0 out of service."""
        return self._unit_powers[0]

    @cached_property
    def gen_q_mvar(self) -> Array:
        """(n, n_gen) reactive power of units, Mvar; 0 out of service."""
        return self._unit_powers[1]

    @cached_property
    def storage_p_mw(self) -> Array:
        """(n, n_storage) active power of storage, MW, positive when it feeds the grid."""
        return self._units(STORAGE, ACTIVE, len(self.problem.grid.net.storage))

    @cached_property
    def storage_q_mvar(self) -> Array:
        """(n, n_storage) reactive power of storage, Mvar."""
        return self._units(STORAGE, REACTIVE, len(self.problem.grid.net.storage))

    @cached_property
    def compensator_q_mvar(self) -> Array:
        """(n, n_compensator) reactive power of compensators, Mvar."""
        return self._units(COMPENSATOR, REACTIVE, len(self.problem.grid.net.compensator))

    @cached_property
    def hvdc_p_mw(self) -> Array:
        """(n, n_hvdc) power that HVDC links draw at the sending end, MW, as in `HvdcTable`; 0 out of service."""
        size = len(self.problem.grid.net.hvdc)
        moved = self._units(LINK, OTHER, size) - self._units(LINK_BACK, OTHER, size)
        given = np.array(self.scenarios.values("hvdc_p_mw"))
        given[:, ~self.problem.grid.hvdc_on] = 0.0
        for s in range(self.n):
            given[s, self.scenarios.hvdc_out[s]] = 0.0
        return np.where(np.isnan(moved), np.nan, given)

    @cached_property
    def load_shed_mw(self) -> Array:
        """(n, n_load) active power that loads are not given, MW at 1 pu."""
        return self._units(SHED, OTHER, self.problem.grid.net.n_load)

    @cached_property
    def shunt_step(self) -> Array:
        """(n, n_shunt) steps of shunts in service; not whole where they were free."""
        return shunt_steps(self.problem, self.scenarios, self.x)

    @cached_property
    def tap_position(self) -> Array:
        """(n, n_branch) positions of taps; not whole where they were free."""
        return tap_positions(self.problem, self.x)

    @property
    def tap_ratio(self) -> Array:
        """(n, n_branch) turns ratios, pu."""
        t = self.problem.grid.net.branch
        ratio: Array = t.tap_ratio + (self.tap_position - t.tap_pos) * t.tap_step_pu
        return ratio

    @property
    def shift_deg(self) -> Array:
        """(n, n_branch) phase shifts, degrees."""
        t = self.problem.grid.net.branch
        shift: Array = t.shift_deg + (self.tap_position - t.tap_pos) * t.tap_step_deg
        return shift

    @cached_property
    def moves(self) -> list[Move]:
        """Taps, phase shifters and shunts that are not where their scenario has them, by scenario."""
        return moves_of(self.given.net, self.given, self.tap_position, self.shunt_step)

    def network(self, scenario: int) -> Network:
        """The network at the point of one scenario: a power flow of it finds the point's voltages.

        Dispatch, set-points, loads, shunts, taps and HVDC power are the point's; what is out is out of service.
        """
        return point_network(self.problem, self.given.net, self.scenarios, self.x, self.solution.v, scenario)

    def _by_bus(self, values: Array) -> Array:
        """(n, n_node) -> (n, n_bus): a node's value at its first bus, 0 at the others."""
        grid = self.problem.grid
        _, first = np.unique(grid.node_of_bus, return_index=True)
        out = np.zeros((self.n, grid.net.n_bus))
        out[:, first] = values
        return out

    @cached_property
    def short_mw(self) -> Array:
        """(n, n_bus) active power that is missing (positive) or cannot be used (negative), MW; 0 where balances are hard."""
        n = self.problem.grid.n_node
        return self._by_bus(self._units(SHORT, ACTIVE, n) + self._units(EXCESS, ACTIVE, n))

    @cached_property
    def short_mvar(self) -> Array:
        """(n, n_bus) reactive power that is missing (positive) or cannot be absorbed (negative), Mvar."""
        n = self.problem.grid.n_node
        return self._by_bus(self._units(SHORT, REACTIVE, n) + self._units(EXCESS, REACTIVE, n))

    @property
    def slack_mw(self) -> Array:
        """(n,) sum of missing and unusable active power, MW."""
        total: Array = np.abs(self.short_mw).sum(1)
        return total

    @property
    def slack_mvar(self) -> Array:
        """(n,) sum of missing and unabsorbed reactive power, Mvar."""
        total: Array = np.abs(self.short_mvar).sum(1)
        return total

    @cached_property
    def price_per_mwh(self) -> Array:
        """(n, n_bus) locational marginal prices: cost of one more MW of consumption at each bus, currency/MWh."""
        grid = self.problem.grid
        price: Array = np.real(self.lam)[:, grid.node_of_bus] / (self.scale[:, None] * grid.base_mva)
        return price

    @cached_property
    def _split(self) -> tuple[Array, Array]:
        """(n, n_bus) price of energy, and what is paid for losses, currency/MWh."""
        grid = self.problem.grid
        factor, reference = delivery_factors(self.problem, self.scenarios, self.x, self.solution.v)
        node = grid.node_of_bus
        price = np.real(self.lam) / (self.scale[:, None] * grid.base_mva)
        energy = np.take_along_axis(price, reference, 1)
        return energy[:, node], (energy * (factor - 1))[:, node]

    @property
    def price_energy(self) -> Array:
        """(n, n_bus) energy's part of ``price_per_mwh``: the price at the bus's reference, currency/MWh; see `prices`."""
        return self._split[0]

    @property
    def price_loss(self) -> Array:
        """(n, n_bus) part of ``price_per_mwh`` that marginal losses make, currency/MWh."""
        return self._split[1]

    @property
    def price_congestion(self) -> Array:
        """(n, n_bus) part of ``price_per_mwh`` that binding limits make, currency/MWh."""
        rest: Array = self.price_per_mwh - self._split[0] - self._split[1]
        return rest

    @cached_property
    def price_per_mvarh(self) -> Array:
        """(n, n_bus) cost of one more Mvar of consumption at each bus, currency/Mvarh."""
        grid = self.problem.grid
        price: Array = np.imag(self.lam)[:, grid.node_of_bus] / (self.scale[:, None] * grid.base_mva)
        return price

    def binding(self, scenario: int, least: float = 1e-4) -> list[dict[str, Any]]:
        """Limits that bind in one scenario, dearest first: kind, element, multiplier (scaled) and excess."""
        order = np.argsort(-self.mu[scenario])
        found = []
        for q in order[self.mu[scenario, order] > least].tolist():
            kind, element = LIMITS[self.problem.kind[q]], int(self.problem.element[q])
            if kind in ("upper", "lower"):
                owner, axis = self.problem.injection.owner[element], self.problem.injection.axis[element]
                if owner != GEN:
                    continue
                kind = f"{'q' if axis == REACTIVE else 'p'}_{'max' if kind == 'upper' else 'min'}"
                element = int(self.problem.injection.element[element])
            elif kind == "capability":
                curves = self.problem.system.curves
                unit = int(np.searchsorted(curves.ptr, element, side="right")) - 1
                element = int(self.problem.injection.element[curves.reactive[unit]])
            found.append(
                {"kind": kind, "element": element, "multiplier": float(self.mu[scenario, q]),
                 "excess": float(self.excess[scenario, q])}
            )  # fmt: skip
        return found

    def _repr_html_(self) -> str:
        from aurigrid.opf.markup import opf_html

        return opf_html(self)

    def __repr__(self) -> str:
        counts = ", ".join(f"{np.sum(self.status == s)} {s.meaning}" for s in OpfStatus if (self.status == s).any())
        return f"OptimalPowerFlow({self.n} of {self.problem.grid.net.name!r}: {counts})"
