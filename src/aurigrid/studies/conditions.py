"""What an optimal power flow is asked at each step of a data set's profiles.

A data set gives loads, the infeed of wind and sun, and a dispatch of the other units, but not what units *may* do. Here
that is settled, once for a network and step by step:

- Wind, sun and water with a series, and units without limits of their own, may give from 0 to what the series says.
  All other units in service may give from 0 to p_max_mw, also those that the data's dispatch has at 0: which units are
  synchronised, and their least output, is a matter of unit commitment and not decided here.
- A unit that holds no voltage and has no reactive limits gives the reactive power of the data.
- Storage follows its series, or stays as it is in the network: a single step cannot weigh energy.
- Costs and emissions are the data's, or defaults (`aurigrid.model.defaults`) where these are silent.
- With a margin, ratings, voltage bands and reactive limits are first taken a little tighter (`tightened`): a point that sits
  on its limits passes them after any outage, and units at their reactive limits hold no voltage.
- Powers are per unit of 100 MVA: on the 1 MVA of some data sets the solver's tolerances would ask for 0.1 W.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigrid.model.base import on_base
from aurigrid.model.defaults import DefaultUse, with_defaults
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.table import Array

BASE_MVA = 100.0
CHANGE_WEIGHT, CURTAILMENT_WEIGHT = 0.1, 50.0
"""Currency/h for a squared MW of change from the data's dispatch, and for a MW of wind or sun that is not given."""
_VOLTAGE_PART = 0.25
MOST_MW = 1e6
"""Stands for no limit: only a unit that has one can be held to what its series says."""
_WEATHER = ("wind", "solar", "pv", "sun", "hydro")
_CURTAILED = ("wind", "solar", "pv", "sun")


@dataclass(frozen=True, eq=False)
class Conditions:
    """A network made ready for operating points.

    Attributes:
        net: the network as it was given.
        solved: the network that the optimal power flow sees.
        tight: the same with limits tightened by the margin; None without one.
        defaults: what was filled in for silent data.
        objective: weights of `aurigrid.optimal_power_flow`.
        available: (n_gen,) bool, units that may give what their series says.
        curtailed: (n_gen,) bool, units whose missing output counts as curtailment.
    """

    net: Network
    solved: Network
    tight: Network | None
    defaults: tuple[DefaultUse, ...]
    objective: dict[str, float]
    available: Array
    curtailed: Array


@dataclass(frozen=True, eq=False)
class Batch:
    """The conditions of n steps.

    Attributes:
        given: the scenarios of the network as it was given, with the data's dispatch.
        scenarios: those of `Conditions.solved`.
        p_max_mw: (n, n_gen) what units may give, MW.
        schedule_mw: (n, n_gen) the data's dispatch, MW.
    """

    given: Scenarios
    scenarios: Scenarios
    p_max_mw: Array
    schedule_mw: Array


def conditions_of(net: Network, profiles: Profiles, co2_price_per_t: float = 0.0, margin: float = 0.0) -> Conditions:
    """Make a network ready.

    Args:
        net: the network.
        profiles: what varies.
        co2_price_per_t: price of carbon in default costs.
        margin: share of ratings and of reactive ranges, and a quarter of it in pu of voltage, to leave free where possible.

    Raises:
        InputError: a price that is no finite number of 0 or more.
    """
    priced, uses = with_defaults(net, ("cost", "co2"), co2_price_per_t=co2_price_per_t)
    fuel = np.char.lower(net.gen.fuel.astype(str))
    series = profiles.series.get(("gen", "p_mw"))
    followed = np.zeros(net.n_gen, bool)
    if series is not None:
        followed[series.position] = True
    available = (followed & np.isin(fuel, _WEATHER)) | ~np.isfinite(net.gen.p_max_mw)
    gen = priced.gen
    free_q = ~gen.regulates & ~(np.isfinite(gen.q_min_mvar) & np.isfinite(gen.q_max_mvar))
    ready = gen.replace(
        p_max_mw=np.where(np.isfinite(gen.p_max_mw), gen.p_max_mw, MOST_MW),
        p_min_mw=np.minimum(np.where(np.isfinite(gen.p_min_mw), gen.p_min_mw, 0.0), 0.0),
        q_min_mvar=np.where(free_q, gen.q_mvar, gen.q_min_mvar),
        q_max_mvar=np.where(free_q, gen.q_mvar, gen.q_max_mvar),
    )
    curtailed = followed & np.isin(fuel, _CURTAILED) & gen.in_service
    solved = on_base(storage_as_load(priced.replace(gen=ready)), BASE_MVA)
    objective = {"cost": 1.0}
    if curtailed.any():
        objective["curtailment"] = CURTAILMENT_WEIGHT
    if not len(net.cost_point) and series is not None and not available[series.position].all():
        objective["change"] = CHANGE_WEIGHT  # the data give a dispatch to stay near, not only what could be given
    tight = tightened(solved, margin) if margin > 0 else None
    return Conditions(net, solved, tight, uses, objective, available, curtailed)


def batch_of(conditions: Conditions, profiles: Profiles, rows: list[int] | slice) -> Batch:
    """The conditions of some steps of the profiles."""
    net = conditions.net
    given = profiles.scenarios(net, rows)
    schedule = np.asarray(given.values("gen_p_mw"))
    top = np.where(conditions.available, np.maximum(schedule, 0.0), net.gen.p_max_mw)
    loads = {
        name: np.concatenate([given.values(f"load_{name}"), -given.values(f"storage_{name}")], axis=1)
        for name in ("p_mw", "q_mvar")
    }
    scenarios = Scenarios(
        conditions.solved, n=given.n, load_p_mw=loads["p_mw"], load_q_mvar=loads["q_mvar"], gen_p_mw=schedule,
        hvdc_p_mw=given.hvdc_p_mw, shunt_step=given.shunt_step, label=given.label,
    )  # fmt: skip
    return Batch(given, scenarios, top, schedule)


def tightened(net: Network, margin: float) -> Network:
    """The network with ratings, voltage bands and reactive ranges that leave a margin."""
    gen, bus, v = net.gen, net.bus, _VOLTAGE_PART * margin
    room = np.where(np.isfinite(gen.q_max_mvar - gen.q_min_mvar), gen.q_max_mvar - gen.q_min_mvar, 0.0)
    wide = bus.v_max_pu - bus.v_min_pu > 2 * v
    return net.replace(
        branch=net.branch.replace(rate_mva=net.branch.rate_mva * (1 - margin)),
        gen=gen.replace(q_min_mvar=gen.q_min_mvar + margin * room, q_max_mvar=gen.q_max_mvar - margin * room),
        bus=bus.replace(
            v_min_pu=np.where(wide & (bus.v_min_pu > 0), bus.v_min_pu + v, bus.v_min_pu),
            v_max_pu=np.where(wide, bus.v_max_pu - v, bus.v_max_pu),
        ),
    )


def storage_as_load(net: Network) -> Network:
    """Storage as loads of the opposite sign behind the others: its power is given, not chosen."""
    store, load = net.storage, net.load
    if not len(store):
        return net
    columns = dict(load.items())
    more = type(load).make(
        len(store), id=[f"storage:{x}" for x in store.id], bus=store.bus, p_mw=-store.p_mw, q_mvar=-store.q_mvar,
        in_service=store.in_service,
    )  # fmt: skip
    joined = {name: np.concatenate([values, getattr(more, name)]) for name, values in columns.items()}
    return net.replace(load=type(load).make(len(load) + len(store), **joined), storage=type(store).empty())
