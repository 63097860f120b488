"""Elements whose data are implausible beside those of their peers or of physics, and what would mend them.

Sizes of impedances, line charging, ratings, loads spread over less than a few decades within a kind and a voltage level, so
a factor of 1000 (kW for MW, ohm for per unit) stands out in a robust score ``|log10 value - median| / (1.4826 MAD)``. The
surge impedance ``sqrt(x/b)`` of a line does not depend on its length, which makes it the sharpest test of ``x`` and ``b``
together. Signs, taps, phase shifts, set-points and schedules are held against physical ranges and against the majority.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from aurigrid.diagnosis.change import Change
from aurigrid.diagnosis.peers import Peers, branch_groups, is_transformer, peers
from aurigrid.diagnosis.repair import Repair, changes_of, ranked
from aurigrid.model.network import Network

Array = np.ndarray[Any, np.dtype[Any]]

_ODD = 3.5
"""Score from which a value counts as an outlier (Iglewicz and Hoaglin 1993)."""
_MOST = 10.0
_RARE = 0.05
"""Share of negative values below which a negative one is suspicious."""
_FACTORS = (1e-3, 1e-2, 1e3, 1e2, 1e-6, 1e6)
_TAP_RANGE = 0.8, 1.25
_TAP_STEP = 0.06
_LIKELY, _POSSIBLE = 5.0, 1.0


def implausible(net: Network) -> list[Repair]:
    """Repairs of implausible data, the most implausible first."""
    found: list[Repair] = []
    for rule in (_impedances, _signs, _charging, _taps, _shifts, _ratings, _loads, _schedules, _reactive, _set_points):
        found += rule(net)
    return ranked(found)


def typical_impedance(net: Network) -> tuple[Peers, Peers]:
    """Reactances beside their peers, and ratios of resistance to reactance."""
    t = net.branch
    group, kind = branch_groups(net)
    x = peers(np.abs(t.x_pu), group, kind, t.in_service, 0.25)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = peers(np.abs(t.r_pu / t.x_pu), group, kind, t.in_service, 0.25)
    return x, ratio


def _impedances(net: Network) -> Iterator[Repair]:
    t = net.branch
    size, ratio = typical_impedance(net)
    surge = _surge(net)
    weight = np.maximum(np.abs(size.score), np.where(np.abs(size.score) > 2.0, np.abs(surge), 0.0))
    for k in np.flatnonzero(t.in_service & (weight > _ODD)).tolist():
        base = float(net.bus.v_nom_kv[t.to_bus[k]] ** 2 / net.base_mva)
        options = [1 / base, *_FACTORS] if base > 10 else list(_FACTORS)
        x = abs(t.x_pu[k])
        scores = [abs(size.value_score(k, x * f)) for f in options]
        best = int(np.argmin(scores))
        factor = options[best] if scores[best] < 2.5 else size.centre[k] / x
        alone = abs(ratio.score[k]) > 3.0
        fields = {"x_pu": t.x_pu[k] * factor} if alone else {"r_pu": t.r_pu[k] * factor, "x_pu": t.x_pu[k] * factor}
        # a unit's factor is a likelier mistake than any other
        kind = "unit" if scores[best] < 2.5 else "impedance"
        reason = f"its reactance of {t.x_pu[k]:.4g} pu is {x / size.centre[k]:,.3g} times its peers'"
        yield Repair(kind, changes_of(net, "branch", k, **fields), reason, min(float(weight[k]), _MOST))


def _surge(net: Network) -> Array:
    """(n_branch,) robust score of the surge impedance of lines; 0 where there is none."""
    t = net.branch
    group, kind = branch_groups(net)
    b = t.b_from_pu + t.b_to_pu
    line = t.in_service & ~is_transformer(net) & (b > 0) & (t.x_pu > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = peers(np.where(line, np.sqrt(t.x_pu / np.where(b > 0, b, 1.0)), 0.0), group, kind, line, 0.12)
    return found.score


def _signs(net: Network) -> Iterator[Repair]:
    t = net.branch
    size, _ = typical_impedance(net)
    for field in ("x_pu", "r_pu"):
        values = getattr(t, field)
        wrong = t.in_service & (values < 0)
        if not wrong.any() or wrong.sum() > max(2, _RARE * t.in_service.sum()):
            continue
        for k in np.flatnonzero(wrong).tolist():
            weight = _LIKELY + min(2.0, abs(t.x_pu[k]) / size.centre[k] if size.centre[k] > 0 else 1.0)
            reason = (
                f"{field} is negative, {values[k]:.4g} pu, as that of {wrong.sum()} of {t.in_service.sum()} branches"
            )
            yield Repair("sign", changes_of(net, "branch", k, **{field: -values[k]}), reason, weight)


def _charging(net: Network) -> Iterator[Repair]:
    t = net.branch
    group, kind = branch_groups(net)
    b = t.b_from_pu + t.b_to_pu
    size = peers(b, group, kind, t.in_service & ~is_transformer(net), 0.3)
    surge = _surge(net)
    odd = t.in_service & (np.maximum(size.score, np.where(size.score > 2.0, -surge, 0.0)) > _ODD)
    for k in np.flatnonzero(odd).tolist():
        scores = [abs(size.value_score(k, b[k] * f)) for f in _FACTORS]
        best = int(np.argmin(scores))
        factor = _FACTORS[best] if scores[best] < 2.5 else size.centre[k] / b[k]
        weight = min(float(max(size.score[k], -surge[k])), _MOST)
        reason = f"its charging of {b[k]:.4g} pu is {b[k] / size.centre[k]:,.3g} times its peers'"
        fields = {"b_from_pu": t.b_from_pu[k] * factor, "b_to_pu": t.b_to_pu[k] * factor}
        yield Repair("unit", changes_of(net, "branch", k, **fields), reason, weight)


def _group_median(values: Array, group: Array, kind: Array, use: Array) -> Array:
    """(n,) median of each element's group, of its kind where the group is small."""
    out = np.full(len(values), np.nan)
    for labels in (kind, group):
        for label in np.unique(labels):
            peer = (labels == label) & use
            if peer.sum() >= 3:
                out[labels == label] = np.median(values[peer])
    return out


