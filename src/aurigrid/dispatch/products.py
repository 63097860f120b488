"""Reserve products in words of the network, made into rows of a `System`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.dispatch.from_network import Bound
from aurigrid.dispatch.linear import Array
from aurigrid.dispatch.system import Reserve
from aurigrid.errors import IssueList
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles


@dataclass(frozen=True)
class ReserveProduct:
    """What must be held in a zone.

    Attributes:
        name: of the product.
        need_mw: requirement, a number or one for each step.
        up: upward (more injection) or downward.
        minutes: time within which it must be there; a unit offers no more than it can ramp in it.
        areas: control areas (``bus.area``) whose plants count; all where empty.
        fuels: fuels of plants that may provide it; all where empty.
        units: ids of units and stores that may provide it; all where empty.
        storage: whether storage may.
        price: of what is missing, currency/MW and hour.
        deliverable: whether flows must stay within ratings after outages while all of it is called and the areas' demand takes
            it; what lies behind a full line does not count then. Without flow limits it means nothing.
    """

    name: str
    need_mw: Any
    up: bool = True
    minutes: float = np.inf
    areas: tuple[str, ...] = ()
    fuels: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    storage: bool = True
    price: float = 1_000.0
    deliverable: bool = False


def reserves_of(
    net: Network, profiles: Profiles, bound: Bound, products: Sequence[ReserveProduct], issues: IssueList
) -> tuple[Reserve, ...]:
    """The products with their members; faults are added to `issues`."""
    out = []
    areas, fuels = net.bus.area.astype(str), np.char.lower(net.gen.fuel.astype(str))
    for product in products:
        need = np.asarray(product.need_mw, float)
        if need.shape not in ((), (len(profiles),)) or not np.isfinite(need).all():
            issues.add("reserve", product.name, f"need_mw has shape {need.shape}", hint="give a number, or one a step")
            continue
        unknown = [a for a in product.areas if a not in areas]
        if unknown:
            issues.add("reserve", product.name, "names areas that no bus has", unknown)
            continue
        ids, stores = net.gen.id.astype(str), net.storage.id.astype(str)
        unknown = [u for u in product.units if u not in ids and u not in stores]
        if unknown:
            issues.add("reserve", product.name, "names units that are not in the network", unknown)
            continue
        named = np.isin(ids, product.units) if product.units else np.ones(net.n_gen, bool)
        stored = np.isin(stores, product.units) if product.units else np.ones(len(net.storage), bool)
        here = np.isin(areas, product.areas) if product.areas else np.ones(net.n_bus, bool)
        kind = np.isin(fuels, product.fuels) if product.fuels else np.ones(net.n_gen, bool)
        able = here[net.gen.bus] & kind & named
        mine = np.flatnonzero(bound.injection >= 0)
        out.append(
            Reserve(
                product.name,
                product.up,
                np.broadcast_to(need, (len(profiles),)).copy(),
                np.flatnonzero(able[bound.unit]),
                mine[able[bound.injection[mine]]],
                np.flatnonzero((here[net.storage.bus] & stored)[bound.store])
                if product.storage
                else np.zeros(0, np.int64),
                product.minutes,
                product.price,
                _zone(bound, here) if product.deliverable else np.zeros(0, bool),
            )
        )
    return tuple(out)


def _zone(bound: Bound, here: Array) -> Array:
    """(n_node,) nodes with a bus of the areas, from buses (n_bus,) that are in them."""
    zone = np.zeros(len(bound.system.area), bool)
    node = bound.node_of_bus[here]
    zone[node[node >= 0]] = True
    return zone
