"""What a grid's batches have in common, found once: places and factors of units and loads, their sums, slack shares.

A million units cost a pass over memory for each of these; a power flow of their grid takes less than one such pass.
"""

from __future__ import annotations

import threading
import weakref
from functools import cached_property
from typing import Any

import numpy as np

from aurigrid.kernels.balance import Circuit
from aurigrid.kernels.factor import Factor, make_factor, react_columns, reactive_rows
from aurigrid.kernels.simd import LANES
from aurigrid.kernels.tile import OFF, PQ, REF, Rows
from aurigrid.model.grouped import Grouped
from aurigrid.model.table import read_only
from aurigrid.powerflow.grid import Grid
from aurigrid.powerflow.injections import participation, regulating_units
from aurigrid.powerflow.sums import node_sums, pair_sums, pair_weights, scaled_node_sums

Array = np.ndarray[Any, np.dtype[Any]]

_ELEMENTS_A_NODE = 2
"""Elements a node above which their varied values are summed by node before kernels see them."""
_GROUPINGS = 8
"""Groupings of elements whose weights are kept."""


def without(rows: Rows, gone: Array, dead: Array) -> Rows:
    """The rows with some branches taken off and some nodes de-energised."""
    if not (gone.size or dead.size):
        return rows
    g, b, g_diag, b_diag, kind = (x.copy() for x in (rows.g, rows.b, rows.g_diag, rows.b_diag, rows.kind))
    kind[dead] = OFF
    for branch in gone:
        i, j, y = rows.from_node[branch], rows.to_node[branch], rows.y_branch[branch]
        for end, far, own, mutual in ((i, j, 0, 2), (j, i, 6, 4)):
            g_diag[end] -= y[own]
            b_diag[end] -= y[own + 1]
            at = rows.ptr[end] + np.flatnonzero(rows.col[rows.ptr[end] : rows.ptr[end + 1]] == far)
            g[at] -= y[mutual]
            b[at] -= y[mutual + 1]
            if i == j:
                g_diag[end] -= y[mutual]
                b_diag[end] -= y[mutual + 1]
    return rows._replace(kind=kind, g=g, b=b, g_diag=g_diag, b_diag=b_diag)


