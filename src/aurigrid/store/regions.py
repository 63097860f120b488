"""Which region of a grid each bus belongs to, where flows between regions meet, and which branches limit them.

Regions are the grid's own where it has any: areas, else zones; else nine geographic ones; else voltage levels. They depend
on the grid only, so that the states of all its runs are described alike.

Critical branches follow the selection of flow-based market coupling (critical network elements): with ``PTDF[l, a]`` the
share of a MW injected in region ``a`` (evenly at its buses with loads) that flows over branch ``l``, and ``z_l`` the largest
difference of two regions' shares, a branch is a candidate where ``z_l >= 0.05``, and the most critical ones are those that
the smallest exchange ``rate_l / z_l`` fills to their rating, one of each bundle of parallel circuits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.table import Array

MOST_REGIONS = 12
MOST_CORRIDORS = 20
MOST_CRITICAL = 24
LEAST_PTDF = 0.05
_COVERED = 0.9
_LEAST_BUSES_A_REGION = 4
_OTHER = "other"


@dataclass(frozen=True, eq=False)
class Regions:
    """Regions of a grid.

    Attributes:
        kind: what they are: ``"area"``, ``"zone"``, ``"geographic"``, ``"voltage level"`` or ``"grid"``.
        names: their names.
        of_bus: (n_bus,) int, position of each bus's region.
    """

    kind: str
    names: tuple[str, ...]
    of_bus: Array

    @property
    def n(self) -> int:
        return len(self.names)


@dataclass(frozen=True, eq=False)
class Corridor:
    """The branches between two regions.

    Attributes:
        regions: positions of the two regions, ascending; power from the first to the second is positive.
        branch: positions of the branches.
        forward: whether each branch's from end is in the first region.
    """

    regions: tuple[int, int]
    branch: Array
    forward: Array


def regions(net: Network) -> Regions:
    """Divide a grid into regions, see the module."""
    real = ~net.bus.is_star
    for kind, column in (("area", net.bus.area), ("zone", net.bus.zone)):
        labels = column.astype(str)
        if np.mean(labels[real] != "") >= _COVERED and len(np.unique(labels[real & (labels != "")])) > 1:
            return _regions(net, kind, labels)
    placed = np.isfinite(net.bus.lon) & np.isfinite(net.bus.lat)
    if np.mean(placed[real]) >= _COVERED and placed.sum() >= 9 * _LEAST_BUSES_A_REGION:
        return _regions(net, "geographic", _compass(net.bus.lon, net.bus.lat, placed))
    levels = np.array([f"{kv:g} kV" for kv in net.bus.v_nom_kv.tolist()], dtype=object)
    levels[net.bus.is_star] = ""
    if len(np.unique(levels[real].astype(str))) > 1:
        return _regions(net, "voltage level", levels.astype(str))
    return Regions("grid", ("grid",), np.zeros(net.n_bus, np.int64))


def _compass(lon: Array, lat: Array, placed: Array) -> Array:
    """Names of nine regions: three bands of equally many buses from north to south, each cut in three from west to east."""
    names = np.full(len(lon), "", dtype=object)
    for band, third in zip(("north", "", "south"), _thirds(-lat, np.flatnonzero(placed)), strict=True):
        for side, rows in zip(("west", "", "east"), _thirds(lon, third), strict=True):
            names[rows] = f"{band} {side}".strip() or "centre"
    return names.astype(str)


def _thirds(values: Array, rows: Array) -> list[Array]:
    """Rows in three parts by ascending value; equal values stay together."""
    if not len(rows):
        return [rows] * 3
    cuts = np.quantile(values[rows], (1 / 3, 2 / 3))
    part = np.searchsorted(cuts, values[rows], side="right")
    return [rows[part == p] for p in range(3)]


def _regions(net: Network, kind: str, labels: Array) -> Regions:
    """Regions by label: unlabelled buses take a neighbour's, merged buses one, and of many labels the largest are kept."""
    labels = labels.astype(object)
    node = _nodes(net)
    for bus in np.flatnonzero(labels == ""):  # a star point or an unlabelled bus of a node that has a label
        mates = labels[(node == node[bus]) & (labels != "")]
        labels[bus] = mates[0] if len(mates) else ""
    _, first = np.unique(node, return_index=True)
    labels = labels[first][node]
    ends = np.concatenate([net.branch.from_bus, net.branch.to_bus])
    others = np.concatenate([net.branch.to_bus, net.branch.from_bus])
    while (gain := (labels[ends] == "") & (labels[others] != "")).any():
        labels[ends[gain]] = labels[others[gain]]
    labels[labels == ""] = _OTHER
    names, count = np.unique(labels.astype(str), return_counts=True)
    if len(names) > MOST_REGIONS:
        kept = names[np.argsort(-count, kind="stable")[: MOST_REGIONS - 1]]
        labels = np.where(np.isin(labels.astype(str), kept), labels, _OTHER)
        names = np.unique(labels.astype(str))
    return Regions(kind, tuple(names.tolist()), np.searchsorted(names, labels.astype(str)))


