"""Operating points near voltage collapse: how far all injections of a point can grow before it has no solution.

The continuation is that of the rescue ladder (`aurigrid.powerflow.rescue`): it follows the solution from the unloaded grid along
the point's own loads and outputs, set-points held, with reactive limits where these are. The largest factor with a solution, the
nose of the power-voltage curve, is found to `_FINE`; what lies beyond `_MOST` times the point is not looked for.
"""

from __future__ import annotations

import numpy as np

from aurigrid.model.scenarios import Scenarios
from aurigrid.model.table import Array
from aurigrid.powerflow.api import Slack, power_flow
from aurigrid.powerflow.rescue import grown

_MOST = 4.0
_FINE = 1.05
"""The second search ends this factor beyond what the first one found, so that its steps of 1/128 are about 1 % of the nose."""


def nose(scenarios: Scenarios, *, q_limits: bool, slack: Slack, threads: int | None = None) -> Array:
    """(n,) largest factor of all injections that was found to have a solution; 0 where not even the unloaded grid has one.

    Args:
        scenarios: the points.
        q_limits, slack, threads: as for `power_flow`.
    """
    top = np.full(scenarios.n, _MOST)
    for _ in range(2):
        net = scenarios.net
        done = power_flow(net, grown(scenarios, top), rescue=True, q_limits=q_limits, slack=slack, threads=threads)
        reached = np.where(done.converged, 1.0, np.nan if done.reached is None else done.reached)
        found = top * np.nan_to_num(reached)
        top = np.minimum(_FINE * np.where(found > 0, found, 1.0), _MOST)
    return np.asarray(found)


def towards_nose(scenarios: Scenarios, share: Array, limit: Array) -> Scenarios:
    """The scenarios grown by a share (n,) of the way to their noses `limit` (n,); those without a way stay as they are."""
    return grown(scenarios, 1.0 + share * np.maximum(limit - 1.0, 0.0))
