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
    system, h = model.system, model.system.step_h
    energy = dual[model.balance_row][system.area] / h
    parts = [np.zeros_like(energy), np.zeros_like(energy)]
    for i, (_, outage, t, _) in enumerate(limits.key):
        value = dual[limits.row[i]]
        if value != 0.0:
            mean = mean_factor(model, limits, i)
            energy[:, t] += value * mean / h
            parts[outage >= 0][:, t] += value * (limits.factor[i] - mean) / h
    loss = np.zeros_like(energy)
    for i, t in enumerate(tangents.step.tolist() if tangents is not None else []):
        assert tangents is not None
        value = dual[tangents.row[i]]
        mean = _mean(model, tangents.factor[i], t)
        energy[:, t] += value * mean / h
        loss[:, t] += value * (tangents.factor[i] - mean) / h
    return Prices(energy, parts[0], parts[1], loss)


def mean_factor(model: Model, limits: Limits, i: int) -> Array:
    """(n_node,) mean of a limit's factors over the demand of each node's area at its step."""
    return _mean(model, limits.factor[i], limits.key[i][2])


def _mean(model: Model, factor: Array, t: int) -> Array:
    system = model.system
    weight = np.maximum(system.demand_mw[:, t], 0.0)
    n = int(system.area.max(initial=0)) + 1
    total = np.bincount(system.area, weight, minlength=n)
    mean = np.bincount(system.area, weight * factor, minlength=n) / np.where(total > 0, total, 1.0)
    return np.asarray(mean[system.area])


def congestion_rent(prices: Prices, net_mw: Array, step_h: float) -> Array:
    """(T,) what congestion earns in each step, currency: payments at the congestion part of prices less revenues at it.

    Args:
        prices: as `spread` gives them.
        net_mw: (n_node, T) injections less demand.
        step_h: length of a step, h.
    """
    return np.asarray(-step_h * ((prices.base + prices.outage) * net_mw).sum(0))
