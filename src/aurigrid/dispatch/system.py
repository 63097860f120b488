"""`System`: everything that a schedule is made of, step by step, as plain arrays; free of files and of the grid's model.

Power is in MW, energy in MWh, money in any one currency. T is the number of steps, `step_h` their length in hours.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aurigrid.dispatch.units import Units

Array = np.ndarray[Any, np.dtype[Any]]

WEATHER_DRIVEN, ELASTIC = 1, 2
"""Groups of injections: wind, sun and water; load that is taken up to what it pays. All others are 0."""


@dataclass(frozen=True, eq=False)
class Injections:
    """What injects between two limits without being switched: wind, sun, hydro, imports, flexible load (negative).

    Attributes:
        id: (n,) names.
        node: (n,) position of the node.
        low_mw, high_mw: (n, T) limits of the injection.
        cost: (n,) currency/MWh.
        free_mw: (n, T) injection that costs nothing; what lies above it costs, what lies below it is worth `cost`.
        ramp_up_mw, ramp_down_mw: (n,) largest change in one step.
        p_before_mw: (n,) injection before the first step; NaN where not known, the first change is then free.
        energy_min_mwh, energy_max_mwh: (n,) energy over the horizon (hydro budgets, load that may be shifted).
        co2_t_per_mwh: (n,) emissions.
        group: (n,) 0, `WEATHER_DRIVEN` or `ELASTIC`; injections of different groups are never merged.
    """

    id: Array
    node: Array
    low_mw: Array
    high_mw: Array
    cost: Array
    free_mw: Array
    ramp_up_mw: Array
    ramp_down_mw: Array
    p_before_mw: Array
    energy_min_mwh: Array
    energy_max_mwh: Array
    co2_t_per_mwh: Array
    group: Array

    @classmethod
    def of(cls, id: Array, low_mw: Array, high_mw: Array, **given: Array) -> Injections:
        """Injections with these limits; whatever is not given is free of cost and of limits."""
        n = len(id)
        defaults = {
            "node": np.zeros(n, np.int64),
            "cost": np.zeros(n),
            "free_mw": np.zeros_like(low_mw),
            "ramp_up_mw": np.full(n, np.inf),
            "ramp_down_mw": np.full(n, np.inf),
            "p_before_mw": np.full(n, np.nan),
            "energy_min_mwh": np.full(n, -np.inf),
            "energy_max_mwh": np.full(n, np.inf),
            "co2_t_per_mwh": np.zeros(n),
            "group": np.zeros(n, np.int64),
        }
        return cls(id, low_mw=low_mw, high_mw=high_mw, **(defaults | given))

    def __len__(self) -> int:
        return len(self.low_mw)


@dataclass(frozen=True, eq=False)
class Stores:
    """Batteries, pumped storage, plants with a heat or water store.

    Energy after step t: ``e_t = (1 - loss) e_{t-1} + step_h (charge_efficiency c_t + inflow_t - d_t / discharge_efficiency)``.

    Attributes:
        id, node: (n,) name and position of the node.
        charge_mw, discharge_mw: (n,) largest powers.
        energy_max_mwh: (n,) capacity.
        energy_before_mwh: (n,) energy at the beginning.
        energy_end_mwh: (n,) least energy at the end.
        charge_efficiency, discharge_efficiency: (n,) 0..1.
        inflow_mw: (n, T) energy that comes in by itself (water, heat) and may be spilled, MW.
        cost: (n,) cost of discharging, currency/MWh.
    """

    id: Array
    node: Array
    charge_mw: Array
    discharge_mw: Array
    energy_max_mwh: Array
    energy_before_mwh: Array
    energy_end_mwh: Array
    charge_efficiency: Array
    discharge_efficiency: Array
    inflow_mw: Array
    cost: Array

    @classmethod
    def none(cls, steps: int) -> Stores:
        """No store."""
        empty = np.zeros(0)
        at = np.zeros(0, np.int64)
        return cls(
            empty.astype(object), at, empty, empty, empty, empty, empty, empty, empty, np.zeros((0, steps)), empty
        )

    def __len__(self) -> int:
        return len(self.charge_mw)


@dataclass(frozen=True, eq=False)
class Links:
    """HVDC links. Power is drawn at one end and arrives, less `loss_share`, at the other.

    Attributes:
        id: (n,) names.
        from_node, to_node: (n,) positions of the ends.
        forward_mw, backward_mw: (n,) largest power drawn at the from end, and at the to end.
        loss_share: (n,) 0..1.
    """

    id: Array
    from_node: Array
    to_node: Array
    forward_mw: Array
    backward_mw: Array
    loss_share: Array

    @classmethod
    def none(cls) -> Links:
        """No link."""
        at, empty = np.zeros(0, np.int64), np.zeros(0)
        return cls(empty.astype(object), at, at, empty, empty, empty)

    def __len__(self) -> int:
        return len(self.forward_mw)


@dataclass(frozen=True, eq=False)
class Shifters:
    """Phase shifters whose angle may be chosen anew in each step.

    Attributes:
        id: (n,) names.
        branch: (n,) positions of their branches in the grid's flows.
        node: (n,) node of the from end.
        low_deg, high_deg: (n,) least and largest change of the shift against the one that the grid's flows include.
    """

    id: Array
    branch: Array
    node: Array
    low_deg: Array
    high_deg: Array

    @classmethod
    def none(cls) -> Shifters:
        """No shifter."""
        at, empty = np.zeros(0, np.int64), np.zeros(0)
        return cls(empty.astype(object), at, at, empty, empty)

    def __len__(self) -> int:
        return len(self.low_deg)


@dataclass(frozen=True, eq=False)
class Reserve:
    """One reserve product of one zone.

    Attributes:
        name: e.g. ``"spinning, zone 1"``.
        up: upward, or downward.
        need_mw: (T,) requirement.
        unit: positions of the units that may provide it while on.
        injection: positions of the injections that may (wind and sun below what they could give, for instance).
        store: positions of the stores that may.
        minutes: time within which it must be there; limits what a unit can offer to its ramp. inf: no such limit.
        price: price of what is missing, currency/MW and hour.
        zone: (n_node,) nodes whose demand it must reach (`aurigrid.dispatch.deliver`); empty where that is not asked for.
    """

    name: str
    up: bool
    need_mw: Array
    unit: Array
    injection: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    store: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    minutes: float = np.inf
    price: float = 1_000.0
    zone: Array = field(default_factory=lambda: np.zeros(0, bool))


@dataclass(frozen=True, eq=False)
class System:
    """What is to be scheduled.

    Attributes:
        step_h: length of a step, h.
        units, injections, stores, links, shifters: what can be chosen.
        demand_mw: (n_node, T) fixed withdrawal by node.
        area: (n_node,) balance area of each node: an electrical island; each must balance in every step.
        reserves: the reserve products.
        co2_price: currency/t, and `co2_cap_t`, t over the horizon.
        unit_co2_t_per_mwh: (n_unit,) emissions.
        unit_energy_max_mwh: (n_unit,) most energy over the horizon, inf for no budget; empty where no unit has one.
        unserved_price, spill_price: of load that is not met and of power that cannot be used, currency/MWh.
        limit_price: of flow above a limit, currency/MWh.
        co2_excess_price: of emissions above the cap, currency/t.
        turn_price: of phase shifters, currency per degree and hour away from where they stand: they turn where it saves more.
        fixed_on: (n_unit, T) 1 on, 0 off, -1 free; None where all are free.
        stopping_reserve: whether a unit may hold upward reserve above `stop_mw` in its last step on: who calls it keeps it on.
    """

    step_h: float
    units: Units
    injections: Injections
    demand_mw: Array
    area: Array
    stores: Stores
    links: Links
    reserves: tuple[Reserve, ...] = ()
    co2_price: float = 0.0
    co2_cap_t: float = np.inf
    unit_co2_t_per_mwh: Array = field(default_factory=lambda: np.zeros(0))
    unit_energy_max_mwh: Array = field(default_factory=lambda: np.zeros(0))
    unserved_price: float = 10_000.0
    spill_price: float = 1_000.0
    limit_price: float = 2_000.0
    co2_excess_price: float = 1_000.0
    turn_price: float = 0.01
    fixed_on: Array | None = None
    shifters: Shifters = field(default_factory=Shifters.none)
    stopping_reserve: bool = False

    @property
    def steps(self) -> int:
        """Number of steps T."""
        return int(self.demand_mw.shape[1])

    def steady_states(self) -> Array:
        """(n_unit, T) nothing is switched but what must: states that always make a plan."""
        units = self.units
        now = np.where(units.must_run, 1, units.on_before)
        out = np.repeat(now[:, None], self.steps, 1)
        if self.fixed_on is not None:
            for t in range(self.steps):
                now = np.where(self.fixed_on[:, t] >= 0, self.fixed_on[:, t], now)
                out[:, t] = now
        return out * units.count[:, None]

    def replace(self, **changes: Any) -> System:
        """A copy with other fields."""
        return dataclasses.replace(self, **changes)
