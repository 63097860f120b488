"""Score of `diagnose` on the set of broken cases, and of pandapower's diagnostic on the same faults.

    python benchmarks/broken.py                 the recorded set
    python benchmarks/broken.py --seed 7        another set, drawn by the same rules
    python benchmarks/broken.py --grids case14 case39 case118 case24_ieee_rts --pandapower

A cause is found where the first repair names an element at fault, in the quantity at fault, and at least half of what it
names is (`BrokenCase.named_by`). A state is restored where the exact power flow of the repaired grid, reactive limits held,
has a solution that is not severely outside any limit. pandapower's diagnostic proposes no repairs; for it a cause is found
where any of its checks names an element at fault that it does not name in the sound grid, or raises the flag that is meant.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
import warnings
from collections import defaultdict
from typing import Any

import numpy as np

from aurigrid.diagnosis import diagnose
from aurigrid.diagnosis.broken import GRIDS, BrokenCase, broken_cases, draw_cases
from aurigrid.diagnosis.peers import is_transformer
from aurigrid.diagnosis.symptoms import symptoms
from aurigrid.model.network import Network

_LIMITS = 1e5, 1e6


def ours(case: BrokenCase) -> dict[str, Any]:
    """What `diagnose` makes of a case; the repaired grid is solved again, from nothing."""
    net = case.network()
    began, used = time.perf_counter(), time.process_time()
    found = diagnose(net)[0]
    seconds, cpu = time.perf_counter() - began, time.process_time() - used
    if not found.trials:
        return {
            "seconds": seconds,
            "cpu": cpu,
            "named": False,
            "restored": False,
            "kept": False,
            "size": 0,
            "true": _elements(case.changes),
        }
    after = symptoms(found.apply())
    repair = found.trials[0].repair
    return {
        "seconds": seconds,
        "cpu": cpu,
        "named": case.named_by(repair.changes),
        "restored": not after.severe,
        "kept": after.clean,
        "size": _elements(repair.changes),
        "true": _elements(case.changes),
    }


def _elements(changes: Any) -> int:
    return len({(c.table, c.element) for c in changes})


def to_pandapower(net: Network) -> Any:
    """A network as pandapower's, through its own converter from MATPOWER's matrices."""
    from pandapower.converter.pypower.from_ppc import from_ppc

    bus = np.zeros((net.n_bus, 13))
    bus[:, 0], bus[:, 1], bus[:, 6], bus[:, 7] = np.arange(net.n_bus), 1, 1, 1
    bus[:, 9], bus[:, 10], bus[:, 12] = net.bus.v_nom_kv, 1, net.bus.v_min_pu
    bus[:, 11] = np.where(np.isfinite(net.bus.v_max_pu), net.bus.v_max_pu, 2.0)
    load, shunt, gen, t = net.load, net.shunt, net.gen, net.branch
    on = load.in_service
    np.add.at(bus[:, 2], load.bus[on], load.p_mw[on])
    np.add.at(bus[:, 3], load.bus[on], load.q_mvar[on])
    on = shunt.in_service
    np.add.at(bus[:, 4], shunt.bus[on], (shunt.g_mw * shunt.step)[on])
    np.add.at(bus[:, 5], shunt.bus[on], (shunt.b_mvar * shunt.step)[on])
    unit = np.zeros((net.n_gen, 21))
    unit[:, 0], unit[:, 1], unit[:, 2], unit[:, 5] = gen.bus, gen.p_mw, gen.q_mvar, gen.v_set_pu
    for column, values, most in ((3, gen.q_max_mvar, _LIMITS[0]), (4, gen.q_min_mvar, _LIMITS[0]),
                                 (8, gen.p_max_mw, _LIMITS[1]), (9, gen.p_min_mw, _LIMITS[1])):  # fmt: skip
        unit[:, column] = np.clip(values, -most, most)
    unit[:, 6], unit[:, 7] = net.base_mva, gen.in_service
    bus[gen.bus[gen.regulates], 1] = 2
    bus[gen.bus[gen.is_reference], 1] = 3
    branch = np.zeros((net.n_branch, 13))
    branch[:, 0], branch[:, 1], branch[:, 2], branch[:, 3] = t.from_bus, t.to_bus, t.r_pu, t.x_pu
    branch[:, 4], branch[:, 5] = t.b_from_pu + t.b_to_pu, np.where(np.isfinite(t.rate_mva), t.rate_mva, 0.0)
    branch[:, 8] = np.where(is_transformer(net) | (t.tap_ratio != 1), t.tap_ratio, 0.0)
    branch[:, 9], branch[:, 10], branch[:, 11], branch[:, 12] = t.shift_deg, t.in_service, -360, 360
    ppc = {"version": "2", "baseMVA": net.base_mva, "bus": bus, "gen": unit, "branch": branch}
    return from_ppc(ppc, validate_conversion=False)


def named_elements(found: Any, path: tuple[str, ...] = ()) -> set[tuple[str, int]]:
    """(element type, index) of everything that a result of pandapower's diagnostic lists, whatever its shape."""
    if isinstance(found, dict):
        return {pair for key, value in found.items() for pair in named_elements(value, (*path, str(key)))}
    if isinstance(found, (list, tuple, set)):
        out: set[tuple[str, int]] = set()
        for value in found:
            if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and path:
                out.add((path[-1].rstrip("s"), int(value)))
                if isinstance(found, tuple):
                    break  # (index, column, value, restriction): the rest is no element
            else:
                out |= named_elements(value, path)
        return out
    return set()


