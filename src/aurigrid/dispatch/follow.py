"""A plan that goes on where another one stands: states, outputs and stored energy carried over, near commitments kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.dispatch.flows import BASE
from aurigrid.dispatch.from_network import Bound
from aurigrid.dispatch.linear import Array
from aurigrid.errors import IssueList
from aurigrid.model.network import Network

if TYPE_CHECKING:
    from aurigrid.dispatch.plan import Plan

_NEAR = 0.9
"""Share of a limit from which on it is likely to matter in the next plan as well."""


@dataclass(frozen=True, eq=False)
class Standing:
    """What must be known of a plan to go on from it; attributes as in `Plan`.

    Attributes:
        known: (n, 4) flow limits that the plan met or came near: branch, outage or -1, step, sign.
        loss_node_mw: (n_node, T) losses that its balances include; (0, 0) where none were counted.
        short_mw: (T,) load not met and reserve missing.
    """

    net: Network
    time: Array
    step_h: float
    gen_on: Array
    gen_p_mw: Array
    gen_on_before: Array
    gen_steps_before: Array
    storage_energy_mwh: Array
    known: Array
    loss_node_mw: Array
    short_mw: Array

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return len(self.time)

    @classmethod
    def of(cls, plan: Plan) -> Standing:
        """Where a plan stands."""
        done, limits = plan.secured, plan.secured.limits
        problem, x = done.model.problem, done.answer.x
        keys = np.array(limits.key, np.int64).reshape(-1, 4)
        if len(keys) and x is not None:
            near = problem.activity(x)[limits.row] > _NEAR * np.abs(problem.row_upper[limits.row])
            keys = keys[(near | (x[limits.excess] > 0)) & (keys[:, 1] >= BASE)]
        short = plan.unserved_mw.sum(1) + plan.reserve_short_mw.sum(1)
        return cls(
            plan.net, plan.time, plan.step_h, plan.gen_on, plan.gen_p_mw, plan.gen_on_before, plan.gen_steps_before,
            plan.storage_energy_mwh, keys, done.loss_mw, short,
        )  # fmt: skip

    def arrays(self) -> dict[str, Array]:
        """All but the network, by name; `from_arrays` makes the same of them again."""
        names = [f.name for f in dataclasses.fields(self) if f.name != "net"]
        return {name: np.asarray(getattr(self, name)) for name in names}

    @classmethod
    def from_arrays(cls, net: Network, arrays: Mapping[str, Array]) -> Standing:
        """The counterpart of `arrays`."""
        given: dict[str, Any] = {**arrays, "step_h": float(arrays["step_h"])}
        return cls(net, **given)

    def later(self, at: int, steps: int) -> tuple[list[tuple[int, int, int, int]], Array | None]:
        """Known limits and losses for a horizon of `steps` steps that begins behind step `at`; None without losses."""
        keys = self.known - np.array([0, 0, at + 1, 0])
        keys = keys[(keys[:, 2] >= 0) & (keys[:, 2] < steps)]
        found = [(int(m), int(k), int(t), int(s)) for m, k, t, s in keys]
        if not self.loss_node_mw.size:
            return found, None
        loss = self.loss_node_mw[:, at + 1 : at + 1 + steps]
        missing = steps - loss.shape[1]
        return found, np.column_stack([loss, np.repeat(self.loss_node_mw[:, -1:], missing, 1)])


def last_step(before: Plan | Standing, time: Array, net: Network, issues: IssueList) -> int:
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


def continued(bound: Bound, before: Plan | Standing, at: int, notice_h: float) -> Bound:
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
    inj, mine = system.injections, bound.injection
    tied = (mine >= 0) & (np.isfinite(inj.ramp_up_mw) | np.isfinite(inj.ramp_down_mw))
    was = np.where(tied, before.gen_p_mw[at, np.maximum(mine, 0)], inj.p_before_mw) if len(mine) else inj.p_before_mw
    system = system.replace(injections=dataclasses.replace(inj, p_before_mw=was))
    known = min(before.n_steps - at - 1, system.steps)
    kept = int(min(np.floor(notice_h / system.step_h + 1e-9), known))
    fixed = np.full((len(units), system.steps), -1, np.int8)
    if kept > 0:
        fixed[:, :kept] = before.gen_on[at + 1 : at + 1 + kept, unit].T
    return dataclasses.replace(
        bound, system=system.replace(units=units, stores=stores, fixed_on=fixed if kept > 0 else None)
    )
