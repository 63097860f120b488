"""Linear cuts that single scenarios of an optimal power flow have besides the limits that all share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.kernels.cuts import Cuts, no_cuts
from aurigrid.opf.problem import Problem

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, eq=False)
class CutSet:
    """Cuts ``rest + sum a x + sum b |V| <= 0`` of n scenarios, m at most, padded with zeros.

    Attributes:
        unit: (ku,) injections that may occur; node: (kn,) nodes, in the caller's order.
        count: (n,) cuts of each scenario; a: (n, m, ku), b: (n, m, kn) and rest: (n, m), x and |V| in pu.
        price: (n, m) of breaking a cut by 1, currency/h; 0 where it must hold.
        mu: (n, m) multipliers to start from, in scaled cost, where a start gives those of the limits.
    """

    unit: Array
    node: Array
    count: Array
    a: Array
    b: Array
    rest: Array
    price: Array
    mu: Array

    def take(self, rows: Array) -> CutSet:
        """Those of some scenarios."""
        return CutSet(
            self.unit, self.node, self.count[rows], self.a[rows], self.b[rows], self.rest[rows], self.price[rows], self.mu[rows]
        )  # fmt: skip

    def free(self, free: Array) -> Array:
        """(n, m, ku) a, without injections that do not move (``free`` (n, k) false), which ``rest`` does not count either."""
        return self.a * free[:, None, self.unit]


def kernel_cuts(problem: Problem, cuts: CutSet | None, free: Array, scale: float) -> Cuts:
    """What the kernels take; scale: scaled cost for a unit of the objective."""
    if cuts is None:
        return no_cuts(problem.n_limit)
    return Cuts(
        cuts.unit.astype(np.int32), problem.pattern.position[cuts.node].astype(np.int32), problem.n_limit,
        cuts.count.astype(np.int32), np.ascontiguousarray(cuts.free(free)), np.ascontiguousarray(cuts.b), cuts.rest.copy(),
        cuts.price * scale,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class CutPoint:
    """Cuts at a point, for its certificate: multipliers and excesses (n, m) besides the cuts themselves."""

    cuts: CutSet
    mu: Array
    excess: Array

    def value(self, x: Array, v: Array, free: Array) -> Array:
        """(n, m) left-hand sides at injections (n, k) and voltages (n, n_node); -1 for padding."""
        c = self.cuts
        h: Array = c.rest + np.einsum("scu,su->sc", c.free(free), x[:, c.unit])
        h = h + np.einsum("sci,si->sc", c.b, np.abs(v[:, c.node]))
        return np.where(np.arange(h.shape[1]) < c.count[:, None], h, -1.0)

    def slopes(self, size: int, count: int, free: Array) -> tuple[Array, Array]:
        """Sums of the gradients weighed with mu: by magnitudes (n, size) and by injections (n, count)."""
        c = self.cuts
        by_size, by_unit = np.zeros((len(c.count), size)), np.zeros((len(c.count), count))
        by_size[:, c.node] = np.einsum("sc,sci->si", self.mu, c.b)
        by_unit[:, c.unit] = np.einsum("sc,scu->su", self.mu, c.free(free))
        return by_size, by_unit
