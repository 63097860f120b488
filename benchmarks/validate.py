"""Validation tables in Markdown: our power flow against pandapower, OpenLoadFlow and MATPOWER's equations.

    python benchmarks/validate.py            # all tables, about three minutes
    python benchmarks/validate.py base limits   # some of them

Each side solves to a mismatch of 1e-10 pu of its own, or less. Differences are the largest over all buses and branches.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

import aurigrid as ag
from aurigrid.io.powsybl import read_powsybl
from aurigrid.model.scenarios import Scenarios

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests" / "powerflow")]

from peers import Peer, difference, pandapower_grid, pandapower_outages, pandapower_state  # noqa: E402

PANDAPOWER = (
    "case9", "case14", "case24_ieee_rts", "case30", "case39", "case57", "case89pegase", "case118", "case145",
    "case_illinois200", "case300", "iceland", "example_multivoltage", "mv_oberrhein", "case1354pegase", "GBnetwork",
    "case2848rte", "case2869pegase", "case3120sp", "case6515rte", "case9241pegase",
)  # fmt: skip
WITH_LIMITS = (
    "case14", "case30", "case39", "case57", "case89pegase", "case118", "case_illinois200", "case1354pegase", "case2848rte",
    "case2869pegase", "case9241pegase",
)  # fmt: skip
EQUATIONS = (
    "case_RTS_GMLC", "case_ACTIVSg200", "case_ACTIVSg2000", "case2383wp", "case3375wp", "case6468rte", "case8387pegase",
    "case13659pegase", "case_ACTIVSg10k", "case_ACTIVSg25k", "case_ACTIVSg70k",
)  # fmt: skip
LARGE = ("case_ACTIVSg2000", "case_ACTIVSg10k", "case_ACTIVSg25k", "case_ACTIVSg70k", "case_SyntheticUSA")


def table(title: str, head: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print one Markdown table, row by row as they come."""
    head = list(head)
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + " --- |" * len(head))
    for row in rows:
        print("| " + " | ".join(str(x) for x in row) + " |", flush=True)


def sci(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}"


def status(sol: ag.Solution, row: int = 0) -> str:
    return ag.Status(int(sol.status[row])).name.lower()


def base() -> None:
    def rows() -> Iterable[Iterable[object]]:
        for name in PANDAPOWER:
            net, peer = ag.load(f"pandapower:{name}"), None
            peer = pandapower_state(net, pandapower_grid(name))
            sol = ag.power_flow(net, tol_pu=1e-10)
            yield (name, net.n_bus, net.n_branch, status(sol), *gaps(sol, 0, peer))

    table("Base cases against pandapower's runpp", ("grid", "buses", "branches", "status", *GAPS), rows())


GAPS = ("largest dV, pu", "largest dangle, rad", "largest dflow, MVA")


def gaps(sol: ag.Solution, row: int, peer: Peer | None) -> tuple[str, str, str]:
    if peer is None:
        return ("peer fails",) * 3
    found = difference(sol, row, peer)
    return sci(found.v_pu), sci(found.angle_rad), sci(found.flow_mva)


def limits() -> None:
    from test_against_pandapower import _reactive_output, complementarity

    def rows() -> Iterable[Iterable[object]]:
        for name in WITH_LIMITS:
            grid, net = pandapower_grid(name), ag.load(f"pandapower:{name}")
            peer = pandapower_state(net, grid, enforce_q_lims=True)
            sol = ag.power_flow(net, q_limits=True, tol_pu=1e-10)
            ours = len(complementarity(net, sol.v_mag[0], sol.gen_q_mvar[0]))
            theirs = "-"
            if peer is not None:
                q = np.array([_reactive_output(grid, id) for id in net.gen.id])
                theirs = str(len(complementarity(net, peer.v_mag, q)))
            yield name, status(sol), int(np.sum(sol.held[0] != 0)), ours, theirs, *gaps(sol, 0, peer)

    head = ("grid", "status", "nodes at a limit", "out of order, ours", "out of order, pandapower", *GAPS)
    table("Reactive limits on, against pandapower's enforce_q_lims", head, rows())


def outages_of(name: str) -> tuple[object, ...]:
    """One row: every branch outage of a grid."""
    net = ag.load(f"pandapower:{name}")
    sol = ag.power_flow(net, Scenarios(net, branch_out=[[k] for k in range(net.n_branch)]), tol_pu=1e-10)
    reference = net.gen.bus[net.gen.is_reference][0]
    worst = np.zeros(3)
    count = {"both": 0, "islands": 0, "neither": 0, "apart": 0}

    def compare(k: int, id: str, peer: Peer | None) -> None:
        if peer is None:
            count["neither"] += not sol.converged[k]
            return
        if np.isnan(sol.v_mag[k, reference]) or not sol.converged[k]:
            count["apart"] += 1  # see the named differences
            return
        assert np.array_equal(np.isnan(sol.v_mag[k]), np.isnan(peer.v_mag)), id
        found = difference(sol, k, peer)
        worst[:] = np.maximum(worst, (found.v_pu, found.angle_rad, found.flow_mva))
        count["both"] += 1
        count["islands"] += bool(np.isnan(peer.v_mag).any())

    pandapower_outages(net, pandapower_grid(name), compare)
    return name, net.n_branch, *count.values(), *(sci(w) for w in worst)


