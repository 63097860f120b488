"""Reserve counts where it reaches the zone's demand: flows while it is called stay within ratings."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("highspy")

import aurigrid as ag
from aurigrid.dispatch import ReserveProduct
from aurigrid.dispatch.deliver import CALLED
from aurigrid.powerflow.dc import Linear
from aurigrid.powerflow.grid import compile_grid

from .grids import STEPS, hours, triangle

OPTIONS = {"security": "base", "losses": False, "gap": 1e-9, "time_limit": 20.0}
NEED = 70.0


def plan_with(deliverable: bool, rate_mva: float = 60.0, up: bool = True) -> ag.Plan:
    load = np.full((STEPS, 2), 60.0)
    product = ReserveProduct("spin", NEED, up=up, deliverable=deliverable, price=400.0)
    return ag.dispatch(triangle(rate_mva), hours(load), reserves=[product], **OPTIONS)  # type: ignore[arg-type]


def called_flows(plan: ag.Plan, up: bool = True) -> np.ndarray:
    """(T, n_branch) linear flows when every member gives what it holds and the loads take it by what they draw."""
    net, grid = plan.net, compile_grid(plan.net)
    held = plan.reserve_gen_mw[:, 0]
    change = np.zeros((plan.n_steps, net.n_bus))
    np.add.at(change.T, net.gen.bus, held.T)
    share = plan.load_p_mw / plan.load_p_mw.sum(1, keepdims=True)
    np.add.at(change.T, net.load.bus, -(share * held.sum(1, keepdims=True)).T)
    moved = change[:, np.unique(grid.node_of_bus, return_index=True)[1]] * (1.0 if up else -1.0)
    linear = Linear(grid)
    factor = linear.b[:, None] * linear.columns(np.arange(net.n_branch))
    return np.asarray(plan.flow_mw + moved @ factor.T)


def test_what_lies_behind_a_full_line_does_not_count() -> None:
    free, bound = plan_with(False), plan_with(True)
    assert np.abs(called_flows(free)).max() > 60.0 + 1.0
    assert np.abs(called_flows(bound)).max() <= 60.0 + 1e-3
    assert bound.cost > free.cost + 1.0
    assert any(outage == CALLED for _, outage, _, _ in bound.secured.limits.key)
    causes = bound.curtailed_mwh()
    assert sum(causes.values()) == pytest.approx(bound.curtailed_mw.sum() * bound.step_h, abs=1e-6)


def test_wide_lines_leave_the_plan_as_it_was() -> None:
    assert plan_with(True, 500.0).cost == pytest.approx(plan_with(False, 500.0).cost, rel=1e-9)


def test_downward_reserve_is_called_the_other_way() -> None:
    bound = plan_with(True, up=False)
    assert np.abs(called_flows(bound, up=False)).max() <= 60.0 + 1e-3


def test_a_limit_that_costs_is_named_after_the_product() -> None:
    bound = plan_with(True, 40.0)
    assert np.abs(called_flows(bound)).max() <= 40.0 + 1e-3
    assert not bound.reserve_short_mw.any()
    assert set(bound.tables()["plan_limits"]["outage"]) == {"spin called"}
