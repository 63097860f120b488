"""Similar situations: the stored states nearest to a given one, why they are near, what came next and what was done.

The distance of two states is the root mean square, over groups of features (`aurigrid.store.measures`), of the root mean
square of the differences in a group, each over the scale of its feature::

    d(x, y)^2 = 1/G sum_g 1/n_g sum_{i in g} ((x_i - y_i) / scale_i)^2  =  sum_i c_i

so 1 means that the groups differ by one scale on average, and ``c_i`` is what a feature contributes. A feature makes a state
near as far as it differs less than usual: its gain is the mean of ``c_i`` over all solved states, less that of the state.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from aurigrid.errors import InputError, Issue
from aurigrid.model.table import Array
from aurigrid.store.features import Features, ensure_features
from aurigrid.store.measures import Feature
from aurigrid.store.nearest import NearestIndex
from aurigrid.store.query import Run, open_run

NEXT_HOUR = np.timedelta64(1, "h")
_TRAITS = 3
_MOST_OPEN = 16
"""Of more runs, the databases are closed after each condition."""

Source = Run | str | os.PathLike[str]


@dataclass(frozen=True)
class Trait:
    """A feature of a neighbour beside that of the state asked about.

    Attributes:
        name, group, unit: of the feature.
        value, asked: the neighbour's value and that of the state asked about, in the unit.
        share: contribution to the squared distance, 0..1.
        gain: how much less it contributes than on average over all solved states; see the module.
    """

    name: str
    group: str
    unit: str
    value: float
    asked: float
    share: float
    gain: float

    @property
    def words(self) -> str:
        """The trait in words, such as ``wind, north 2,140 MW (asked 2,010)``."""
        if self.unit:
            digits = 3 if self.unit == "pu" else 0
            return f"{self.name} {self.value:,.{digits}f} {self.unit} (asked {self.asked:,.{digits}f})"
        if "limits broken" in self.name:
            return f"{self.name} {self.value:.0f} (asked {self.asked:.0f})"
        return f"{self.name} {100 * self.value:.0f} % (asked {100 * self.asked:.0f} %)"


@dataclass(frozen=True)
class Neighbour:
    """A stored state that is near.

    Attributes:
        run: path of its run; step, time: which state, time as ISO text.
        distance: from the state asked about; see the module.
        different: features that contribute most to the distance; alike: of the others those that make it near, the largest
            gain first.
        after: what the following hour brought, see `_after`; None where the run holds none of it.
        done: curtailment, redispatch and their reasons at that step, each with the ``table`` it is from; empty where the run
            stores none.
        branches_out: ids of branches that carried nothing.
    """

    run: str
    step: int
    time: str
    distance: float
    alike: tuple[Trait, ...]
    different: tuple[Trait, ...]
    after: dict[str, Any] | None
    done: tuple[dict[str, Any], ...]
    branches_out: tuple[str, ...]


@dataclass(frozen=True)
class Similar:
    """The answer to a search.

    Attributes:
        run, step, time: the state asked about; None for a vector.
        searched: states that were searched; unsolved: those passed over because their base state has no solution.
        features: features compared; left_out: those of the first run that another run does not have.
        neighbours: nearest first.
    """

    run: str | None
    step: int | None
    time: str | None
    searched: int
    unsolved: int
    features: int
    left_out: tuple[str, ...]
    neighbours: tuple[Neighbour, ...]

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain data; traits with their words."""
        rows = []
        for near in self.neighbours:
            traits = {k: [{**t.__dict__, "words": t.words} for t in getattr(near, k)] for k in ("alike", "different")}
            rows.append({**near.__dict__, **traits})
        return {**self.__dict__, "neighbours": rows}


