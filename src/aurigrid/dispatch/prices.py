"""Prices by node and component, from the linear problem at the chosen states.

One MW more demanded at node n raises the right side of its area's balance by 1 and that of a flow limit r by ``a_rn``, the
limit's factor. With the rows' duals (change of cost with the right side)::

    price_n = lambda_area + sum_r mu_r a_rn
            = [lambda_area + sum_r mu_r m_r] + sum_r mu_r (a_rn - m_r)      m_r: mean of a_rn over the area's demand
              energy: what demand pays on average, whatever bus is the angle reference; congestion, limit by limit

all by step and divided by its length. Tangents of losses (`aurigrid.dispatch.losses`) are rows alike, with a part of their
own; without them losses are part of the demand, and of no price.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from aurigrid.dispatch.flows import Limits
from aurigrid.dispatch.linear import Array
from aurigrid.dispatch.losses import Tangents
from aurigrid.dispatch.model import Model


@dataclass(frozen=True, eq=False)
class Prices:
    """Components (n_node, T), currency/MWh; they sum to `total`."""

    energy: Array
    base: Array
    outage: Array
    loss: Array

    @property
    def total(self) -> Array:
        """(n_node, T) price of one MWh more at each node."""
        return np.asarray(self.energy + self.base + self.outage + self.loss)


def spread(model: Model, limits: Limits, dual: Array, tangents: Tangents | None = None) -> Prices:
    """Values per row (m,) as values by node and step, per MWh: duals of costs give prices, those of CO2 marginal carbon."""
    h = model.system.step_h
    energy = dual[model.balance_row][model.system.area] / h
    outage, step = (np.array([key[k] for key in limits.key], np.int64) for k in (1, 2))
    value, parts = dual[limits.row], []
    for mine in (outage < 0, outage >= 0):
        at = np.flatnonzero(mine & (value != 0.0))
        parts.append(_by_step(model, limits.factor[at], step[at], value[at] / h, energy))
    loss = np.zeros_like(energy)
    if tangents is not None:
        loss = _by_step(model, tangents.factor, tangents.step, dual[tangents.row] / h, energy)
    return Prices(energy, parts[0], parts[1], loss)


def _by_step(model: Model, factor: Array, step: Array, value: Array, energy: Array) -> Array:
    """(n_node, T) sum of ``value (factor - mean)`` of rows by step; ``value mean`` is added to `energy` (n_node, T)."""
    if not len(step):
        return np.zeros_like(energy)
    mean = mean_factors(model, factor, step)
    at = csr_array((value, (step, np.arange(len(step)))), shape=(model.system.steps, len(step)))
    energy += (at @ mean).T
    return np.asarray((at @ (factor - mean)).T)


def mean_factors(model: Model, factor: Array, step: Array) -> Array:
    """(n, n_node) means of factors (n, n_node) over the demand of each node's area at steps (n,)."""
    system = model.system
    weight = np.maximum(system.demand_mw[:, step], 0.0).T
    mine = (system.area[:, None] == np.arange(int(system.area.max(initial=0)) + 1)).astype(float)
    total = weight @ mine
    mean = (weight * factor) @ mine / np.where(total > 0, total, 1.0)
    return np.asarray(mean[:, system.area])


def congestion_rent(prices: Prices, net_mw: Array, step_h: float) -> Array:
    """(T,) what congestion earns in each step, currency: payments at the congestion part of prices less revenues at it.

    Args:
        prices: as `spread` gives them.
        net_mw: (n_node, T) injections less demand.
        step_h: length of a step, h.
    """
    return np.asarray(-step_h * ((prices.base + prices.outage) * net_mw).sum(0))