_FLAGS = {
    "no_slack": ("no_ext_grid",), "islanded_slack": ("disconnected_elements", "no_ext_grid"),
    "open_branches": ("disconnected_elements",), "swapped_ends": ("nominal_voltages_dont_match",),
}  # fmt: skip


def theirs(case: BrokenCase, sound: dict[str, set[tuple[str, int]]]) -> dict[str, Any]:
    """What pandapower's diagnostic makes of a case."""
    from pandapower.diagnostic import diagnostic

    net = case.network()
    grid = to_pandapower(case.sound() if case.kind == "swapped_ends" else net)
    lookup = grid._from_ppc_lookups
    if case.kind == "swapped_ends":
        # its own tables have windings, so that the fault can be put in as it would be there
        row = lookup["branch"].iloc[case.changes[0].element]
        if row["element_type"] != "trafo":
            grid = to_pandapower(net)
        else:
            k = int(row["element"])
            hv, lv = grid.trafo.at[k, "hv_bus"], grid.trafo.at[k, "lv_bus"]
            grid.trafo.at[k, "hv_bus"], grid.trafo.at[k, "lv_bus"] = lv, hv
    if case.grid not in sound:
        sound[case.grid] = named_elements(diagnostic(to_pandapower(case.sound()), report_style=None))
    began = time.perf_counter()
    found = diagnostic(grid, report_style=None)
    seconds = time.perf_counter() - began
    said = named_elements(found) - sound[case.grid]
    truth = set()
    for c in case.changes:
        if c.table in ("branch", "gen"):
            row = lookup[c.table].iloc[c.element]
            truth.add((str(row["element_type"]), int(row["element"])))
        elif c.table == "load":
            truth |= {("load", int(i)) for i in grid.load.index[grid.load.bus == net.load.bus[c.element]]}
    flag = any(found.get(name) for name in _FLAGS.get(case.kind, ()))
    overload = found.get("overload")
    if case.kind in ("overload", "overload_grid", "unit_load") and isinstance(overload, dict):
        flag |= bool(overload.get("load"))
    if case.kind in ("unit_generation", "transfer") and isinstance(overload, dict):
        flag |= bool(overload.get("generation"))
    return {"seconds": seconds, "named": bool(said & truth) or flag, "element": bool(said & truth)}


def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, help="draw another set from this seed")
    options.add_argument("--grids", nargs="*", default=list(GRIDS), help="grids to use")
    options.add_argument("--pandapower", action="store_true", help="run pandapower's diagnostic beside it")
    given = options.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    drawn = broken_cases() if given.seed is None else tuple(draw_cases(given.seed, given.grids))
    cases = [case for case in drawn if case.grid in given.grids]
    diagnose(cases[0].network())  # compiles
    mine, peer = defaultdict(list), defaultdict(list)
    sound: dict[str, set[tuple[str, int]]] = {}
    missed = []
    for case in cases:
        row = ours(case)
        mine[case.kind].append(row)
        print(f"{case.name}: {row['seconds']:.2f} s", file=sys.stderr, flush=True)
        if not (row["named"] and row["restored"]):
            missed.append(
                f"{case.name}{'' if row['named'] else ': cause not named'}{'' if row['restored'] else ': not restored'}"
            )
        if given.pandapower:
            peer[case.kind].append(theirs(case, sound))
    _report(mine, peer)
    print("\nMissed: " + ("; ".join(missed) or "none"))


def _report(mine: dict[str, list[dict[str, Any]]], peer: dict[str, list[dict[str, Any]]]) -> None:
    head = ["fault", "cases", "cause found", "restored", "every limit kept", "elements changed (at fault)", "median s"]
    head += ["largest s", "median CPU s"]
    head += ["pandapower: cause found", "element named", "median s"] if peer else []
    print(f"| {' | '.join(head)} |")
    print("|---" * len(head) + "|")
    groups = [*mine, "all"]
    for kind in groups:
        rows = [r for k in mine for r in mine[k] if kind in (k, "all")]
        seconds = [r["seconds"] for r in rows]
        size, true = np.median([r["size"] for r in rows]), np.median([r["true"] for r in rows])
        line = (
            f"| {kind} | {len(rows)} | {_share(rows, 'named')} | {_share(rows, 'restored')} | {_share(rows, 'kept')} | "
            f"{size:g} ({true:g}) | {np.median(seconds):.3f} | {max(seconds):.2f} | "
            f"{np.median([r['cpu'] for r in rows]):.3f} |"
        )
        if peer:
            others = [r for k in peer for r in peer[k] if kind in (k, "all")]
            middle = np.median([r["seconds"] for r in others])
            line += f" {_share(others, 'named')} | {_share(others, 'element')} | {middle:.2f} |"
        print(line, flush=True)


def _share(rows: list[dict[str, Any]], key: str) -> str:
    return f"{100 * np.mean([r[key] for r in rows]):.0f} %"


if __name__ == "__main__":
    main()