class Situations:
    """The states of some runs, prepared for searches.

    Args:
        runs: runs or their folders; features and scales are those of the first one. Features that another run does not
            have are left out.

    Raises:
        InputError: a folder that is no run, damaged files, or runs without common features.
    """

    def __init__(self, runs: Iterable[Source]) -> None:
        self.runs = tuple(run if isinstance(run, Run) else open_run(run) for run in runs)
        if not self.runs:
            raise InputError(Issue("similar", "runs", "are missing", hint="give at least one run folder"))
        found = [ensure_features(run) for run in self.runs]
        common = set.intersection(*(set(f.names) for f in found))
        self.features: tuple[Feature, ...] = tuple(f for f in found[0].features if f.name in common)
        self.left_out: tuple[str, ...] = tuple(name for name in found[0].names if name not in common)
        if not self.features:
            paths = [str(run.path) for run in self.runs]
            hint = "search runs of one grid together"
            raise InputError(Issue("similar", "runs", "have no feature in common", ids=tuple(paths), hint=hint))
        self.value = np.concatenate([_columns(f, self.features) for f in found])
        self.run = np.repeat(np.arange(len(found)), [len(f.step) for f in found])
        self.step = np.concatenate([f.step for f in found])
        self.time = np.concatenate([f.time for f in found])
        self._read: dict[int, dict[int, dict[str, Any]]] = {}
        self.branches_out = [out for f in found for out in f.branches_out]
        self.solved = np.isfinite(self.value).all(axis=1)
        size = Counter(f.group for f in self.features)
        self.factor = np.array([1 / (f.scale * np.sqrt(size[f.group] * len(size))) for f in self.features])

    @cached_property
    def _index(self) -> tuple[Array, NearestIndex]:
        rows = np.flatnonzero(self.solved)
        return rows, NearestIndex(self.value[rows] * self.factor)

    @cached_property
    def _moments(self) -> tuple[Array, Array]:
        """Mean and variance of each feature over the solved states."""
        solved = self.value[self.solved]
        return solved.mean(axis=0), solved.var(axis=0)

    def row(self, step: int) -> int:
        """The row of a step of the first run.

        Raises:
            InputError: the run has no such finished step.
        """
        rows = np.flatnonzero((self.run == 0) & (self.step == step))
        if len(rows):
            return int(rows[0])
        have = self.runs[0].steps
        hint = f"finished steps are {have[0]} to {have[-1]}" if have else "the run has no finished step yet"
        raise InputError(Issue(str(self.runs[0].path), "step", f"has no finished step {step}", hint=hint))

    def where(self, condition: str) -> Array:
        """(n,) bool, states that satisfy an SQL condition, see `Run.steps_where`."""
        chosen = []
        for i, run in enumerate(self.runs):
            chosen.append(np.isin(self.step[self.run == i], run.steps_where(condition)))
            if len(self.runs) > _MOST_OPEN:
                run.release()
        return np.concatenate(chosen)

    def nearest(self, asked: Array, k: int, among: Array) -> tuple[Array, Array]:
        """Rows and distances of the k solved states nearest to a vector in physical units, among some."""
        rows, index = self._index
        found, distance = index.nearest(asked * self.factor, k, among[rows])
        return rows[found], distance

    def search(
        self,
        step: int | None = None,
        *,
        vector: Sequence[float] | Array | None = None,
        k: int = 20,
        where: str | None = None,
        past: bool = True,
    ) -> Similar:
        """The nearest states; arguments, result and errors as in `similar`."""
        if k < 1:
            raise InputError(Issue("similar", "k", f"must be at least 1, is {k}"))
        if (step is None) == (vector is None):
            raise InputError(Issue("similar", "", "takes either a step or a vector", hint="give one of them"))
        row = None if step is None else self.row(step)
        asked = self._asked(row, vector)
        among = np.ones(len(self.step), bool) if where is None else self.where(where)
        if row is not None:
            among[row] = False
            if past:
                among &= self.time + NEXT_HOUR <= self.time[row]
        unsolved = int(np.count_nonzero(among & ~self.solved))
        among &= self.solved
        rows, distance = self.nearest(asked, k, among)
        return Similar(
            run=None if row is None else str(self.runs[0].path),
            step=step,
            time=None if row is None else _text(self.time[row]),
            searched=int(np.count_nonzero(among)),
            unsolved=unsolved,
            features=len(self.features),
            left_out=self.left_out,
            neighbours=self._neighbours(asked, rows, distance),
        )

    def _asked(self, row: int | None, vector: Sequence[float] | Array | None) -> Array:
        if row is not None:
            if not self.solved[row]:
                what = f"step {self.step[row]} has no solution, so there is nothing to compare"
                raise InputError(Issue(str(self.runs[0].path), "step", what, hint="ask about another step"))
            return np.asarray(self.value[row])
        try:
            asked = np.asarray(vector, dtype=float)
        except (TypeError, ValueError) as error:
            raise InputError(Issue("similar", "vector", f"is not numbers ({error})")) from None
        if asked.shape != (len(self.features),) or not np.isfinite(asked).all():
            what = f"must hold {len(self.features)} finite numbers, one a feature, has shape {asked.shape}"
            raise InputError(Issue("similar", "vector", what, hint="feature_list names them and their units"))
        return asked

    def _neighbours(self, asked: Array, rows: Array, distance: Array) -> tuple[Neighbour, ...]:
        near = ((self.value[rows] - asked) * self.factor) ** 2
        mean, variance = self._moments
        usual = (variance + (mean - asked) ** 2) * self.factor**2  # the mean of (x - asked)^2
        after, done = self._afterwards(rows)
        found = []
        for i, row in enumerate(rows.tolist()):
            share = near[i] / max(float(near[i].sum()), 1e-300)
            gain = usual - near[i]

            def traits(order: Array, row: int = row, share: Array = share, gain: Array = gain) -> tuple[Trait, ...]:
                return tuple(self._trait(j, row, asked, share, gain) for j in order.tolist())

            by_share = np.argsort(-near[i], kind="stable")
            different = by_share[near[i][by_share] > 0][:_TRAITS]
            by_gain = np.setdiff1d(np.flatnonzero(gain > 0), different)
            by_gain = by_gain[np.argsort(-gain[by_gain], kind="stable")][:_TRAITS]
            found.append(
                Neighbour(
                    run=str(self.runs[self.run[row]].path),
                    step=int(self.step[row]),
                    time=_text(self.time[row]),
                    distance=float(distance[i]),
                    alike=traits(by_gain),
                    different=traits(different),
                    after=after[row],
                    done=done[row],
                    branches_out=self.branches_out[row],
                )
            )
        return tuple(found)

    def _trait(self, j: int, row: int, asked: Array, share: Array, gain: Array) -> Trait:
        f = self.features[j]
        value, then = float(self.value[row, j]), float(asked[j])
        return Trait(f.name, f.group, f.unit, value, then, round(float(share[j]), 6), float(gain[j]))

    def _step_rows(self, run: int, wanted: set[int]) -> dict[int, dict[str, Any]]:
        """Rows of ``steps`` of one run by step; each is read once, because small files take longer than the search."""
        known = self._read.setdefault(run, {})
        missing = tuple(sorted(wanted - known.keys()))
        if missing:
            known.update({r["step"]: r for r in self.runs[run].table("steps", missing).to_pylist()})
        return known

    def _afterwards(
        self, rows: Array
    ) -> tuple[dict[int, dict[str, Any] | None], dict[int, tuple[dict[str, Any], ...]]]:
        """What followed and what was done, by row; each run is read once."""
        after: dict[int, dict[str, Any] | None] = {}
        done: dict[int, tuple[dict[str, Any], ...]] = {}
        for i in np.unique(self.run[rows]).tolist():
            mine = np.flatnonzero(self.run == i)
            later = {row: _following(self.time[mine], self.time[row]) for row in rows[self.run[rows] == i].tolist()}
            wanted = {int(s) for row, at in later.items() for s in self.step[[row, *mine[at].tolist()]]}
            table = self._step_rows(i, wanted)
            acted = _actions(self.runs[i], [int(self.step[row]) for row in later])
            for row, at in later.items():
                step = int(self.step[row])
                after[row] = _after(table[step], [table[int(s)] for s in self.step[mine[at]]])
                done[row] = acted.get(step, ())
        return after, done


