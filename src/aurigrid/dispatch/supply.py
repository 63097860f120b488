"""Injections, stores, links and phase shifters: columns, and the rows that tie their steps together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigrid.dispatch.linear import NONE, Array, Builder, delayed
from aurigrid.dispatch.system import System


@dataclass(frozen=True, eq=False)
class Supply:
    """Columns (n, T): `injection`; of stores `charge`, `discharge`, `energy`, `spill`; of links `forward`, `backward`; of
    phase shifters `ahead`, `back`, degrees that their shift is above and below where it stands.

    `short_energy`, `over_energy` (n_injection,) and `short_end` (n_store,) hold what budgets and end states lack, MWh.
    Rows: `rise_row`, `fall_row` (n_injection, T) ramps, -1 where absent; `energy_row` (n_store, T) from one step to the next.
    """

    injection: Array
    charge: Array
    discharge: Array
    energy: Array
    spill: Array
    forward: Array
    backward: Array
    ahead: Array
    back: Array
    short_energy: Array
    over_energy: Array
    short_end: Array
    rise_row: Array
    fall_row: Array
    energy_row: Array


def add_supply(lp: Builder, system: System) -> Supply:
    """Add what is not switched, with its costs, ramps, budgets and stored energy."""
    h, inj, links = system.step_h, system.injections, system.links
    shape = inj.low_mw.shape
    price = inj.cost + system.co2_price * inj.co2_t_per_mwh
    x = lp.columns(shape, inj.low_mw, inj.high_mw, (h * price)[:, None])
    lp.offset -= h * float((inj.cost[:, None] * inj.free_mw).sum())
    ramps = _ramps(lp, system, x)
    short, over = (np.full(len(inj), NONE, np.int32) for _ in range(2))
    for limit, missing, sign in ((inj.energy_min_mwh, short, 1.0), (inj.energy_max_mwh, over, -1.0)):
        rows = np.flatnonzero(np.isfinite(limit))
        if len(rows):
            missing[rows] = lp.columns((len(rows),), cost=system.unserved_price)
            terms = [(x[rows].T, sign * h), (missing[rows], 1.0)]
            lp.rows((len(rows),), terms, lower=sign * limit[rows])
    charge, discharge, energy, spill, end, kept = _stores(lp, system)
    steps = (len(links), system.steps)
    forward = lp.columns(steps, 0.0, links.forward_mw[:, None])
    backward = lp.columns(steps, 0.0, links.backward_mw[:, None])
    ahead, back = _shifters(lp, system)
    return Supply(
        x, charge, discharge, energy, spill, forward, backward, ahead, back, short, over, end, *ramps, kept
    )  # fmt: skip


def _shifters(lp: Builder, system: System) -> tuple[Array, Array]:
    """Columns above and below the present angle; a small price keeps them at 0 where an angle has no use."""
    s, price = system.shifters, system.step_h * system.turn_price
    shape = (len(s), system.steps)
    low, high = s.low_deg[:, None], s.high_deg[:, None]
    ahead = lp.columns(shape, np.maximum(low, 0.0), np.maximum(high, 0.0), price)
    return ahead, lp.columns(shape, np.maximum(-high, 0.0), np.maximum(-low, 0.0), price)


def _ramps(lp: Builder, system: System, x: Array) -> tuple[Array, Array]:
    inj, t = system.injections, np.arange(system.steps)
    known = np.isfinite(inj.p_before_mw)[:, None]
    was = np.where(t == 0, np.where(known, inj.p_before_mw[:, None], 0.0), 0.0)
    rows: list[Array] = []
    for limit, sign in ((inj.ramp_up_mw, 1.0), (inj.ramp_down_mw, -1.0)):
        binds = np.isfinite(limit)[:, None] & ((t > 0) | known)
        upper = np.where(binds, np.where(np.isfinite(limit), limit, 0.0)[:, None] + sign * was, 0.0)
        rows.append(lp.rows(x.shape, [(x, sign), (delayed(x, 1), -sign)], upper=upper, keep=binds))
    return rows[0], rows[1]


def _stores(lp: Builder, system: System) -> tuple[Array, Array, Array, Array, Array, Array]:
    s, h, t = system.stores, system.step_h, np.arange(system.steps)
    shape = (len(s), system.steps)
    charge = lp.columns(shape, 0.0, s.charge_mw[:, None])
    discharge = lp.columns(shape, 0.0, s.discharge_mw[:, None], (h * s.cost)[:, None])
    energy = lp.columns(shape, 0.0, s.energy_max_mwh[:, None])
    spill = lp.columns(shape, 0.0, s.inflow_mw)
    end = lp.columns((len(s),), 0.0, np.inf, system.unserved_price)
    rows = np.full(shape, NONE, np.int64)
    if len(s):
        gain, use = h * s.charge_efficiency[:, None], h / s.discharge_efficiency[:, None]
        before = np.where(t == 0, s.energy_before_mwh[:, None], 0.0) + h * s.inflow_mw
        terms = [(energy, 1.0), (delayed(energy, 1), -1.0), (charge, -gain), (discharge, use), (spill, h)]
        rows = lp.rows(shape, terms, before, before)
        lp.rows((len(s),), [(energy[:, -1], 1.0), (end, 1.0)], lower=s.energy_end_mwh)
    return charge, discharge, energy, spill, end, rows
