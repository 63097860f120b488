"""Power flows in which tap changers and switched shunts step until the voltages that they hold are within their deadbands.

Tap changers with a ``regulated_bus`` hold it at ``regulated_v_pu``; one moves where the voltage is off by more than
``deadband_steps`` times what a step changes. Shunts with ``step_max`` keep their own bus between ``v_min_pu`` and
``v_max_pu``. What a step of each control does to each of these voltages is found by as many power flows of the network. In
rounds, the controls of a scenario that are off move together by the least squares that bring their voltages back (parallel
transformers share what is needed), to whole positions within their range; a scenario whose positions come back ends with those
that were off least.

Positions differ by scenario while all scenarios share one network: it has a copy of a branch at each position that any scenario
takes, and each scenario has all but one of them out of service.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow.api import check_options, solve_cases
from aurigrid.powerflow.cases import Cases
from aurigrid.powerflow.grid import compile_grid
from aurigrid.powerflow.moves import Move, moves_of
from aurigrid.powerflow.newton import Settings
from aurigrid.powerflow.positions import at_positions, with_copies
from aurigrid.powerflow.problem import Start
from aurigrid.powerflow.solution import Solution

Array = np.ndarray[Any, np.dtype[Any]]

STEPPING = ("taps", "shunts")
"""Controls that may step."""
_LEAST = 1e-5
"""Change of the held voltage by a step, pu, below which a control cannot hold it: the bus is held by others, or far off."""
_FAR = 4
"""Steps that a control moves in a round, at most: what a step does is only known near the start."""


@dataclass(frozen=True, eq=False)
class SteppedPowerFlow:
    """Power flows after their controls have stepped.

    Attributes:
        scenarios: the scenarios with the steps of shunts that they ended with; given: as they were given.
        tap_position: (n, n_branch) positions of taps.
        solution: the power flows, on a network with copies of branches: see `of_branches`.
        settled: (n,) bool, every control is within its deadband or at the end of its range.
        rounds: (n,) int, rounds in which controls moved.
        original: (m,) branch of the network that each branch of ``solution`` is or is a copy of.
    """

    scenarios: Scenarios
    given: Scenarios
    tap_position: Array
    solution: Solution
    settled: Array
    rounds: Array
    original: Array

    @property
    def n(self) -> int:
        return len(self.settled)

    @property
    def moves(self) -> list[Move]:
        """Every control that is not where its scenario has it, in words by ``text``."""
        return moves_of(self.given.net, self.given, self.tap_position, self.scenarios.values("shunt_step"))

    def of_branches(self, values: Array) -> Array:
        """(n, m) values of ``solution``'s branches to (n, n_branch): those of the copy in service."""
        out = np.zeros((self.n, self.given.net.n_branch), values.dtype)
        np.add.at(out.T, self.original, np.where(self._in_use, values, 0).T)
        return out

    @property
    def _in_use(self) -> Array:
        net = self.given.net
        copy = np.arange(len(self.original)) >= net.n_branch
        position = self.solution.net.branch.tap_pos
        use = self.tap_position[:, self.original] == position
        same = use & ~copy
        taken = np.zeros((self.n, net.n_branch), bool)
        np.logical_or.at(taken.T, self.original, same.T)
        both: Array = np.where(copy, use & ~taken[:, self.original], use)
        return both

    def network(self, scenario: int) -> Network:
        """The network with the taps and shunts of one scenario; injections and outages stay the network's own."""
        net = at_positions(self.given.net, self.tap_position[scenario])
        return net.replace(shunt=net.shunt.replace(step=np.array(self.scenarios.values("shunt_step")[scenario])))

    def __repr__(self) -> str:
        return (
            f"SteppedPowerFlow({self.n} of {self.given.net.name!r}: {int(self.solution.converged.sum())} solved, "
            f"{int(self.settled.sum())} settled, {len(self.moves)} moves)"
        )


