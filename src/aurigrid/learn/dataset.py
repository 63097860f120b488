"""Data sets: exact outcomes in shards of Parquet, made again where they were left, with a card.

    folder/
      dataset.json                  what was asked for, and of which grid; status
      grid/                         the network
      pairs/shard=0000.parquet      one row a pair of outages
      scenarios/shard=0000.parquet  one row an operating point; written last: with it a shard is whole
      card.json, card.md            ranges, counts, hashes; written when all shards are whole

A shard is whole or absent. What an operating point is depends on the seed and on its number, never on the machine's threads
or on where an earlier run ended; one for which the search found nothing secure may depend on the others of its shard.

Rows are split by operating point and by outage, never at random. Of the load regions some are held out: points whose loads
were changed on top in one of them are ``held_out_region``. Of the branches 15 % are held out: pairs with one of them, and all
pairs of points that have one out of service, are ``held_out_outages`` (``held_out_both`` where the region is, too). The rest
goes by the point's number: three in five to
``train``, one to ``calibration``, one to ``usual``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from aurigrid.errors import InputError, Issue, IssueList
from aurigrid.io.folder import load_folder, save
from aurigrid.learn.collapse import nose, towards_nose
from aurigrid.learn.outcome import Conditions, Outcome, outcome, pair_list
from aurigrid.learn.recipe import Drawn, Recipe, draw, load_regions
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.table import Array
from aurigrid.powerflow.api import check_options, solve_cases
from aurigrid.powerflow.cases import Cases
from aurigrid.powerflow.rescue import rescue_failed
from aurigrid.security.analysis import begin
from aurigrid.security.contingencies import Contingencies
from aurigrid.security.settle import FEATURES
from aurigrid.security.suspects import Group
from aurigrid.store.run import now, package_versions, plain_data, write_json, write_table

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT, FORMAT_VERSION = "aurigrid-dataset", 2
SPLITS = ("train", "calibration", "usual", "held_out_outages", "held_out_region", "held_out_both")
ROLES = ("train", "train", "train", "calibration", "usual")
"""By the number of the operating point, in turn."""
_HELD_OUTAGES, _HELD_REGIONS = 0.15, 1 / 6
_POINTS_A_SHARD = 4
_COLLAPSE = 11
"""Distinguishes the draws of shares from those of points."""
_COUNTED = ("pairs", "estimated", "splits", "one_outage", "unsolved", "violating")
_COLUMNS = {
    "scenario": np.int32, "first": np.int32, "second": np.int32, "violates": bool, "near": bool, "dc": np.float32,
    "weight": np.float32, "split": np.int8,
}  # fmt: skip
Progress = Callable[[int, int], None]


def held_branches(net: Network, seed: int) -> Array:
    """(n_branch,) branches whose outages are held out of training: by a hash of their ids, so that it never changes."""
    keys = [hashlib.sha256(f"{seed}:{i}".encode()).digest()[:8] for i in net.branch.id.astype(str)]
    return np.array([int.from_bytes(key, "big") / 2**64 < _HELD_OUTAGES for key in keys], bool)


def held_regions(n: int, seed: int) -> Array:
    """(n,) regions that are held out of training; at least one where there are several."""
    held = np.zeros(n, bool)
    if n > 1:
        held[np.random.default_rng((seed, 7)).permutation(n)[: max(1, round(n * _HELD_REGIONS))]] = True
    return held


def make_dataset(
    net: Network,
    folder: str | Path,
    *,
    scenarios: int = 100,
    seed: int = 0,
    recipe: Recipe | None = None,
    q_limits: bool = False,
    slack: str = "reference",
    v_step_pu: float = 0.1,
    keep: float = 0.2,
    threads: int | None = None,
    progress: Progress | None = None,
    drawn: Callable[[Array], Drawn] | None = None,
) -> Dataset:
    """Draw operating points and solve every pair of branch outages of each exactly; a second call goes on where one stopped.

    Args:
        net: the network, with the ratings and voltage bands that outages are judged by.
        folder: where the data set is, or is to be.
        scenarios: operating points.
        seed: of everything that is drawn.
        recipe: ranges of what is drawn.
        q_limits, slack, v_step_pu, threads: as for `security_analysis`; a model may be used with the same first three only.
        keep: share of the pairs far from limits that is kept; each then stands for 1/keep.
        progress: called with the operating points done, and of how many.
        drawn: what draws the points of the given numbers where the recipe's points are ``"profiles"``.

    Raises:
        InputError: options that make no sense, or a folder that holds something else.
    """
    import pyarrow as pa

    folder, recipe = Path(folder), recipe if recipe is not None else Recipe()
    _refuse(scenarios, keep, v_step_pu)
    recipe.check()
    if (recipe.points == "profiles") != (drawn is not None):
        told = "are of profiles, and nothing draws them" if drawn is None else "are not those that are drawn"
        raise InputError(Issue("recipe", "points", told, hint="use points_of_profiles of aurigrid.studies.learning"))
    check_options(net, None, "newton", 1e-8, 20, slack, threads)
    cond = Conditions(q_limits, "distributed" if slack == "distributed" else "reference", v_step_pu, threads)
    options = {"scenarios": scenarios, "seed": seed, "keep": keep, "recipe": recipe.to_dict(), **cond.to_dict()}
    _begin(folder, net, plain_data(options))
    listed = None
    done = 0
    for shard in range(-(-scenarios // _POINTS_A_SHARD)):
        which = np.arange(shard * _POINTS_A_SHARD, min((shard + 1) * _POINTS_A_SHARD, scenarios))
        done += len(which)
        if not _file(folder, "scenarios", shard).exists():
            if listed is None:
                listed = pair_list(net)
            points_of = drawn(which) if drawn is not None else draw(net, recipe, seed, which, cond.threads)
            rows, points = _shard(net, recipe, cond, listed, points_of, which, seed, keep)
            write_table(_file(folder, "pairs", shard), pa.table(rows))
            write_table(_file(folder, "scenarios", shard), pa.table(points))
        if progress is not None:
            progress(done, scenarios)
    data = Dataset.read(folder)
    _write_card(data)
    return data


def _refuse(scenarios: int, keep: float, v_step_pu: float) -> None:
    """Refuse options that make no sense, all at once."""
    issues = IssueList()
    if scenarios < 1:
        issues.add("make_dataset", "scenarios", f"is {scenarios}", hint="give at least 1")
    if not 0 < keep <= 1:
        issues.add("make_dataset", "keep", f"is {keep}", hint="give a share above 0, at most 1")
    if not v_step_pu > 0:
        issues.add("make_dataset", "v_step_pu", f"is {v_step_pu}", hint="give a positive change in pu")
    issues.raise_if_any()


def _file(folder: Path, table: str, shard: int) -> Path:
    return folder / table / f"shard={shard:04d}.parquet"


def _begin(folder: Path, net: Network, options: dict[str, Any]) -> None:
    """Make the folder, or see that it is of the same grid and options."""
    record = folder / "dataset.json"
    hint = "name another folder, or repeat the options of the first call"
    if record.exists():
        found = _record(folder)
        issues = IssueList()
        if found["grid"]["digest"] != net.digest:
            issues.add(str(folder), "grid", f"was made for another grid ({found['grid']['name']})", hint=hint)
        for key in sorted({*found["options"], *options}):
            if found["options"].get(key) != options.get(key):
                told = f"was {found['options'].get(key)}, now {options.get(key)}"
                issues.add(str(folder), key, told, hint=hint)
        issues.raise_if_any()
    elif folder.exists() and any(folder.iterdir()):
        raise InputError(Issue(str(folder), "", "is a folder of something else", hint="name another one"))
    else:
        folder.mkdir(parents=True, exist_ok=True)
        save(net, folder / "grid")
        grid = {"name": net.name, "digest": net.digest, "n_bus": net.n_bus, "n_branch": net.n_branch}
        made = {"created": now(), "versions": package_versions()}
        write_json(
            record, {"format": FORMAT, "format_version": FORMAT_VERSION, "grid": grid, "options": options, **made}
        )
    for table in ("pairs", "scenarios"):
        (folder / table).mkdir(exist_ok=True)
        for left in (folder / table).glob(".*.tmp-*"):
            left.unlink()


def _record(folder: Path) -> dict[str, Any]:
    file = folder / "dataset.json"
    try:
        data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            Issue(str(folder), "", f"is no data set ({error})", hint="make one: aurigrid dataset GRID")
        ) from error
    if data.get("format") != FORMAT or data.get("format_version") != FORMAT_VERSION:
        told = f"is {data.get('format')} {data.get('format_version')}, not {FORMAT} {FORMAT_VERSION}"
        raise InputError(Issue(str(file), "", told, hint="make it again: aurigrid dataset GRID"))
    return data


def _shard(
    net: Network, recipe: Recipe, cond: Conditions, listed: tuple[Contingencies, Array], drawn: Drawn, which: Array, seed: int,
    keep: float,
) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip
    """The two tables of a shard."""
    sc, stress = _stressed(drawn.scenarios, recipe, cond, which, seed)
    base = solve_cases(net, Cases.of(sc), "newton", cond.settings)
    if stress:  # near collapse a guess may be too far
        base = rescue_failed(base, cond.settings)
    group = Group(net, sc, base, cond.settings, cond.limits, begin(base), *listed)
    found: list[Outcome | None] = []
    for row, number in enumerate(which.tolist()):
        good = bool(drawn.solved[row] and base.converged[row])
        asked = group.question(row) if good else None
        whole = asked is not None and bool(asked.base.converged[0])
        found.append(outcome(asked, keep, (seed, number)) if asked is not None and whole else None)
    _, names = load_regions(net)
    region_held, branch_held = held_regions(len(names), seed), held_branches(net, seed)
    parts = [(n, r, o) for r, (n, o) in enumerate(zip(which.tolist(), found, strict=True)) if o is not None]
    columns: dict[str, list[Array]] = {name: [np.zeros(0, kind)] for name, kind in _COLUMNS.items()}
    told = []
    for number, row, o in parts:
        held = branch_held[o.first] | branch_held[o.second] | (drawn.out[row] >= 0 and branch_held[drawn.out[row]])
        if region_held[drawn.stressed[row]]:
            split = np.where(held, SPLITS.index("held_out_both"), SPLITS.index("held_out_region"))
        else:
            split = np.where(held, SPLITS.index("held_out_outages"), SPLITS.index(ROLES[number % len(ROLES)]))
        for name, values in (
            ("scenario", np.full(len(o.first), number, np.int32)), ("first", o.first), ("second", o.second),
            ("violates", o.violates), ("near", o.near), ("dc", o.dc), ("weight", o.weight), ("split", split.astype(np.int8)),
        ):  # fmt: skip
            columns[name].append(values)
        told.append(o.features)
    rows = {name: np.concatenate(v) for name, v in columns.items()}
    matrix = np.concatenate([np.zeros((0, len(FEATURES)), np.float32), *told])
    rows |= {f"x_{name}": np.ascontiguousarray(matrix[:, k]) for k, name in enumerate(FEATURES)}
    counts = [o.counts if o is not None else {} for o in found]
    points: dict[str, Any] = {
        "scenario": which.astype(np.int32), "solved": drawn.solved, "status": base.status,
        "region": np.array(names, dtype=object)[drawn.stressed].tolist(), "region_held": region_held[drawn.stressed],
        "outage": [str(net.branch.id[k]) if k >= 0 else "" for k in drawn.out], "load_factor": drawn.load,
        "region_factor": drawn.factor, "used": np.array([o is not None for o in found]),
        "v_min_pu": np.where(np.isfinite(base.v_mag), base.v_mag, np.inf).min(1),
        "v_max_pu": np.where(np.isfinite(base.v_mag), base.v_mag, -np.inf).max(1),
        "worst_loading": np.nan_to_num(base.branch_flow().loading).max(1), **stress,
    }  # fmt: skip
    for name in (*_COUNTED, "singles_unsolved"):
        points[name] = np.array([c.get(name, 0) for c in counts], np.int64)
    for r, name in enumerate(names):
        points[f"load_mw {name}"] = drawn.region_load_mw[:, r]
    return rows, points


def _stressed(
    sc: Scenarios, recipe: Recipe, cond: Conditions, which: Array, seed: int
) -> tuple[Scenarios, dict[str, Any]]:
    """The points moved towards collapse as the recipe asks, and how far they were moved; each by its own number only."""
    if recipe.collapse[1] <= 0:
        return sc, {}
    share = np.array([np.random.default_rng((seed, n, _COLLAPSE)).uniform(*recipe.collapse) for n in which.tolist()])
    limit = nose(sc, q_limits=cond.q_limits, slack=cond.slack, threads=cond.threads)
    return towards_nose(sc, share, limit), {"nose_factor": limit, "collapse_share": share}


@dataclass(frozen=True)
class Dataset:
    """A data set's folder.

    Attributes:
        folder: where it is; record: what ``dataset.json`` says.
    """

    folder: Path
    record: dict[str, Any]

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Open a data set.

        Raises:
            InputError: the folder is none.
        """
        return cls(Path(folder), _record(Path(folder)))

    @property
    def shards(self) -> list[int]:
        """Numbers of the shards that are whole."""
        return sorted(int(p.stem.split("=")[1]) for p in (self.folder / "scenarios").glob("shard=*.parquet"))

    @property
    def complete(self) -> bool:
        """Whether every shard that was asked for is there."""
        return len(self.shards) == -(-int(self.record["options"]["scenarios"]) // _POINTS_A_SHARD)

    def network(self) -> Network:
        """The grid."""
        return load_folder(self.folder / "grid")[0]

    def table(self, name: str) -> pa.Table:
        """All rows of ``"pairs"`` or ``"scenarios"`` in whole shards, in order."""
        import pyarrow as pa

        return pa.concat_tables(self.parts(name))

    def parts(self, name: str) -> Iterator[pa.Table]:
        """The same shard by shard."""
        import pyarrow.parquet as pq

        for shard in self.shards:
            yield pq.read_table(_file(self.folder, name, shard), partitioning=None)

    def card(self) -> dict[str, Any]:
        """Counts, ranges and hashes of what is there."""
        points = self.table("scenarios")
        used = points["used"].to_numpy()
        pairs = self.table("pairs")
        split, violates = pairs["split"].to_numpy(), pairs["violates"].to_numpy()
        weight = pairs["weight"].to_numpy()
        ranges = {n: _range(pairs[n].to_numpy()) for n in pairs.column_names if n.startswith("x_")}
        ranges |= {
            n: _range(points[n].to_numpy()[used]) for n in points.column_names if str(points[n].type) == "double"
        }
        return {
            **self.record,
            "complete": self.complete,
            "scenarios": {"drawn": len(used), "used": int(used.sum())},
            "kinds": {n: int(points[n].to_numpy().sum()) for n in _COUNTED},
            "splits": {
                name: {
                    "rows": int(np.sum(split == k)), "pairs": float(weight[split == k].sum()),
                    "violating": int(violates[split == k].sum()),
                    "scenarios": len(np.unique(pairs["scenario"].to_numpy()[split == k])),
                }
                for k, name in enumerate(SPLITS)
            },
            "ranges": ranges,
            "hashes": {
                f"{table}/{file.name}": hashlib.sha256(file.read_bytes()).hexdigest()
                for table in ("pairs", "scenarios") for file in sorted((self.folder / table).glob("shard=*.parquet"))
            },
        }  # fmt: skip


def _range(values: Array) -> list[float]:
    return [float(values.min()), float(values.max())] if len(values) else []


def _write_card(data: Dataset) -> None:
    card = data.card()
    grid = card["grid"]
    write_json(data.folder / "card.json", card)
    lines = [
        f"# Pairs of outages of {card['grid']['name']}", "",
        f"Grid {grid['digest']}, {grid['n_bus']} buses, {grid['n_branch']} branches; made {card['created']}.",
        f"{card['scenarios']['used']} of {card['scenarios']['drawn']} operating points have a solution and are used.", "",
        "| split | operating points | rows | pairs they stand for | violating |", "|---|---|---|---|---|",
        *(f"| {n} | {s['scenarios']} | {s['rows']} | {s['pairs']:.0f} | {s['violating']} |" for n, s in card["splits"].items()),
        "", "| pairs | |", "|---|---|", *(f"| {n.replace('_', ' ')} | {c} |" for n, c in card["kinds"].items()),
        "", "| option | |", "|---|---|", *(f"| {n} | {v} |" for n, v in card["options"].items()),
        "", "| column | least | most |", "|---|---|---|",
        *(f"| {n.removeprefix('x_')} | {r[0]:.6g} | {r[1]:.6g} |" for n, r in card["ranges"].items() if r), "",
    ]  # fmt: skip
    (data.folder / "card.md").write_text("\n".join(lines), encoding="utf-8")
