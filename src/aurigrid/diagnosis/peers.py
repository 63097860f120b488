"""How far a value lies from those of its peers: robust statistics of logarithms, within kind and voltage level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.model.network import Network

Array = np.ndarray[Any, np.dtype[Any]]

_FEW = 6
"""A group with fewer members is judged with all elements of its kind."""
_CONSISTENT = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


@dataclass(frozen=True, eq=False)
class Peers:
    """Values beside their peers.

    Attributes:
        centre: (n,) median of the peers; NaN where there are none.
        score: (n,) deviation from it in robust standard deviations of the logarithm, signed; 0 where it has no meaning.
    """

    centre: Array
    score: Array

    def value_score(self, element: int, value: float) -> float:
        """What score an element would have with another value."""
        if not (value > 0 and self.centre[element] > 0):
            return float("inf")
        return float(np.log10(value / self.centre[element]) / self._spread[element])

    _spread: Array


def peers(values: Array, group: Array, kind: Array, use: Array, least_spread: float) -> Peers:
    """Compare positive values by group, by kind where a group is small, with all where a kind is.

    Args:
        values: (n,) sizes; those of ``use`` that are not positive are left out.
        group, kind: (n,) whole numbers; ``use``: (n,) bool, elements that count as peers.
        least_spread: smallest standard deviation assumed, decades.
    """
    n = len(values)
    good = use & np.isfinite(values) & (values > 0)
    logs = np.log10(np.where(good, values, 1.0))
    middle, spread = np.full(n, np.nan), np.full(n, np.inf)
    for labels in (np.zeros(n, int), kind, group):
        for label in np.unique(labels):
            mine = labels == label
            peer = mine & good
            if peer.sum() < _FEW:
                continue
            m = np.median(logs[peer])
            middle[mine], spread[mine] = m, max(_CONSISTENT * float(np.median(np.abs(logs[peer] - m))), least_spread)
    with np.errstate(invalid="ignore"):
        score = np.where(good & np.isfinite(middle), (logs - middle) / spread, 0.0)
    return Peers(10.0**middle, score, spread)


def branch_groups(net: Network) -> tuple[Array, Array]:
    """(n_branch,) voltage levels and kind of each branch as a number, and whether it is a transformer."""
    t, kv = net.branch, net.bus.v_nom_kv
    levels, at = np.unique(np.round(kv, 3), return_inverse=True)
    a, b = at[t.from_bus], at[t.to_bus]
    trafo = is_transformer(net)
    return (np.minimum(a, b) * len(levels) + np.maximum(a, b)) * 2 + trafo, trafo.astype(int)


def is_transformer(net: Network) -> Array:
    """(n_branch,) bool: marked as one, or between voltage levels."""
    t, kv = net.branch, net.bus.v_nom_kv
    found: Array = (t.kind == 1) | (t.kind == 2) | (kv[t.from_bus] != kv[t.to_bus])
    return found
