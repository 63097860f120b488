"""A plan played against many scenarios in batched AC: how often which limit breaks, and what is curtailed and not served.

In each scenario and step, wind and sun give what is there; units that the plan curtails give no more than the plan says. Load
is the scenario's. What that leaves out of balance goes to the other plants that are on, in proportion to the room that each has
to its limits and within `minutes` of its ramp; what they cannot take is load that is not served, or curtailed wind and sun, area
by area.
Losses beyond the plan's are taken by the distributed slack of the power flow. Scenarios are independent, so

- expectations have the interval ``mean +- 1.96 s / sqrt(n)``;
- probabilities have Wilson's interval (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.dispatch.plan import Plan
from aurigrid.errors import InputError, Issue
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.table import Array
from aurigrid.powerflow import Status
from aurigrid.powerflow.grid import compile_grid
from aurigrid.security import security_analysis
from aurigrid.security.contingencies import contingencies
from aurigrid.security.report import ELEMENT_TABLES, NO_CONVERGENCE, TABLE_OF_KIND, VIOLATION_KINDS
from aurigrid.studies.fan import Fan
from aurigrid.studies.securing import settled

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Shares of the scenarios that lie at or below the quantiles that are stored."""
_Z = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True, eq=False)
class Risk:
    """What n scenarios do to a plan. Intervals are (..., 2) at 95 %.

    Attributes:
        plan, n: the plan, and the number of scenarios.
        violating: (T,) share of scenarios in which some limit breaks; `violating_interval`.
        unsolved: (T,) share without a power flow solution, which count as violating.
        any_violating: share of scenarios with a violation in some step; `any_interval`.
        unserved_mw, curtailed_mw: (T,) expectations; with intervals.
        unserved_mwh, curtailed_mwh: (n,) over the span, by scenario.
        violations: rows of (step, kind, element, count, excess): how many scenarios break a limit, and by how much on average.
        quantiles: by quantity (net load, load, wind, solar, unserved, curtailed) the (5, T) quantiles of `QUANTILES`, MW.
    """

    plan: Plan
    n: int
    violating: Array
    violating_interval: Array
    unsolved: Array
    any_violating: float
    any_interval: Array
    unserved_mw: Array
    unserved_interval: Array
    curtailed_mw: Array
    curtailed_interval: Array
    unserved_mwh: Array
    curtailed_mwh: Array
    violations: Array
    quantiles: Mapping[str, Array]

    def summary(self) -> dict[str, Any]:
        """The main figures as plain data."""
        return {
            "scenarios": self.n,
            "probability_of_violation": self.any_violating,
            "probability_interval": self.any_interval.tolist(),
            "worst_step_probability": float(self.violating.max(initial=0.0)),
            "unsolved_share": float(self.unsolved.mean()) if len(self.unsolved) else 0.0,
            "expected_unserved_mwh": float(self.unserved_mwh.mean()),
            "unserved_interval_mwh": _mean_interval(self.unserved_mwh).tolist(),
            "expected_curtailed_mwh": float(self.curtailed_mwh.mean()),
            "curtailed_interval_mwh": _mean_interval(self.curtailed_mwh).tolist(),
        }

    def tables(self, time: Array) -> dict[str, dict[str, Any]]:
        """Columns of ``plan_risk``, ``plan_risk_limits`` and ``plan_fan``; `time` (T,) of the steps."""
        steps, net, rows = np.arange(len(self.violating)), self.plan.net, self.violations
        words = [ELEMENT_TABLES[TABLE_OF_KIND[k]] for k in rows["kind"]]
        chance = wilson(rows["count"], self.n)
        return {
            "plan_risk": {
                "step": steps, "time": time, "scenarios": np.full(len(steps), self.n), "p_violation": self.violating,
                "p_low": self.violating_interval[:, 0], "p_high": self.violating_interval[:, 1],
                "unsolved": self.unsolved, "unserved_mw": self.unserved_mw, "unserved_low_mw": self.unserved_interval[:, 0],
                "unserved_high_mw": self.unserved_interval[:, 1], "curtailed_mw": self.curtailed_mw,
                "curtailed_low_mw": self.curtailed_interval[:, 0], "curtailed_high_mw": self.curtailed_interval[:, 1],
            },
            "plan_risk_limits": {
                "step": rows["step"], "time": time[rows["step"]], "kind": [VIOLATION_KINDS[k] for k in rows["kind"]],
                "element_table": words, "element": rows["element"],
                "element_id": [str(getattr(net, w).id[e]) for w, e in zip(words, rows["element"], strict=True)],
                "probability": rows["count"] / self.n, "p_low": chance[:, 0], "p_high": chance[:, 1],
                "mean_excess": rows["excess"],
            },
            "plan_fan": {
                "step": np.tile(np.repeat(steps, len(QUANTILES)), len(self.quantiles)),
                "time": np.tile(np.repeat(time, len(QUANTILES)), len(self.quantiles)),
                "quantity": np.repeat(list(self.quantiles), len(steps) * len(QUANTILES)),
                "share": np.tile(QUANTILES, len(steps) * len(self.quantiles)),
                "mw": np.concatenate([values.T.ravel() for values in self.quantiles.values()]),
            },
        }  # fmt: skip


