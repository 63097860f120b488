"""From a data set to a registered model: fit, calibrate, test on held-out outages and regions, export, compare, register."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.errors import AurigridError, InputError, Issue
from aurigrid.kernels import pairs as kernel
from aurigrid.learn.calibrate import (
    AIM,
    CONFIDENCE,
    SUPPOSES,
    Result,
    allowed_misses,
    judged,
    missed_bound,
    threshold_of,
)
from aurigrid.learn.dataset import SPLITS, Dataset
from aurigrid.learn.export import to_onnx, to_safetensors
from aurigrid.model.table import Array
from aurigrid.registry import Card, register
from aurigrid.registry.folder import hash_of
from aurigrid.registry.pairs import GATE_FILE, MODEL_FILE, TASK, PairModel, grid_digest
from aurigrid.security.chase import AUDIT
from aurigrid.security.follow import followed
from aurigrid.security.settle import EARLY, FEATURES
from aurigrid.store.run import now, package_versions

if TYPE_CHECKING:
    from aurigrid.learn.mlp import Plan, Told, Trained

WEIGHTS_FILE = "weights.safetensors"
LARGEST_DIFFERENCE = 1e-5
"""Between the scores of training and those of the exported network, relative to their size where that is above 1."""
_LEAST_VIOLATING = 50
_FIFTH = 5
_GATE_EMPHASIS, _GATE_ROOM = 10.0, 1.0
"""How much more violating pairs count for a gate than for a model; how far below their scores it begins."""
_LIFT = 1.0
"""How far below the threshold a bar falls before the gate is not believed for its outage."""
MARGIN = 3.0
"""How far bars fall below a violating pair (`security.follow`): a factor of twenty in the odds that the network says."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Pairs of a data set.

    Attributes:
        x: (n, n_feature) float32; violates, near: (n,) bool; dc, weight: (n,) float32; scenario, split: (n,) int.
        first, second: (n,) the pair's outages; those of each operating point have numbers of their own.
        always: pairs that are always solved, for each pair that is estimated: those that cut the grid, and the audit.
    """

    x: Array
    violates: Array
    near: Array
    dc: Array
    weight: Array
    scenario: Array
    split: Array
    first: Array
    second: Array
    always: float

    @classmethod
    def of(cls, data: Dataset) -> Rows:
        """All rows of a data set."""
        table, points = data.table("pairs"), data.table("scenarios")
        x = np.stack([table[f"x_{name}"].to_numpy() for name in FEATURES], 1).astype(np.float32)
        estimated = int(points["estimated"].to_numpy().sum())
        always = int(points["splits"].to_numpy().sum()) + AUDIT * int(points["used"].to_numpy().sum())
        columns = {name: table[name].to_numpy() for name in ("violates", "near", "dc", "weight", "scenario", "split")}
        size = int(data.record["grid"]["n_branch"])
        columns |= {name: columns["scenario"] * size + table[name].to_numpy() for name in ("first", "second")}
        return cls(x=x, always=always / max(estimated, 1), **columns)

    def part(self, name: str) -> Rows:
        """The rows of one split."""
        at = self.split == SPLITS.index(name)
        arrays = {f.name: getattr(self, f.name)[at] for f in fields(self) if f.name != "always"}
        return Rows(always=self.always, **arrays)

    @cached_property
    def broken(self) -> Array:
        """(n,) whether the estimate itself breaks a limit: always solved."""
        return np.asarray((self.x[:, kernel.LOADING] > 1.0) | (self.x[:, kernel.BAND] > 0.0))

    def followed(self, score: Array, gated: Array, card: Card) -> Array:
        """(n,) which rows are solved by the threshold of a card, and behind what is found (`security.follow`).

        Args:
            score: (n,) of the model; gated: (n,) which rows are scored only where what is found asks for it.
        """
        place = np.unique(np.r_[self.first, self.second], return_inverse=True)[1]
        first, second = np.split(place, 2)
        return followed(score, gated, first, second, self.violates, card.threshold, card.margin, card.trust)

    def judge(self, near: Array) -> Result:
        """What a rule does on these rows."""
        return judged(near, self.violates, self.weight, self.scenario, self.always * float(self.weight.sum()))


def train(
    data: Dataset, plan: Plan, *, name: str | None = None, checkpoint: Path | None = None, told: Told | None = None
) -> Card:
    """Train a model on a data set, and add it to the registry.

    Args:
        data: a complete data set.
        plan: how to train.
        name: in the registry; by grid, task and seed where absent.
        checkpoint: file to go on from, and to keep; none where absent.
        told: called after each epoch.

    Raises:
        InputError: the data set is not complete, or holds too little that breaks limits.
        AurigridError: the exported network does not give the same answers.
    """
    from aurigrid.learn.mlp import fit

    rows, grid = checked(data), {**data.record["grid"], "digest": grid_digest(data.network())}
    learning, settings = rows.part("train"), data.record["options"]
    gate, level = fit_gate(learning, plan)
    trained = fit(learning.x, learning.violates, learning.weight, plan, FEATURES, checkpoint, told)
    onnx, opening = (to_onnx(net.weights, **net.scaling.__dict__) for net in (trained, gate))
    tensors = to_safetensors(trained.weights, **trained.scaling.__dict__)
    card = Card(
        name=name or f"{_slug(str(grid['name']))}-{TASK}-{plan.seed}", task=TASK, grid=grid,
        settings={key: settings[key] for key in ("q_limits", "slack", "v_step_pu")}, features=FEATURES,
        low=tuple(learning.x.min(0).tolist()), high=tuple(learning.x.max(0).tolist()),
        early=tuple(EARLY.tolist()), gate=level, threshold=0.0, margin=MARGIN, trust=0.0,
        files={MODEL_FILE: hash_of(onnx), GATE_FILE: hash_of(opening), WEIGHTS_FILE: hash_of(tensors)},
        data=_data_of(data, rows), training={}, calibration={}, evaluation={},
    )  # fmt: skip
    model = PairModel(card, onnx, opening)
    differs = _checked_export(trained, gate, model, learning.x[:: max(1, len(learning.x) // 4096)])
    card = calibrated(model, rows)
    card = _with(card, training={
        **asdict(plan), "seconds": trained.seconds, "samples_per_s": trained.samples_per_s,
        "share_of_peak": trained.share_of_peak, "device": trained.device, "export_difference": differs, "created": now(),
        "versions": package_versions(),
    })  # fmt: skip
    register(card, {MODEL_FILE: onnx, GATE_FILE: opening, WEIGHTS_FILE: tensors})
    return card


def checked(data: Dataset) -> Rows:
    """The rows of a data set that a model can be trained and calibrated on.

    Raises:
        InputError: it is not complete, or too few of its pairs break limits.
    """
    if not data.complete:
        hint = "finish it with the same aurigrid dataset command"
        raise InputError(Issue(str(data.folder), "", "is not complete", hint=hint))
    rows = Rows.of(data)
    for name in ("train", "calibration"):
        count = int(rows.part(name).violates.sum())
        if count < _LEAST_VIOLATING:
            told = f"has {count} violating pairs in its split {name}, fewer than {_LEAST_VIOLATING}"
            hint = "ask for more scenarios, or for heavier loads"
            raise InputError(Issue(str(data.folder), name, told, hint=hint))
    return rows


def fit_gate(learning: Rows, plan: Plan) -> tuple[Trained, float]:
    """The gate, and the score from which it lets pairs pass.

    It learns from four in five of the operating points of training, violating pairs counted more than for the model. The score is
    lower than any that it gives to a violating pair of training, those of the fifth that it has not seen included, and a fifth of
    all pairs pass at least: fewer save next to nothing. The calibration split has no part in it: what the gate rules out there
    counts as missed.
    """
    from aurigrid.learn.mlp import fit

    seen = ~np.isin(learning.scenario, np.unique(learning.scenario)[::_FIFTH])
    early, violates = learning.x[:, EARLY], learning.violates
    plan = replace(plan, emphasis=_GATE_EMPHASIS * plan.emphasis)
    gate = fit(early[seen], violates[seen], learning.weight[seen], plan, _names(EARLY))
    score = gate.scores(early)
    order = np.argsort(-score)
    share = np.cumsum(learning.weight[order]) / learning.weight.sum()
    fifth = score[order[np.searchsorted(share, 1 / _FIFTH)]]
    return gate, float(min(score[violates].min() - _GATE_ROOM, fifth))


def _names(at: Array) -> tuple[str, ...]:
    return tuple(FEATURES[k] for k in at)


def _checked_export(trained: Trained, gate: Trained, model: PairModel, x: Array) -> float:
    """Largest difference between scores of training and of the exported networks.

    Raises:
        AurigridError: it is more than `LARGEST_DIFFERENCE`.
    """
    early = x[:, EARLY]
    differs = max(
        difference(trained.scores(x), model.scores(x)), difference(gate.scores(early), model.gate_scores(early))
    )
    if differs > LARGEST_DIFFERENCE:
        told = f"the exported network differs by {differs:.1e} from the trained one; nothing was registered"
        raise AurigridError(told)
    return differs


def difference(ours: Array, theirs: Array) -> float:
    """Largest difference of the scores of training and of an exported network, relative where a score is above 1."""
    return float(np.max(np.abs(ours - theirs) / np.maximum(1.0, np.abs(ours))))


def rated(model: PairModel, rows: Rows) -> tuple[Array, Array]:
    """(n,) score of each row, inf where it is solved without asking; (n,) whether the gate rules it out at first."""
    score = np.where(rows.broken, np.inf, model.rated(rows.x))
    return score, ~rows.broken & ~model.promising(rows.x[:, EARLY])


def solved_by(model: PairModel, rows: Rows) -> Array:
    """(n,) which rows are solved with a model: gate, threshold and what is found included."""
    return rows.followed(*rated(model, rows), model.card)


def calibrated(model: PairModel, rows: Rows) -> Card:
    """The card with threshold, trust in the gate, calibration and what held-out rows show."""
    part = rows.part("calibration")
    score, gated = rated(model, part)

    def threshold_with(gated: Array, card: Card) -> float:
        def missed(threshold: float) -> int:
            solved = part.followed(score, gated, _with(card, threshold=threshold))
            return int(np.sum(part.violates & ~solved))

        found = threshold_of(score[part.violates], missed)
        if missed(found) > allowed_misses(int(part.violates.sum()), AIM):
            return float(np.nextafter(card.trust, -np.inf))  # the gate alone misses too many: it is never believed
        if np.isfinite(found):
            return found
        # every violating pair is solved without asking the network: its own scores of them set the threshold
        return float(model.scores(part.x[part.violates]).min())

    # the threshold without a gate says what is unexpected
    card = _with(model.card, trust=threshold_with(np.zeros_like(gated), model.card) - _LIFT)
    model = replace(model, card=_with(card, threshold=threshold_with(gated, card)))

    def result(part: Rows) -> Result:
        return part.judge(solved_by(model, part))

    own = result(part)
    calibration = {
        **own.to_dict(), "bound": missed_bound(own.missed, own.violating), "confidence": CONFIDENCE, "supposes": SUPPOSES,
    }  # fmt: skip
    held = {name: result(rows.part(name)).to_dict() for name in SPLITS[2:] if len(rows.part(name).x)}
    return _with(model.card, calibration=calibration, evaluation=held)


def _with(card: Card, **changes: Any) -> Card:
    return Card(**{**card.__dict__, **changes})


def _data_of(data: Dataset, rows: Rows) -> Mapping[str, Any]:
    card = json.loads((data.folder / "card.json").read_text(encoding="utf-8"))
    return {
        "hash": hashlib.sha256(json.dumps(card["hashes"], sort_keys=True).encode()).hexdigest(),
        "scenarios": card["scenarios"]["used"], "rows": len(rows.x), "violating": int(rows.violates.sum()),
        "options": data.record["options"],
    }  # fmt: skip


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