def outages() -> None:
    head = ("grid", "outages", "compared", "of which split the grid", "solved by neither", "named difference", *GAPS)
    names = ("case14", "case30", "case57", "case118", "case300")
    table("Every branch outage against pandapower", head, map(outages_of, names))


def powsybl() -> None:
    from test_against_pypowsybl import IEEE, OTHERS, built_in

    def rows() -> Iterable[Iterable[object]]:
        for name in (*IEEE, *OTHERS):
            imported = read_powsybl(built_in(name), reference=True)
            net, state = imported.network, imported.source_state
            assert state is not None
            flow = np.array([state.p_from_mw, state.q_from_mvar, state.p_to_mw, state.q_to_mvar], dtype=float)
            sol = ag.power_flow(net, tol_pu=1e-11)
            reference = net.gen.bus[net.gen.is_reference][0]
            angle = np.radians(state.v_ang_deg)
            peer = Peer(state.v_mag_pu, angle + sol.v_ang[0, reference] - angle[reference], flow)
            yield name, net.n_bus, net.n_branch, status(sol), *gaps(sol, 0, peer)

    table("Base cases against OpenLoadFlow (pypowsybl)", ("grid", "buses", "branches", "status", *GAPS), rows())


def equations() -> None:
    from test_against_matpower import Equations, frames

    def rows() -> Iterable[Iterable[object]]:
        for name in EQUATIONS:
            net, want = ag.load(f"matpower:{name}"), Equations(frames(name))
            sol = ag.power_flow(net, tol_pu=1e-9)
            v = np.nan_to_num(sol.v_mag[0]) * np.exp(1j * np.nan_to_num(sol.v_ang[0]))
            flow = sol.branch_flow()
            ours = (flow.p_from_mw + 1j * flow.q_from_mvar)[0][net.branch.in_service]
            gap = np.abs(ours - want.flow_mva(v)).max()
            own, theirs = sci(float(sol.mismatch_pu[0])), sci(want.mismatch_pu(v))
            yield name, net.n_bus, net.n_branch, status(sol), own, theirs, sci(float(gap))

    head = (
        "grid",
        "buses",
        "branches",
        "status",
        "our certificate, pu",
        "MATPOWER's mismatch, pu",
        "largest dflow, MVA",
    )
    table("Our solutions in MATPOWER's equations, from a second reading of the file", head, rows())


def large() -> None:
    def rows() -> Iterable[Iterable[object]]:
        for name in LARGE:
            begin = time.perf_counter()
            net = ag.load(f"matpower:{name}", cache=False)
            loaded = time.perf_counter()
            sol = ag.power_flow(net)
            solved = time.perf_counter()
            again = ag.power_flow(net, Scenarios(net, load_p_mw=net.load.p_mw * 1.001))
            end = time.perf_counter()
            turn = sol.v_ang[0] - np.radians(net.bus.v_ang_deg)
            turn -= 2 * np.pi * np.round(turn / (2 * np.pi))
            low, high = np.nanmin(sol.v_mag), np.nanmax(sol.v_mag)
            stored = f"{np.nanmax(np.abs(sol.v_mag[0] - net.bus.v_mag_pu)):.3f} pu, {np.nanmax(np.abs(turn)):.3f} rad"
            yield (
                name, net.n_bus, f"{loaded - begin:.1f} s", f"{solved - loaded:.2f} s", f"{end - solved:.2f} s",
                status(sol), status(again), sci(float(sol.mismatch_pu[0])), f"{low:.3f} to {high:.3f}", stored,
            )  # fmt: skip

    head = (
        "grid", "buses", "load", "first power flow", "next one", "status", "next", "mismatch, pu", "voltages, pu",
        "largest distance from the file's state",
    )  # fmt: skip
    ag.power_flow(ag.load("case9"))  # compile before timing
    table("Large grids from their case start", head, rows())


TABLES: dict[str, Callable[[], None]] = {
    "base": base, "outages": outages, "limits": limits, "powsybl": powsybl, "equations": equations, "large": large,
}  # fmt: skip


def main(names: list[str]) -> int:
    wrong = [n for n in names if n not in TABLES]
    if wrong:
        print(f"no table is called {', '.join(wrong)}; tables are {', '.join(TABLES)}", file=sys.stderr)
        return 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names or TABLES:
            TABLES[name]()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
