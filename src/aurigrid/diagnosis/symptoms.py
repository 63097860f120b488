"""What is wrong with a grid's state: whether the power flow has a solution, and how far it is outside what can be run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.errors import InputError
from aurigrid.kernels.tile import OFF
from aurigrid.model.network import Network
from aurigrid.powerflow import Rung, Solution, Status, power_flow

Array = np.ndarray[Any, np.dtype[Any]]

USUAL_BAND_PU = 0.9, 1.1
"""Voltage band of buses whose own is not known, pu."""
SEVERE_V_PU, SEVERE_LOADING, SEVERE_ANGLE_DEG, SEVERE_SHARE = 0.05, 1.25, 60.0, 0.05
"""A state is severe beyond these: voltage outside the band, loading, angle over a branch, and load without supply or power
asked of reference units beyond what they have, each as a share of the load."""
_UNSOLVED = 100.0
_CLEAN = 0.02
_MOST = 10.0


@dataclass(frozen=True, eq=False)
class Symptoms:
    """State of a network with reactive limits held.

    Attributes:
        invalid: what makes the network unusable as it is, empty where it can be solved.
        status: of the power flow; rung: what led to its answer.
        reached: largest share of all injections with a solution, where it was looked for; else NaN.
        unlimited: whether there is a solution once reactive limits are ignored; None where it was not looked for.
        v_excess_pu (n_bus,): how far each voltage is outside its band, NaN where not solved; loading (n_branch,);
            angle_deg (n_branch,): angle over each branch, its own phase shift apart.
        slack_excess_mw: active power asked of units beyond what they have; unsupplied_mw: load without supply.
        load_mw: consumption in service, the sum of magnitudes.
    """

    invalid: str
    status: Status
    rung: Rung
    reached: float
    unlimited: bool | None
    v_excess_pu: Array
    loading: Array
    angle_deg: Array
    slack_excess_mw: float
    unsupplied_mw: float
    load_mw: float

    @property
    def solved(self) -> bool:
        return not self.invalid and self.status.solved

    @property
    def terms(self) -> dict[str, float]:
        """How far each symptom goes, in units of what counts as severe."""
        part = 1 / max(SEVERE_SHARE * self.load_mw, 1.0)
        terms = {"unsupplied": self.unsupplied_mw * part}
        if self.solved:
            terms |= {
                "voltage": float(np.nanmax(self.v_excess_pu, initial=0.0)) / SEVERE_V_PU,
                "loading": float(np.nanmax(self.loading - 1, initial=0.0)) / (SEVERE_LOADING - 1),
                "angle": float(np.nanmax(self.angle_deg, initial=0.0)) / SEVERE_ANGLE_DEG,
                "slack": self.slack_excess_mw * part,
            }
        return terms

    @property
    def severe(self) -> bool:
        """Whether this is no state to run a grid in."""
        return not self.solved or any(value > 1 for value in self.terms.values())

    @property
    def clean(self) -> bool:
        """Whether every limit is kept, to a small tolerance."""
        return (
            self.solved
            and all(value < _CLEAN for name, value in self.terms.items() if name != "angle")
            and not self.severe
        )

    @property
    def badness(self) -> float:
        """One figure to compare repairs by: how far beyond severe, symptom by symptom; at least 100 without a solution, 300
        where the network is not even valid."""
        total = sum(min(max(value - 1, 0.0), _MOST) for value in self.terms.values())
        if self.solved:
            return total
        if self.invalid:
            return 3 * _UNSOLVED
        return _UNSOLVED * (2.0 - (self.reached if np.isfinite(self.reached) else 0.0)) + total

    def to_dict(self) -> dict[str, Any]:
        """The symptoms as data."""
        return {
            "invalid": self.invalid, "status": self.status.name.lower(), "rung": self.rung.name.lower(), "reached": self.reached,
            "solved_without_reactive_limits": self.unlimited, "severe": self.severe, "terms": self.terms,
            "unsupplied_mw": self.unsupplied_mw, "slack_excess_mw": self.slack_excess_mw,
        }  # fmt: skip

    def mild_words(self, net: Network) -> list[str]:
        """Limits that a state which can be run breaks all the same."""
        found = []
        if self.solved and (count := int((self.v_excess_pu > 1e-4).sum())):
            i = int(np.argmax(np.nan_to_num(self.v_excess_pu)))
            found.append(
                f"{count} voltages are outside their bands, most at bus {net.bus.id[i]} ({self.v_excess_pu[i]:.3f} pu)."
            )
        if self.solved and (count := int((self.loading > 1.0001).sum())):
            k = int(np.argmax(self.loading))
            found.append(f"{count} branches are overloaded, most {net.branch.id[k]} ({100 * self.loading[k]:.0f} %).")
        return found

    def words(self, net: Network) -> list[str]:
        """The symptoms as sentences."""
        if self.invalid:
            return [f"The network cannot be solved as it is: {self.invalid}."]
        found = []
        if not self.status.solved:
            found.append(f"The power flow with reactive limits has no solution that was found: {self.status.meaning}.")
            if self.unlimited:
                found.append("It has a solution once reactive limits are ignored: reactive power is what is missing.")
            if np.isfinite(self.reached):
                found.append(f"A solution exists for up to {100 * self.reached:.0f} % of all injections.")
            elif self.unlimited is not None:
                found.append(
                    "Not even the unloaded grid has a solution: look at the branches rather than at the loads."
                )
        terms = self.terms
        if terms["unsupplied"] > 1:
            found.append(f"{self.unsupplied_mw:,.1f} MW of load are without supply.")
        if terms.get("voltage", 0) > 1:
            i = int(np.nanargmax(self.v_excess_pu))
            found.append(f"The voltage of bus {net.bus.id[i]} is {self.v_excess_pu[i]:.3f} pu outside its band.")
        if terms.get("loading", 0) > 1:
            k = int(np.nanargmax(self.loading))
            found.append(f"Branch {net.branch.id[k]} carries {100 * self.loading[k]:.0f} % of its rating.")
        if terms.get("angle", 0) > 1:
            k = int(np.nanargmax(self.angle_deg))
            found.append(f"The angle over branch {net.branch.id[k]} is {self.angle_deg[k]:.0f} degrees.")
        if terms.get("slack", 0) > 1:
            found.append(f"Units are asked for {self.slack_excess_mw:,.1f} MW more than they have.")
        return found


def symptoms(net: Network, *, thorough: bool = False) -> Symptoms:
    """Solve a network with reactive limits held, and measure its state.

    Args:
        thorough: take a power flow that fails up the rescue ladder, and look for a solution without reactive limits.
    """
    nothing = np.full(0, np.nan)
    load_mw = float(np.abs(net.load.p_mw[net.load.in_service]).sum())
    try:
        solution = power_flow(net, q_limits=True, rescue=thorough, threads=1)
    except InputError as error:
        return Symptoms(
            "; ".join(str(issue) for issue in error.issues), Status.SKIPPED, Rung.NONE, np.nan, None, nothing, nothing,
            nothing, 0.0, 0.0, load_mw,
        )  # fmt: skip
    status = Status(int(solution.status[0]))
    dead = solution.grid.kind[solution.grid.node_of_bus[net.load.bus]] == OFF
    unsupplied = float(np.abs(net.load.p_mw[dead & net.load.in_service]).sum())
    reached = float(solution.reached[0]) if solution.reached is not None else np.nan
    if not status.solved:
        unlimited = bool(power_flow(net, threads=1).converged[0]) if thorough else None
        return Symptoms("", status, Rung.NONE, reached, unlimited, nothing, nothing, nothing, 0.0, unsupplied, load_mw)
    low, high = voltage_band(net)
    v = solution.v_mag[0]
    outside = np.where(net.bus.is_star, 0.0, np.maximum(np.maximum(low - v, v - high), 0.0))
    return Symptoms(
        "", status, Rung(int(solution.rung[0])), reached, None, outside, np.nan_to_num(solution.branch_flow().loading[0]),
        _angles(net, solution), _slack_excess(net, solution), unsupplied, load_mw,
    )  # fmt: skip


def voltage_band(net: Network) -> tuple[Array, Array]:
    """(n_bus,) lower and upper voltage limits, the usual ones where the network has none, pu."""
    low = np.where(net.bus.v_min_pu > 0, net.bus.v_min_pu, USUAL_BAND_PU[0])
    high = np.where(np.isfinite(net.bus.v_max_pu), net.bus.v_max_pu, USUAL_BAND_PU[1])
    return low, high


def _angles(net: Network, solution: Solution) -> Array:
    t, v = net.branch, solution._by_bus[0]
    turn = v[t.from_bus] * np.conj(v[t.to_bus]) * np.exp(-1j * np.deg2rad(t.shift_deg))
    angle: Array = np.where(t.in_service, np.rad2deg(np.abs(np.angle(turn))), 0.0)
    return angle


def _slack_excess(net: Network, solution: Solution) -> float:
    """Power that reference units give beyond their limits; those of one bus help one another."""
    gen, p = net.gen, solution.gen_p_mw[0]
    bus = np.unique(gen.bus[gen.in_service & gen.is_reference])
    excess = 0.0
    for b in bus.tolist():
        mine = gen.in_service & (gen.bus == b)
        total, most, least = p[mine].sum(), gen.p_max_mw[mine].sum(), gen.p_min_mw[mine].sum()
        # many sources give 0 as the lower limit of a unit that stands for a whole neighbour
        excess += max(total - most, min(least, 0.0) - total, 0.0) if np.isfinite(total) else 0.0
    return float(excess)