def stepped_power_flow(
    net: Network,
    scenarios: Scenarios | None = None,
    *,
    controls: Iterable[str] = STEPPING,
    deadband_steps: float = 0.6,
    max_rounds: int = 20,
    tol_pu: float = 1e-8,
    max_iterations: int = 20,
    q_limits: bool = False,
    slack: str = "reference",
    threads: int | None = None,
) -> SteppedPowerFlow:
    """Solve power flows whose tap changers and switched shunts step to hold voltages.

    Args:
        net, scenarios: as for `power_flow`.
        controls: what steps, from ``"taps"`` (branches with ``regulated_bus`` and ``tap_step_pu``) and ``"shunts"`` (with
            ``step_max``, which keep their bus within ``v_min_pu`` and ``v_max_pu``).
        deadband_steps: how far a held voltage may be from its target, in steps of its tap; above 0.5, else taps hunt.
        max_rounds: power flows after which a scenario is left as it is.
        tol_pu, max_iterations, q_limits, slack, threads: as for `power_flow`.

    Returns:
        n results; a scenario whose power flow fails keeps the last positions that had a solution and is not settled.

    Raises:
        InputError: as `power_flow`; unknown controls, a deadband of 0.5 or less.
    """
    sc = scenarios if scenarios is not None else Scenarios.base(net)
    kinds = {controls} if isinstance(controls, str) else set(controls)
    check_options(net, sc, "newton", tol_pu, max_iterations, slack, threads)
    issues = IssueList()
    for name in sorted(kinds - set(STEPPING)):
        issues.add("stepped_power_flow", "controls", f"names {name!r}", hint="choose from " + ", ".join(STEPPING))
    if not deadband_steps > 0.5:
        issues.add("stepped_power_flow", "deadband_steps", f"is {deadband_steps}", hint="give more than 0.5")
    if max_rounds < 1:
        issues.add("stepped_power_flow", "max_rounds", f"is {max_rounds}", hint="give at least 1")
    issues.raise_if_any()
    how = Settings(tol_pu, max_iterations, q_limits, slack == "distributed", threads)
    return _Search(sc, how, kinds, deadband_steps).run(max_rounds)