def wilson(count: Array, n: int) -> Array:
    """(..., 2) 95 % interval of a probability from `count` of `n` independent trials."""
    p, z2 = np.asarray(count, float) / n, _Z**2 / n
    middle, half = p + z2 / 2, _Z * np.sqrt(p * (1 - p) / n + z2 / (4 * n))
    # the ends are exact at 0 and 1, where rounding would leave a trace
    low = np.where(p == 0, 0.0, (middle - half) / (1 + z2))
    return np.stack([low, np.where(p == 1, 1.0, (middle + half) / (1 + z2))], -1)


def _mean_interval(values: Array) -> Array:
    """(..., 2) 95 % interval of the mean of (n, ...) independent values."""
    half = _Z * values.std(0, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.full(values.shape[1:], np.inf)
    mean = values.mean(0)
    return np.stack([mean - half, mean + half], -1)


def play(
    plan: Plan,
    fan: Fan,
    points: Scenarios | None = None,
    *,
    minutes: float = 15.0,
    q_limits: bool = True,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Risk:
    """Play scenarios against a plan.

    Args:
        plan: the plan.
        fan: scenarios around the plan's forecast, of the same steps.
        points: AC points of the plan whose outputs and voltage set-points count; the plan's own outputs where absent.
        minutes: time within which other plants balance, which limits them to their ramp in it.
        q_limits, threads: as for `aurigrid.power_flow`.
        progress: called with the number of steps done and of all.

    Raises:
        InputError: a fan of another network or span.
    """
    if len(fan.forecast) != plan.n_steps or fan.net.n_gen != plan.net.n_gen or (fan.forecast.time != plan.time).any():
        raise InputError(
            Issue("play", "fan", "is not of the plan's network and steps", hint="draw it around its forecast")
        )
    base = settled(plan.net, plan.scenarios() if points is None else points, shared=True)
    balance = _Balance(plan, fan, base, minutes)
    none = contingencies(base.net, [])
    broken = np.zeros((fan.n, plan.n_steps), bool)
    unserved, curtailed = np.zeros((2, fan.n, plan.n_steps))
    unsolved, rows = np.zeros(plan.n_steps), []
    for t in range(plan.n_steps):
        scenarios, unserved[:, t], curtailed[:, t] = balance.at(t)
        report = security_analysis(
            base.net, scenarios, none, q_limits=q_limits, slack="distributed", threads=threads
        )  # fmt: skip
        unsolved[t] = np.mean(~np.isin(report.base.status, (Status.CONVERGED, Status.ISLANDED)))
        found = report.found.take(np.flatnonzero(report.found.contingency < 0))
        broken[np.unique(found.scenario), t] = True
        rows += _counted(t, found)
        if progress is not None:
            progress(t + 1, plan.n_steps)
    h = plan.step_h
    sums = {**fan.sums_mw(), "unserved": unserved, "curtailed": curtailed}
    quantiles = {name: np.quantile(values, QUANTILES, axis=0) for name, values in sums.items()}
    any_one = int(broken.any(1).sum())
    return Risk(
        plan, fan.n, broken.mean(0), wilson(broken.sum(0), fan.n), unsolved, any_one / fan.n,
        wilson(np.array(any_one), fan.n), unserved.mean(0), _mean_interval(unserved), curtailed.mean(0),
        _mean_interval(curtailed), unserved.sum(1) * h, curtailed.sum(1) * h, np.array(rows, _ROW), quantiles,
    )  # fmt: skip


_ROW = np.dtype([("step", np.int32), ("kind", np.int8), ("element", np.int32), ("count", np.int64), ("excess", float)])


def _counted(step: int, found: Any) -> list[tuple[int, int, int, int, float]]:
    """Broken limits by kind and element: in how many scenarios, and the mean excess there."""
    found = found.take(np.flatnonzero((found.kind != NO_CONVERGENCE) & (found.element >= 0)))
    key = found.kind.astype(np.int64) * 2**32 + found.element
    values, at, size = np.unique(key, return_inverse=True, return_counts=True)
    mean = np.bincount(at, found.excess, minlength=len(values)) / np.maximum(size, 1)
    return [
        (step, int(k >> 32), int(k & (2**32 - 1)), int(n), float(x))
        for k, n, x in zip(values.tolist(), size, mean, strict=True)
    ]


class _Balance:
    """Outputs and loads of every scenario of a step, balanced area by area."""

    def __init__(self, plan: Plan, fan: Fan, base: Scenarios, minutes: float) -> None:
        self.plan, self.fan, self.base = plan, fan, base
        net, bound = plan.net, plan.rows
        grid = compile_grid(net)
        area = bound.system.area
        self.gen_area, self.load_area = (area[grid.node_of_bus[t.bus]] for t in (net.gen, net.load))
        self.bus_area = area[grid.node_of_bus]
        self.load = np.asarray(base.values("load_p_mw")) * net.load.in_service
        self.p = np.asarray(base.values("gen_p_mw"))
        units, inj = bound.system.units, bound.system.injections
        self.low, self.high = np.zeros_like(self.p), np.zeros_like(self.p)
        on = plan.gen_on[:, bound.unit] > 0
        self.low[:, bound.unit], self.high[:, bound.unit] = on * units.p_min_mw, on * units.p_max_mw
        mine = np.flatnonzero(bound.injection >= 0)
        np.add.at(self.low.T, bound.injection[mine], inj.low_mw[mine])
        np.add.at(self.high.T, bound.injection[mine], inj.high_mw[mine])
        ramps = (net.gen.ramp_up_mw_per_min, net.gen.ramp_down_mw_per_min)
        self.up, self.down = (np.where(np.isnan(ramp), np.inf, ramp) * minutes for ramp in ramps)
        weather = np.zeros(net.n_gen, bool)
        weather[fan.gen] = True
        self.others = ~weather & net.gen.in_service

    def at(self, t: int) -> tuple[Scenarios, Array, Array]:
        """Scenarios of step `t`, and (n,) MW that are not served and that are curtailed."""
        plan, fan, net = self.plan, self.fan, self.plan.net
        green, n = fan.gen, fan.n
        there = fan.available_mw(t)
        held = plan.curtailed_mw[t, green] > 1e-2
        p = np.repeat(self.p[t][None], n, 0)
        p[:, green] = np.where(held, np.minimum(there, self.p[t, green]), there)
        factor = np.repeat((1 + fan.load_error[:, t])[:, None], net.n_load, 1)
        missing = np.bincount(self.bus_area, plan.unserved_mw[t], minlength=int(self.bus_area.max(initial=0)) + 1)
        short = np.zeros(n)
        for a in np.unique(self.gen_area).tolist():
            mine, loads = self.gen_area == a, self.load_area == a
            whole = self.load[t, loads].sum()
            load = (factor[:, loads] * self.load[t, loads]).sum(1)
            want = load - whole + self.p[t, mine].sum() - p[:, mine].sum(1)
            others = np.flatnonzero(mine & self.others)
            up = np.clip(np.minimum(self.high[t, others] - self.p[t, others], self.up[others]), 0.0, None)
            down = np.clip(np.minimum(self.p[t, others] - self.low[t, others], self.down[others]), 0.0, None)
            raised, lowered = np.clip(want, 0, up.sum()), np.clip(-want, 0, down.sum())
            p[:, others] += _shares(raised, up) - _shares(lowered, down)
            lost = np.maximum(want - raised, 0.0) + missing[a]
            short += lost
            factor[:, loads] *= (1 - np.divide(lost, load, out=np.zeros(n), where=load > 0))[:, None]
            wind = green[mine[green]]
            surplus = np.maximum(-want - lowered, 0.0)
            given = p[:, wind].sum(1)
            p[:, wind] *= (1 - np.minimum(np.divide(surplus, given, out=np.zeros(n), where=given > 0), 1.0))[:, None]
        arrays = {
            name: np.repeat(np.asarray(self.base.values(name))[t][None], n, 0)
            for name in ("load_q_mvar", "gen_v_pu", "storage_p_mw", "hvdc_p_mw")
            if np.asarray(self.base.values(name)).shape[1]
        }
        if "load_q_mvar" in arrays:
            arrays["load_q_mvar"] = arrays["load_q_mvar"] * factor
        out = self.base.gen_out.idx[self.base.gen_out.ptr[t] : self.base.gen_out.ptr[t + 1]].tolist()
        scenarios = Scenarios(
            self.base.net, n=n, gen_p_mw=p, load_p_mw=np.asarray(self.base.values("load_p_mw"))[t] * factor,
            gen_out=[out] * n, **arrays,
        )  # fmt: skip
        return scenarios, short, np.maximum(there - p[:, green], 0.0).sum(1)


def _shares(mw: Array, room: Array) -> Array:
    """(n, k) of `mw` (n,) in proportion to `room` (k,)."""
    total = room.sum()
    return mw[:, None] * (room / total if total > 0 else np.zeros_like(room))
