"""The network that scores pairs of outages, and its training: the only module that imports torch.

    z = clip((asinh((x - centre) / scale) - mean) / spread, -5, 5)
    score = W3 relu(W2 relu(W1 z + b1) + b2) + b3

Flows and voltages have heavy tails, and what counts is how near a limit an estimate is: loadings are looked at around 1 and
distances from voltage bands around 0 as through a magnifying glass (`FINE`). The network is trained as a logistic regression
of "breaks a limit" with pairs weighted by what they stand for and violating ones counted ``emphasis`` times. Rows of an epoch
are taken in an order that follows from the seed and the epoch's number, so training that is taken up again gives the same
weights as training that was never stopped.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np

from aurigrid.errors import InputError, Issue, MissingExtraError
from aurigrid.model.table import Array

try:
    import torch
except ImportError as error:
    raise MissingExtraError("torch", "learn", "training") from error

FINE = {
    **dict.fromkeys(("loading", "loading_alone", "loading_plain", "loading_risk", "loading_of_one_high"), (1.0, 0.005)),
    **dict.fromkeys(("band", "band_alone", "band_risk", "band_of_one_high", "band_settled"), (0.0, 0.001)),
    "loading_settled": (1.0, 0.005),
    "room": (0.0, 0.01),
    "lowest": (0.9, 0.02),
}
"""Centre and scale of features that are distances from a limit."""
_LEAST_SPREAD = 0.02
"""Of a bent feature: the rounding of one that hardly varies would grow with its inverse, and differ between engines."""
Told = Callable[[int, int, float, float], None]
"""Called with the epoch, of how many, the mean loss and samples/s."""


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        seed: of weights and order; epochs, batch, rate: passes, rows a step, learning rate at the start (it falls to 0 along a
            cosine); hidden: width of both hidden layers, 0 for a linear model; emphasis: weight of violating pairs.
        mixed: bfloat16 where a GPU is used.
    """

    seed: int = 0
    epochs: int = 12
    batch: int = 4096
    rate: float = 3e-3
    hidden: int = 64
    emphasis: float = 10.0
    mixed: bool = True


@dataclass(frozen=True)
class Scaling:
    """What is done to features before the first layer: (n_feature,) arrays of float32."""

    centre: Array
    scale: Array
    mean: Array
    spread: Array

    @classmethod
    def of(cls, x: Array, names: Sequence[str]) -> Scaling:
        """From rows of training; ``names`` of the features."""
        size = np.abs(x)
        scale = np.array([np.median(c[c > 1e-9]) if (c > 1e-9).any() else 1.0 for c in size.T], np.float32)
        centre = np.zeros_like(scale)
        for k, name in enumerate(names):
            centre[k], scale[k] = FINE.get(name, (0.0, scale[k]))
        bent = np.arcsinh((x - centre) / scale)
        return cls(
            centre, scale, bent.mean(0).astype(np.float32), np.maximum(bent.std(0), _LEAST_SPREAD).astype(np.float32)
        )

    def __call__(self, x: Array) -> Array:
        """Scaled features, float32."""
        bent = np.arcsinh((x - self.centre) / self.scale)
        return np.clip((bent - self.mean) / self.spread, -5, 5).astype(np.float32)


def layers_of(plan: Plan, n_feature: int) -> torch.nn.Sequential:
    """A network with weights that follow from the seed."""
    generator = torch.Generator().manual_seed(plan.seed)
    sizes = [n_feature, plan.hidden, plan.hidden, 1] if plan.hidden else [n_feature, 1]
    modules: list[torch.nn.Module] = []
    for k, (a, b) in enumerate(pairwise(sizes)):
        layer = torch.nn.Linear(a, b)
        with torch.no_grad():
            layer.weight.normal_(0.0, float(np.sqrt(2.0 / a)), generator=generator)
            layer.bias.zero_()
        modules += [layer] if k == len(sizes) - 2 else [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*modules)


class _Saver:
    """Checkpoints written by a thread of its own, each whole or not at all; the next waits until the last is written."""

    def __init__(self, file: Path) -> None:
        self.file, self.pool = file, ThreadPoolExecutor(1, "checkpoint")
        self.last: Future[None] | None = None

    def save(self, state: dict[str, Any]) -> None:
        """Write a state; it is copied before this returns."""
        copied = _copied(state)
        if self.last is not None:
            self.last.result()
        self.last = self.pool.submit(self._write, copied)

    def _write(self, state: dict[str, Any]) -> None:
        beside = self.file.with_name(f".{self.file.name}.tmp-{os.getpid()}")
        try:
            torch.save(state, beside)
            os.replace(beside, self.file)
        finally:
            beside.unlink(missing_ok=True)

    def close(self) -> None:
        self.pool.shutdown()
        if self.last is not None:
            self.last.result()


