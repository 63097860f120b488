"""Remedial actions: what an operator may do after an outage, read and made ready to be solved in batch.

Every action becomes a set of outages, so that all of them share one pattern: a branch that an action closes is in service in the
working network and out in all other cases; a branch whose tap or phase shifter an action moves has a copy with the other
position, and the action exchanges the two. Redispatch and shunt steps are other rows of injections.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from aurigrid.errors import InputError, Issue, IssueList
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.select import Finder
from aurigrid.powerflow.positions import with_copies

Array = np.ndarray[Any, np.dtype[Any]]

_KEYS = ("name", "cost", "open", "close", "tap", "shunt", "gen")
_TABLES = {"open": "branch", "close": "branch", "tap": "branch", "shunt": "shunt", "gen": "gen"}


@dataclass(frozen=True)
class Action:
    """One action; elements are positions.

    Attributes:
        label: its name; cost: what it costs, currency, 0 where not said.
        opens, closes: branches switched; taps and shunts: steps by element, positive upwards; gens: MW by unit, positive more.
    """

    label: str
    cost: float
    opens: tuple[int, ...]
    closes: tuple[int, ...]
    taps: tuple[tuple[int, int], ...]
    shunts: tuple[tuple[int, float], ...]
    gens: tuple[tuple[int, float], ...]

    @property
    def size(self) -> float:
        """Switched branches and steps, plus a hundredth of the MW moved: for ranking what costs the same."""
        steps = sum(abs(s) for _, s in self.taps) + sum(abs(s) for _, s in self.shunts)
        return len(self.opens) + len(self.closes) + steps + 0.01 * sum(abs(p) for _, p in self.gens)


Given = str | PathLike[str] | Sequence[Mapping[str, Any]] | Sequence[Action]


def read_actions(net: Network, given: Given) -> tuple[Action, ...]:
    """Actions from a JSON file or from objects.

    Each is an object with ``name`` and moves: ``open`` and ``close`` (lists of branches), ``tap`` (object of branch: steps of its
    tap changer or phase shifter), ``shunt`` (object of shunt: steps), ``gen`` (object of unit: MW more), and if wished ``cost``.
    Elements are ids or names; numbers in a list are positions.

    Raises:
        InputError: an unreadable file, unknown elements or words, moves that the network cannot make; all at once.
    """
    issues = IssueList()
    entries = _entries(given)
    found = []
    for k, entry in enumerate(entries):
        if isinstance(entry, Action):
            found.append(entry)
        elif not isinstance(entry, Mapping):
            issues.add("actions", "", f"entry {k} is {type(entry).__name__}, not an object",
                       hint='give {"name": ..., "open": [...]}')  # fmt: skip
        else:
            found.append(_action(net, k, entry, issues))
    if not entries:
        issues.add("actions", "", "hold no action", hint='give at least one, such as {"name": "A", "open": ["L1"]}')
    labels = [a.label for a in found]
    twice = sorted({x for x in labels if labels.count(x) > 1})
    if twice:
        issues.add("actions", "name", "is used more than once", twice, "give each action its own name")
    issues.raise_if_any()
    return tuple(found)


def _entries(given: Given) -> Sequence[Any]:
    if not isinstance(given, (str, PathLike)):
        return list(given)
    path = Path(fspath(given))
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(Issue("actions", "", f"cannot be read: {error.strerror or error}", (str(path),))) from error
    except ValueError as error:
        raise InputError(Issue("actions", "", f"{path} is no JSON: {error}", hint="give a list of objects")) from error
    if isinstance(data, dict):
        data = data.get("actions")
    if not isinstance(data, list):
        raise InputError(Issue("actions", "", f"{path} holds no list", hint='give [...] or {"actions": [...]}'))
    return data


def _action(net: Network, k: int, entry: Mapping[str, Any], issues: IssueList) -> Action:
    label = str(entry.get("name", "")) or f"action {k}"
    where = f"{label!r}"
    odd = sorted(set(entry) - set(_KEYS))
    if odd:
        issues.add("actions", where, "has unknown words", odd, "use " + ", ".join(_KEYS))
    cost = entry.get("cost", 0.0)
    if isinstance(cost, bool) or not isinstance(cost, (int, float)) or not np.isfinite(cost):
        issues.add("actions", where, f"costs {cost!r}", hint="give a number")
        cost = 0.0
    moves: dict[str, list[tuple[int, float]]] = {}
    for word, table in _TABLES.items():
        value = entry.get(word, ())
        listed = word in ("open", "close")
        good = isinstance(value, (list, tuple)) if listed else isinstance(value, Mapping) or not value
        if not good:
            issues.add("actions", where, f"{word} is {type(value).__name__}",
                       hint=f"give {'a list' if listed else 'an object of element: amount'}")  # fmt: skip
            value = ()
        elements = list(value)
        unknown = IssueList()
        positions = Finder(net, table).resolve(elements, word, unknown)
        for issue in unknown.issues:
            issues.add("actions", f"{where} {word}", issue.message, issue.ids, issue.hint)
        if unknown.issues:
            positions = []
        amounts = [1.0] * len(positions) if listed else [value[e] for e in elements[: len(positions)]]
        bad = [
            e for e, a in zip(elements, amounts, strict=False) if isinstance(a, bool) or not isinstance(a, (int, float))
        ]
        if bad:
            issues.add("actions", where, f"moves {word} by what is no number", [str(e) for e in bad])
            continue
        moves[word] = list(zip(positions, [float(a) for a in amounts], strict=True))
    _check_moves(net, where, moves, issues)
    if not any(moves.values()) and not issues.issues:
        issues.add("actions", where, "moves nothing", hint="give open, close, tap, shunt or gen")
    return Action(
        label, float(cost), tuple(i for i, _ in moves.get("open", [])), tuple(i for i, _ in moves.get("close", [])),
        tuple((i, int(a)) for i, a in moves.get("tap", [])), tuple(moves.get("shunt", [])), tuple(moves.get("gen", [])),
    )  # fmt: skip


def _check_moves(net: Network, where: str, moves: Mapping[str, list[tuple[int, float]]], issues: IssueList) -> None:
    """Refuse moves that the network cannot make."""
    branch, shunt = net.branch, net.shunt
    for i, steps in moves.get("tap", []):
        step = abs(branch.tap_step_pu[i]) + abs(branch.tap_step_deg[i])
        end = branch.tap_pos[i] + steps
        if steps != int(steps) or not step > 0:
            issues.add("actions", where, "moves a tap that has no steps", [str(branch.id[i])],
                       "whole steps of a branch with tap_step_pu or tap_step_deg")  # fmt: skip
        elif not branch.tap_min[i] <= end <= branch.tap_max[i]:
            issues.add("actions", where, f"moves a tap to {end:g}", [str(branch.id[i])],
                       f"it has {branch.tap_min[i]} to {branch.tap_max[i]}, and is at {branch.tap_pos[i]}")  # fmt: skip
    for i, steps in moves.get("shunt", []):
        end = shunt.step[i] + steps
        if not 0 <= end <= shunt.step_max[i]:
            issues.add("actions", where, f"leaves a shunt with {end:g} steps", [str(shunt.id[i])],
                       f"it has 0 to {shunt.step_max[i]}, and is at {shunt.step[i]:g}")  # fmt: skip
    off = [str(net.gen.id[i]) for i, _ in moves.get("gen", []) if not net.gen.in_service[i]]
    if off:
        issues.add("actions", where, "redispatches units that are out of service", off)
    both = {i for i, _ in moves.get("open", [])} & {i for i, _ in moves.get("close", [])}
    if both:
        issues.add("actions", where, "opens and closes the same branch", [str(branch.id[i]) for i in sorted(both)])


@dataclass(frozen=True, eq=False)
class ActionSet:
    """Actions on a working network in which each of them is a set of outages.

    Attributes:
        actions: the actions; net: the working network, whose first branches are the given network's.
        original: (n_branch,) the given network's branch of each branch (a copy's own original).
        hidden: (h,) branches that are out unless an action uses them.
        out, back: by action, branches it takes out, and hidden ones (or outages of a scenario) that it uses.
        variant: (n_action,) row of injections that each action takes, 0 for those given; shunt_steps and gen_mw: (v, n_shunt)
            and (v, n_gen) changes of each row.
    """

    actions: tuple[Action, ...]
    net: Network
    original: Array
    hidden: Array
    out: tuple[tuple[int, ...], ...]
    back: tuple[tuple[int, ...], ...]
    variant: Array
    shunt_steps: Array
    gen_mw: Array

    @classmethod
    def of(cls, net: Network, given: Given) -> ActionSet:
        """Build the working network."""
        actions = read_actions(net, given)
        moved = sorted({move for a in actions for move in a.taps})
        closed = sorted({i for a in actions for i in a.closes if not net.branch.in_service[i]})
        n = net.n_branch
        source = np.array([i for i, _ in moved], np.int64)
        working = with_copies(net, source, np.array([s for _, s in moved], float), closed)
        copy = {move: n + k for k, move in enumerate(moved)}
        variants = [((), ()), *sorted({(a.shunts, a.gens) for a in actions} - {((), ())})]
        shunts, gens = np.zeros((len(variants), len(net.shunt))), np.zeros((len(variants), net.n_gen))
        for v, (by_shunt, by_gen) in enumerate(variants):
            for i, amount in by_shunt:
                shunts[v, i] += amount
            for i, amount in by_gen:
                gens[v, i] += amount
        return cls(
            actions, working, np.concatenate([np.arange(n), source]), np.array([*closed, *copy.values()], np.int32),
            tuple((*a.opens, *(i for i, _ in a.taps)) for a in actions),
            tuple((*a.closes, *(copy[move] for move in a.taps)) for a in actions),
            np.array([variants.index((a.shunts, a.gens)) for a in actions], np.int32), shunts, gens,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.actions)

    def rows(self, sc: Scenarios) -> Scenarios:
        """The scenarios on the working network with each row of injections in turn: n variants of each, variant by variant."""
        sc = sc.replace(net=self.net)
        if len(self.gen_mw) == 1:
            return sc
        parts = []
        for shunt, gen in zip(self.shunt_steps, self.gen_mw, strict=True):
            changes: dict[str, Array] = {}
            if gen.any():
                changes["gen_p_mw"] = sc.values("gen_p_mw") + gen
            if shunt.any():
                changes["shunt_step"] = sc.values("shunt_step") + shunt
            parts.append(sc.replace(**changes) if changes else sc)
        return Scenarios.concat(parts)

    def possible(self, sc: Scenarios) -> Array:
        """(n, n_action) whether the units have the room that each action's redispatch needs."""
        p, gen = sc.values("gen_p_mw"), self.net.gen
        out = np.ones((sc.n, len(self)), bool)
        for a, action in enumerate(self.actions):
            for i, change in action.gens:
                out[:, a] &= (p[:, i] + change <= gen.p_max_mw[i] + 1e-6) & (p[:, i] + change >= gen.p_min_mw[i] - 1e-6)
        return out
