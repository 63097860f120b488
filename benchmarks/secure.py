"""Operating points that survive outages: speed, rounds and shares in batch, and full security-constrained problems by Ipopt.

    python benchmarks/secure.py speed [NAME ...] --data FOLDER     scenarios a second, one core: loads +-5 % at random, or
                                                                   of steps spread over the year (SimBench)
    python benchmarks/secure.py reference [CASE ...] --data FOLDER every outage state as variables, by Ipopt, against ours

FOLDER holds pglib_opf_*.m of PGLib-OPF v23.07. Names are case118_ieee, case300_ieee and SimBench codes. PGLib's files give one
rating thrice; short-term ratings are taken as ``--short`` times it. Voltage bands are widened by 0.05 pu after outages. SimBench
grids have no costs, and some units no limits: units cost by their place in the table, 10 to 60 a MWh, and are limited to 120 % of
their present output (50 MW at least), half of it reactive.

The reference stacks a copy of the network for each outage beside the base case into one problem of `benchmarks/opf.py`'s
Ipopt: units keep their power but for the shares of the balance, held voltages are those of the base case, branches keep their
short-term ratings; reactive limits hold before outages only, in ours too (``q_limits=False``).
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from opf import Ipopt

SPEED = ("case118_ieee", "case300_ieee", "1-EHV-mixed--0-no_sw")
V_MARGIN = 0.05


def network(name: str, folder: Path, short: float) -> Any:
    """A grid with short-term ratings."""
    import aurigrid as ag

    path = folder / f"pglib_opf_{name}.m"
    net = ag.load(str(path) if path.exists() else name)
    branch = net.branch.replace(rate_short_mva=short * net.branch.rate_mva)
    net = net.replace(branch=branch)
    if not (net.gen.cost_c1_per_mwh > 0).any():
        net = net.replace(gen=bounded(net.gen))
    return net


def bounded(gen: Any) -> Any:
    """Units with costs, and with limits around their present output where the source has none."""
    size = np.maximum(1.2 * np.abs(gen.p_mw), 50.0)
    p_max = np.where(np.isfinite(gen.p_max_mw), np.maximum(gen.p_max_mw, gen.p_mw), size)
    return gen.replace(
        cost_c1_per_mwh=np.linspace(10, 60, gen.p_mw.size), p_max_mw=p_max,
        p_min_mw=np.where(np.isfinite(gen.p_min_mw), np.minimum(gen.p_min_mw, gen.p_mw), np.where(gen.p_mw < 0, -size, 0.0)),
        q_max_mvar=np.where(np.isfinite(gen.q_max_mvar), gen.q_max_mvar, 0.5 * size),
        q_min_mvar=np.where(np.isfinite(gen.q_min_mvar), gen.q_min_mvar, -0.5 * size),
    )  # fmt: skip


def scenarios(net: Any, name: str, n: int) -> Any:
    """Loads at random, or those of steps spread over the year where a grid has profiles."""
    import aurigrid as ag

    profiles = ag.load_with_report(name).profiles if name.startswith("1-") else None
    if profiles is None:
        share = np.random.default_rng(0).uniform(0.95, 1.05, (n, net.n_load))
        return ag.Scenarios(net, load_p_mw=net.load.p_mw * share, load_q_mvar=net.load.q_mvar * share)
    at = profiles.scenarios(net, np.linspace(0, profiles.n_steps - 1, n).astype(int))
    return ag.Scenarios(net, load_p_mw=at.values("load_p_mw"), load_q_mvar=at.values("load_q_mvar"))


def speed(args: argparse.Namespace) -> None:
    import aurigrid as ag

    print(f"{args.n} scenarios, N-1 of all lines and transformers, one core")
    for name in args.names or SPEED:
        for short in args.short:
            net = network(name, args.data, short)
            sc = scenarios(net, name, args.n)
            ag.secure_operating_points(net, sc[:1], v_margin_pu=V_MARGIN, max_rounds=1, threads=1)
            begun = time.perf_counter()
            plain = ag.optimal_power_flow(net, sc, threads=1)
            of_opf = time.perf_counter() - begun
            begun = time.perf_counter()
            found = ag.secure_operating_points(net, sc, v_margin_pu=V_MARGIN, threads=1)
            seconds = time.perf_counter() - begun
            words = ", ".join(
                f"{np.sum(found.status == s)} {s.name.lower()}" for s in ag.SecureStatus if (found.status == s).any()
            )
            good = np.isin(found.status, (0, 1))
            cost = found.security_cost[good] / found.unsecured_objective[good]
            left = [len(np.unique(found.found.contingency[found.found.scenario == s])) for s in range(args.n)]
            hopeless = found.beyond_reach.sum(1)
            print(
                f"{name}, short-term {short:g}: {args.n / seconds:.1f} scenarios/s, {found.power_flows / seconds:.0f} power "
                f"flows/s (OPF alone {args.n / of_opf:.0f}/s, {np.sum(plain.status == 0)} optimal); {words}; "
                f"rounds {np.median(found.rounds):.0f} median, {found.rounds.max()} most; cuts {found.cuts.mean():.1f}; "
                f"cost of security {np.median(cost) if good.any() else np.nan:.3%} median; left {found.rest_mva.mean():.2f} MVA, "
                f"{found.rest_pu.mean():.5f} pu a scenario, after "
                f"{np.mean(left):.1f} outages, of which {hopeless.mean():.1f} are beyond reach (in {np.sum(hopeless > 0)} "
                f"scenarios); price of the rest {np.mean(found.rest_price):.4g}/h; "
                f"largest KKT residual {np.nanmax(found.points.kkt_residual):.1e}",
                flush=True,
            )


class Stacked(Ipopt):
    """The base case and a copy of the network for each outage, tied by units' power and held voltages."""

    def __init__(self, net: Any, outages: np.ndarray, alpha: np.ndarray) -> None:
        super().__init__(stack(net, outages))
        n0, k0, copies = net.n_bus, int(net.gen.in_service.sum()), len(outages)
        n, k = self.n, self.k
        ref = int(net.gen.bus[np.flatnonzero(net.gen.is_reference & net.gen.in_service)[0]])
        margin = V_MARGIN
        own = np.arange(n) < n0
        v_min, v_max = np.tile(net.bus.v_min_pu, copies + 1), np.tile(net.bus.v_max_pu, copies + 1)
        self.low[n : 2 * n] = np.log(np.where(own, v_min, v_min - margin))
        self.high[n : 2 * n] = np.log(np.where(own, v_max, v_max + margin))
        fixed = ref + n0 * np.arange(copies + 1)
        self.low[fixed], self.high[fixed] = 0.0, 0.0
        after = np.arange(2 * n, 2 * n + 2 * k).reshape(2, copies + 1, k0)[:, 1:].ravel()
        self.low[after], self.high[after] = -50.0, 50.0
        # ties: P of each copy's unit = P of the base + alpha delta; |V| at held nodes equal; delta is one variable a copy
        self.low, self.high = np.r_[self.low, np.full(copies, -10.0)], np.r_[self.high, np.full(copies, 10.0)]
        held = np.unique(net.gen.bus[net.gen.in_service & (net.gen.regulates | net.gen.is_reference)])
        unit, copy = np.tile(np.arange(k0), copies), np.repeat(np.arange(copies), k0)
        one = np.ones(len(unit))
        tie_p = np.arange(len(unit))
        tie_v = len(unit) + np.arange(copies * len(held))
        node, of = np.tile(held, copies), np.repeat(np.arange(copies), len(held))
        self.tie_row = np.r_[tie_p, tie_p, tie_p, tie_v, tie_v]
        self.tie_col = np.r_[
            2 * n + (copy + 1) * k0 + unit, 2 * n + unit, 2 * n + 2 * k + copy, n + (of + 1) * n0 + node, n + node
        ]
        self.tie_value = np.r_[one, -one, -alpha[unit], np.ones(len(node)), -np.ones(len(node))]
        self.n_tie, self.n_own = len(unit) + len(node), 2 * n + 2 * len(self.limited) + self.m
        self.jac = (np.r_[self.jac[0], self.n_own + self.tie_row], np.r_[self.jac[1], self.tie_col])

    def constraints(self, x: np.ndarray, out: np.ndarray) -> np.ndarray:
        super().constraints(x[: 2 * self.n + 2 * self.k], out[: self.n_own])
        out[self.n_own :] = np.bincount(self.tie_row, self.tie_value * x[self.tie_col], minlength=self.n_tie)
        return out

    def jacobian(self, x: np.ndarray, out: np.ndarray) -> np.ndarray:
        super().jacobian(x, out[: -len(self.tie_row)])
        out[-len(self.tie_row) :] = self.tie_value
        return out

    def solve_all(self, most_s: float) -> tuple[bool, float, float, str]:
        """Whether it converged within ``most_s`` seconds, the objective, seconds, and where it ended in words."""
        import ipyopt

        self.need = self.net_need()
        self.on = np.ones(self.m)
        lim = len(self.limited)
        rate = self.rate[self.limited] ** 2
        hi, lo = (
            np.deg2rad(self.net.branch.angle_max_deg[self.branch]),
            np.deg2rad(self.net.branch.angle_min_deg[self.branch]),
        )
        low = np.r_[np.zeros(2 * self.n), np.full(2 * lim, -1e20), lo, np.zeros(self.n_tie)]
        high = np.r_[np.zeros(2 * self.n), rate, rate, hi, np.zeros(self.n_tie)]
        begun, last = time.perf_counter(), [0.0] * 4

        def watched(_: int, step: int, value: float, primal: float, dual: float, *rest: Any) -> bool:
            last[:] = step, value, primal, dual
            return time.perf_counter() - begun < most_s

        problem = ipyopt.Problem(
            n=len(self.low), x_l=self.low, x_u=self.high, m=len(low), g_l=low, g_u=high, sparsity_indices_jac_g=self.jac,
            sparsity_indices_h=self.hess, eval_f=self.objective, eval_grad_f=self.gradient,
            eval_g=self.constraints, eval_jac_g=self.jacobian, eval_h=self.hessian, intermediate_callback=watched,
            ipopt_options={"print_level": 0, "sb": "yes", "tol": 1e-7, "max_iter": 500},
        )  # fmt: skip
        middle = np.clip(0.5 * (self.low + self.high), -1e3, 1e3)
        start = np.r_[np.zeros(2 * self.n), middle[2 * self.n :]]
        begun = time.perf_counter()
        _, value, status = problem.solve(np.clip(start, self.low, self.high))
        good, words = (
            status in (0, 1),
            "{:.0f} iterations, objective {:.4f}, infeasible by {:.1e}, dual {:.1e}".format(*last),
        )
        return good, value if good else np.nan, time.perf_counter() - begun, words

    def net_need(self) -> np.ndarray:
        need = np.zeros(self.n, complex)
        load = self.net.load
        np.add.at(need, load.bus, (load.p_mw + 1j * load.q_mvar) * load.in_service / self.base)
        return need