class _Search:
    """One call's scenarios and controls: c controls, taps before shunts; positions are (n, c)."""

    def __init__(self, sc: Scenarios, how: Settings, kinds: set[str], deadband: float) -> None:
        net = self.net = sc.net
        self.sc, self.how = sc, how
        t, s = net.branch, net.shunt
        steps = t.in_service & (t.regulated_bus >= 0) & (t.tap_step_pu != 0) & (t.tap_max > t.tap_min)
        live = s.in_service & (s.step_max > 0) & (s.b_mvar != 0)
        self.tap = np.flatnonzero(steps) if "taps" in kinds else np.zeros(0, np.int64)
        self.shunt = np.flatnonzero(live) if "shunts" in kinds else np.zeros(0, np.int64)
        self.bus = np.concatenate([t.regulated_bus[self.tap], s.bus[self.shunt]]).astype(np.int64)
        self.low = np.concatenate([t.tap_min[self.tap], np.zeros(len(self.shunt))])
        self.high = np.concatenate([t.tap_max[self.tap], s.step_max[self.shunt]])
        self.effect = self._effects()
        own = np.abs(np.diagonal(self.effect))
        # a tap whose branch is out does nothing
        gone = np.zeros((sc.n, net.n_branch), bool)
        for k in range(sc.n):
            gone[k, sc.branch_out[k]] = True
        self.able = (own > _LEAST) & ~np.hstack([gone[:, self.tap], np.zeros((sc.n, len(self.shunt)), bool)])
        v_set, half = t.regulated_v_pu[self.tap], deadband * own[: len(self.tap)]
        b = net.bus
        self.v_low = np.concatenate([v_set - half, b.v_min_pu[s.bus[self.shunt]]])
        self.v_high = np.concatenate([v_set + half, b.v_max_pu[s.bus[self.shunt]]])
        # taps aim at the middle of their deadband, shunts at the edge that is passed
        self.aim = np.concatenate([v_set, np.full(len(self.shunt), np.nan)])

    def _starts(self) -> Array:
        """(n, c) positions that the scenarios have."""
        taps = np.broadcast_to(self.net.branch.tap_pos[self.tap].astype(float), (self.sc.n, len(self.tap)))
        return np.hstack([taps, self.sc.values("shunt_step")[:, self.shunt]])

    def _effects(self) -> Array:
        """(c, c) change of the voltage that each control (row) holds by a step of each control (column), pu."""
        c = len(self.bus)
        base = Scenarios.base(self.net)
        at = np.hstack([self.net.branch.tap_pos[self.tap], self.net.shunt.step[self.shunt]]).astype(float)
        way = np.where(at + 1 <= self.high, 1.0, -1.0)
        moved = np.vstack([at, at + np.diag(way)]) if c else at[None]
        done, _ = self._solve(base.take(np.zeros(c + 1, np.int64)), moved, None)
        v = done.v_mag[:, self.bus]
        change: Array = np.nan_to_num((v[1:] - v[:1]) * way[:, None]).T
        return change

    def _solve(self, sc: Scenarios, position: Array, v: Array | None) -> tuple[Solution, Array]:
        """Power flows at positions (n, c), from voltages (n, n_node) where given; the branches' originals."""
        t, n = self.net.branch, sc.n
        taps = position[:, : len(self.tap)]
        moved = taps - t.tap_pos[self.tap]
        used = sorted({(int(k), float(d)) for row in moved for k, d in zip(self.tap, row, strict=True) if d != 0})
        source = np.array([k for k, _ in used], np.int64)
        working = with_copies(self.net, source, np.array([d for _, d in used]))
        place = {pair: self.net.n_branch + x for x, pair in enumerate(used)}
        out = []
        for s in range(n):
            gone = set(sc.branch_out[s])
            keep = set()
            for k, d in zip(self.tap.tolist(), moved[s].tolist(), strict=True):
                if d != 0 and k not in gone:
                    keep.add(place[k, d])
                    gone.add(k)
            out.append(sorted(gone | (set(place.values()) - keep)))
        steps = sc.values("shunt_step").copy()
        steps[:, self.shunt] = position[:, len(self.tap) :]
        # scenarios' outages are of the given network; the copies are behind its branches
        whole = sc.replace(net=working, branch_out=out, **({"shunt_step": steps} if len(self.shunt) else {}))
        grid = compile_grid(working, single_reference=self.how.distributed)
        if v is None:
            v = solve_cases(self.net, Cases.of(sc), "newton", self.how).v
        start = Start.at(grid, np.where(np.isfinite(v), v, 1.0))
        done = solve_cases(working, Cases.of(whole), "newton", self.how, start, np.arange(n, dtype=np.int32))
        return done, np.concatenate([np.arange(self.net.n_branch), source])

    def _off(self, v: Array, position: Array) -> tuple[Array, Array]:
        """(n, c) what each held voltage lacks, pu, 0 within the deadband; whether its control can still do something."""
        aim = np.where(np.isnan(self.aim), np.clip(v, self.v_low, self.v_high), self.aim)
        lack = np.where((v < self.v_low - 1e-9) | (v > self.v_high + 1e-9), aim - v, 0.0)
        lack = np.where(np.isfinite(lack) & self.able, lack, 0.0)
        own = np.diagonal(self.effect)
        up = np.sign(lack) * np.sign(own)
        room = np.where(up > 0, position < self.high, position > self.low)
        return lack, room & (lack != 0)

    def _next(self, lack: Array, may: Array, position: Array) -> Array:
        """Positions of one scenario's next round, (c,)."""
        some = np.flatnonzero(may)
        effect = self.effect[np.ix_(some, some)]
        move = np.clip(np.rint(np.linalg.lstsq(effect, lack[some], rcond=1e-6)[0]), -_FAR, _FAR)
        after = position.copy()
        after[some] = np.clip(position[some] + move, self.low[some], self.high[some])
        if (after == position).all():
            own = np.diagonal(self.effect)[some]
            worst = int(np.argmax(np.abs(lack[some] / own)))
            after[some[worst]] += np.sign(lack[some[worst]] * own[worst])
        return after

    def run(self, max_rounds: int) -> SteppedPowerFlow:
        n = self.sc.n
        position = self._starts()
        done, original = self._solve(self.sc, position, None)
        best, best_off = position.copy(), np.full(n, np.inf)
        seen: list[set[bytes]] = [set() for _ in range(n)]
        rounds, settled, going = np.zeros(n, np.int64), np.zeros(n, bool), np.ones(n, bool)
        own = np.maximum(np.abs(np.diagonal(self.effect)), _LEAST)
        for turn in range(max_rounds + 1):
            lack, may = self._off(done.v_mag[:, self.bus], position)
            off = np.where(may, np.abs(lack) / own, 0.0).max(1, initial=0.0)
            off[~done.converged] = np.inf
            better = going & (off < best_off)
            best[better], best_off[better] = position[better], off[better]
            settled |= going & (off == 0)
            going &= (off > 0) & np.isfinite(off)
            if turn == max_rounds or not going.any():
                break
            for s in np.flatnonzero(going).tolist():
                seen[s].add(position[s].tobytes())
                after = self._next(lack[s], may[s], position[s])
                if after.tobytes() in seen[s]:
                    going[s] = False
                else:
                    position[s] = after
                    rounds[s] += 1
            if going.any():
                done, original = self._solve(self.sc, position, done.v)
        if not np.array_equal(best, position):
            done, original = self._solve(self.sc, best, None)
        taps = np.repeat(self.net.branch.tap_pos[None].astype(float), n, 0)
        taps[:, self.tap] = best[:, : len(self.tap)]
        steps = self.sc.values("shunt_step").copy()
        steps[:, self.shunt] = best[:, len(self.tap) :]
        ended = self.sc.replace(shunt_step=steps) if len(self.shunt) else self.sc
        return SteppedPowerFlow(ended, self.sc, taps, done, settled, rounds, original)
