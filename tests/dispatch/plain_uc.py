"""The unit commitment model of PGLib-UC as its paper prints it, term by term, solved by SciPy: an oracle for small instances.

Nothing of `aurigrid.dispatch` is used: data are read from the instance's JSON, one variable and one row at a time.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array


class Plain:
    """Variables by name, rows as dictionaries."""

    def __init__(self) -> None:
        self.at: dict[Any, int] = {}
        self.cost: list[float] = []
        self.low: list[float] = []
        self.high: list[float] = []
        self.whole: list[int] = []
        self.rows: list[tuple[dict[int, float], float, float]] = []

    def var(self, key: Any, low: float = 0.0, high: float = np.inf, cost: float = 0.0, whole: bool = False) -> None:
        self.at[key] = len(self.cost)
        self.cost.append(cost)
        self.low.append(low)
        self.high.append(high)
        self.whole.append(int(whole))

    def row(self, terms: list[tuple[Any, float]], low: float = -np.inf, high: float = np.inf) -> None:
        entries: dict[int, float] = defaultdict(float)
        for key, value in terms:
            entries[self.at[key]] += value
        self.rows.append((entries, low, high))

    def solve(self, gap: float, seconds: float) -> Any:
        at = [(i, j, v) for i, (entries, _, _) in enumerate(self.rows) for j, v in entries.items()]
        i, j, v = zip(*at, strict=True)
        matrix = coo_array((v, (i, j)), shape=(len(self.rows), len(self.cost))).tocsr()
        limits = LinearConstraint(matrix, [r[1] for r in self.rows], [r[2] for r in self.rows])
        return milp(
            np.array(self.cost), integrality=np.array(self.whole), bounds=Bounds(self.low, self.high), constraints=limits,
            options={"mip_rel_gap": gap, "time_limit": seconds},
        )  # fmt: skip


def plain_model(data: dict[str, Any], *, stopping_reserve: bool = True) -> Plain:
    """The model of an instance: equations of the PGLib-UC document in their order, hours 0-based, slack at our prices.

    `stopping_reserve` leaves the reserve out of equation 18, as UnitCommitment.jl does.
    """
    m, T = Plain(), data["time_periods"]
    hours = range(T)
    for w, row in data["renewable_generators"].items():
        for t in hours:
            m.var(("pw", w, t), row["power_output_minimum"][t], row["power_output_maximum"][t])
    for g, d in data["thermal_generators"].items():
        _unit(m, g, d, T, stopping_reserve)
    for t in hours:
        supply = [(("p", g, t), 1.0) for g in data["thermal_generators"]]
        supply += [(("u", g, t), d["power_output_minimum"]) for g, d in data["thermal_generators"].items()]
        supply += [(("pw", w, t), 1.0) for w in data["renewable_generators"]]
        for key, price in (("unserved", 10_000.0), ("surplus", 1_000.0), ("short", 10_000.0)):
            m.var((key, t), cost=price)
        supply += [(("unserved", t), 1.0), (("surplus", t), -1.0)]
        m.row(supply, data["demand"][t], data["demand"][t])
        m.row([(("r", g, t), 1.0) for g in data["thermal_generators"]] + [(("short", t), 1.0)], data["reserves"][t])
    return m


def _unit(m: Plain, g: str, d: dict[str, Any], T: int, stopping_reserve: bool) -> None:
    points, starts = d["piecewise_production"], d["startup"]
    low, high = d["power_output_minimum"], d["power_output_maximum"]
    up_time, down_time, on0 = min(d["time_up_minimum"], T), min(d["time_down_minimum"], T), d["unit_on_t0"]
    before = on0 * (d["power_output_t0"] - low)
    for t in range(T):
        m.var(("u", g, t), float(d["must_run"]), 1, points[0]["cost"], True)
        m.var(("v", g, t), 0, 1, 0.0, True)
        m.var(("w", g, t), 0, 1, 0.0, True)
        m.var(("p", g, t))
        m.var(("r", g, t))
        for k, point in enumerate(points):
            m.var(("l", g, k, t), 0, 1, point["cost"] - points[0]["cost"])
        for s, start in enumerate(starts):
            m.var(("d", g, s, t), 0, 1, start["cost"], True)
    fixed = d["time_up_minimum"] - d["time_up_t0"] if on0 else d["time_down_minimum"] - d["time_down_t0"]
    for t in range(min(max(fixed, 0), T)):
        m.row([(("u", g, t), 1.0)], on0, on0)
    if on0:
        m.row([(("w", g, 0), max(high - d["ramp_shutdown_limit"], 0))], high=high - low - before)
    for t in range(T):
        u, v, w, p, r = (((name, g, t)) for name in "uvwpr")
        past = [(("u", g, t - 1), -1.0)] if t else []
        m.row([(u, 1.0), (v, -1.0), (w, 1.0), *past], *(2 * [0.0 if t else float(on0)]))
        if t >= up_time - 1:
            m.row([(("v", g, i), 1.0) for i in range(t - up_time + 1, t + 1)] + [(u, -1.0)], high=0)
        if t >= down_time - 1:
            m.row([(("w", g, i), 1.0) for i in range(t - down_time + 1, t + 1)] + [(u, 1.0)], high=1)
        m.row([(v, 1.0)] + [(("d", g, s, t), -1.0) for s in range(len(starts))], 0, 0)
        for s in range(len(starts) - 1):
            first, last = starts[s]["lag"], starts[s + 1]["lag"]
            stops = [(("w", g, t - i), -1.0) for i in range(first, last) if t - i >= 0]
            # off since before the first hour: for time_down_t0 + t hours by now
            free = not on0 and first <= d["time_down_t0"] + t < last
            m.row([(("d", g, s, t), 1.0), *stops], high=1.0 if free else 0.0)
        cap = [(p, 1.0), (r, 1.0), (u, low - high)]
        m.row([*cap, (v, max(high - d["ramp_startup_limit"], 0))], high=0)
        if t + 1 < T:
            limited = [(p, 1.0), (u, low - high)] if stopping_reserve else cap
            m.row([*limited, (("w", g, t + 1), max(high - d["ramp_shutdown_limit"], 0))], high=0)
        behind = [(("p", g, t - 1), -1.0)] if t else []
        m.row([(p, 1.0), (r, 1.0), *behind], high=d["ramp_up_limit"] + (0 if t else before))
        m.row([(p, -1.0), *((key, 1.0) for key, _ in behind)], high=d["ramp_down_limit"] - (0 if t else before))
        m.row([(p, 1.0)] + [(("l", g, k, t), low - x["mw"]) for k, x in enumerate(points)], 0, 0)
        m.row([(u, 1.0)] + [(("l", g, k, t), -1.0) for k in range(len(points))], 0, 0)