def _copied(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, dict):
        return {k: _copied(v) for k, v in value.items()}
    return [_copied(v) for v in value] if isinstance(value, list) else value


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network.

    Attributes:
        weights: (out, in) matrices and (out,) vectors by layer, float32; scaling: before the first layer.
        seconds, samples_per_s: of this call; share_of_peak: floating-point operations a second over what a large matrix product
            reaches on the same device; device: ``"cpu"`` or ``"cuda"``.
    """

    weights: list[tuple[Array, Array]]
    scaling: Scaling
    seconds: float
    samples_per_s: float
    share_of_peak: float
    device: str

    def scores(self, x: Array) -> Array:
        """(k,) float32, as torch computes them."""
        z = torch.from_numpy(self.scaling(x))
        for k, (w, b) in enumerate(self.weights):
            z = torch.nn.functional.linear(z, torch.from_numpy(w), torch.from_numpy(b))
            z = torch.relu(z) if k < len(self.weights) - 1 else z
        return np.asarray(z[:, 0].numpy())


def use_threads(threads: int | None) -> None:
    """Threads that training may use; as many as torch likes where None."""
    if threads is not None:
        torch.set_num_threads(threads)


def peak_flops(device: str) -> float:
    """Floating-point operations a second of a large float32 matrix product."""
    a = torch.ones((1024, 1024), device=device)
    best = np.inf
    for _ in range(5):
        begun = time.perf_counter()
        b = a @ a
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - begun)
    del b
    return 2 * 1024**3 / best


def fit(
    x: Array, y: Array, weight: Array, plan: Plan, names: Sequence[str] = (), checkpoint: Path | None = None,
    told: Told | None = None,
) -> Trained:  # fmt: skip
    """Train; goes on from ``checkpoint`` where it exists.

    Args:
        x: (n, n_feature) float32; y: (n,) bool; weight: (n,) what each row stands for.
        names: of the features, for their scaling.
        checkpoint: file written after every epoch.

    Raises:
        InputError: the checkpoint is of other data or another plan.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    scaling = Scaling.of(x, names)
    z = torch.from_numpy(scaling(x)).to(device)
    target = torch.from_numpy(y.astype(np.float32)).to(device)
    heavy = torch.from_numpy((weight * np.where(y, plan.emphasis, 1.0)).astype(np.float32)).to(device)
    heavy = heavy / heavy.mean()
    net = layers_of(plan, x.shape[1]).to(device)
    adam = torch.optim.Adam(net.parameters(), lr=plan.rate)
    same = json.dumps({**asdict(plan), "rows": len(x), "names": list(names), "sum": float(x.astype(np.float64).sum())})
    first = _resume(checkpoint, same, net, adam)
    saver = _Saver(checkpoint) if checkpoint is not None else None
    steps, n = -(-len(x) // plan.batch), len(x)
    begun = time.perf_counter()
    try:
        for epoch in range(first, plan.epochs):
            since = time.perf_counter()
            order = torch.from_numpy(np.random.default_rng((plan.seed, epoch)).permutation(n)).to(device)
            total = 0.0
            for step in range(steps):
                for group in adam.param_groups:
                    group["lr"] = 0.5 * plan.rate * (1 + cos(pi * (epoch * steps + step) / (plan.epochs * steps)))
                rows = order[step * plan.batch : (step + 1) * plan.batch]
                with torch.autocast(device, torch.bfloat16, enabled=plan.mixed and device == "cuda"):
                    score = net(z[rows])[:, 0]
                loss = torch.nn.functional.binary_cross_entropy_with_logits(score.float(), target[rows], heavy[rows])
                adam.zero_grad()
                loss.backward()
                adam.step()
                total += float(loss.detach()) * len(rows)
            if saver is not None:
                saver.save({"plan": same, "epoch": epoch + 1, "net": net.state_dict(), "adam": adam.state_dict()})
            if told is not None:
                told(epoch + 1, plan.epochs, total / n, n / (time.perf_counter() - since))
    finally:
        if saver is not None:
            saver.close()
    seconds = time.perf_counter() - begun
    rate = n * (plan.epochs - first) / seconds if first < plan.epochs else 0.0
    layers = [m for m in net if isinstance(m, torch.nn.Linear)]
    operations = 6 * sum(m.weight.numel() for m in layers)  # forward 2, backward 4 a weight and row
    weights = [(m.weight.detach().cpu().numpy().copy(), m.bias.detach().cpu().numpy().copy()) for m in layers]
    return Trained(weights, scaling, seconds, rate, rate * operations / peak_flops(device), device)


def _resume(checkpoint: Path | None, same: str, net: torch.nn.Module, adam: torch.optim.Optimizer) -> int:
    """Take up a checkpoint; the epoch to go on with."""
    if checkpoint is None or not checkpoint.exists():
        return 0
    hint = "name another folder, or remove it to begin anew"
    try:
        state = torch.load(checkpoint, weights_only=True)
    except Exception as error:
        told = str(error).splitlines()[0]
        raise InputError(Issue(str(checkpoint), "", f"cannot be read as a checkpoint ({told})", hint=hint)) from error
    if state["plan"] != same:
        raise InputError(Issue(str(checkpoint), "", "is of other data or another plan", hint=hint))
    net.load_state_dict(state["net"])
    adam.load_state_dict(state["adam"])
    return int(state["epoch"])
