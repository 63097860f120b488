"""Reserves by zone and product: what each member offers, within its ramp, and what is missing at a price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigrid.dispatch.linear import NONE, Array, Builder
from aurigrid.dispatch.system import System


@dataclass(frozen=True, eq=False)
class Offers:
    """Columns of every product: `unit[k]` (n_unit, T), `injection[k]`, `store[k]`, -1 where not a member; `short` (K, T)."""

    unit: list[Array]
    injection: list[Array]
    store: list[Array]
    short: Array
    row: Array

    def on_units(self, system: System, *, up: bool) -> list[Array]:
        """Columns (n_unit, T) of the products of one direction."""
        return [c for c, r in zip(self.unit, system.reserves, strict=True) if r.up == up]


def add_offers(lp: Builder, system: System) -> Offers:
    """Add what members offer and the requirements."""
    units, steps = system.units, system.steps
    out: tuple[list[Array], list[Array], list[Array]] = ([], [], [])
    k = len(system.reserves)
    short, row = np.full((k, steps), NONE, np.int64), np.full((k, steps), NONE, np.int64)
    for i, reserve in enumerate(system.reserves):
        ramp = units.ramp_up_mw if reserve.up else units.ramp_down_mw
        # without a time the ramp rows alone limit an offer: it may exceed one step's ramp where the output falls
        reach = ramp * reserve.minutes / (60.0 * system.step_h) if np.isfinite(reserve.minutes) else np.inf
        most = np.minimum(reach, units.range_mw) * units.count
        sizes = (len(units), len(system.injections), len(system.stores))
        columns = [np.full((n, steps), NONE, np.int64) for n in sizes]
        columns[0][reserve.unit] = lp.columns((len(reserve.unit), steps), 0.0, most[reserve.unit][:, None])
        for at, members in ((1, reserve.injection), (2, reserve.store)):
            columns[at][members] = lp.columns((len(members), steps))
        for part, block in zip(out, columns, strict=True):
            part.append(block)
        short[i] = lp.columns((steps,), 0.0, np.maximum(reserve.need_mw, 0.0), reserve.price * system.step_h)
        terms = [(c, 1.0) for c in columns] + [(short[i], 1.0)]
        row[i] = lp.rows((steps,), terms, lower=reserve.need_mw)
    return Offers(*out, short, row)


def limit_offers(
    lp: Builder, system: System, offers: Offers, injection: Array, charge: Array, discharge: Array
) -> None:
    """Injections and stores offer only what they hold back; units are limited with their output."""
    inj, stores = system.injections, system.stores
    for up in (True, False):
        chosen = [i for i, r in enumerate(system.reserves) if r.up == up]
        for columns, table in ((offers.injection, inj), (offers.store, stores)):
            terms = [(columns[i], 1.0) for i in chosen]
            member = np.zeros((len(table), system.steps), bool)
            for i in chosen:
                member |= columns[i] != NONE
            if not member.any():
                continue
            sign = 1.0 if up else -1.0
            if table is inj:
                room = inj.high_mw if up else -inj.low_mw
                lp.rows(member.shape, [*terms, (injection, sign)], upper=room, keep=member)
            else:
                room = (stores.discharge_mw if up else stores.charge_mw)[:, None]
                lp.rows(member.shape, [*terms, (discharge, sign), (charge, -sign)], upper=room, keep=member)
