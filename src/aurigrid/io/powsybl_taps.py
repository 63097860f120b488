"""Tap changers of the pypowsybl reader: the range and the mean step around the present position.

The present ratio, angle and impedance are exact, they come from the source's own values at its current position. A tap
changer here has equal steps, so a source with unequal ones is exact at its present position and close elsewhere.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

from aurigrid.io.powsybl_rows import Record, Rows, number, text

_EQUAL_STEPS = 1e-6


@dataclass(frozen=True)
class Taps:
    """All tap changers by (transformer, side); side is ``""`` for two-winding transformers."""

    ratio: dict[tuple[str, str], Record]
    phase: dict[tuple[str, str], Record]
    ratio_steps: dict[tuple[str, str], list[Record]]
    phase_steps: dict[tuple[str, str], list[Record]]


def read_taps(rows: Rows) -> Taps:
    """Read the tap changers and name those whose regulation is not modelled."""

    def steps(name: str) -> dict[tuple[str, str], list[Record]]:
        out = defaultdict(list)
        for r in rows.records(name):
            out[r["id"], text(r.get("side"))].append(r)
        return {key: sorted(found, key=lambda r: int(r["position"])) for key, found in out.items()}

    def changers(name: str) -> dict[tuple[str, str], Record]:
        return {(r["id"], text(r.get("side"))): r for r in rows.records(name)}

    taps = Taps(
        changers("ratio_tap_changers"),
        changers("phase_tap_changers"),
        steps("ratio_tap_changer_steps"),
        steps("phase_tap_changer_steps"),
    )
    for name, found in (("ratio_tap_changers", taps.ratio), ("phase_tap_changers", taps.phase)):
        if found:
            rows.report.count(name, [bool(r["regulating"]) for r in found.values()])
    for (id, _), r in taps.phase.items():
        if r["regulating"]:
            what = f"regulation mode {text(r['regulation_mode'])} not kept"
            rows.note("ignore", "phase_tap_changers", what, id, "the shifter holds its present position")
    return taps


def tap_columns(rows: Rows, taps: Taps, id: str, side: str, tap_ratio: float) -> Record:
    """The tap columns of one branch row.

    Args:
        rows: the rows under construction, for notes and bus positions.
        taps: all tap changers.
        id: the transformer.
        side: ``""`` or, for three-winding transformers, ``"ONE"``, ``"TWO"``, ``"THREE"``.
        tap_ratio: the branch's present ratio, pu.
    """
    key = (id, side)
    ratio, phase = taps.ratio.get(key), taps.phase.get(key)
    if ratio is None and phase is None:
        return {}
    if ratio is not None and phase is not None:
        kept = "ratio" if ratio["regulating"] else "phase"
        rows.note("approximate", "2_windings_transformers", f"only the {kept} tap changer can move", id, "it has two")
        ratio, phase = (ratio, None) if kept == "ratio" else (None, phase)
    if ratio is not None:
        columns = _range(rows, ratio, taps.ratio_steps[key], tap_ratio)
        return columns | _regulation(rows, ratio)
    assert phase is not None
    return _range(rows, phase, taps.phase_steps[key], tap_ratio)


def _range(rows: Rows, changer: Record, steps: list[Record], tap_ratio: float) -> Record:
    low, high, now = int(changer["low_tap"]), int(changer["high_tap"]), int(changer["tap"])
    columns: Record = {"tap_pos": now, "tap_min": low, "tap_max": high}
    if high == low:
        return columns
    present = steps[now - low]
    ratios = [tap_ratio * present["rho"] / s["rho"] for s in steps]
    shifts = [-number(s.get("alpha"), 0.0) for s in steps]
    columns["tap_step_pu"] = (ratios[-1] - ratios[0]) / (high - low)
    columns["tap_step_deg"] = (shifts[-1] - shifts[0]) / (high - low)
    unequal = max(
        max(abs(b - a - columns[name]) for a, b in pairwise(values))
        for name, values in (("tap_step_pu", ratios), ("tap_step_deg", shifts))
    )
    moving_z = any(s[c] != present[c] for s in steps for c in ("r", "x", "g", "b"))
    if unequal > _EQUAL_STEPS or moving_z:
        what = "steps taken as equal and impedance as constant"
        rows.note("approximate", "tap_changers", what, changer["id"], "exact at the present position only")
    return columns


def _regulation(rows: Rows, changer: Record) -> Record:
    """The bus and voltage that an on-load ratio tap changer holds, if it regulates."""
    if not changer["regulating"]:
        return {}
    bus = rows.first_of_view.get(text(changer["regulating_bus_id"]))
    target = number(changer["target_v"])
    mode = text(changer.get("regulation_mode")) or "VOLTAGE"
    if bus is None or not target > 0 or mode != "VOLTAGE" or not changer["oltc"]:
        why = "it needs an on-load changer, a voltage target and a live bus"
        rows.note("ignore", "ratio_tap_changers", "regulation not kept", changer["id"], why)
        return {}
    return {"regulated_bus": bus, "regulated_v_pu": target / rows.v_nom[bus]}


def position_differences(taps: Taps) -> list[str]:
    """Transformers whose position in the solved state is not the one that the model starts from."""
    out = []
    for found in (taps.ratio, taps.phase):
        for (id, _), r in found.items():
            solved = number(r.get("solved_tap_position"))
            if not math.isnan(solved) and 0 <= abs(solved) < 90000 and int(solved) != int(r["tap"]):
                out.append(id)
    return out
