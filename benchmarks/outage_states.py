"""What the exact states after single outages say of each node and branch, for ``benchmarks/graph.py``: drawn again and kept."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

Array = Any
TABLES = ("node", "at", "even", "odd", "wire")


def drawn(data: Any, which: Array) -> tuple[Any, Any]:
    """The operating points ``which`` of a data set, a shard of it, and their states before outages."""
    from aurigrid.learn.recipe import Recipe, draw
    from aurigrid.powerflow.api import solve_cases
    from aurigrid.powerflow.cases import Cases

    options = data.record["options"]
    if options["recipe"]["points"] == "profiles" or options["recipe"]["collapse"][1] > 0:
        raise SystemExit("operating points of profiles or moved towards collapse are not drawn again here")
    recipe = Recipe(**{k: tuple(v) if isinstance(v, list) else v for k, v in options["recipe"].items()})
    sc = draw(data.network(), recipe, options["seed"], which, 1).scenarios
    return sc, solve_cases(sc.net, Cases.of(sc), "newton", conditions(data).settings)


def states(data: Any, folder: Path) -> None:
    """Write what single outages say, one file an operating point; those that are there are kept."""
    from aurigrid.security.analysis import begin
    from aurigrid.security.pairs import part_of, single_states, states_alone

    cond, pairs = conditions(data), pairs_of(data)
    folder.mkdir(parents=True, exist_ok=True)
    for points in data.parts("scenarios"):  # a shard's points are searched together
        which = points["scenario"].to_numpy()
        used = np.flatnonzero(points["used"].to_numpy())
        if all((folder / f"{which[row]}.npz").exists() for row in used):
            continue
        sc, base = drawn(data, which)
        for row in used:
            single = single_states(sc.net, sc, np.array([row]), pairs.branch, cond.settings, begin(base))
            own = part_of(base, np.array([row]))
            alone = states_alone(sc.net, own, single, pairs.branch, cond.v_step_pu, cond.q_limits)
            told = described(own, single, alone, pairs.branch)
            np.savez(folder / f"{which[row]}.npz", moved=alone.moved, **told)


def of_pairs(data: Any) -> str:
    """What the rest costs, CPU time a pair, at the first operating point that is used."""
    from aurigrid.security.analysis import begin
    from aurigrid.security.limits import Limits
    from aurigrid.security.pairs import measures, single_states
    from aurigrid.security.suspects import Question

    cond, pairs = conditions(data), pairs_of(data)
    points = next(data.parts("scenarios"))
    row = int(np.flatnonzero(points["used"].to_numpy())[0])
    sc, base = drawn(data, points["scenario"].to_numpy())
    asked = Question(sc.net, sc, base, pairs, cond.settings, Limits(cond.v_step_pu), begin(base), None)
    seen = asked.seen(row, single_states(sc.net, sc, np.array([row]), pairs.branch, asked.how, asked.start))
    tasks = {
        "features": lambda: asked.told(seen),
        "those but of settling": lambda: measures(pairs, seen.alone, seen.estimated, 1),
        "exact power flows": lambda: asked.breaks(seen, seen.estimated),
    }
    told = []
    for name, task in tasks.items():
        best = np.inf
        for _ in range(3):
            begun = time.process_time()
            task()
            best = min(best, time.process_time() - begun)
        told.append(f"{name} {1e6 * best / len(seen.estimated):.1f}")
    return "us a pair: " + ", ".join(told)


def conditions(data: Any) -> Any:
    from aurigrid.learn.outcome import Conditions

    options = data.record["options"]
    return Conditions(options["q_limits"], options["slack"], options["v_step_pu"], threads=1)


def pairs_of(data: Any) -> Any:
    from aurigrid.learn.outcome import pair_list
    from aurigrid.powerflow.grid import compile_grid
    from aurigrid.security.pairs import PairList

    net = data.network()
    outages, solved = pair_list(net)
    return PairList.of(compile_grid(net, single_reference=conditions(data).slack == "distributed"), outages, solved)


def described(base: Any, single: Any, alone: Any, branch: Array) -> dict[str, Array]:
    """Nodes and branches before outages and after each single one; what is near a limit is looked at closely.

    Returns:
        float16 arrays. node: (n_node, n_single, 11) voltage change, room to both bands, distance past the nearer, angle change,
        reactive power: change, room to both limits, limit reached before and after; no supply. at: (n_node, 4) voltage and
        injections before outages, whether regulated. even: (n_branch, n_single, 6) loading, room to the rating, change of
        apparent power over the rating, whether the rating holds before and after, whether it is the branch that is out, no
        supply. odd: (n_branch, n_single, 4), which change sign with the direction: changes of P and Q, P, angle across. wire:
        (n_branch, 2) admittance, loading before outages.
    """
    node, at = _nodes(base, single, alone)
    grid, k = base.grid, single.n
    rate = np.sqrt(alone.inv[-1])
    even = np.zeros((k, len(rate), 6))
    even[:, :, 0] = alone.loading[:-1].clip(0, 5)
    even[:, :, 1] = np.arcsinh((1 - alone.loading[:-1]).clip(-5, 5) / 0.02)
    even[:, :, 2] = np.arcsinh(alone.size * rate / 0.03)
    even[:, :, 3] = (alone.inv[:-1] > 0) & (alone.inv[-1] > 0)
    even[np.arange(k), branch, 4] = 1
    even[:, :, 5] = alone.dead
    flow = 0.5 * (alone.base[:2] - alone.base[2:])
    moved = 0.5 * (alone.change[:, :2] - alone.change[:, 2:])
    a, b = np.nan_to_num(single.v[:, grid.from_node]), np.nan_to_num(single.v[:, grid.to_node])
    odd = [moved[:, 0] / 0.05, moved[:, 1] / 0.05, (flow[0] + moved[:, 0]) / 0.3, np.angle(a * np.conj(b)) / 0.05]
    wire = [np.log(np.hypot(grid.y_branch[:, 2], grid.y_branch[:, 3])), alone.loading[-1].clip(0, 5)]
    told = (node.transpose(1, 0, 2), at, even.transpose(1, 0, 2), np.arcsinh(odd).transpose(2, 1, 0), np.stack(wire, 1))
    return {name: np.ascontiguousarray(values, np.float16) for name, values in zip(TABLES, told, strict=True)}


def _nodes(base: Any, single: Any, alone: Any) -> tuple[Array, Array]:
    grid, net = base.grid, base.net
    if not np.array_equal(grid.node_of_bus, np.arange(net.n_bus)) or (grid.from_node < 0).any():
        raise SystemExit("grids with closed switches or branches out of service are not looked at here")
    k, n = single.n, grid.n_node
    looked = np.flatnonzero(~net.bus.is_star & net.bus.in_service & np.isfinite(base.v_mag[0]))
    v = alone.v_base + alone.v_change
    rooms = np.stack([v - alone.low[:-1], alone.high[:-1] - v, alone.past[:-1]], 2).clip(-0.3, 0.3)
    node, at = np.zeros((k, n, 11)), np.zeros((n, 4))
    node[:, looked, 0] = np.arcsinh(alone.v_change / 0.003)
    node[:, looked, 1:4] = np.arcsinh(rooms / 0.005)
    node[:, :, 4] = np.arcsinh(np.nan_to_num(np.angle(single.v * np.conj(base.v))) / 0.02)
    held = grid.pattern.order[grid.rows.kind != 0]
    if alone.q_change.shape[1]:
        q = alone.q_base + alone.q_change
        room = np.stack([alone.q_high - q, q - alone.q_low], 2).clip(0, 10)
        node[:, held, 5] = np.arcsinh(alone.q_change / 0.03)
        node[:, held, 6:8] = np.arcsinh(room / 0.03)
        node[:, held, 8], node[:, held, 9] = base.held[0], single.held
    node[:, :, 10] = ~np.isfinite(single.v)
    ends = [
        np.bincount(grid.from_node, alone.base[c], n) + np.bincount(grid.to_node, alone.base[c + 2], n) for c in (0, 1)
    ]
    at[:, 0] = np.nan_to_num(np.abs(base.v[0]) - 1) / 0.03
    at[:, 1:3] = np.arcsinh(np.stack(ends, 1) / 0.3)
    at[held, 3] = 1
    return node, at
