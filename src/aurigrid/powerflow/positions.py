"""Networks whose taps are at other positions: as the only ones, or side by side as copies of branches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import numpy as np

from aurigrid.model.network import Network

Array = np.ndarray[Any, np.dtype[Any]]


def at_positions(net: Network, position: Array) -> Network:
    """The network with its taps at ``position`` (n_branch,)."""
    t = net.branch
    steps = position - t.tap_pos
    return net.replace(
        branch=t.replace(
            tap_pos=position.astype(np.int32),
            tap_ratio=t.tap_ratio + steps * t.tap_step_pu,
            shift_deg=t.shift_deg + steps * t.tap_step_deg,
        )
    )


def with_copies(net: Network, source: Array, steps: Array, closed: Iterable[int] = ()) -> Network:
    """The network with copies of branches ``source``, ``steps`` from their present positions, behind its own.

    Args:
        closed: branches that are put in service besides.
    """
    branch = net.branch
    columns: dict[str, Array] = {f.name: getattr(branch, f.name) for f in fields(branch)}
    service = columns["in_service"].copy()
    service[list(closed)] = True
    columns["in_service"] = service
    if len(source):
        extra = {name: values[source] for name, values in columns.items()}
        extra["tap_ratio"] = extra["tap_ratio"] + steps * branch.tap_step_pu[source]
        extra["shift_deg"] = extra["shift_deg"] + steps * branch.tap_step_deg[source]
        extra["tap_pos"] = extra["tap_pos"] + steps.astype(np.int32)
        for name in ("group", "tower"):
            extra[name] = np.full(len(source), "", dtype=object)
        names = [f"{branch.id[i]} at tap {p}" for i, p in zip(source.tolist(), extra["tap_pos"].tolist(), strict=True)]
        columns = {name: np.concatenate([values, extra[name]]) for name, values in columns.items() if name != "id"}
        ids = np.empty(len(branch) + len(source), dtype=object)
        ids[:] = [*branch.id.tolist(), *names]
        columns["id"] = ids
    return net.replace(branch=type(branch).make(len(columns["id"]), **columns))
