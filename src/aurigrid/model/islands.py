"""Which buses hang together: connected components over branches in service and closed switches."""

from __future__ import annotations

import numpy as np

from aurigrid.model.network import Network
from aurigrid.model.table import Array


def components(n: int, a: Array, b: Array) -> Array:
    """Connected components of a graph of `n` nodes and edges a-b.

    Every root hooks onto the smallest root it touches, then paths are halved until each node points to its root; a few
    rounds settle any grid, each a handful of vector operations.

    Args:
        n: number of nodes.
        a: (m,) positions of one end of each edge.
        b: (m,) positions of the other.

    Returns:
        (n,) int32 component of each node, numbered from 0 in the order of their smallest node.
    """
    root = np.arange(n, dtype=np.int64)
    a, b = np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64)
    while len(a):
        root_a, root_b = root[a], root[b]
        apart = root_a != root_b
        if not apart.any():
            break
        a, b, root_a, root_b = a[apart], b[apart], root_a[apart], root_b[apart]
        np.minimum.at(root, np.maximum(root_a, root_b), np.minimum(root_a, root_b))
        while True:
            above = root[root]
            if np.array_equal(above, root):
                break
            root = above
    return np.unique(root, return_inverse=True)[1].astype(np.int32)


def islands(net: Network) -> Array:
    """(n_bus,) int32 island of each bus; buses out of service are -1. HVDC links do not join islands."""
    live = net.bus.in_service
    a = np.concatenate([net.branch.from_bus[net.branch.in_service], net.switch.from_bus[net.switch.closed]])
    b = np.concatenate([net.branch.to_bus[net.branch.in_service], net.switch.to_bus[net.switch.closed]])
    joined = live[a] & live[b]
    label = components(net.n_bus, a[joined], b[joined])
    out = np.full(net.n_bus, -1, dtype=np.int32)
    out[live] = np.unique(label[live], return_inverse=True)[1]
    return out
