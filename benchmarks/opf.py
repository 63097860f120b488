"""Batched AC optimal power flow against published objectives, pandapower's runopp and Ipopt.

    python benchmarks/opf.py truth --data FOLDER              objectives of PGLib-OPF cases against its BASELINE.md
    python benchmarks/opf.py bound --data FOLDER              lower bounds on their costs, from the optima's own multipliers
    python benchmarks/opf.py speed [CASE ...] --data FOLDER   64 scenarios, loads +-10 %, one core; Ipopt and runopp beside it
    python benchmarks/opf.py robust CASE --data FOLDER [--n 10000] [--check 200] [--least]
                                                              loads +-40 % in regions, N-2: labels, checked with Ipopt;
                                                              with --least the infeasible ones that break limits least
    python benchmarks/opf.py variants [CASE ...] --data FOLDER
                                                              heavier loads, tighter angle limits: labels and optima, by Ipopt
    python benchmarks/opf.py warm [CASE ...] --data FOLDER    iterations and time from a neighbour's point against a flat start

FOLDER holds pglib_opf_*.m of PGLib-OPF v23.07. Ipopt is the wheel ``ipyopt`` with its own linear solver and exact first and
second derivatives, on the same problem (angles and logarithms of magnitudes, unit outputs), from the same flat start, with
its default options at tol 1e-6; its time is the solver's, evaluation of NumPy functions included.
"""

from __future__ import annotations

import argparse
import re
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

FLOORS = {"case118_ieee": 400, "case300_ieee": 100, "case1354_pegase": 15, "case2869_pegase": 4}
LISTED = (
    "case5_pjm", "case14_ieee", "case30_ieee", "case39_epri", "case57_ieee", "case73_ieee_rts", "case118_ieee", "case300_ieee",
    "case500_goc", "case1354_pegase", "case2000_goc", "case2869_pegase",
)  # fmt: skip
SMALL = LISTED[:8]