def stack(net: Any, outages: np.ndarray) -> Any:
    """A network of copies: the base case, then one a branch outage, with short-term ratings and without costs."""
    copies = len(outages) + 1
    tables = {}
    for name in ("bus", "branch", "gen", "load", "shunt"):
        table = getattr(net, name)
        columns = {}
        for key, values in table.items():
            parts = [values] * copies
            if key in ("bus", "from_bus", "to_bus"):
                parts = [values + c * net.n_bus for c in range(copies)]
            elif key == "id":
                parts = [np.array([f"{c}:{i}" for i in values], dtype=object) for c in range(copies)]
            elif name == "gen" and (key.startswith("cost") or key == "is_reference"):
                parts = [values] + [np.zeros_like(values)] * (copies - 1)
            elif key == "rate_mva":
                parts = [values] + [net.branch.rate_short_mva] * (copies - 1)
            elif key.startswith("angle_m"):
                parts = [values] + [np.full_like(values, -360.0 if "min" in key else 360.0)] * (copies - 1)
            elif name == "branch" and key == "in_service":
                parts = [values]
                for out in outages:
                    service = values.copy()
                    service[out] = False
                    parts.append(service)
            columns[key] = np.concatenate(parts)
        tables[name] = type(table).make(copies * len(table), **columns)
    return net.replace(**tables)


