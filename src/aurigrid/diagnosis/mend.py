"""Networks that cannot even be validated: changes that make them usable, where it is plain what they should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from aurigrid.diagnosis.change import Change, changed
from aurigrid.diagnosis.plausibility import typical_impedance
from aurigrid.diagnosis.repair import Repair, changes_of
from aurigrid.model.islands import islands
from aurigrid.model.network import Network
from aurigrid.model.rules import MIN_IMPEDANCE_PU, RULES
from aurigrid.model.validate import check

Array = np.ndarray[Any, np.dtype[Any]]

_REVERSED = "must not exceed "
_VALUES: dict[tuple[str, str], Any] = {
    ("branch", "rate_mva"): np.inf, ("branch", "rate_short_mva"): np.inf, ("branch", "rate_emergency_mva"): np.inf,
    ("switch", "rate_mva"): np.inf, ("gen", "v_set_pu"): 1.0, ("compensator", "v_set_pu"): 1.0,
}  # fmt: skip
"""What stands for a value that is none, where no other element tells."""
_WEIGHT = 10.0


def mends(net: Network) -> list[Repair]:
    """Ways to make an invalid network valid, the likeliest first; each holds every change that it takes.

    Returns:
        Nothing where it is not plain what to do (positions that do not exist, ids that are not unique).
    """
    values = list(_values(net))
    changes = tuple(c for repair in values for c in repair.changes)
    mended = changed(net, changes) if changes else net
    left = check(mended)
    if any((issue.table, issue.field) != ("gen", "is_reference") for issue in left):
        return []
    reason = "; ".join(dict.fromkeys(repair.reason for repair in values))
    if not left:
        return [Repair(values[0].kind, changes, reason, _WEIGHT)] if values else []
    found = []
    for way in _references(mended):
        kind = values[0].kind if values else way.kind
        text = f"{reason}; {way.reason}" if values else way.reason
        found.append(replace(way, kind=kind, changes=changes + way.changes, reason=text))
    return found


def _values(net: Network) -> Iterator[Repair]:
    """Rows that break a rule, and what they should hold."""
    for rule in RULES:
        rows = getattr(net, rule.table)
        for k in np.flatnonzero(rule.wrong(rows)).tolist() if len(rows) else ():
            after = _mended(net, rule.table, rule.field, rule.message, k)
            if after:
                kind = "reversed_limits" if rule.message.startswith(_REVERSED) else "invalid_value"
                reason = f"{rule.field} {rule.message}"
                if rule.table == "branch" and rule.field == "x_pu":
                    kind, reason = "impedance", "its impedance is zero, or too small to be one"
                yield Repair(kind, changes_of(net, rule.table, k, **after), reason, _WEIGHT)
    for field in ("x_pu", "r_pu"):
        for k in np.flatnonzero(np.isnan(getattr(net.branch, field))).tolist():
            yield Repair(
                "invalid_value", changes_of(net, "branch", k, **_typical(net, k)), f"{field} is not a number", _WEIGHT
            )


def _mended(net: Network, table: str, field: str, message: str, k: int) -> dict[str, Any]:
    """Fields of a row that breaks a rule, as they should be; nothing where that is not plain."""
    rows = getattr(net, table)
    if message.startswith(_REVERSED):
        high = message.removeprefix(_REVERSED)
        return {field: getattr(rows, high)[k], high: getattr(rows, field)[k]}
    if (table, field) == ("branch", "x_pu"):
        return _typical(net, k)
    if (table, field) == ("branch", "tap_ratio"):
        value = abs(float(rows.tap_ratio[k]))
        return {"tap_ratio": value if 0.5 < value < 2 else 1.0}
    if (table, field) in _VALUES:
        value = abs(float(getattr(rows, field)[k]))
        return {field: value if field == "v_set_pu" and 0.8 < value < 1.2 else _VALUES[table, field]}
    return {}


def _typical(net: Network, k: int) -> dict[str, Any]:
    """Impedance of a branch like its peers'."""
    known = np.hypot(net.branch.r_pu, net.branch.x_pu) > MIN_IMPEDANCE_PU
    size, ratio = typical_impedance(net.replace(branch=net.branch.replace(in_service=net.branch.in_service & known)))
    x = float(size.centre[k]) if np.isfinite(size.centre[k]) else 0.01
    r = x * float(ratio.centre[k]) if np.isfinite(ratio.centre[k]) else 0.1 * x
    return {"x_pu": x, "r_pu": r}


def _references(net: Network) -> Iterator[Repair]:
    """Ways to give every island that needs one a reference."""
    gen = net.gen
    lost = np.flatnonzero(gen.is_reference & ~gen.in_service & net.bus.in_service[gen.bus]).tolist()
    if lost:
        changes = tuple(c for g in lost for c in changes_of(net, "gen", g, in_service=True))
        yield Repair("reference", changes, "the reference is out of service", 8.0)
    ties = _ties(net)
    if ties:
        changes = tuple(c for k in ties for c in changes_of(net, "branch", k, in_service=True))
        yield Repair("reference", changes, "the reference is cut off: branches that lead to it are out of service", 7.0)
    marked = _marked(net)
    if marked:
        yield Repair("reference", marked, "an island has no reference", 3.0)


def _ties(net: Network) -> list[int]:
    """Branches out of service that lead, over one another, from islands with a reference to islands without."""
    of_bus, t, gen = islands(net), net.branch, net.gen
    served = np.zeros(of_bus.max(initial=-1) + 2, bool)
    served[of_bus[gen.bus[gen.in_service & gen.is_reference]]] = True
    served[-1] = False
    a, b = of_bus[t.from_bus], of_bus[t.to_bus]
    found: list[int] = []
    while True:
        new = np.flatnonzero(~t.in_service & (a >= 0) & (b >= 0) & (served[a] != served[b]))
        if not new.size:
            return found
        found += new.tolist()
        served[a[new]] = served[b[new]] = True


def _marked(net: Network) -> tuple[Change, ...]:
    """The largest regulating unit of each island that has units and no reference becomes one."""
    of_bus, gen = islands(net), net.gen
    island = of_bus[gen.bus]
    served = set(island[gen.in_service & gen.is_reference].tolist())
    size = np.where(np.isfinite(gen.p_max_mw), gen.p_max_mw, np.abs(gen.p_mw)) + np.where(gen.regulates, 1e9, 0.0)
    changes: list[Change] = []
    for label in sorted(set(island[gen.in_service & (island >= 0)].tolist()) - served):
        mine = np.flatnonzero(gen.in_service & (island == label))
        best = int(mine[np.argmax(size[mine])])
        changes += changes_of(net, "gen", best, is_reference=True)
    return tuple(changes)
