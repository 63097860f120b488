"""Small unit commitment instances in PGLib-UC's form, drawn from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np


def instance(seed: int, hours: int = 14) -> dict[str, Any]:
    """Six to nine plants of four kinds, identical ones among them, sun, and a demand that starts and stops them."""
    rng = np.random.default_rng(seed)
    units: dict[str, Any] = {}

    def add(
        kind: str, number: int, low: float, high: float, ramp: float, start: float, up: int, down: int, lags: Any
    ) -> None:
        points = np.linspace(low, high, 4)
        price = np.cumsum(np.r_[rng.uniform(5, 9) * low, np.sort(rng.uniform(15, 40, 3)) * np.diff(points)])
        on = int(rng.random() < 0.5)
        for k in range(number):
            units[f"{kind}_{k}"] = {
                "must_run": 0, "power_output_minimum": low, "power_output_maximum": high, "ramp_up_limit": ramp,
                "ramp_down_limit": ramp, "ramp_startup_limit": start, "ramp_shutdown_limit": start,
                "time_up_minimum": up, "time_down_minimum": down, "power_output_t0": low * on, "unit_on_t0": on,
                "time_down_t0": 0 if on else 30, "time_up_t0": 30 if on else 0,
                "startup": [{"lag": lag, "cost": cost} for lag, cost in lags],
                "piecewise_production": [{"mw": m, "cost": c} for m, c in zip(points.tolist(), price.tolist(), strict=True)],
            }  # fmt: skip

    add("steam", 2, 30.0, 76.0, 25.0, 30.0, 4, 3, [(3, 700.0), (5, 1100.0), (8, 1500.0)])
    add("turbine", int(rng.integers(2, 4)), 8.0, 20.0, 60.0, float(rng.choice([8.0, 14.0])), 1, 1, [(1, 52.0)])
    add("oil", 2, 5.0, 12.0, 20.0, 8.0, 2, 2, [(2, 90.0), (4, 160.0)])
    add("cc", 1, 60.0, 150.0, 40.0, 70.0, 5, 4, [(4, 2000.0)])
    top = sum(u["power_output_maximum"] for u in units.values())
    shape = (
        0.45 + 0.35 * np.sin(np.arange(hours) / hours * 4 * np.pi + rng.uniform(0, 6)) + rng.uniform(-0.05, 0.05, hours)
    )
    sun = 60.0 * np.clip(np.sin(np.arange(hours) / hours * np.pi), 0, None)
    demand = np.clip(shape, 0.15, 0.85) * top
    return {
        "time_periods": hours,
        "demand": demand.tolist(),
        "reserves": (0.04 * demand).tolist(),
        "thermal_generators": units,
        "renewable_generators": {
            name: {"power_output_minimum": [0.0] * hours, "power_output_maximum": (share * sun).tolist()}
            for name, share in (("sun_a", 0.3), ("sun_b", 0.7))
        },
    }
