"""Reserve that reaches who needs it: limits on flows while a product is called.

A product that must be deliverable is called in full in the step: every member gives what it holds, R_i, and the zone's demand
takes it, node by node in proportion to what it draws. For upward reserve the flow on a branch m is then

    f_m + sum_i (H_m,i - H_m,zone) R_i        H_m,zone: mean of H_m over the zone's demand

(downward: R_i with the other sign), and may reach the rating that holds after outages. As all other flow limits, these become
rows as they break. Behind a full line a plant may hold reserve only for what lies behind it as well.
"""

from __future__ import annotations

import numpy as np

from aurigrid.dispatch.linear import NONE, Array
from aurigrid.dispatch.model import Model

CALLED = -3
"""Outage of a limit that holds while the first product is called; those of the others lie below it."""

_TOL_MW = 1e-3

Key = tuple[int, int, int, int]


def held(model: Model, product: int) -> list[tuple[Array, Array]]:
    """Columns (n, T) of what is held of a product, -1 for none, and their nodes (n,)."""
    offers, system = model.offers, model.system
    return [
        (offers.unit[product], system.units.node),
        (offers.injection[product], system.injections.node),
        (offers.store[product], system.stores.node),
    ]


def call_terms(model: Model, product: int, step: int, factor: Array) -> tuple[Array, Array]:
    """Columns and coefficients of a product's call in a row with factors (n_node,)."""
    reserve = model.system.reserves[product]
    sign = 1.0 if reserve.up else -1.0
    spread = sign * (factor - factor @ sinks(model, product, step))
    columns = np.concatenate([block[:, step] for block, _ in held(model, product)])
    value = np.concatenate([spread[node] for _, node in held(model, product)])
    used = columns != NONE
    return columns[used], value[used]


def sinks(model: Model, product: int, step: int) -> Array:
    """(n_node,) shares of the zone's demand in a step; the zone's nodes alike where there is none."""
    zone = model.system.reserves[product].zone
    demand = np.where(zone, np.maximum(model.system.demand_mw[:, step], 0.0), 0.0)
    return np.asarray(demand / demand.sum() if demand.sum() > 0 else zone / max(int(zone.sum()), 1))


def broken_when_called(model: Model, factor: Array, rate: Array, flow: Array, x: Array, known: set[Key]) -> list[Key]:
    """Limits that calls break, without those `known`.

    Args:
        factor: (n_branch, n_node) flow factors; rate: (n_branch,) what branches may carry then, MW.
        flow: (n_branch, T) flows before a call, MW.
        x: (n,) point of the model.
    """
    out: list[Key] = []
    for k, reserve in enumerate(model.system.reserves):
        if not reserve.zone.any():
            continue
        sign = 1.0 if reserve.up else -1.0
        called = np.zeros_like(model.system.demand_mw, dtype=float)
        for columns, node in held(model, k):
            np.add.at(called, node, np.where(columns != NONE, x[np.maximum(columns, 0)], 0.0))
        drawn = np.column_stack([sinks(model, k, t) for t in range(flow.shape[1])]) * called.sum(0)
        after = flow + sign * (factor @ (called - drawn))
        for m, t in zip(*(at.tolist() for at in np.nonzero(np.abs(after) > rate[:, None] + _TOL_MW)), strict=True):
            key = (m, CALLED - k, t, 1 if after[m, t] > 0 else -1)
            if key not in known:
                out.append(key)
    return out
