"""What the elements of a network inject and hold, scenario by scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.model.grouped import Grouped
from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow.grid import Grid

Array = np.ndarray[Any, np.dtype[Any]]

_WIDE_PU = 1e6
"""Stands for "no reactive limit", so that limits can be added and taken off."""


@dataclass(frozen=True, eq=False)
class Injections:
    """Specified injections of the network's elements for a set of scenario rows, in border units.

    Attributes:
        gen_p, gen_q, load_p, load_q, storage_p, storage_q, hvdc_p: (n_row or 1, k), as given or as in the network.
        Loads and gen_p may be `Grouped`, which is indexed like an array.
        varied: names of those that differ by scenario. They take the same path through the arithmetic for one
            scenario as for many, so that a batch equals its scenarios one by one to the last bit.
        given: names of those that are not as in the network.
    """

    gen_p: Array | Grouped
    gen_q: Array
    load_p: Array | Grouped
    load_q: Array | Grouped
    storage_p: Array
    storage_q: Array
    hvdc_p: Array
    varied: frozenset[str]
    given: frozenset[str]

    @classmethod
    def of(cls, grid: Grid, sc: Scenarios) -> Injections:
        net, varied, replaced = grid.net, set(), set()

        def pick(name: str, given: Any, table: Array) -> Any:
            if given is None:
                return table[None, :]
            replaced.add(name)
            if not isinstance(given, Grouped) and given.strides[0] == 0:
                return given[:1]
            varied.add(name)
            return given

        tables = (
            pick("gen_p", sc.gen_p_mw, net.gen.p_mw),
            pick("gen_q", sc.gen_q_mvar, net.gen.q_mvar),
            pick("load_p", sc.load_p_mw, net.load.p_mw),
            pick("load_q", sc.load_q_mvar, net.load.q_mvar),
            pick("storage_p", sc.storage_p_mw, net.storage.p_mw),
            pick("storage_q", sc.storage_q_mvar, net.storage.q_mvar),
            pick("hvdc_p", sc.hvdc_p_mw, net.hvdc.p_mw),
        )
        return cls(*tables, frozenset(varied), frozenset(replaced))

    def at(self, name: str, row: Array, element: Array) -> Array:
        """Values of one table at (row, element) pairs."""
        values: Array | Grouped = getattr(self, name)
        return values[row if len(values) > 1 else np.zeros_like(row), element]


def hvdc_arriving_mw(net: Any, p_mw: Array) -> tuple[Array, Array]:
    """Injections at the from and the to end of HVDC links that carry ``p_mw`` (see `HvdcTable`), MW."""
    sent = np.abs(p_mw)
    arrives = np.where(sent > 0, sent * (1 - net.hvdc.loss_share) - net.hvdc.loss_fixed_mw, 0.0)
    return np.where(p_mw >= 0, -sent, arrives), np.where(p_mw >= 0, arrives, -sent)


def regulating_units(grid: Grid) -> Array:
    """(n_gen,) whether a unit's reactive power follows from a voltage that it holds."""
    mask = np.zeros(grid.net.n_gen, bool)
    mask[grid.regulators.element[grid.regulators.table == 0]] = True
    return mask


def participation(grid: Grid) -> Array:
    """(n_gen,) slack participation: as given, else by p_max_mw (|p_mw| where unlimited); 0 out of service.

    A source that names its reference units alone gives no shares.
    """
    gen = grid.net.gen
    weight = gen.participation
    if not (weight[gen.in_service & ~gen.is_reference] > 0).any():
        weight = np.where(np.isfinite(gen.p_max_mw), np.maximum(gen.p_max_mw, 0.0), np.abs(gen.p_mw))
    return np.where(gen.in_service & grid.net.bus.in_service[gen.bus], np.maximum(weight, 0.0), 0.0)


def reactive_limits(grid: Grid, inj: Injections, enforce: bool) -> tuple[Array, Array]:
    """(n_row or 1, k) limits of each regulator, pu; a unit's capability curve tightens them at its active power."""
    reg, cap = grid.regulators, grid.net.capability
    low, high = reg.q_min[None], reg.q_max[None]
    if enforce and len(cap):
        rows = len(inj.gen_p)
        low, high = np.repeat(low, rows, 0), np.repeat(high, rows, 0)
        by_unit = np.argsort(cap.gen, kind="stable")
        curve = np.searchsorted(cap.gen[by_unit], np.arange(grid.net.n_gen + 1))
        with_curve = (reg.table == 0) & (np.diff(curve)[np.where(reg.table == 0, reg.element, 0)] > 0)
        for k in np.flatnonzero(with_curve):
            unit = reg.element[k]
            points = by_unit[curve[unit] : curve[unit + 1]]
            p, at = inj.gen_p[:, unit], cap.p_mw[points]
            low[:, k] = np.maximum(low[:, k], np.interp(p, at, cap.q_min_mvar[points]) / grid.base_mva)
            high[:, k] = np.minimum(high[:, k], np.interp(p, at, cap.q_max_mvar[points]) / grid.base_mva)
    return np.clip(low, -_WIDE_PU, _WIDE_PU), np.clip(high, -_WIDE_PU, _WIDE_PU)


def own_set_points(grid: Grid, sc: Scenarios) -> Array:
    """(n_row or 1, k) set-point of each regulator, pu."""
    reg = grid.regulators
    own = reg.v_set_pu[None]
    if sc.gen_v_pu is not None:
        own = np.repeat(own, len(sc.gen_v_pu), 0)
        unit = reg.table == 0
        own[:, unit] = sc.gen_v_pu[:, reg.element[unit]]
    return own


def precedence(grid: Grid) -> Array:
    """(k,) regulators by node, in the order in which they decide its set-point: references, then units, first come."""
    reg = grid.regulators
    return np.lexsort((np.arange(len(reg.node)), ~reg.reference, reg.node))