def similar(
    runs: Source | Iterable[Source],
    step: int | None = None,
    *,
    vector: Sequence[float] | Array | None = None,
    k: int = 20,
    where: str | None = None,
    past: bool = True,
) -> Similar:
    """The stored states nearest to a step of the first run, or to a vector.

    Args:
        runs: one run (folder or `Run`) or several; all of them are searched.
        step: the step asked about, of the first run.
        vector: a state that is not stored instead: one value a feature, in the units of ``feature_list``.
        k: how many states to find.
        where: SQL condition on the states searched, see `Run.steps_where`; for example ``dayofweek(time) BETWEEN 1 AND
            5 AND list_contains(branches_out, 'L7')``.
        past: search only states whose following hour was over when the interval asked about began.

    Raises:
        InputError: a folder that is no run, an unknown or unsolved step, a bad vector or condition, or runs without
            common features.
    """
    several = [runs] if isinstance(runs, (Run, str, os.PathLike)) else runs
    return Situations(several).search(step, vector=vector, k=k, where=where, past=past)


def _columns(found: Features, wanted: tuple[Feature, ...]) -> Array:
    """Values of the features wanted, in their order."""
    at = {name: i for i, name in enumerate(found.names)}
    return np.asarray(found.value[:, [at[f.name] for f in wanted]])


