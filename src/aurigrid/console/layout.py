"""Where buses stand on the map: by their coordinates, or in a layout computed once from the grid's own structure.

The layout is PivotMDS (Brandes and Pich 2006, doi:10.1007/978-3-540-70904-6_6): distances along branches to a few
pivots, double-centred and projected on their two strongest components. It takes milliseconds for 10 000 buses, has no
random part, and so is the same at every start. Rounds of averaging with the neighbours then untangle what has fallen
together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigrid.model.islands import components
from aurigrid.model.network import Network
from aurigrid.model.table import Array

_PIVOTS = 48
_ROUNDS = 24


@dataclass(frozen=True)
class Places:
    """Positions of the buses.

    Attributes:
        x, y: (n_bus,) map units: kilometres of a local equirectangular projection where `geographic`, east and north;
            else a square of side 1000.
        geographic: whether they come from the data's coordinates.
        substation: (n_bus,) int32, the same number for buses of one substation.
        origin: longitude and latitude at (0, 0), degrees; zeros where not geographic.
    """

    x: Array
    y: Array
    geographic: bool
    substation: Array
    origin: tuple[float, float]


KM_PER_DEGREE = 111.195  # of latitude, on a sphere of 6371 km


def places(net: Network) -> Places:
    """Positions for the map; by coordinates where nine buses in ten have them."""
    known = np.isfinite(net.bus.lon) & np.isfinite(net.bus.lat)
    substation = substations(net)
    if known.mean() < 0.9 or not known.any():
        x, y = pivot_layout(net)
        return Places(x, y, False, substation, (0.0, 0.0))
    lon, lat = _filled(net, net.bus.lon, known), _filled(net, net.bus.lat, known)
    lon0, lat0 = _middle(lon), _middle(lat)
    x = (lon - lon0) * KM_PER_DEGREE * np.cos(np.deg2rad(lat0))
    y = (lat - lat0) * KM_PER_DEGREE
    x, y = _apart(x, y)
    return Places(x, y, True, substation, (lon0, lat0))


def _middle(values: Array) -> float:
    """The median; NumPy's own loads its masked arrays, for which a first map would wait."""
    ranked = np.sort(values)
    return float((ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2)


def substations(net: Network) -> Array:
    """A number for each substation: buses joined by transformers or switches, at one place, or of one stated name.

    Returns:
        (n_bus,) int32, counted from 0 in the order of the buses.
    """
    branch, switch, bus = net.branch, net.switch, net.bus
    inside = np.isin(branch.kind, (1, 2))
    pairs = [(branch.from_bus[inside], branch.to_bus[inside]), (switch.from_bus, switch.to_bus)]
    named = np.flatnonzero(bus.substation != "")
    pairs.append(_same(named, bus.substation[named].astype(str)))
    known = np.flatnonzero(np.isfinite(bus.lon) & np.isfinite(bus.lat))
    at = np.char.add(bus.lon[known].astype(str), np.char.add(",", bus.lat[known].astype(str)))
    pairs.append(_same(known, at))
    a = np.concatenate([p[0] for p in pairs]).astype(np.int32)
    b = np.concatenate([p[1] for p in pairs]).astype(np.int32)
    found = components(net.n_bus, a, b)
    _, first, which = np.unique(found, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[which].astype(np.int32)


def _same(rows: Array, words: Array) -> tuple[Array, Array]:
    """Pairs that join each row with the first one of the same word."""
    if not len(rows):
        return rows, rows
    _, first, which = np.unique(words, return_index=True, return_inverse=True)
    return rows, rows[first[which]]


def pivot_layout(net: Network) -> tuple[Array, Array]:
    """Positions in a square of side 1000 by distance along the branches."""
    from scipy.sparse import coo_array, csr_array
    from scipy.sparse.csgraph import dijkstra

    n = net.n_bus
    a = np.concatenate([net.branch.from_bus, net.switch.from_bus, net.hvdc.from_bus])
    b = np.concatenate([net.branch.to_bus, net.switch.to_bus, net.hvdc.to_bus])
    links = csr_array(coo_array((np.ones(len(a)), (a, b)), shape=(n, n)))
    links = csr_array(((links + links.T) > 0).astype(float))
    near = np.full(n, np.inf)
    rows, pivot = [], int(np.argmax(np.diff(links.indptr)))
    for _ in range(min(_PIVOTS, n)):  # each next pivot is the bus farthest from those before
        hops = dijkstra(links, unweighted=True, indices=pivot)
        rows.append(hops)
        near = np.minimum(near, hops)
        pivot = int(np.argmax(np.where(np.isfinite(near), near, np.inf)))
    far = np.array(rows).T
    far[~np.isfinite(far)] = 1.5 * np.max(far, where=np.isfinite(far), initial=1.0)
    square = far**2
    centred = -0.5 * (square - square.mean(0) - square.mean(1, keepdims=True) + square.mean())
    values, vectors = np.linalg.eigh(centred.T @ centred)
    xy = centred @ vectors[:, np.argsort(values)[::-1][:2]] if len(values) > 1 else np.zeros((n, 2))
    xy = _oriented(xy)
    degree = np.maximum(np.diff(links.indptr), 1)[:, None]
    for _ in range(_ROUNDS):  # towards the neighbours, and back out to the same spread
        xy = 0.5 * xy + 0.5 * (links @ xy) / degree
        xy = (xy - xy.mean(0)) / np.maximum(xy.std(0), 1e-12)
    rank = np.argsort(np.argsort(xy, axis=0, kind="stable"), axis=0, kind="stable")
    even = rank / max(n - 1, 1) * 2 - 1  # half by order, so that dense parts open up
    xy = 0.5 * np.clip(xy / 2.5, -1, 1) + 0.5 * even
    return _apart(500 + 480 * xy[:, 0], 500 + 480 * xy[:, 1])


def _oriented(xy: Array) -> Array:
    """Signs fixed by the largest entry: eigenvectors come with either sign."""
    for k in range(xy.shape[1]):
        if xy[np.argmax(np.abs(xy[:, k])), k] < 0:
            xy[:, k] = -xy[:, k]
    return xy


def _filled(net: Network, values: Array, known: Array) -> Array:
    """Coordinates with the few that are missing taken from neighbours, else the middle of all."""
    out = np.where(known, values, np.nan)
    for _ in range(8):
        missing = np.flatnonzero(~np.isfinite(out))
        if not len(missing):
            break
        total, count = np.zeros(len(out)), np.zeros(len(out))
        for here, there in (
            (net.branch.from_bus, net.branch.to_bus),
            (net.branch.to_bus, net.branch.from_bus),
        ):
            good = np.isfinite(out[there])
            np.add.at(total, here[good], out[there[good]])
            np.add.at(count, here[good], 1.0)
        fill = missing[count[missing] > 0]
        out[fill] = total[fill] / count[fill]
    return np.where(np.isfinite(out), out, _middle(out[np.isfinite(out)]))


def _apart(x: Array, y: Array) -> tuple[Array, Array]:
    """Buses at exactly one place, set on a small ring around it; so small that it shows only close up."""
    span = max(float(np.ptp(x)), float(np.ptp(y)), 1e-9)
    place = np.round(np.column_stack([x, y]) / span * 1e6).astype(np.int64)
    _, which, count = np.unique(place, axis=0, return_inverse=True, return_counts=True)
    which = which.reshape(-1)
    order = np.argsort(which, kind="stable")
    begin = np.concatenate([[0], np.cumsum(count)[:-1]])
    turn = np.empty(len(x))
    turn[order] = np.arange(len(x)) - np.repeat(begin, count)
    many = count[which] > 1
    angle = 2 * np.pi * turn / count[which] + 0.4
    radius = np.where(many, span * 0.0008 * np.sqrt(count[which]), 0.0)
    return x + radius * np.cos(angle), y + radius * np.sin(angle)