class Ipopt:
    """The optimal power flow of one network for Ipopt; `solve` takes loads, availability of branches and a start."""

    def __init__(self, net: Any) -> None:
        base = net.base_mva
        n, self.base = net.n_bus, base
        use = np.flatnonzero(net.branch.in_service)
        t = net.branch.to_frame().iloc[use]
        y = 1 / (t.r_pu.to_numpy() + 1j * t.x_pu.to_numpy())
        tap = t.tap_ratio.to_numpy() * np.exp(1j * np.deg2rad(t.shift_deg.to_numpy()))
        self.branch, self.f, self.t = use, net.branch.from_bus[use], net.branch.to_bus[use]
        self.yff = (y + t.g_from_pu.to_numpy() + 1j * t.b_from_pu.to_numpy()) / np.abs(tap) ** 2
        self.yft, self.ytf = -y / np.conj(tap), -y / tap
        self.ytt = y + t.g_to_pu.to_numpy() + 1j * t.b_to_pu.to_numpy()
        self.rate = t.rate_mva.to_numpy() / base
        self.gen = np.flatnonzero(net.gen.in_service)
        g = self.gen
        self.net, self.n, self.m, self.k = net, n, len(use), len(g)
        self.gen_bus = net.gen.bus[g]
        self.shunt = np.zeros(n, complex)
        on = net.shunt.in_service
        np.add.at(self.shunt, net.shunt.bus[on], ((net.shunt.g_mw - 1j * net.shunt.b_mvar) * net.shunt.step)[on] / base)
        ref = int(net.gen.bus[np.flatnonzero(net.gen.is_reference & net.gen.in_service)[0]])
        angle = np.full(n, np.pi)
        angle[ref] = 0.0
        self.low = np.concatenate(
            [-angle, np.log(net.bus.v_min_pu), net.gen.p_min_mw[g] / base, net.gen.q_min_mvar[g] / base]
        )
        self.high = np.concatenate(
            [angle, np.log(net.bus.v_max_pu), net.gen.p_max_mw[g] / base, net.gen.q_max_mvar[g] / base]
        )
        self.limited = np.flatnonzero(np.isfinite(self.rate))
        f, to, m, lim = self.f, self.t, self.m, self.limited
        col = [f, to, n + f, n + to]
        rows = [np.concatenate([r] * 4) for r in (f, n + f, to, n + to)]
        flow = [np.concatenate([2 * n + s * len(lim) + np.arange(len(lim))] * 4) for s in (0, 1)]
        turn = 2 * n + 2 * len(lim) + np.arange(m)
        bus, unit = np.arange(n), np.arange(self.k)
        self.jac = (
            np.concatenate([*rows, *flow, turn, turn, bus, n + bus, self.gen_bus, n + self.gen_bus]),
            np.concatenate([*[np.concatenate(col)] * 4, *[np.concatenate([c[lim] for c in col])] * 2, f, to, n + bus, n + bus,
                            2 * n + unit, 2 * n + self.k + unit]),
        )  # fmt: skip
        pairs = [(a, b) for a in range(4) for b in range(a + 1)]
        hi = [np.maximum(col[a], col[b]) for a, b in pairs]
        lo = [np.minimum(col[a], col[b]) for a, b in pairs]
        self.hess = (np.concatenate([*hi, n + bus, 2 * n + unit]), np.concatenate([*lo, n + bus, 2 * n + unit]))
        self.pairs = pairs

    def _terms(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        v = np.exp(x[self.n : 2 * self.n])
        cross = v[self.f] * v[self.t] * np.exp(1j * (x[: self.n][self.f] - x[: self.n][self.t])) * self.on
        wi, wj = v[self.f] ** 2 * self.on, v[self.t] ** 2 * self.on
        return (
            np.conj(self.yft) * cross,
            np.conj(self.ytf) * np.conj(cross),
            np.conj(self.yff) * wi,
            np.conj(self.ytt) * wj,
        )

    def objective(self, x: np.ndarray) -> float:
        p = x[2 * self.n : 2 * self.n + self.k] * self.base
        g = self.net.gen
        return float(
            np.sum(g.cost_c0_per_h[self.gen] + g.cost_c1_per_mwh[self.gen] * p + g.cost_c2_per_mw2h[self.gen] * p**2)
        )

    def gradient(self, x: np.ndarray, out: np.ndarray) -> np.ndarray:
        out[:] = 0
        p, g = x[2 * self.n : 2 * self.n + self.k] * self.base, self.net.gen
        out[2 * self.n : 2 * self.n + self.k] = self.base * (
            g.cost_c1_per_mwh[self.gen] + 2 * g.cost_c2_per_mw2h[self.gen] * p
        )
        return out

    def constraints(self, x: np.ndarray, out: np.ndarray) -> np.ndarray:
        n, k, lim = self.n, self.k, self.limited
        a, b, c, d = self._terms(x)
        w = np.exp(2 * x[n : 2 * n])
        s = self.need + self.shunt * w
        np.add.at(s, self.f, a + c)
        np.add.at(s, self.t, b + d)
        np.subtract.at(s, self.gen_bus, x[2 * n : 2 * n + k] + 1j * x[2 * n + k :])
        out[:n], out[n : 2 * n] = s.real, s.imag
        out[2 * n : 2 * n + len(lim)] = np.abs((a + c)[lim]) ** 2
        out[2 * n + len(lim) : 2 * n + 2 * len(lim)] = np.abs((b + d)[lim]) ** 2
        out[2 * n + 2 * len(lim) :] = x[:n][self.f] - x[:n][self.t]
        return out

    def _slopes(self, x: np.ndarray) -> tuple[Any, ...]:
        """Both ends' powers and their derivatives by theta_f, theta_t, u_f, u_t."""
        a, b, c, d = self._terms(x)
        return a + c, b + d, (1j * a, -1j * a, a + 2 * c, a), (-1j * b, 1j * b, b, b + 2 * d)

    def jacobian(self, x: np.ndarray, out: np.ndarray) -> np.ndarray:
        n, lim, one = self.n, self.limited, np.ones(self.m)
        s, r, ds, dr = self._slopes(x)
        w = 2 * self.shunt * np.exp(2 * x[n : 2 * n])
        parts = [np.concatenate([z.real for z in ds]), np.concatenate([z.imag for z in ds])]
        parts += [np.concatenate([z.real for z in dr]), np.concatenate([z.imag for z in dr])]
        parts += [np.concatenate([2 * np.real(np.conj(p) * z)[lim] for z in dz]) for p, dz in ((s, ds), (r, dr))]
        parts += [one, -one, w.real, w.imag, -np.ones(self.k), -np.ones(self.k)]
        out[:] = np.concatenate(parts)
        return out

    def hessian(self, x: np.ndarray, lam: np.ndarray, weight: float, out: np.ndarray) -> np.ndarray:
        n, lim = self.n, self.limited
        a, b, c, d = self._terms(x)
        s, r, ds, dr = self._slopes(x)
        ls, lr = lam[self.f] + 1j * lam[n + self.f], lam[self.t] + 1j * lam[n + self.t]
        ms, mr = np.zeros(self.m), np.zeros(self.m)
        ms[lim], mr[lim] = lam[2 * n : 2 * n + len(lim)], lam[2 * n + len(lim) : 2 * n + 2 * len(lim)]
        ws, wr = np.conj(ls + 2 * ms * s), np.conj(lr + 2 * mr * r)
        # second derivatives of V_f conj(y V_t): the factors of the first ones once more
        fs, fr = (1j, -1j, 1, 1), (-1j, 1j, 1, 1)
        parts = []
        for p, q in self.pairs:
            value = np.real(ws * fs[p] * fs[q] * a + wr * fr[p] * fr[q] * b)
            value = value + 2 * ms * np.real(np.conj(ds[p]) * ds[q]) + 2 * mr * np.real(np.conj(dr[p]) * dr[q])
            if p == q == 2:
                value = value + 4 * np.real(ws * c)
            if p == q == 3:
                value = value + 4 * np.real(wr * d)
            parts.append(value)
        shunt = 4 * np.exp(2 * x[n : 2 * n]) * np.real(np.conj(lam[:n] + 1j * lam[n : 2 * n]) * self.shunt)
        cost = 2 * weight * self.net.gen.cost_c2_per_mw2h[self.gen] * self.base**2
        out[:] = np.concatenate([*parts, shunt, cost])
        return out

    def solve(self, p_mw: np.ndarray, q_mvar: np.ndarray, branch_out: list[int]) -> tuple[float, bool, float]:
        """Objective, whether Ipopt calls it solved, and seconds."""
        import ipyopt

        net, n = self.net, self.n
        on = net.load.in_service
        self.need = np.zeros(n, complex)
        np.add.at(self.need, net.load.bus[on], (p_mw + 1j * q_mvar)[on] / self.base)
        self.on = 1.0 - np.isin(self.branch, branch_out)
        lim = self.limited
        rate = self.rate[lim] ** 2
        hi, lo = np.deg2rad(net.branch.angle_max_deg[self.branch]), np.deg2rad(net.branch.angle_min_deg[self.branch])
        free = self.on == 0
        low = np.concatenate([np.zeros(2 * n), np.full(2 * len(lim), -1e19), np.where(free, -1e19, lo)])
        high = np.concatenate([np.zeros(2 * n), rate, rate, np.where(free, 1e19, hi)])
        problem = ipyopt.Problem(
            len(self.low), self.low, self.high, len(low), low, high, self.jac, self.hess, self.objective, self.gradient,
            self.constraints, self.jacobian, self.hessian,
            ipopt_options={"print_level": 0, "sb": "yes", "tol": 1e-6, "max_iter": 500},
        )  # fmt: skip
        x = 0.5 * (np.clip(self.low, -1e3, 1e3) + np.clip(self.high, -1e3, 1e3))
        x[: 2 * n] = 0.0
        begin = time.perf_counter()
        x, value, status = problem.solve(x)
        return float(value), status in (0, 1), time.perf_counter() - begin


def published(folder: Path) -> dict[str, float]:
    """Best AC objectives of the baseline table."""
    found: dict[str, float] = {}
    for line in (folder / "BASELINE.md").read_text().splitlines():
        match = re.match(r"\|\s*pglib_opf_(\S+)\s*\|\s*\d+\s*\|\s*\d+\s*\|\s*[\d.e+]+\s*\|\s*([\d.e+]+)", line)
        if match:
            found.setdefault(match.group(1), float(match.group(2)))
    return found


def load(folder: Path, case: str) -> Any:
    import aurigrid as ag

    return ag.load(str(folder / f"pglib_opf_{case}.m"))


def truth(folder: Path, cases: list[str]) -> None:
    import aurigrid as ag

    known = published(folder)
    print("| case | status | iterations | objective | published | relative | largest violation, pu | KKT |")
    print("|---|---|---|---|---|---|---|---|")
    for case in cases or LISTED:
        r = ag.optimal_power_flow(load(folder, case), threads=1)
        value, ref = float(r.objective[0]), known[case]
        print(
            f"| {case} | {ag.OpfStatus(int(r.status[0])).name.lower()} | {r.iterations[0]} | {value:.6g} | {ref:.6g} "
            f"| {(value - ref) / ref:+.1e} | {r.max_violation_pu[0]:.1e} | {r.kkt_residual[0]:.1e} |", flush=True,
        )  # fmt: skip


def bound(folder: Path, cases: list[str]) -> None:
    """How far the costs of optimal points can lie above the least: by the points' own multipliers, and by raised ones."""
    import aurigrid as ag
    from aurigrid.opf.ascent import relaxed_lower_bound
    from aurigrid.opf.bound import COMPLETIONS, opf_lower_bound

    print("| case | objective | bound, own multipliers | gap | proven by | ms | bound, raised | gap | proven by | s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in cases or SMALL:
        found = ag.optimal_power_flow(load(folder, case), threads=1)
        line = f"| {case} | {found.objective[0]:.6g} |"
        for prove, unit in ((opf_lower_bound, 1e3), (relaxed_lower_bound, 1.0)):
            begin = time.perf_counter()
            least = prove(found)
            took = (time.perf_counter() - begin) * unit
            gap, how = least.gap(found.objective)[0], COMPLETIONS[int(least.completion[0])]
            line += f" {least.value[0]:.6g} | {gap:.1e} | {how} | {took:.3g} |"
        print(line, flush=True)


def speed(folder: Path, cases: list[str], n: int) -> None:
    import pandapower
    import pandapower.networks

    import aurigrid as ag

    heads = "case, scenarios, ours OPF/s, floor, iterations, largest KKT, peer, peer s an OPF, ratio, ratio where optimal, apart"
    print("| " + " | ".join(heads.split(", ")) + " |")
    print("|" + "---|" * len(heads.split(", ")))
    for case in cases or list(FLOORS):
        net, rng = load(folder, case), np.random.default_rng(0)
        factor = rng.uniform(0.9, 1.1, (n, net.n_load))
        sc = ag.Scenarios(net, load_p_mw=net.load.p_mw * factor, load_q_mvar=net.load.q_mvar * factor)
        ag.optimal_power_flow(net, sc[:16], threads=1)
        seconds, r = _best(net, sc)
        good = r.status == ag.OpfStatus.OPTIMAL
        left = f"| {case} | {n} ({good.sum()} optimal) | {n / seconds:.0f} | {FLOORS.get(case, '')} | {r.iterations.mean():.0f} "
        left += f"| {np.nanmax(r.kkt_residual[good]):.0e} |"
        if net.n_bus <= 1354:
            # the scenarios are drawn alike, so the first ones stand for all, those without a feasible point included
            peer, rows = Ipopt(net), np.arange(min(n, 16 if net.n_bus <= 300 else 4))
            found = [peer.solve(sc.load_p_mw[s], sc.load_q_mvar[s], []) for s in rows]
            took = np.array([f[2] for f in found])
            apart = max(abs(f[0] - r.objective[s]) / f[0] for f, s in zip(found, rows, strict=True) if f[1] and good[s])
            where = _best(net, sc[np.flatnonzero(good)])[0] / good.sum()
            print(
                f"{left} Ipopt ({len(rows)} of them) | {took.mean():.3f} | {took.mean() * n / seconds:.0f} "
                f"| {took[good[rows]].mean() / where:.0f} | {apart:.0e} |", flush=True,
            )  # fmt: skip
        else:
            print(f"{left} | | | | |", flush=True)
        if case == "case118_ieee":
            grid = pandapower.networks.case118()
            begin = time.perf_counter()
            pandapower.runopp(grid, verbose=False)
            took = time.perf_counter() - begin
            print(f"{left} pandapower.runopp (its case118) | {took:.3f} | {took * n / seconds:.0f} | | |", flush=True)


def mutants(net: Any) -> list[Any]:
    """Networks near the end of what can be served: loads up to just beyond the largest factor of 1 to 2.5 that has an optimum,
    and angle limits from 0.9 down to 0.25 of the largest difference at the optimum."""
    import aurigrid as ag

    f = np.linspace(1.0, 2.5, 31)[:, None]
    sc = ag.Scenarios(net, load_p_mw=net.load.p_mw * f, load_q_mvar=net.load.q_mvar * f)
    served = np.flatnonzero(ag.optimal_power_flow(net, sc, threads=1).status == ag.OpfStatus.OPTIMAL)
    top = float(f[served.max(initial=0), 0])
    loads = [net.load.replace(p_mw=net.load.p_mw * k, q_mvar=net.load.q_mvar * k)
             for k in (0.5 + 0.5 * top, top, top + 0.02, top + 0.04)]  # fmt: skip
    v = ag.optimal_power_flow(net, threads=1).solution.v_ang[0]
    most = np.abs(np.rad2deg(np.angle(np.exp(1j * (v[net.branch.from_bus] - v[net.branch.to_bus]))))).max()
    one = np.ones(net.n_branch)
    tight = [net.branch.replace(angle_min_deg=-most * k * one, angle_max_deg=most * k * one)
             for k in (0.9, 0.7, 0.5, 0.35, 0.25)]  # fmt: skip
    return [net.replace(load=x) for x in loads] + [net.replace(branch=x) for x in tight]


def variants(folder: Path, cases: list[str]) -> None:
    """Mutated cases from a flat start with the same options, against Ipopt."""
    import aurigrid as ag

    print(
        "| case | mutants | both solve | apart | ours dearer by | both without a solution | ours alone | Ipopt alone |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for case in cases or LISTED[:7]:
        counts, apart, dearer = np.zeros((2, 2), int), 0.0, -np.inf
        nets = mutants(load(folder, case))
        for net in nets:
            r = ag.optimal_power_flow(net, threads=1)
            value, good, _ = Ipopt(net).solve(net.load.p_mw, net.load.q_mvar, [])
            mine = bool(r.status[0] == ag.OpfStatus.OPTIMAL)
            counts[int(mine), int(good)] += 1
            if mine and good:
                gap = (r.objective[0] - value) / value
                apart, dearer = max(apart, abs(gap)), max(dearer, gap)
        print(
            f"| {case} | {len(nets)} | {counts[1, 1]} | {apart:.0e} | {dearer:+.0e} | {counts[0, 0]} | {counts[1, 0]} "
            f"| {counts[0, 1]} |", flush=True,
        )  # fmt: skip


def warm(folder: Path, cases: list[str], n: int) -> None:
    """Scenarios that start from the optimum of the case itself, and from their own points before loads moved by 1 %."""
    import aurigrid as ag

    print("| case | start | loads | scenarios | iterations, flat | warm | s, flat | warm | apart |")
    print("|---|---|---|---|---|---|---|---|---|")
    for case in cases or list(FLOORS)[:3]:
        net, rng = load(folder, case), np.random.default_rng(0)

        def at(factor: np.ndarray, net: Any = net) -> Any:
            return ag.Scenarios(net, load_p_mw=net.load.p_mw * factor, load_q_mvar=net.load.q_mvar * factor)

        first = rng.uniform(0.9, 1.1, (n, net.n_load))
        moved = first * rng.uniform(0.99, 1.01, (n, net.n_load))
        own = ag.optimal_power_flow(net, at(first), threads=1)
        base = ag.optimal_power_flow(net, threads=1)
        for name, words, factor, start in (
            ("optimum of the case", "+-10 %", first, base), ("own point before", "+-1 % more", moved, own),
        ):  # fmt: skip
            begin = time.perf_counter()
            flat = ag.optimal_power_flow(net, at(factor), threads=1)
            middle = time.perf_counter()
            near = ag.optimal_power_flow(net, at(factor), threads=1, warm_start=start)
            end = time.perf_counter()
            both = (flat.status == 0) & (near.status == 0)
            apart = np.abs(near.objective / flat.objective - 1)[both].max()
            print(
                f"| {case} | {name} | {words} | {n} ({both.sum()} optimal) | {flat.iterations[both].mean():.1f} "
                f"| {near.iterations[both].mean():.1f} | {middle - begin:.2f} | {end - middle:.2f} | {apart:.0e} |", flush=True,
            )  # fmt: skip


def _best(net: Any, sc: Any) -> tuple[float, Any]:
    """Seconds of the fastest of three runs on one thread, and the result."""
    import aurigrid as ag

    seconds = np.inf
    for _ in range(3):
        begin = time.perf_counter()
        result = ag.optimal_power_flow(net, sc, threads=1)
        seconds = min(seconds, time.perf_counter() - begin)
    return seconds, result


def regions(net: Any, rng: np.random.Generator, count: int = 6) -> np.ndarray:
    """(n_bus,) region of each bus: the nearest of some random buses, in branches."""
    from scipy.sparse import coo_matrix, csgraph

    links = coo_matrix((np.ones(net.n_branch), (net.branch.from_bus, net.branch.to_bus)), (net.n_bus,) * 2)
    seeds = rng.choice(net.n_bus, count, replace=False)
    return csgraph.shortest_path(links + links.T, unweighted=True, indices=seeds).argmin(0)


def robust(folder: Path, case: str, n: int, check: int, least: bool) -> None:
    """Labels of random scenarios, some of which Ipopt is asked for, too.

    Args:
        check: how many Ipopt gets, those without an optimum here first; least: of those, the ones with the least violation.
    """
    import aurigrid as ag

    net, rng = load(folder, case), np.random.default_rng(1)
    factor = rng.uniform(0.6, 1.4, (n, 6))[:, regions(net, rng)[net.load.bus]]
    factor = factor * (1 + 0.05 * rng.standard_normal((n, net.n_load)))
    out = [rng.choice(net.n_branch, 2, replace=False).tolist() for _ in range(n)]
    sc = ag.Scenarios(net, load_p_mw=net.load.p_mw * factor, load_q_mvar=net.load.q_mvar * factor, branch_out=out)
    begin = time.perf_counter()
    r = ag.optimal_power_flow(net, sc)
    seconds = time.perf_counter() - begin
    names, counts = np.unique(r.status, return_counts=True)
    labels = ", ".join(f"{c} {ag.OpfStatus(int(s)).name.lower()}" for s, c in zip(names, counts, strict=True))
    print(f"{case}: {n} scenarios in {seconds:.1f} s ({n / seconds:.0f} a second): {labels}")
    peer, wrong, solved, apart = Ipopt(net), [], 0, 0.0
    whole = np.flatnonzero(r.solution.lost_load_mw + r.solution.lost_gen_mw == 0)
    refused = [s for s in whole if r.status[s] != ag.OpfStatus.OPTIMAL]
    # missing power, pu, and excess of other limits in their own units, pu, rad or shares of squared ratings
    missing = (r.slack_mw + r.slack_mvar) / 100 + r.excess.sum(1)
    words = "those without an optimum first"
    if least:
        refused.sort(key=lambda s: float(missing[s]))
        words = "those without an optimum and with the least violation first"
    rows = (refused + [s for s in whole if r.status[s] == ag.OpfStatus.OPTIMAL])[:check]
    most = max((float(missing[s]) for s in refused[:check]), default=0.0)
    for s in rows:
        value, good, _ = peer.solve(sc.load_p_mw[s], sc.load_q_mvar[s], out[s])
        if good and r.status[s] in (ag.OpfStatus.OPTIMAL,):
            solved += 1
            apart = max(apart, (r.objective[s] - value) / value)
        elif good and r.status[s] != ag.OpfStatus.FEASIBLE:
            wrong.append(int(s))
    print(
        f"{case}: {len(rows)} given to Ipopt, {words} ({min(len(refused), check)}, violation up to {most:.2g}): "
        f"{len(wrong)} that it solves are neither optimal nor feasible here {wrong[:10]}; where both solve ({solved}), ours is "
        f"dearer by {apart:.1e}"
    )


def main() -> None:
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["truth", "bound", "speed", "robust", "variants", "warm"])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n", type=int, default=0)
    parser.add_argument("--check", type=int, default=200)
    parser.add_argument("--least", action="store_true")
    args = parser.parse_args()
    if args.what == "truth":
        truth(args.data, args.cases)
    elif args.what == "bound":
        bound(args.data, args.cases)
    elif args.what == "speed":
        speed(args.data, args.cases, args.n or 64)
    elif args.what == "variants":
        variants(args.data, args.cases)
    elif args.what == "warm":
        warm(args.data, args.cases, args.n or 64)
    else:
        for case in args.cases or ["case118_ieee", "case300_ieee"]:
            robust(args.data, case, args.n or 10_000, args.check, args.least)


if __name__ == "__main__":
    main()
