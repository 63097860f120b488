"""A plan that goes on where another one stands: states, outputs and stored energy carried over, near commitments kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.dispatch.basis import Basis
from aurigrid.dispatch.flows import BASE
from aurigrid.dispatch.from_network import Bound
from aurigrid.dispatch.linear import Array
from aurigrid.errors import IssueList
from aurigrid.model.network import Network

if TYPE_CHECKING:
    from aurigrid.dispatch.plan import Plan

_ROOM = 0.1
"""Room that a flow has below its limit, as a share of the rating, up to which it is likely to matter in the next plan too."""


@dataclass(frozen=True, eq=False)
class Standing:
    """What must be known of a plan to go on from it; attributes as in `Plan`.

    `time`, `gen_on` and `short_mw` may reach beyond the plan, as far as states have been decided.

    Attributes:
        known: (n, 4) flow limits that the plan met or came near: branch, outage or -1, step, sign.
        loss_node_mw: (n_node, T) losses that its balances include; (0, 0) where none were counted.
        short_mw: (T,) load not met and reserve missing.
        basis: where the solver ended; its flow limits are `known`.
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
    basis: Basis

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
        kept = np.zeros(len(keys), bool)
        if len(keys) and x is not None:
            kept = keys[:, 1] >= BASE
            left = problem.row_upper[limits.row] - problem.activity(x)[limits.row]
            kept[kept] = left[kept] < _ROOM * plan.net.branch.rate_mva[keys[kept, 0]]
        short = plan.unserved_mw.sum(1) + plan.reserve_short_mw.sum(1)
        return cls(
            plan.net, plan.time, plan.step_h, plan.gen_on, plan.gen_p_mw, plan.gen_on_before, plan.gen_steps_before,
            plan.storage_energy_mwh, keys[kept], done.loss_mw, short, Basis.of(done.model, limits, done.run).taken(kept),
        )  # fmt: skip

    def reaching(self, before: Standing) -> Standing:
        """The same with the states, and the load not met then, that are known from `before` beyond this plan's end."""
        later = before.time > self.time[-1]
        names = ("time", "gen_on", "short_mw")
        longer: dict[str, Any] = {
            name: np.concatenate([getattr(self, name), getattr(before, name)[later]]) for name in names
        }
        return dataclasses.replace(self, **longer)

    def arrays(self) -> dict[str, Array]:
        """All but the network, by name; `from_arrays` makes the same of them again."""
        names = [f.name for f in dataclasses.fields(self) if f.name not in ("net", "basis")]
        return {**{name: np.asarray(getattr(self, name)) for name in names}, **self.basis.arrays()}

    @classmethod
    def from_arrays(cls, net: Network, arrays: Mapping[str, Array]) -> Standing:
        """The counterpart of `arrays`."""
        names = [f.name for f in dataclasses.fields(cls) if f.name not in ("net", "basis")]
        given: dict[str, Any] = {**{name: arrays[name] for name in names}, "step_h": float(arrays["step_h"])}
        return cls(net, **given, basis=Basis.from_arrays(arrays))

    def later(self, at: int, steps: int) -> tuple[list[tuple[int, int, int, int]], Array | None, Basis]:
        """Known limits, losses and basis for a horizon of `steps` steps that begins behind step `at`; losses may be None."""
        last, step = len(self.gen_p_mw) - 1, self.known[:, 2]
        ahead = np.flatnonzero((step > at) & (step <= at + steps))
        # what holds in the plan's last step is likely to hold in those behind it
        behind, end = np.arange(max(last - at, 0), steps), np.flatnonzero(step == last)
        taken = np.concatenate([ahead, np.tile(end, len(behind))])
        when = np.concatenate([step[ahead] - at - 1, np.repeat(behind, len(end))])
        found = [(int(m), int(k), int(t), int(s)) for (m, k, _, s), t in zip(self.known[taken], when, strict=True)]
        basis = self.basis.taken(taken).later(at + 1, steps)
        if not self.loss_node_mw.size:
            return found, None, basis
        loss = self.loss_node_mw[:, at + 1 : at + 1 + steps]
        missing = steps - loss.shape[1]
        return found, np.column_stack([loss, np.repeat(self.loss_node_mw[:, -1:], missing, 1)]), basis


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
