"""Models of the task n-2: which pairs of outages have to be solved. Run by onnxruntime, without the training's packages.

A model speaks only where it was trained. A pair is solved exactly, whatever the model says, where a feature is no number
or lies outside the range of training, or where the model's answer is no number. The file is compared with the hash of its
card before it is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from aurigrid.errors import InputError, Issue, IssueList, MissingExtraError
from aurigrid.model.network import Network
from aurigrid.model.scenario_input import SOURCES
from aurigrid.registry.card import Card
from aurigrid.registry.folder import entries, hash_of

Array = np.ndarray[Any, np.dtype[Any]]

TASK = "n-2"
MODEL_FILE, GATE_FILE = "model.onnx", "gate.onnx"
_TOWARDS_LIMITS = ("band", "loading")
"""Beginnings of the names of features that grow towards a limit: smaller values than in training are farther from all limits."""
_FAR_BELOW = -1e6
_ON_GPU = ("CUDAExecutionProvider", {"use_tf32": "0"})
"""Where onnxruntime has it: in full float32, so that answers are those of a CPU to 1e-5."""
_ROOM = 0.02
"""Share of a feature's range by which it may lie outside before it counts as outside training."""


@dataclass(frozen=True)
class PairModel:
    """A model and its card, ready for use.

    Attributes:
        card: what is known of it.
        onnx: the network as ONNX: (k, n_feature) float32 -> (k, 1) float32 scores, higher where a pair may break limits.
        gate: a smaller one of the features that are known early (`Card.early`).
        threads: threads that it may use.
    """

    card: Card
    onnx: bytes
    gate: bytes
    threads: int = 1

    @classmethod
    def read(cls, folder: Path, threads: int = 1) -> Self:
        """The model of a folder.

        Raises:
            InputError: no readable card, or a file that is not the one of the card.
        """
        card = Card.read(folder)
        hint = f"remove it with: aurigrid models remove {folder.name}, and train again"

        def data_of(name: str) -> bytes:
            try:
                data = (folder / name).read_bytes()
            except OSError as error:
                told = f"cannot be read ({error.strerror})"
                raise InputError(Issue(str(folder / name), "", told, hint=hint)) from error
            if hash_of(data) != card.files.get(name):
                told = "is not the file that its card was written for"
                raise InputError(Issue(str(folder / name), "", told, hint=hint))
            return data

        return cls(card, data_of(MODEL_FILE), data_of(GATE_FILE), threads)

    @classmethod
    def find(cls, net: Network, settings: Mapping[str, Any], threads: int = 1) -> Self:
        """The registered model of a network, for the given options of the analysis.

        Raises:
            InputError: none, or only models of other grids, tasks or options; what there is, is named.
        """
        issues = IssueList()
        for folder in entries():
            try:
                card = Card.read(folder)
            except InputError as error:
                issues.issues += error.issues
                continue
            if reason := mismatch(card, net, settings):
                issues.add("models", folder.name, reason)
                continue
            return cls.read(folder, threads)
        hint = "make one: aurigrid dataset GRID, then aurigrid train; or leave engine='learned' out"
        issues.add("security_analysis", "engine", f"no model fits {net.name} as it is and these options", hint=hint)
        raise InputError(issues.issues)

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def proof(self) -> str:
        """What is known of its misses."""
        c = self.card.calibration
        return (
            f"of the pairs that break something at most {c['bound']:.3%} are missed, with confidence {c['confidence']:.0%}, "
            f"if {c['supposes']}"
        )

    @property
    def threshold(self) -> float:
        return self.card.threshold

    @property
    def margin(self) -> float:
        return self.card.margin

    @property
    def trust(self) -> float:
        return self.card.trust

    @property
    def base_outages(self) -> bool:
        """Whether points of training had branches out of service."""
        return bool(self.card.data["options"]["recipe"].get("outage", 0.0) > 0)

    @cached_property
    def _sessions(self) -> tuple[Any, Any]:
        return _session(self.onnx, self.threads), _session(self.gate, self.threads)

    def scores(self, features: Array) -> Array:
        """(k,) float32 scores; a row is answered the same whatever rows are beside it."""
        return _run(self._sessions[0], features)

    def gate_scores(self, early: Array) -> Array:
        """(k,) float32 scores of the gate."""
        return _run(self._sessions[1], early)

    def known(self, features: Array, at: list[int] | slice = slice(None)) -> Array:
        """(k,) whether every feature is a number within the ranges of training, or farther from a limit; ``at``: which of the
        features they are."""
        low, high = np.array(self.card.low), np.array(self.card.high)
        room = _ROOM * (high - low)
        least = np.where([name.startswith(_TOWARDS_LIMITS) for name in self.card.features], _FAR_BELOW, low - room)
        with np.errstate(invalid="ignore"):
            return np.asarray(((features >= least[at]) & (features <= (high + room)[at])).all(1))

    def promising(self, early: Array) -> Array:
        """(k,) whether each pair is looked at closely; also outside training, and where the gate's score is no number."""
        return ~(self.known(early, list(self.card.early)) & (self.gate_scores(early) < self.card.gate))

    def rated(self, features: Array) -> Array:
        """(k,) score of each pair; inf outside training, and where the score is no number."""
        score = self.scores(features)
        return np.where(self.known(features) & ~np.isnan(score), score, np.inf)


def _session(data: bytes, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "models", "engine='learned'") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    on_gpu = [_ON_GPU] if _ON_GPU[0] in onnxruntime.get_available_providers() else []
    return onnxruntime.InferenceSession(data, options, providers=[*on_gpu, "CPUExecutionProvider"])


def _run(session: Any, features: Array) -> Array:
    """(k,) float32 what a network says; rows with what is no number are asked with zeros."""
    if not len(features):
        return np.zeros(0, np.float32)
    told = np.ascontiguousarray(np.nan_to_num(features, posinf=0.0, neginf=0.0), np.float32)
    return np.asarray(session.run(None, {session.get_inputs()[0].name: told})[0])[:, 0]


def grid_digest(net: Network) -> str:
    """What a model is bound to: the digest of the network but for what scenarios change, injections and set-points."""
    blank: dict[str, dict[str, Array]] = {}
    for table, column in SOURCES.values():
        blank.setdefault(table, {})[column] = np.zeros_like(getattr(getattr(net, table), column))
    return net.replace(**{name: getattr(net, name).replace(**columns) for name, columns in blank.items()}).digest


def mismatch(card: Card, net: Network, settings: Mapping[str, Any]) -> str:
    """Why a model may not be used here; empty where it may."""
    if card.task != TASK:
        return f"is for the task {card.task}"
    if card.grid.get("digest") != (ours := grid_digest(net)):
        theirs = f"{card.grid.get('name')}, {str(card.grid.get('digest'))[:12]}"
        return f"is bound to another grid ({theirs}; this one is {ours[:12]})"
    other = [f"{k} {card.settings.get(k)!r}, not {v!r}" for k, v in settings.items() if card.settings.get(k) != v]
    return "was trained with " + ", ".join(other) if other else ""