def _taps(net: Network) -> Iterator[Repair]:
    t, kv = net.branch, net.bus.v_nom_kv
    usual = _group_median(t.tap_ratio, *branch_groups(net), t.in_service)
    usual = np.where((usual > _TAP_RANGE[0]) & (usual < _TAP_RANGE[1]), usual, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.abs(np.log(t.tap_ratio / usual))
    odd = t.in_service & ((t.tap_ratio < _TAP_RANGE[0]) | (t.tap_ratio > _TAP_RANGE[1]))
    for k in np.flatnonzero(odd & (t.tap_ratio > 0)).tolist():
        weight = min(float(off[k]) / _TAP_STEP, _MOST)
        n = float((kv[t.to_bus[k]] / kv[t.from_bus[k]]) ** 2)
        if abs(np.log(n)) > 0.3 and abs(np.log(t.tap_ratio[k] / n)) < 0.25:
            reason = f"its ratio of {t.tap_ratio[k]:.4g} is the square of that of its buses' voltages"
            fields: dict[str, Any] = {
                "from_bus": int(t.to_bus[k]), "tap_ratio": t.tap_ratio[k] / n, "r_pu": t.r_pu[k] * n, "x_pu": t.x_pu[k] * n,
            }  # fmt: skip
            yield Repair("swapped_ends", changes_of(net, "branch", k, **fields), reason, _MOST + 1)
        reason = f"its ratio of {t.tap_ratio[k]:.4g} is outside {_TAP_RANGE[0]} to {_TAP_RANGE[1]}"
        value = t.tap_ratio[k] / 100
        after = value if _TAP_RANGE[0] < value < _TAP_RANGE[1] else float(usual[k])
        yield Repair("tap", changes_of(net, "branch", k, tap_ratio=after), reason, weight)


def _shifts(net: Network) -> Iterator[Repair]:
    t = net.branch
    usual = np.nan_to_num(_group_median(t.shift_deg, *branch_groups(net), t.in_service))
    off = np.abs(t.shift_deg - usual)
    for k in np.flatnonzero(t.in_service & (off > 15)).tolist():
        reason = f"it shifts by {t.shift_deg[k]:g} degrees, its peers by {usual[k]:g}"
        yield Repair(
            "shift", changes_of(net, "branch", k, shift_deg=float(usual[k])), reason, min(3 + off[k] / 30, _MOST)
        )


def _ratings(net: Network) -> Iterator[Repair]:
    t = net.branch
    rated = t.in_service & np.isfinite(t.rate_mva)
    size = peers(t.rate_mva, *branch_groups(net), rated, 0.3)
    for k in np.flatnonzero(rated & (size.score < -_ODD)).tolist():
        scores = [abs(size.value_score(k, t.rate_mva[k] * f)) for f in (1e3, 1e6, 1e2)]
        best = int(np.argmin(scores))
        after = t.rate_mva[k] * (1e3, 1e6, 1e2)[best] if scores[best] < 2.5 else float(size.centre[k])
        reason = f"its rating of {t.rate_mva[k]:.4g} MVA is {t.rate_mva[k] / size.centre[k]:.3g} times its peers'"
        kind = "unit" if scores[best] < 2.5 else "rating"
        yield Repair(kind, changes_of(net, "branch", k, rate_mva=after), reason, min(float(-size.score[k]), _MOST))


def _loads(net: Network) -> Iterator[Repair]:
    t = net.load
    one = np.zeros(len(t), int)
    s = np.hypot(t.p_mw, t.q_mvar)
    size = peers(s, one, one, t.in_service, 0.4)
    rest = s[t.in_service].sum() - s
    for i in np.flatnonzero(t.in_service & ((size.score > _ODD) | (s > rest))).tolist():
        scores = [abs(size.value_score(i, s[i] * f)) for f in (1e-3, 1e-6, 1e-2)]
        usual = min(scores) < 3.0 or not np.isfinite(size.centre[i])
        factor = (1e-3, 1e-6, 1e-2)[int(np.argmin(scores))] if usual else size.centre[i] / s[i]
        if not np.isfinite(factor):
            factor = 1e-3
        weight = min(float(max(size.score[i], _LIKELY if s[i] > rest[i] else 0.0)), _MOST)
        reason = f"it takes {s[i]:,.4g} MVA, {s[i] / rest[i]:.3g} times what all others take" if s[i] > rest[i] else (
            f"it takes {s[i]:,.4g} MVA, {s[i] / size.centre[i]:,.3g} times a usual load")  # fmt: skip
        fields = {"p_mw": t.p_mw[i] * factor, "q_mvar": t.q_mvar[i] * factor}
        yield Repair("unit" if usual else "overload", changes_of(net, "load", i, **fields), reason, weight)
    negative = t.in_service & (t.p_mw < 0)
    if negative.any() and negative.sum() <= max(2, _RARE * t.in_service.sum()):
        for i in np.flatnonzero(negative).tolist():
            reason = (
                f"it feeds {-t.p_mw[i]:,.4g} MW into the grid, as {negative.sum()} of {t.in_service.sum()} loads do"
            )
            fields = {"p_mw": -t.p_mw[i], "q_mvar": -t.q_mvar[i]}
            yield Repair("sign", changes_of(net, "load", i, **fields), reason, _LIKELY + min(size.score[i], 1.0))


def _schedules(net: Network) -> Iterator[Repair]:
    """Units at powers that they do not have; references take what is left and are not judged."""
    t = net.gen
    room = 0.1 + 1e-6 * np.abs(t.p_mw)
    judged = t.in_service & ~t.is_reference
    for g in np.flatnonzero(judged & ((t.p_mw > t.p_max_mw + room) | (t.p_mw < t.p_min_mw - room))).tolist():
        p, low, high = float(t.p_mw[g]), float(t.p_min_mw[g]), float(t.p_max_mw[g])
        reason = f"it is to give {p:,.6g} MW, its limits are {low:,.6g} and {high:,.6g} MW"
        far = _LIKELY + min(4.0, float(np.log10(1 + max(p - high, low - p) / (1 + abs(high - low)))))
        for kind, after, more in (("unit", p / 1000, 0.5), ("sign", -p, 0.4)):
            if low <= after <= high and (kind == "sign" or abs(p) > 50 * max(abs(high), abs(low))):
                yield Repair(kind, changes_of(net, "gen", g, p_mw=after), reason, far + more)
        yield Repair("schedule", changes_of(net, "gen", g, p_mw=float(np.clip(p, low, high))), reason, far)
    one = np.zeros(len(t), int)
    size = peers(np.abs(t.p_mw), one, one, judged, 0.4)
    rest = np.abs(t.p_mw[t.in_service]).sum() - np.abs(t.p_mw)
    for g in np.flatnonzero(
        judged & ~np.isfinite(t.p_max_mw) & (size.score > 0) & ((size.score > _ODD) | (t.p_mw > rest))
    ).tolist():
        reason = f"it is to give {t.p_mw[g]:,.4g} MW, {t.p_mw[g] / size.centre[g]:,.3g} times a usual unit"
        weight = max(min(float(size.score[g]), _MOST), _LIKELY if t.p_mw[g] > rest[g] else 0.0)
        yield Repair("unit", changes_of(net, "gen", g, p_mw=float(t.p_mw[g] / 1000)), reason, weight)
    negative = judged & (t.p_mw < 0) & (t.p_mw >= t.p_min_mw - room) & (-t.p_mw <= t.p_max_mw)
    if negative.any() and negative.sum() <= max(2, _RARE * judged.sum()):
        for g in np.flatnonzero(negative).tolist():
            reason = f"it takes {-t.p_mw[g]:,.4g} MW from the grid"
            yield Repair("sign", changes_of(net, "gen", g, p_mw=-t.p_mw[g]), reason, 3.0)


def _reactive(net: Network) -> list[Repair]:
    """Units that hold a voltage and may give no reactive power for it: each, and all of them."""
    t = net.gen
    holds = t.in_service & t.regulates & np.isfinite(t.q_max_mvar) & np.isfinite(t.p_max_mw) & (t.p_max_mw > 0)
    share = np.where(holds, t.q_max_mvar / np.where(holds, t.p_max_mw, 1.0), np.nan)
    able = holds & (share > 0.02)
    if not able.any():
        return []
    usual = float(np.median(share[able]))
    poor = holds & (share <= 0.02) & ~t.is_reference
    found: list[Repair] = []
    together: list[Change] = []
    for g in np.flatnonzero(poor).tolist():
        after = max(usual * t.p_max_mw[g], -t.q_min_mvar[g] if np.isfinite(t.q_min_mvar[g]) else 0.0)
        changes = changes_of(net, "gen", g, q_max_mvar=float(after))
        together += changes
        reason = f"it holds a voltage, with an upper reactive limit of {t.q_max_mvar[g]:.4g} Mvar"
        found.append(Repair("reactive_support", changes, reason, 2.0 - poor.sum() / max(holds.sum(), 1)))
    if len(found) > 1:
        reason = f"{len(found)} units hold voltages and may give no reactive power for it"
        found.append(Repair("reactive_support", tuple(together), reason, 2.5))
    return found


def _set_points(net: Network) -> Iterator[Repair]:
    t = net.gen
    on = t.in_service & (t.regulates | t.is_reference)
    bus = np.where(t.controlled_bus >= 0, t.controlled_bus, t.bus)
    usual = float(np.median(t.v_set_pu[on])) if on.any() else 1.0
    usual = usual if 0.9 < usual < 1.12 else 1.0
    low = np.where(net.bus.v_min_pu > 0, net.bus.v_min_pu, 0.9)[bus] - 0.03
    high = np.where(np.isfinite(net.bus.v_max_pu), net.bus.v_max_pu, 1.1)[bus] + 0.03
    for g in np.flatnonzero(on & ((t.v_set_pu < low) | (t.v_set_pu > high))).tolist():
        v, kv = float(t.v_set_pu[g]), float(net.bus.v_nom_kv[bus[g]])
        near = [value for value in (v / kv, v / 100) if low[g] <= value <= high[g]]
        reason = f"it is to hold {v:.4g} pu"
        weight = min(3 + abs(v - usual) / 0.05, _MOST)
        yield Repair(
            "unit" if near else "set_point",
            changes_of(net, "gen", g, v_set_pu=near[0] if near else usual),
            reason,
            weight,
        )


def idle(net: Network) -> list[Repair]:
    """Branches, units and shunts that are out of service: each, and those of a kind together."""
    found: list[Repair] = []
    for table in ("branch", "gen", "shunt"):
        rows = getattr(net, table)
        out = np.flatnonzero(~rows.in_service)
        together: list[Change] = []
        for k in out.tolist():
            changes = changes_of(net, table, k, in_service=True)
            together += changes
            lost = table == "gen" and bool(net.gen.is_reference[k])
            reason = "a reference that is out of service" if lost else "it is out of service"
            found.append(Repair("out_of_service", changes, reason, _LIKELY if lost else _POSSIBLE))
        if len(together) > 1:
            reason = f"{len(together)} rows of the {table} table are out of service"
            found.append(Repair("out_of_service", tuple(together), reason, 1.5))
    return found
