"""Moves of controls that step, as data and in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios

Array = np.ndarray[Any, np.dtype[Any]]

_STILL = 1e-6
"""Steps below which a control has not moved: an interior point never quite reaches a bound."""


@dataclass(frozen=True)
class Move:
    """A control that is not where its scenario has it.

    Attributes:
        scenario: position of the scenario; kind: ``"tap"``, ``"shifter"`` or ``"shunt"``.
        table: ``"branch"`` or ``"shunt"``; element: position there; id: the source's own id.
        before, after: positions of a tap, steps of a shunt, not whole where these were taken as continuous.
        meaning: what the positions stand for, before and after: pu of ratio, degrees, Mvar at 1 pu.
    """

    scenario: int
    kind: str
    table: str
    element: int
    id: Any
    before: float
    after: float
    meaning: tuple[float, float]

    @property
    def text(self) -> str:
        """The move in words."""
        name, unit, decimals = {
            "tap": ("tap of branch", "ratio", 4), "shifter": ("phase shifter", "degrees", 2), "shunt": ("shunt", "Mvar", 1)
        }[self.kind]  # fmt: skip
        old, new = (f"{value:.{decimals}f}" for value in self.meaning)
        return f"{name} {self.id}: {self.before:g} to {self.after:g} ({unit} {old} to {new})"


def moves_of(net: Network, sc: Scenarios, tap_position: Array, shunt_step: Array) -> list[Move]:
    """Every control that is not where its scenario has it.

    Args:
        sc: the scenarios as they were given; tap_position: (n, n_branch), shunt_step: (n, n_shunt) of the points.
    """
    found = []
    t, s = net.branch, net.shunt
    for n, k in np.argwhere(np.abs(tap_position - t.tap_pos) > _STILL).tolist():
        step = float(tap_position[n, k] - t.tap_pos[k])
        turns = t.tap_step_deg[k] != 0
        start, size = (t.shift_deg[k], t.tap_step_deg[k]) if turns else (t.tap_ratio[k], t.tap_step_pu[k])
        found.append(
            Move(n, "shifter" if turns else "tap", "branch", k, t.id[k], float(t.tap_pos[k]), float(tap_position[n, k]),
                 (float(start), float(start + step * size)))
        )  # fmt: skip
    before = sc.values("shunt_step")
    for n, k in np.argwhere(np.abs(shunt_step - before) > _STILL).tolist():
        old, new = float(before[n, k]), float(shunt_step[n, k])
        found.append(
            Move(n, "shunt", "shunt", k, s.id[k], old, new, (old * float(s.b_mvar[k]), new * float(s.b_mvar[k])))
        )
    return sorted(found, key=lambda move: (move.scenario, move.table, move.element))