def _nodes(net: Network) -> Array:
    """(n_bus,) int, the same for buses that closed switches join."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    on = net.switch.closed
    joined = coo_matrix((np.ones(on.sum()), (net.switch.from_bus[on], net.switch.to_bus[on])), (net.n_bus, net.n_bus))
    node: Array = connected_components(joined, directed=False)[1]
    return node


def corridors(net: Network, of: Regions) -> tuple[Corridor, ...]:
    """The corridors between regions, those of the largest rating first, at most `MOST_CORRIDORS`."""
    a, b = of.of_bus[net.branch.from_bus], of.of_bus[net.branch.to_bus]
    across = np.flatnonzero((a != b) & net.branch.in_service)
    pair = np.minimum(a, b)[across] * of.n + np.maximum(a, b)[across]
    found = []
    for code in np.unique(pair).tolist():
        rows = across[pair == code]
        found.append(Corridor((code // of.n, code % of.n), rows, a[rows] == code // of.n))
    size = [_rating(net, c.branch) for c in found]
    largest = sorted(range(len(found)), key=lambda i: -size[i])[:MOST_CORRIDORS]
    return tuple(found[i] for i in sorted(largest))


def _rating(net: Network, rows: Array) -> float:
    rate = net.branch.rate_mva[rows]
    return float(rate[np.isfinite(rate)].sum())


def critical_branches(net: Network, of: Regions) -> Array:
    """Positions of the critical branches, ascending: at most `MOST_CRITICAL` by the rule of the module.

    A grid of one region is asked for the exchange between its units and its loads instead.
    """
    rated = net.branch.in_service & np.isfinite(net.branch.rate_mva) & (net.branch.rate_mva > 0)
    share = _ptdf(net, _keys(net, of))
    spread = share.max(1) - share.min(1) if share.shape[1] > 1 else np.abs(share[:, 0])
    candidate = np.flatnonzero(rated & (spread >= LEAST_PTDF))
    ranked = candidate[np.argsort(net.branch.rate_mva[candidate] / spread[candidate], kind="stable")]
    node = _nodes(net)
    ends = np.sort(np.stack([node[net.branch.from_bus[ranked]], node[net.branch.to_bus[ranked]]]), axis=0)
    _, first = np.unique(ends, axis=1, return_index=True)  # of parallel circuits the one that fills first
    return np.sort(ranked[np.sort(first)[:MOST_CRITICAL]])


def _keys(net: Network, of: Regions) -> Array:
    """(n_bus, n_region) how a MW of each region is spread: evenly over its buses with loads, or over all without any.

    Megawatts of loads would be a better key, but those that a run stores are of its first step: another day of the same
    grid would have other critical branches.
    """
    live = net.bus.in_service & ~net.bus.is_star
    loaded = live & (np.bincount(net.load.bus[net.load.in_service], minlength=net.n_bus) > 0)
    if of.n == 1:
        fed = live & (np.bincount(net.gen.bus[net.gen.in_service], minlength=net.n_bus) > 0)
        return (_even(fed, live) - _even(loaded, live))[:, None]
    keys = [_even(loaded & (of.of_bus == region), live & (of.of_bus == region)) for region in range(of.n)]
    return np.stack(keys, axis=1)


def _even(chosen: Array, otherwise: Array) -> Array:
    members = chosen if chosen.any() else otherwise
    out: Array = members / max(np.count_nonzero(members), 1)
    return out


def _ptdf(net: Network, keys: Array) -> Array:
    """(n_branch, k) share of each injection pattern that flows over each branch, in the linear (DC) model.

    What a pattern injects into a connected part of the grid is taken out there evenly, so that every part balances.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.sparse.linalg import splu

    node, branch = _nodes(net), net.branch
    n = int(node.max()) + 1
    live = net.bus.in_service
    on = branch.in_service & live[branch.from_bus] & live[branch.to_bus] & (branch.x_pu != 0)
    i, j, y = node[branch.from_bus[on]], node[branch.to_bus[on]], 1 / branch.x_pu[on]
    into = np.zeros((n, keys.shape[1]))
    np.add.at(into, node, keys)
    part = connected_components(coo_matrix((np.ones(len(i)), (i, j)), (n, n)), directed=False)[1]
    size = np.bincount(part)
    for k in range(keys.shape[1]):
        into[:, k] -= (np.bincount(part, into[:, k]) / size)[part]
    ground = np.unique(part, return_index=True)[1]
    rows = np.concatenate([i, j, i, j, ground])
    columns = np.concatenate([i, j, j, i, ground])
    values = np.concatenate([y, y, -y, -y, np.full(len(ground), np.abs(y).max(initial=1.0))])
    angle = splu(coo_matrix((values, (rows, columns)), (n, n)).tocsc()).solve(into)
    share = np.zeros((net.n_branch, keys.shape[1]))
    share[on] = y[:, None] * (angle[i] - angle[j])
    return share