def _following(times: Array, time: Any) -> Array:
    """Positions of the intervals that begin in the hour after `time`; of longer steps the next one."""
    later = np.flatnonzero(times > time)
    if not len(later):
        return later
    end = max(time + NEXT_HOUR, times[later].min())
    return np.asarray(later[times[later] <= end])


def _after(now: dict[str, Any], later: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The following hour in figures: the worst of its steps, and how load and wind changed until its end."""
    if not later:
        return None
    worst = max(later, key=lambda s: -np.inf if s["worst_severity"] is None else s["worst_severity"])
    last = later[-1]
    return {
        "until": _text(last["time"]),
        "steps": len(later),
        "secure": all(s["outages_violating"] == s["outages_failed"] == s["base_violations"] == 0 for s in later),
        **{k: max(s[k] for s in later) for k in ("outages_violating", "outages_failed", "base_violations")},
        "max_loading": max((s["max_loading"] for s in later if s["max_loading"] is not None), default=None),
        **{k: worst[k] for k in ("worst_contingency", "worst_element", "worst_kind", "worst_severity")},
        "load_change_mw": last["load_mw"] - now["load_mw"],
        "wind_change_mw": _fuel(last, "wind") - _fuel(now, "wind"),
    }


def _fuel(step: dict[str, Any], fuel: str) -> float:
    return float(dict(step["gen_by_fuel_mw"] or ()).get(fuel, 0.0))


_DONE = {
    "points": ("curtailed_mw", "redispatch_mw", "started_units", "short_mw", "short_mvar"),
    "reasons": ("kind", "element_table", "element_id", "amount", "unit"),
}
"""Where runs tell what was done, and in which columns; a run may have none of these tables, or fewer columns."""


def _actions(run: Run, steps: list[int]) -> dict[int, tuple[dict[str, Any], ...]]:
    """By step, the rows of tables that tell what was done, each with the name of its table."""
    found: dict[int, list[dict[str, Any]]] = {}
    for name, columns in _DONE.items():
        if name not in run.table_names:
            continue
        table = run.table(name, tuple(steps))
        rows = table.select([c for c in ("step", *columns) if c in table.column_names]).to_pylist()
        for row in rows:
            if row["step"] in steps:
                found.setdefault(row.pop("step"), []).append({"table": name, **row})
    return {step: tuple(rows) for step, rows in found.items()}


def _text(time: Any) -> str:
    return str(np.datetime64(time, "m")).replace("T", " ")
