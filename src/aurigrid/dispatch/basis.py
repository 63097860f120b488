"""The solver's basis of a dispatch, kept by step, so that a later horizon can begin with it.

A turn of a rolling run solves nearly the problem of the turn before, some steps later. What was basic or at a limit there is
likely to be so again: each step begins with the status of the same time, steps beyond the earlier horizon with that of its
last one. A basis is only where the solver begins; what does not fit costs time, and no accuracy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aurigrid.dispatch.flows import Limits
from aurigrid.dispatch.lean import LEFT_OUT, LeanRun
from aurigrid.dispatch.linear import NONE, Array
from aurigrid.dispatch.model import Model


@dataclass(frozen=True, eq=False)
class Basis:
    """Status by step, in HiGHS's numbers.

    Attributes:
        column, row: (n, T) int8 of what a dispatch at given states has in every step, in the order of `_columns` and `_rows`.
        limit: (n_limit, 2) int8 of rows of flow limits and of their columns of excess.
    """

    column: Array
    row: Array
    limit: Array

    @classmethod
    def of(cls, model: Model, limits: Limits, run: LeanRun) -> Basis:
        """The basis at which a run ended."""
        column, row = run.basis()
        at_limits = np.column_stack([row[limits.row], column[limits.excess]])
        return cls(_read(column, _columns(model)), _read(row, _rows(model)), at_limits.astype(np.int8))

    def arrays(self) -> dict[str, Array]:
        """The arrays by name; `from_arrays` makes the same of them again."""
        return {f"basis_{f.name}": getattr(self, f.name) for f in dataclasses.fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Basis:
        """The counterpart of `arrays`."""
        return cls(*(arrays[f"basis_{f.name}"] for f in dataclasses.fields(cls)))

    @classmethod
    def none(cls, n_limit: int) -> Basis:
        """No basis at all beside that many flow limits."""
        return cls(np.zeros((0, 1), np.int8), np.zeros((0, 1), np.int8), np.full((n_limit, 2), LEFT_OUT, np.int8))

    def taken(self, kept: Array) -> Basis:
        """With the flow limits `kept`, positions or (n_limit,) true or false, alone."""
        return dataclasses.replace(self, limit=self.limit[kept])

    def later(self, first: int, steps: int) -> Basis:
        """For `steps` steps from position `first` on; flow limits stay as they are."""
        at = np.minimum(first + np.arange(steps), self.column.shape[1] - 1)
        return dataclasses.replace(self, column=self.column[:, at], row=self.row[:, at])

    def onto(self, model: Model, limits: Limits) -> tuple[Array, Array] | None:
        """Status of columns (n,) and rows (m,) of a model whose first flow limits are these; None where it has other elements."""
        columns, rows = _columns(model), _rows(model)
        if columns.shape != self.column.shape or rows.shape != self.row.shape:
            return None
        n = len(self.limit)
        column, row = _written(model.problem.n, columns, self.column), _written(model.problem.m, rows, self.row)
        row[limits.row[:n]], column[limits.excess[:n]] = self.limit[:, 0], self.limit[:, 1]
        return column, row


def _columns(model: Model) -> Array:
    """(n, T) columns that are there in every step, -1 where a step has none."""
    supply, production, offers = model.supply, model.production, model.offers
    steps = model.system.steps
    return _stacked(
        [
            production.above, production.segment, *offers.unit, *offers.injection, *offers.store, offers.short,
            supply.injection, supply.charge, supply.discharge, supply.energy, supply.spill, supply.forward, supply.backward,
            supply.ahead, supply.back, model.unserved, model.surplus, model.loss_change,
        ],
        steps,
    )  # fmt: skip


def _rows(model: Model) -> Array:
    """(n, T) rows that are there in every step, -1 where a step has none."""
    supply, production = model.supply, model.production
    return _stacked(
        [
            production.sum_row, production.limit_row, production.ramp_up_row, production.ramp_down_row, model.offers.row,
            supply.rise_row, supply.fall_row, supply.energy_row, model.balance_row,
        ],
        model.system.steps,
    )  # fmt: skip


def _stacked(blocks: Sequence[Array], steps: int) -> Array:
    return np.concatenate([block.reshape(-1, steps) for block in blocks])


def _read(status: Array, at: Array) -> Array:
    return np.where(at == NONE, LEFT_OUT, status[at]).astype(np.int8)


def _written(n: int, at: Array, status: Array) -> Array:
    out, there = np.full(n, LEFT_OUT), at != NONE
    out[at[there]] = status[there]
    return out
