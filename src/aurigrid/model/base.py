"""A network on another power base: the same grid with other per-unit values."""

from __future__ import annotations

import weakref

from aurigrid.model.network import Network

_KEPT: weakref.WeakKeyDictionary[Network, dict[float, Network]] = weakref.WeakKeyDictionary()


def on_base(net: Network, base_mva: float) -> Network:
    """The network with its per-unit impedances on ``base_mva``; itself where it is on it already.

    The result is kept for as long as the network lives, so that what is compiled for it is compiled once.
    """
    if net.base_mva == base_mva:
        return net
    kept = _KEPT.setdefault(net, {})
    if base_mva not in kept:
        ratio, t = base_mva / net.base_mva, net.branch
        scaled = {name: getattr(t, name) * ratio for name in ("r_pu", "x_pu")}
        scaled |= {name: getattr(t, name) / ratio for name in ("g_from_pu", "b_from_pu", "g_to_pu", "b_to_pu")}
        kept[base_mva] = net.replace(base_mva=base_mva, branch=t.replace(**scaled))
    return kept[base_mva]
