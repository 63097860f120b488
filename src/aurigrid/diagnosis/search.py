"""Trial of repairs: each is made on the network and solved exactly; those that restore a state to run in are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from aurigrid.diagnosis.change import Change, around, changed
from aurigrid.diagnosis.mend import mends
from aurigrid.diagnosis.operate import Missing, operating_repair
from aurigrid.diagnosis.plausibility import idle, implausible, typical_impedance
from aurigrid.diagnosis.repair import Repair, changes_of, ranked
from aurigrid.diagnosis.symptoms import Symptoms, symptoms
from aurigrid.model.network import Network

Array = np.ndarray[Any, np.dtype[Any]]

_TRIED, _TRIED_NEARBY = 40, 60
_ALTERNATIVES = 3
_WORTH_OF_CLEAN = 3.0
_DOUBTFUL = 3.5
"""Merit of a cause that is not convincing by its data: what the optimal power flow finds is considered beside it."""
_DEPTH = 3
_BETTER = 0.5
_DROPS = 40
_NEARBY_BUSES = 4
_LARGE = 20.0


@dataclass(frozen=True, eq=False)
class Trial:
    """A repair and the state that it leads to."""

    repair: Repair
    after: Symptoms

    @property
    def restores(self) -> bool:
        return not self.after.severe

    @property
    def merit(self) -> float:
        """Higher is better: plausibility of the cause, and whether the state that follows keeps every limit."""
        return self.repair.weight + _WORTH_OF_CLEAN * self.after.clean - min(0.1 * len(self.repair.changes), 1.0)


def find_repairs(net: Network, sick: Symptoms, missing: Missing | None) -> list[Trial]:
    """Repairs that restore a network, best first; where none does, the one that comes nearest, if any helps.

    Args:
        sick: symptoms of the network; missing: its soft optimal power flow, None where it has none.
    """
    found = _causes(net, sick, missing, _DEPTH)
    restoring = [trial for trial in found if trial.restores]
    doubtful = max((trial.merit for trial in restoring), default=-np.inf) < _DOUBTFUL
    if doubtful and missing is not None and (repair := operating_repair(net, missing)) is not None:
        restoring += _operating(net, repair)
    if restoring:
        restoring.sort(key=lambda trial: -trial.merit)
        first = _smaller(net, restoring[0])
        return [first, *restoring[1 : 1 + _ALTERNATIVES]]
    return sorted(found, key=lambda trial: trial.after.badness)[:1]


def _operating(net: Network, repair: Repair) -> list[Trial]:
    """Less load alone, and with the set-points that go with it."""
    trials = [_try(net, repair)]
    if repair.dispatch:
        trials.insert(0, _try(net, replace(repair, dispatch=())))
    clean = [trial for trial in trials if trial.after.clean]
    return (clean or [trial for trial in trials if trial.restores])[:1]


def _causes(net: Network, sick: Symptoms, missing: Missing | None, depth: int) -> list[Trial]:
    """Single causes, then those that only help together."""
    if sick.invalid:
        trials = [_try(net, repair) for repair in mends(net)]
    else:
        trials = _in_turn(net, [r for r in (*implausible(net), *idle(net)) if _touches(r, sick)], _TRIED)
        if not any(trial.restores for trial in trials) and depth == _DEPTH:
            trials += _in_turn(net, list(_nearby(net, sick, missing)), _TRIED_NEARBY)
    if any(trial.restores for trial in trials) or depth == 0:
        return trials
    helping = [trial for trial in trials if trial.after.badness < sick.badness - _BETTER]
    if not helping:
        return trials
    best = min(helping, key=lambda trial: (trial.after.badness, -trial.repair.weight))
    first = best.repair
    for trial in _causes(changed(net, first.all_changes), best.after, None, depth - 1):
        more = trial.repair
        joined = replace(first, changes=first.changes + more.changes, reason=f"{first.reason}; {more.reason}",
                         weight=min(first.weight, more.weight))  # fmt: skip
        trials.append(Trial(joined, trial.after))
    return trials


def _in_turn(net: Network, repairs: list[Repair], most: int) -> list[Trial]:
    """Try repairs, the likeliest first, until one restores and none that is left can be better."""
    trials: list[Trial] = []
    best = -np.inf
    for repair in ranked(repairs)[:most]:
        if repair.weight + _WORTH_OF_CLEAN <= best:
            break
        trials.append(_try(net, repair))
        if trials[-1].restores:
            best = max(best, trials[-1].merit)
    return trials


def _touches(repair: Repair, sick: Symptoms) -> bool:
    """Whether a repair can matter: a rating does for a branch that is loaded beyond it, and does not keep a state from
    being found."""
    ratings = [c.element for c in repair.changes if c.field == "rate_mva"]
    return not ratings or (sick.solved and bool((sick.loading[ratings] > 1).any()))


def _try(net: Network, repair: Repair) -> Trial:
    return Trial(repair, symptoms(changed(net, repair.all_changes)))


def _smaller(net: Network, trial: Trial) -> Trial:
    """The same repair without the changes that it does not need (Zeller's delta debugging, towards fewer changes)."""
    groups = _by_element(trial.repair.changes)
    if len(groups) < 2:
        return trial
    drops, size = 0, len(groups) // 2
    while size and drops < _DROPS:
        start = 0
        while start < len(groups) and len(groups) > 1 and drops < _DROPS:
            rest = groups[:start] + groups[start + size :]
            drops += 1
            if rest:
                less = _try(net, replace(trial.repair, changes=tuple(c for group in rest for c in group)))
                if less.restores and less.after.clean >= trial.after.clean:
                    groups, trial = rest, less
                    continue
            start += size
        size //= 2
    return trial


def _by_element(changes: Sequence[Change]) -> list[list[Change]]:
    groups: dict[tuple[str, int], list[Change]] = {}
    for change in changes:
        groups.setdefault((change.table, change.element), []).append(change)
    return list(groups.values())


def _nearby(net: Network, sick: Symptoms, missing: Missing | None) -> list[Repair]:
    """Usual repairs of everything near the buses where something is wrong, implausible or not."""
    near = np.zeros(net.n_bus, bool)
    for bus in _suspected_buses(net, sick, missing):
        steps = around(net, bus)
        near |= (steps >= 0) & (steps <= 1)
    t, gen, load = net.branch, net.gen, net.load
    size, _ = typical_impedance(net)
    found: list[Repair] = []

    def add(kind: str, table: str, k: int, weight: float, reason: str, **fields: Any) -> None:
        found.append(Repair(kind, changes_of(net, table, k, **fields), reason, weight))

    for k in np.flatnonzero(t.in_service & (near[t.from_bus] | near[t.to_bus])).tolist():
        off = abs(float(size.score[k]))
        if abs(t.tap_ratio[k] - 1) > 0.05:
            add("tap", "branch", k, 0.5 + abs(np.log(t.tap_ratio[k])), "its ratio is not 1", tap_ratio=1.0)
        if abs(t.shift_deg[k]) > 5:
            add("shift", "branch", k, 0.6, "it shifts the phase", shift_deg=0.0)
        if off > 1.5:
            factor = size.centre[k] / abs(t.x_pu[k])
            add(
                "impedance",
                "branch",
                k,
                0.2 * off,
                "its reactance is unusual",
                r_pu=t.r_pu[k] * factor,
                x_pu=t.x_pu[k] * factor,
            )
    for g in np.flatnonzero(gen.in_service & near[gen.bus]).tolist():
        if gen.p_mw[g] < 0:
            add("sign", "gen", g, 0.8, "it takes power", p_mw=-gen.p_mw[g])
        if gen.regulates[g] and abs(gen.v_set_pu[g] - 1) > 0.03:
            add("set_point", "gen", g, 0.4, "its set-point is not 1 pu", v_set_pu=1.0)
    for table in ("load", "gen"):
        rows = getattr(net, table)
        p = np.abs(rows.p_mw)
        used = p[rows.in_service & (p > 0)]
        usual = np.median(used) if used.size else 0.0
        large = rows.in_service & near[rows.bus] & (p > _LARGE * usual)
        for i in np.flatnonzero(large).tolist():
            fields = {"p_mw": rows.p_mw[i] / 1000} | ({"q_mvar": rows.q_mvar[i] / 1000} if table == "load" else {})
            add("unit", table, i, 1.0, f"{rows.p_mw[i]:,.4g} MW is much more than usual", **fields)
    for i in np.flatnonzero(load.in_service & near[load.bus]).tolist():
        if load.p_mw[i] < 0:
            add("sign", "load", i, 0.8, "it feeds the grid", p_mw=-load.p_mw[i], q_mvar=-load.q_mvar[i])
    return found


def _suspected_buses(net: Network, sick: Symptoms, missing: Missing | None) -> list[int]:
    """Buses where power is missing, voltages are worst, or overloaded branches end."""
    found: list[int] = []
    if missing is not None:
        size = np.abs(missing.short_mw) + np.abs(missing.short_mvar)
        found += [int(i) for i in np.argsort(-size)[:_NEARBY_BUSES] if size[i] > 0.1]
    if sick.solved:
        found += [
            int(i) for i in np.argsort(-np.nan_to_num(sick.v_excess_pu))[:_NEARBY_BUSES] if sick.v_excess_pu[i] > 0
        ]
        for values, least in ((sick.loading, 1.0), (sick.angle_deg, 45.0)):
            k = int(np.argmax(values)) if len(values) else 0
            if len(values) and values[k] > least:
                found += [int(net.branch.from_bus[k]), int(net.branch.to_bus[k])]
    return list(dict.fromkeys(found))
