"""Carbon by node and step: what is in the power (average), and what one MW more would emit (marginal).

Average: every node is a perfect mixer; the carbon of what flows in leaves with what is drawn and what flows out (J. Bialek,
"Tracing the flow of electricity", IEE Proc. Gener. Transm. Distrib. 143, 1996). With P_n all power that enters node n and c_n
the intensity of the mix::

    P_n c_n - sum_m f_{m->n} c_m = emissions at n

Marginal: the optimal basis says which injections answer to demand; y of ``B' y = emissions of the basic columns`` gives the
change with every right side, exactly, as long as the basis stays optimal. It is spread over the nodes like prices.
"""

from __future__ import annotations

import numpy as np

from aurigrid.dispatch.flows import Flows, Limits, branch_flow
from aurigrid.dispatch.lean import LeanRun
from aurigrid.dispatch.linear import Array
from aurigrid.dispatch.losses import Tangents
from aurigrid.dispatch.model import Model
from aurigrid.dispatch.prices import spread

_LEAST_MW = 1e-6


def emission_rates(model: Model) -> Array:
    """(n_columns,) t for each unit of a column."""
    system, rate = model.system, np.zeros(model.problem.n)
    h, units = system.step_h, system.units
    rate[model.state.on] = (h * system.unit_co2_t_per_mwh * units.p_min_mw)[:, None]
    rate[model.production.above] = (h * system.unit_co2_t_per_mwh)[:, None]
    rate[model.supply.injection] = (h * system.injections.co2_t_per_mwh)[:, None]
    return rate


def marginal(model: Model, limits: Limits, run: LeanRun, tangents: Tangents | None = None) -> Array:
    """(n_node, T) change of the horizon's emissions with one MWh more at a node and step, t/MWh."""
    return spread(model, limits, run.transposed(emission_rates(model)), tangents).total


def average(model: Model, flows: Flows | None, x: Array) -> Array:
    """(n_node, T) carbon of the power at each node, t/MWh; NaN where there is none. Without a grid: of each area.

    Stores and links carry no carbon of their own: what they feed counts as free of it.
    """
    system = model.system
    emitted, entering = _at_nodes(model, x)
    out = np.full(emitted.shape, np.nan)
    if flows is None:
        for area in np.unique(system.area):
            rows = system.area == area
            total = entering[rows].sum(0)
            mean = np.divide(emitted[rows].sum(0), total, out=np.full(len(total), np.nan), where=total > _LEAST_MW)
            out[rows] = mean
        return out
    flow = np.where(flows.grid.from_node[:, None] >= 0, branch_flow(model, flows, x), 0.0)
    return _mixed(emitted, entering, flow, flows)


def _mixed(emitted: Array, entering: Array, flow: Array, flows: Flows) -> Array:
    """(n_node, T) carbon of the mix in each node for emissions and power that enter (n_node, T) and flows (n_branch, T).

    Steps are blocks of one matrix.
    """
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu

    n, steps = emitted.shape
    ahead = (flow > 0).T
    block = n * np.arange(steps)[:, None]
    source = (np.where(ahead, flows.from_node, flows.to_node) + block).ravel()
    target = (np.where(ahead, flows.to_node, flows.from_node) + block).ravel()
    size = np.abs(flow).T.ravel()
    through = entering.T.ravel() + np.bincount(target, size, minlength=n * steps)
    fed, own = through > _LEAST_MW, np.arange(n * steps)
    # a node without power gets an equation of its own
    value = np.concatenate([np.where(fed, through * (1 + 1e-12), 1.0), -size])
    rows, columns = np.concatenate([own, target]), np.concatenate([own, source])
    matrix = csc_array((value, (rows, columns)), shape=(n * steps, n * steps))
    # the diagonal is nearly always the largest entry of its column, and the pattern close to symmetric
    options = {"SymmetricMode": True}
    mix = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.1, options=options).solve(emitted.T.ravel())
    return np.asarray(np.where(fed, mix, np.nan).reshape(steps, n).T)


def _at_nodes(model: Model, x: Array) -> tuple[Array, Array]:
    """(n_node, T) emissions, t/h, and power that enters at each node, MW."""
    system = model.system
    shape = system.demand_mw.shape
    emitted, entering = np.zeros(shape), np.zeros(shape)
    rates = emission_rates(model) / system.step_h
    for columns, node, mw in model.injection_terms():
        power = mw[:, None] * x[columns]
        np.add.at(entering, node, np.maximum(power, 0.0))
    for columns, node in (
        (model.state.on, system.units.node),
        (model.production.above, system.units.node),
        (model.supply.injection, system.injections.node),
    ):
        np.add.at(emitted, node, rates[columns] * x[columns])
    return emitted, entering