def reference(args: argparse.Namespace) -> None:
    import aurigrid as ag
    from aurigrid.powerflow.grid import compile_grid
    from aurigrid.powerflow.injections import participation
    from aurigrid.powerflow.supply import splits_after

    for name in args.names or ("case14_ieee", "case30_ieee"):
        for short in args.short:
            net = network(name, args.data, short)
            grid = compile_grid(net, single_reference=True)
            lines = np.flatnonzero(net.branch.in_service & ~splits_after(grid, np.array([-1]))[0])
            how = {
                "contingencies": net.branch.id[lines].tolist(),
                "v_margin_pu": V_MARGIN,
                "q_limits": False,
                "threads": 1,
            }
            asked: list[tuple[str, Any]] = [("", None)]
            if args.at:
                sc = scenarios(net, name, args.n)
                ag.secure_operating_points(net, sc[:2], **how)
                begun = time.perf_counter()
                ag.secure_operating_points(net, sc, **how)
                each = 1e3 * (time.perf_counter() - begun) / args.n
                print(
                    f"{name}, short-term {short:g}: ours {each:.1f} ms a scenario, {args.n} at once, one core",
                    flush=True,
                )
                asked = [(f", scenario {k}", sc[k : k + 1]) for k in args.at]
            for label, one in asked:
                found = ag.secure_operating_points(net, one, **how)
                # outages that have no solution at all would make the whole problem infeasible
                solved = np.isin(found.outage_status[0], (0,))
                weight = participation(grid)[net.gen.in_service]
                own = net if one is None else served(net, one)
                full = Stacked(own, lines[solved], weight / weight.sum())
                good, value, seconds, words = full.solve_all(args.most)
                ours = found.objective[0]
                gap = (ours - value) / value if good else np.nan
                print(
                    f"{name}, short-term {short:g}{label}, {solved.sum()} of {len(lines)} outages ({len(full.low):,} "
                    f"variables): Ipopt {'solved' if good else 'ended without a solution'} {value:.4f} in {seconds:.2f} s "
                    f"({words}); ours {found.status_of(0).name.lower()} {ours:.4f} ({gap:+.2e}), without security "
                    f"{found.unsecured_objective[0]:.4f}; {found.rounds[0]} rounds, left {found.rest_mva[0]:.3g} MVA, "
                    f"{found.rest_pu[0]:.2g} pu",
                    flush=True,
                )


def served(net: Any, one: Any) -> Any:
    """The network with the loads of one scenario."""
    return net.replace(load=net.load.replace(p_mw=one.load_p_mw[0], q_mvar=one.load_q_mvar[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "reference"))
    parser.add_argument("names", nargs="*")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--n", type=int, default=64)
    parser.add_argument(
        "--at", type=int, nargs="+", help="reference: of scenarios by number, of --n at random, not of the case"
    )
    parser.add_argument("--most", type=float, default=np.inf, help="reference: seconds after which Ipopt is stopped")
    parser.add_argument("--short", type=float, nargs="+", default=[1.2])
    args = parser.parse_args()
    warnings.filterwarnings("ignore")
    {"speed": speed, "reference": reference}[args.what](args)


if __name__ == "__main__":
    main()
