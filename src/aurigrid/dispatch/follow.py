"""A plan that goes on where another one stands: states, outputs and stored energy carried over, near commitments kept."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from aurigrid.dispatch.from_network import Bound
from aurigrid.dispatch.linear import Array
from aurigrid.errors import IssueList
from aurigrid.model.network import Network

if TYPE_CHECKING:
    from aurigrid.dispatch.plan import Plan


def last_step(before: Plan, time: Array, net: Network, issues: IssueList) -> int:
    """Position in `before` of the step that ends where `time` begins; faults are added to `issues`."""
    same = (
        len(before.net.gen) == net.n_gen
        and (before.net.gen.id == net.gen.id).all()
        and len(before.net.storage) == len(net.storage)
    )
    if not same:
        issues.add("dispatch", "before", "is a plan of another network", hint="give a plan of this one")
        return -1
    step = np.timedelta64(round(before.step_h * 3600), "s")
    found = np.flatnonzero(before.time + step == time[0])
    if not len(found):
        issues.add(
            "dispatch", "before", f"has no step that ends at {time[0]}", hint="begin inside the plan or where it ends"
        )
        return -1
    return int(found[0])


def continued(bound: Bound, before: Plan, at: int, notice_h: float) -> Bound:
    """The system with the state that `before` has at the end of its step `at`.

    Units whose state the earlier plan fixes for times within `notice_h` of the beginning keep it.
    """
    units, unit, stores = bound.system.units, bound.unit, bound.system.stores
    on, p = before.gen_on[: at + 1, unit], before.gen_p_mw[at, unit]
    now = on[-1]
    changed = (on != now)[::-1]
    since = np.where(changed.any(0), changed.argmax(0), at + 1)
    whole = ~changed.any(0) & (before.gen_on_before[unit] == now)
    since = since + np.where(whole, before.gen_steps_before[unit], 0)
    units = units.replace(
        on_before=now.astype(np.int64),
        steps_before=np.maximum(since, 1).astype(np.int64),
        p_before_mw=np.where(now, np.clip(p, units.p_min_mw, units.p_max_mw), 0.0),
    )
    stores = dataclasses.replace(
        stores, energy_before_mwh=np.clip(before.storage_energy_mwh[at, bound.store], 0.0, stores.energy_max_mwh)
    )
    system = bound.system
    kept = min(int(np.floor(notice_h / system.step_h + 1e-9)), before.n_steps - at - 1, system.steps)
    fixed = np.full((len(units), system.steps), -1, np.int8)
    if kept > 0:
        fixed[:, :kept] = before.gen_on[at + 1 : at + 1 + kept, unit].T
    return dataclasses.replace(
        bound, system=system.replace(units=units, stores=stores, fixed_on=fixed if kept > 0 else None)
    )
