"""A model's card: which grid and question it is for, what it was trained and tested on, and the hashes of its files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from aurigrid.errors import InputError, Issue, IssueList

CARD_VERSION = 3
"""Of the card and of what the features mean: a model with another one is stale."""
CARD_FILE = "card.json"


@dataclass(frozen=True)
class Card:
    """What is known of a model.

    Attributes:
        name: its name in the registry; task: the question it answers (``"n-2"``).
        grid: name of the network it is bound to, its digest without injections and set-points, and its size.
        settings: options of the analysis that it was trained under and may be used with.
        features: names of its inputs, in order; low, high: the least and the largest value of each in training; early: positions
            of those that the gate is told.
        gate: score from which a pair is settled and scored.
        threshold, margin, trust: score from which a pair is solved, how far it falls behind what is found, and below which score
            the gate is not believed (`security.follow`).
        files: SHA-256 of each file beside the card.
        data: the data set: folder's hash, scenarios, rows, how they were split.
        training: seeds, epochs, samples/s, versions and the like.
        calibration: pairs looked at and missed, the bound on the share missed, its confidence, and what it supposes.
        evaluation: what held-out data showed.
        version: `CARD_VERSION` when it was made.
    """

    name: str
    task: str
    grid: Mapping[str, Any]
    settings: Mapping[str, Any]
    features: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    early: tuple[int, ...]
    gate: float
    threshold: float
    margin: float
    trust: float
    files: Mapping[str, str]
    data: Mapping[str, Any]
    training: Mapping[str, Any]
    calibration: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    version: int = CARD_VERSION

    def to_json(self) -> str:
        """As the text of a card file."""
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The card of a model's folder.

        Raises:
            InputError: no card, or one that cannot be read.
        """
        file = folder / CARD_FILE
        hint = f"remove it with: aurigrid models remove {folder.name}, and train again"
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(Issue(str(file), "", f"cannot be read as a model's card ({error})", hint=hint)) from error
        names = {f.name for f in fields(cls)}
        issues = IssueList()
        if not isinstance(data, dict):
            raise InputError(Issue(str(file), "", "is no model's card", hint=hint))
        for name in sorted(names - set(data)):
            issues.add(str(file), name, "is missing", hint=hint)
        if data.get("version") != CARD_VERSION:
            told = f"is {data.get('version')!r}, and this version of Aurigrid reads {CARD_VERSION}: the model is stale"
            issues.add(str(file), "version", told, hint=hint)
        issues.raise_if_any()
        data = {name: data[name] for name in names}
        for name in ("features", "low", "high", "early"):
            data[name] = tuple(data[name])
        return cls(**data)

    def sentences(self) -> list[str]:
        """The card in words."""
        c, d, t = self.calibration, self.data, self.training
        out = [
            f"{self.name}: decides which pairs of branch outages of {self.grid.get('name')} are solved exactly "
            f"(grid {str(self.grid.get('digest'))[:12]}; "
            + ", ".join(f"{k} {v}" for k, v in self.settings.items())
            + ").",
            f"Data: {d.get('scenarios')} scenarios, {d.get('rows'):,} pairs, {d.get('violating'):,} of them violating; "
            f"split by outage and by load region.",
            f"Trained in {t.get('seconds', 0):.0f} s with seed {t.get('seed')}, {t.get('samples_per_s', 0):,.0f} samples/s.",
            f"Calibration: {c.get('missed')} of {c.get('violating'):,} violating pairs missed while {c.get('checked', 0):.2%} "
            f"of all are solved; at most {c.get('bound', 1):.3%} are missed with confidence {c.get('confidence', 0):.0%}, "
            f"if {c.get('supposes')}.",
        ]
        for name, e in self.evaluation.items():
            out.append(
                f"{name.replace('_', ' ')}: {e.get('missed')} of {e.get('violating'):,} missed, {e.get('checked', 0):.2%} solved."
            )
        return out