class Prepared:
    """Parts of `Batch` that depend on the grid alone; get it with `prepared`.

    It refers to the grid weakly, so that it does not keep the grid alive that keeps it.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = weakref.ref(grid)
        self.common: dict[bool, Any] = {}
        self.tiles = threading.local()
        self._factor: tuple[Array, tuple[bool, bool, bytes, bytes], Factor] | None = None
        self._weights: dict[tuple[str, int, int], tuple[Grouped, tuple[Array, Array, Array]]] = {}

    @property
    def grid(self) -> Grid:
        grid = self._grid()
        assert grid is not None
        return grid

    @cached_property
    def places(self) -> dict[str, Array]:
        """(k,) int32 elimination position of each load and unit by table, -1 out of service."""
        grid, position = self.grid, self.grid.pattern.position
        tables: dict[str, Any] = {"load": grid.net.load, "gen": grid.net.gen}
        return {
            name: np.where(t.in_service, position[grid.node_of_bus[t.bus]], -1).astype(np.int32)
            for name, t in tables.items()
        }

    @cached_property
    def factors(self) -> dict[str, Array]:
        """(k,) factor from a border unit to the constant part of an injection, pu, by quantity."""
        net, base = self.grid.net, self.grid.base_mva
        load = net.load
        return {
            "load_p": -(1 - load.p_share_z - load.p_share_i) / base,
            "load_q": -(1 - load.q_share_z - load.q_share_i) / base,
            "gen_p": np.full(net.n_gen, 1 / base),
            "gen_q": np.where(regulating_units(self.grid), 0.0, 1 / base),
        }

    @cached_property
    def own(self) -> dict[str, Array]:
        """(n_node,) injections of loads and units as they are in the network, pu, in the caller's node order."""
        net = self.grid.net
        tables = {"gen_p": net.gen.p_mw, "gen_q": net.gen.q_mvar, "load_p": net.load.p_mw, "load_q": net.load.q_mvar}
        return {name: self.constant(name, values) for name, values in tables.items()}

    def constant(self, name: str, values: Array) -> Array:
        """(..., n_node) injections from values (..., k) of one quantity, pu, in the caller's node order."""
        grid = self.grid
        table = grid.net.gen if name.startswith("gen") else grid.net.load
        use = table.in_service
        return node_sums(grid.node_of_bus[table.bus[use]], (values * self.factors[name])[..., use], grid.n_node)

    def fast_tables(
        self, table: str, given: dict[str, Array | Grouped | None]
    ) -> tuple[Array, list[Array], list[Array]]:
        """Node (k,), varied values (n_row, k) and factor (k,) of the loads or units, as in `Batch`.

        Kernels add every element in every case. Where there are many more elements than nodes, or the values are
        grouped, they are summed by node here, once a row.

        Args:
            table: ``"load"`` or ``"gen"``.
            given: values by quantity, None where not varied.
        """
        node, n_node = self.places[table], self.grid.n_node
        scale = [self.factors[name] for name in given]
        if all(v is None for v in given.values()):
            return node, [_NOTHING for _ in given], scale
        values = [_NOTHING if v is None else v for v in given.values()]
        if len(node) > _ELEMENTS_A_NODE * n_node or any(isinstance(v, Grouped) for v in values):
            values = [v if not len(v) else self._sums(table, name, v) for name, v in zip(given, values, strict=True)]
            node, scale = np.arange(n_node, dtype=np.int32), [np.ones(n_node) for _ in scale]
        return node, [_view(np.asarray(v)) for v in values], scale

    def _sums(self, table: str, name: str, values: Array | Grouped) -> Array:
        node, scale, n_node = self.places[table], self.factors[name], self.grid.n_node
        if not isinstance(values, Grouped):
            return scaled_node_sums(_view(values), node, scale, n_node)
        key = (name, id(values.group), id(values.size))
        kept = self._weights.pop(key, None)
        if kept is None:
            # one of the same grouping is kept with its weights, so that the ids in the key stay its own
            kept = (values.take(slice(0, 0)), pair_weights(values, node, scale, n_node))
        self._weights[key] = kept
        if len(self._weights) > _GROUPINGS:
            del self._weights[next(iter(self._weights))]
        return pair_sums(_view(values.profile), *kept[1], n_node)

    def factor(self, state: Array, gone: Array, dead: Array, with_outages: bool, with_limits: bool) -> Factor:
        """Factor of the Jacobian at a state (see `kernels.factor.make_factor`); the last one is kept for the next batch.

        Args:
            gone: branches that are out; dead: nodes without supply, elimination positions.
        """
        kept, asked = self._factor, (with_outages, with_limits, gone.tobytes(), dead.tobytes())
        if kept is not None and kept[1] == asked and np.array_equal(kept[0], state):
            return kept[2]
        pattern, rows = self.grid.pattern, without(self.grid.rows, gone, dead)
        parts = make_factor(pattern, rows, *state, with_outages)
        parts[4][gone] = np.nan
        held = self.held if with_limits else np.zeros(0, np.int32)
        react = np.zeros((len(held), len(held)), np.float32)
        found = Factor(*(*parts, react, *reactive_rows(rows, *state[:2], held)))
        room = np.zeros(2 * pattern.n * LANES, np.float32)
        for first in range(0, len(held), LANES):
            react_columns(pattern, rows, found, held, first, room, react)
        self._factor = state, asked, found
        return found

    @cached_property
    def island_size(self) -> Array:
        """(n_island,) live nodes of each island."""
        grid = self.grid
        size: Array = np.bincount(grid.island[grid.kind != OFF], minlength=grid.n_island)
        return size

    @cached_property
    def held(self) -> Array:
        """(n_held,) int32 elimination positions of the nodes that are not plain PQ."""
        return np.flatnonzero(self.grid.rows.kind != PQ).astype(np.int32)

    @cached_property
    def held_column(self) -> Array:
        """(n_node,) int32 place in `held` of each elimination position, -1 for none."""
        column = np.full(self.grid.n_node, -1, np.int32)
        column[self.held] = np.arange(len(self.held))
        return column

    @cached_property
    def loose(self) -> Array:
        """(n_node,) int8 by elimination position: 1 where a voltage is held or slack is shared, so that injections differ."""
        alpha = self.shares[1][self.grid.pattern.order]
        loose: Array = ((self.grid.rows.kind != PQ) | (alpha != 0)).astype(np.int8)
        return loose

    @cached_property
    def circuit(self) -> Circuit:
        """The grid as the certificate reads it: a list of branches, not rows of a matrix."""
        grid = self.grid
        branch = np.flatnonzero(grid.from_node >= 0).astype(np.int32)
        place = np.full(grid.net.n_branch, -1, np.int32)
        place[branch] = np.arange(len(branch), dtype=np.int32)
        start, end, y = grid.from_node[branch], grid.to_node[branch], np.ascontiguousarray(grid.y_branch[branch])
        shift = np.deg2rad(grid.net.branch.shift_deg[branch])
        # the ends of branches by node, from ends first
        node = np.concatenate([start, end])
        by_node = np.argsort(node, kind="stable")
        ptr = np.concatenate([[0], np.cumsum(np.bincount(node, minlength=grid.n_node))]).astype(np.int32)
        middle = ptr[:-1] + np.bincount(start, minlength=grid.n_node).astype(np.int32)
        order = grid.pattern.order
        return Circuit(
            grid.kind.astype(np.int8), np.flatnonzero(grid.kind == OFF).astype(np.int32), grid.island, start, end, y,
            np.column_stack([np.cos(shift), np.sin(shift)]), place, ptr, middle.astype(np.int32),
            np.concatenate([end, start])[by_node], np.concatenate([y[:, :4], y[:, [6, 7, 4, 5]]])[by_node],
            np.tile(np.arange(len(branch), dtype=np.int32), 2)[by_node], grid.shunt_y.real.copy(), grid.shunt_y.imag.copy(),
            order, grid.pattern.position, order[grid.rows.kind != PQ],
        )  # fmt: skip

    @cached_property
    def shares(self) -> tuple[Array, Array]:
        """Slack shares of units (n_gen,) and nodes (n_node,), summing to 1 in each island that has a reference."""
        grid = self.grid
        node = grid.node_of_bus[grid.net.gen.bus]
        weight = participation(grid)
        by_island = np.bincount(grid.island[node], weight, minlength=grid.n_island)
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = np.where(weight > 0, weight / by_island[grid.island[node]], 0.0)
        alpha = np.bincount(node, weight, minlength=grid.n_node)
        alpha[grid.kind == OFF] = 0.0
        # an island in which no unit shares leaves the balance to its reference
        reference = np.flatnonzero(grid.kind == REF)
        alpha[reference[by_island[grid.island[reference]] <= 0]] = 1.0
        return read_only(weight), read_only(alpha)


_PREPARED: weakref.WeakKeyDictionary[Grid, Prepared] = weakref.WeakKeyDictionary()


def prepared(grid: Grid) -> Prepared:
    """What the batches of a grid share; kept for as long as the grid lives."""
    found = _PREPARED.get(grid)
    if found is None:
        found = _PREPARED.setdefault(grid, Prepared(grid))
    return found


def _view(values: Array) -> Array:
    """Always read-only and C-contiguous, so that kernels are compiled for one kind of array; (0, 0) where empty."""
    view = (np.ascontiguousarray(values) if len(values) else np.zeros((0, 0))).view()
    view.flags.writeable = False
    return view


_NOTHING = _view(np.zeros((0, 0)))
