"""`Plan`: what `dispatch` answers, in the order of the network's own tables."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.dispatch.curtailment import CAUSES
from aurigrid.dispatch.flows import VOLTAGE
from aurigrid.dispatch.from_network import WEATHER, Bound
from aurigrid.dispatch.linear import Array
from aurigrid.dispatch.schedule import Schedule
from aurigrid.dispatch.secure import Secured
from aurigrid.dispatch.tables import Columns, plan_tables
from aurigrid.errors import InputError, Issue
from aurigrid.model.defaults import DefaultUse
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios

_CORRIDOR = np.dtype([("branch", np.int32), ("outage", np.int32), ("steps", np.int32), ("saving", float)])


@dataclass(frozen=True, eq=False)
class Plan:
    """A schedule of T steps with its prices and reasons. Arrays are step first; what does not exist in a step is 0.

    Attributes:
        net: the network, with the defaults that were filled in.
        time: (T,) start of each step; `step_h` their length, h.
        cost: what the plan costs, currency, all penalties included; `bound`: what no plan can undercut; -inf where the
            search was stopped before one was known.
        gen_on: (T, n_gen) whether a unit is on.
        gen_p_mw: (T, n_gen) output.
        gen_on_before, gen_steps_before: (n_gen,) state before the first step, and for how many steps it had lasted.
        storage_p_mw, storage_energy_mwh: (T, n_storage).
        hvdc_p_mw: (T, n_hvdc).
        shift_deg: (T, n_branch) phase shifts; those of the network where they may not turn.
        load_p_mw: (T, n_load) demand, shifted load where it went to, without what it goes without at its price; what is not
            served for want of supply is in it.
        load_reduced_mw: (T, n_load) what elastic load goes without at its price.
        unserved_mw, surplus_mw: (T, n_bus) load not met, and power that cannot be used.
        loss_mw: (T,) losses that the balances include.
        flow_mw: (T, n_branch) linear flows at the from ends; 0 for a network without limits asked for.
        price_per_mwh: (T, n_bus) price of one MWh more; its parts are `price_energy`, `price_base` (limits of the intact
            grid), `price_outage` (limits after outages) and `price_loss` (losses, where they are marginal).
        co2_average_t_per_mwh, co2_marginal_t_per_mwh: (T, n_bus) carbon of the power at a bus, and of one MWh more.
        cost_items: currency by item; they sum to `cost`. `cost_by_step` has them by step, (T + 1,), the last value for what
            belongs to the horizon as a whole.
        co2_t: emissions over the horizon; `co2_by_unit_t` (n_gen,).
        curtailed_mw: (T, n_gen) what weather-driven units could have given more.
        curtailment: rows of (gen, step, mwh, cause, branch, outage, unit, product); positions, -1 for none.
        congestion_rent: currency over the horizon; `rent_by_step` (T,).
        reserve_need_mw, reserve_short_mw: (T, n_product) reserve needed and missing.
        reserve_gen_mw, reserve_storage_mw: (T, n_product, n_gen) and (T, n_product, n_storage) who holds it.
        limits: rows of (branch, outage or -1, step, excess_mw, price_per_mw) of flow limits that bind or are exceeded; (bus,
            -2, ...) of those that voltages set.
        rows: the system that was scheduled, and which elements of the network its rows are.
        schedule, secured: the numbers behind it, element by element, and the problem that was solved.
        defaults: what the data were silent about, each figure with its source.
        notes: what else was assumed.
    """

    net: Network
    time: Array
    step_h: float
    cost: float
    bound: float
    gen_on: Array
    gen_p_mw: Array
    gen_on_before: Array
    gen_steps_before: Array
    storage_p_mw: Array
    storage_energy_mwh: Array
    hvdc_p_mw: Array
    shift_deg: Array
    load_p_mw: Array
    load_q_mvar: Array
    load_reduced_mw: Array
    unserved_mw: Array
    surplus_mw: Array
    loss_mw: Array
    flow_mw: Array
    price_per_mwh: Array
    price_energy: Array
    price_base: Array
    price_loss: Array
    price_outage: Array
    co2_average_t_per_mwh: Array
    co2_marginal_t_per_mwh: Array
    cost_items: dict[str, float]
    cost_by_step: dict[str, Array]
    co2_t: float
    co2_by_unit_t: Array
    curtailed_mw: Array
    curtailment: Array
    congestion_rent: float
    rent_by_step: Array
    reserve_need_mw: Array
    reserve_short_mw: Array
    reserve_gen_mw: Array
    reserve_storage_mw: Array
    limits: Array
    renewable_share: float
    rows: Bound
    schedule: Schedule
    secured: Secured
    defaults: tuple[DefaultUse, ...]
    notes: tuple[str, ...]

    @property
    def gap(self) -> float:
        """Distance of cost and bound, relative to the cost."""
        return max(self.cost - self.bound, 0.0) / max(abs(self.cost), 1e-9)

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return len(self.time)

    @property
    def weather(self) -> Array:
        """(n_gen,) whether wind, sun or water drives a unit."""
        return np.isin(np.char.lower(self.net.gen.fuel.astype(str)), WEATHER)

    def corridors(self) -> Array:
        """What one more MW would have saved over the horizon, worst corridor first: (branch, outage or -1, steps, saving).

        A branch of which several limits bind in a step counts with each; savings are in currency for a MW in every step.
        """
        found: dict[tuple[int, int], list[float]] = {}
        for row in self.limits[(self.limits["price_per_mw"] > 0) & (self.limits["outage"] != VOLTAGE)]:
            entry = found.setdefault((int(row["branch"]), int(row["outage"])), [0.0, 0.0])
            entry[0] += 1
            entry[1] += self.step_h * float(row["price_per_mw"])
        rows = [(m, k, int(n), saving) for (m, k), (n, saving) in found.items()]
        return np.array(sorted(rows, key=lambda r: -r[3]), _CORRIDOR)

    def curtailed_mwh(self) -> dict[str, float]:
        """Curtailed energy by cause, MWh; sums to that of `curtailed_mw`."""
        found = self.curtailment
        return {name: float(found["mwh"][found["cause"] == k].sum()) for k, name in enumerate(CAUSES)}

    def tables(self, local: Array | None = None) -> dict[str, Columns]:
        """The plan as long tables with times and ids, columns by name; those of a plan's folder (docs/dispatch.md).

        Args:
            local: (T,) times to write in place of `time`, such as those of the profiles' own clock.
        """
        return plan_tables(self if local is None else dataclasses.replace(self, time=local))

    def scenarios(self) -> Scenarios:
        """One scenario a step: the plan as conditions of the network, for power flow, optimal power flow or outages.

        Units that are off are out of service, but for those that hold an angle reference: they stay, at 0 MW.

        Raises:
            InputError: phase shifters turn in this plan; scenarios of one network share its angles, see `network`.
        """
        turned = np.flatnonzero((self.shift_deg != self.net.branch.shift_deg).any(0))
        if len(turned):
            hint, ids = "take plan.network(step), or plan without shifters=True", self.net.branch.id[turned].astype(str)
            raise InputError(Issue("plan", "shift_deg", "differs from the network's", tuple(ids.tolist()), hint))
        given: dict[str, Any] = {
            "gen_p_mw": self.gen_p_mw,
            "load_p_mw": self.load_p_mw,
            "load_q_mvar": self.load_q_mvar,
        }
        if len(self.net.storage):
            given["storage_p_mw"] = self.storage_p_mw
        if len(self.net.hvdc):
            given["hvdc_p_mw"] = self.hvdc_p_mw
        off = [np.flatnonzero(~on & self._switched()) for on in self.gen_on]
        label = [str(when).replace("T", " ") for when in self.time]
        return Scenarios(self.net, n=self.n_steps, gen_out=off, label=label, **given)

    def network(self, step: int) -> Network:
        """The network as it is in one step: dispatch, loads, storage, links, phase shifts; units that are off are out of service.

        Positions of phase shifters are the nearest whole ones; their shift is the plan's own.
        """
        net, t = self.net, self.net.branch
        turned = t.tap_step_deg != 0
        steps = np.divide(self.shift_deg[step] - t.shift_deg, t.tap_step_deg, out=np.zeros(net.n_branch), where=turned)
        on = net.gen.in_service & ~(~self.gen_on[step] & self._switched())
        return net.replace(
            branch=t.replace(
                shift_deg=self.shift_deg[step], tap_pos=t.tap_pos + np.rint(steps).astype(np.int32),
                tap_ratio=t.tap_ratio + steps * t.tap_step_pu,
            ),
            gen=net.gen.replace(p_mw=self.gen_p_mw[step], in_service=on),
            load=net.load.replace(p_mw=self.load_p_mw[step], q_mvar=self.load_q_mvar[step]),
            storage=net.storage.replace(p_mw=self.storage_p_mw[step]),
            hvdc=net.hvdc.replace(p_mw=self.hvdc_p_mw[step]),
        )  # fmt: skip

    def _switched(self) -> Array:
        """(n_gen,) units in service that are off in some step and are no reference."""
        return np.asarray((self.gen_on == 0).any(0) & self.net.gen.in_service & ~self.net.gen.is_reference)
