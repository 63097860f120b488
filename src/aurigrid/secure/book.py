"""The cuts found so far, scenario by scenario."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from aurigrid.opf.cuts import CutSet
from aurigrid.secure.slopes import Levers

Array = np.ndarray[Any, np.dtype[Any]]

VERSIONS = 3
"""Linearisations of a limit that are kept, from the last rounds in which it was broken or bound. One alone lets points swing
between two sides of a curved limit; several enclose it."""
_A_SCENARIO = 128
"""Cuts that a scenario keeps at most; those farthest from binding go first."""


@dataclass(eq=False)
class Book:
    """Cuts in columns, sorted by scenario and key.

    Attributes:
        scenario: (k,) row; key: (k,) which limit after which outage, see `Keys`.
        rest, a, b: the cut; price: of breaking it by 1, currency/h.
        margin: by which it keeps off its limit; mu: its last multiplier (scaled), excess: by how much its last solution broke it
            at a price, level: the cut's last value.
    """

    scenario: Array
    key: Array
    rest: Array
    a: Array
    b: Array
    price: Array
    margin: Array
    mu: Array
    excess: Array
    level: Array

    @classmethod
    def empty(cls, levers: Levers) -> Book:
        none = np.zeros(0)
        whole = np.zeros(0, np.int64)
        return cls(whole, whole, none, np.zeros((0, len(levers.unit))), np.zeros((0, len(levers.node))), *[none] * 5)

    def __len__(self) -> int:
        return len(self.key)

    def take(self, rows: Array) -> Book:
        return Book(*(getattr(self, f.name)[rows] for f in fields(self)))

    def find(self, scenario: Array, key: Array) -> Array:
        """(k,) position of the cuts of some scenarios and keys, -1 for none."""
        if not len(self):
            return np.full(len(key), -1)
        # keys are unique within a scenario: rank them once, so that pairs become one number
        every, rank = np.unique(np.concatenate([self.key, key]), return_inverse=True)
        width = np.int64(len(every) + 1)
        mine = self.scenario * width + rank[: len(self)]
        order = np.argsort(mine)
        asked = scenario * width + rank[len(self) :]
        at = np.minimum(np.searchsorted(mine[order], asked), len(mine) - 1)
        return np.where(mine[order][at] == asked, order[at], -1)

    def known(self, scenario: Array, key: Array) -> tuple[Array, Array, Array]:
        """Of limits (key of the first version): whether there is any cut, largest excess, and largest margin."""
        there = np.zeros(len(key), bool)
        excess, margin = np.zeros(len(key)), np.zeros(len(key))
        for version in range(VERSIONS):
            at = self.find(scenario, key + version)
            got = np.flatnonzero(at >= 0)
            there[got] = True
            excess[got] = np.maximum(excess[got], self.excess[at[got]])
            margin[got] = np.maximum(margin[got], self.margin[at[got]])
        return there, excess, margin

    def put(self, new: Book) -> Book:
        """With new cuts in the places of those of the same keys; sorted, at most `_A_SCENARIO` a scenario."""
        at = self.find(new.scenario, new.key)
        keep = np.ones(len(self), bool)
        keep[at[at >= 0]] = False
        old = self.take(np.flatnonzero(keep))
        whole = Book(*(np.concatenate([getattr(old, f.name), getattr(new, f.name)]) for f in fields(self)))
        order = np.lexsort((-whole.level, whole.scenario))
        first = np.r_[True, whole.scenario[order][1:] != whole.scenario[order][:-1]]
        place = np.arange(len(order)) - np.maximum.accumulate(np.where(first, np.arange(len(order)), 0))
        return whole.take(order[place < _A_SCENARIO])

    def _versions(self) -> Array:
        """(k,) linearisations that the limit of each cut has: together they have its price, for it is broken once."""
        limit = np.stack([self.scenario, self.key // VERSIONS])
        _, same, count = np.unique(limit, axis=1, return_inverse=True, return_counts=True)
        out: Array = count[same.ravel()]
        return out

    def cut_set(self, rows: Array, levers: Levers) -> tuple[CutSet, Array, Array]:
        """The cuts of some scenarios, and where each of them stands: cut numbers (k,), and places in the flattened (n, m)."""
        n = len(rows)
        row_of = np.full(int(max(self.scenario.max(initial=-1), rows.max(initial=-1))) + 1, -1)
        row_of[rows] = np.arange(n)
        mine = np.flatnonzero(row_of[self.scenario] >= 0)
        row = row_of[self.scenario[mine]]
        order = np.argsort(row, kind="stable")
        mine, row = mine[order], row[order]
        count = np.bincount(row, minlength=n)
        m = int(count.max(initial=0))
        place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        flat = row * m + place
        a, b = np.zeros((n * m, self.a.shape[1])), np.zeros((n * m, self.b.shape[1]))
        rest, price, mu = np.full(n * m, -1.0), np.zeros(n * m), np.zeros(n * m)
        a[flat], b[flat], rest[flat], price[flat], mu[flat] = (
            self.a[mine], self.b[mine], self.rest[mine] + self.margin[mine], self.price[mine] / self._versions()[mine],
            self.mu[mine],
        )  # fmt: skip
        shape = (n, m)
        found = CutSet(
            levers.unit, levers.node, count, a.reshape(n, m, -1), b.reshape(n, m, -1), rest.reshape(shape), price.reshape(shape),
            mu.reshape(shape),
        )  # fmt: skip
        return found, mine, flat


@dataclass(frozen=True)
class Keys:
    """One number for a limit after an outage: of ``n_element`` branches or buses, by kind (`kernels.scan`), by outage, and for
    each of the `VERSIONS` linearisations of it that a scenario may have."""

    n_element: int

    def of(self, outage: Array, kind: Array, element: Array) -> Array:
        """Key of the first version; the others follow."""
        key: Array = ((outage.astype(np.int64) * 4 + kind) * self.n_element + element) * VERSIONS
        return key

    def parts(self, key: Array) -> tuple[Array, Array, Array]:
        """Outage, kind and element."""
        rest, element = np.divmod(key // VERSIONS, self.n_element)
        outage, kind = np.divmod(rest, 4)
        return outage, kind, element
