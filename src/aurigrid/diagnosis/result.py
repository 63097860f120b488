"""`Diagnosis`: what was found about one scenario, in words and as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.diagnosis.change import changed, named
from aurigrid.diagnosis.conditions import as_scenario
from aurigrid.diagnosis.operate import Missing
from aurigrid.diagnosis.repair import KINDS, Repair
from aurigrid.diagnosis.search import Trial
from aurigrid.diagnosis.symptoms import Symptoms
from aurigrid.errors import InputError, Issue
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios

Array = np.ndarray[Any, np.dtype[Any]]

_SHOWN = 5
_LEAST = 0.01


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What is wrong with one scenario, and what would restore it.

    Attributes:
        label: the scenario's label; net: the network in its conditions.
        symptoms: its state with reactive limits held.
        missing: where a soft optimal power flow finds power missing and which limits bind; None where the state is healthy,
            the network is invalid, or that problem has no answer.
        suspects: elements whose data are implausible, the most implausible first, each with what would mend it.
        trials: repairs tried by an exact power flow, best first: those that restore a state to run in, else the nearest one.
        scenarios: the one scenario that ``net`` was taken from; None where it is the network itself.
    """

    label: str
    net: Network
    symptoms: Symptoms
    missing: Missing | None
    suspects: tuple[Repair, ...]
    trials: tuple[Trial, ...]
    scenarios: Scenarios | None = None

    @property
    def healthy(self) -> bool:
        """Whether the state can be run: solved within reactive limits, and not severely outside any other."""
        return not self.symptoms.severe

    @property
    def explained(self) -> bool:
        """Whether a repair was found that restores it."""
        return bool(self.trials) and self.trials[0].restores

    @property
    def cause(self) -> str:
        """Kind of the best repair's cause (a key of `repair.KINDS`), "" where none is known."""
        return self.trials[0].repair.kind if self.trials and not self.healthy else ""

    def apply(self, rank: int = 0) -> Network:
        """The network with a repair made; `log` says what that changes.

        Raises:
            InputError: there is no repair of that rank.
        """
        return changed(self.net, self._trial(rank).repair.all_changes)

    def as_scenario(self, rank: int = 0) -> Scenarios:
        """The repair as a new scenario of the network, labelled with what it changes.

        Raises:
            InputError: there is no repair of that rank, or it changes what scenarios do not carry.
        """
        changes = self._trial(rank).repair.all_changes
        at = self.scenarios if self.scenarios is not None else Scenarios.base(self.net)
        told = [c.words() for c in changes[:_SHOWN]] + (["..."] if len(changes) > _SHOWN else [])
        return as_scenario(at.net, at, changes, f"{self.label}, repaired: {'; '.join(told)}")

    def log(self, rank: int = 0) -> list[dict[str, Any]]:
        """Every change of a repair: table, id, field, value before and after."""
        return [change.to_dict() for change in self._trial(rank).repair.all_changes]

    def _trial(self, rank: int) -> Trial:
        if not 0 <= rank < len(self.trials):
            found = f"{len(self.trials)} were found" if self.trials else "none was found"
            raise InputError(Issue("diagnosis", "rank", f"there is no repair {rank} of {self.label}", hint=found))
        return self.trials[rank]

    def short_buses(self) -> list[dict[str, Any]]:
        """Buses that lack power (positive) or cannot use it (negative), the worst first: id, MW, Mvar."""
        if self.missing is None:
            return []
        mw, mvar = (np.where(np.abs(x) > _LEAST, x, 0.0) for x in (self.missing.short_mw, self.missing.short_mvar))
        size = np.abs(mw) + np.abs(mvar)
        return [
            {"bus": _plain(self.net.bus.id[i]), "mw": float(mw[i]), "mvar": float(mvar[i])}
            for i in np.argsort(-size)
            if size[i] > 0
        ]

    def words(self) -> list[str]:
        """The diagnosis as sentences."""
        if self.healthy:
            return ["The state can be run: solved within reactive limits.", *self.symptoms.mild_words(self.net)]
        found = self.symptoms.words(self.net)
        short = self.short_buses()
        if short:
            worst = ", ".join(f"{s['bus']} ({s['mw']:+,.4g} MW, {s['mvar']:+,.4g} Mvar)" for s in short[:3])
            found.append(f"Even with another dispatch power would be missing at {len(short)} buses: {worst}.")
        elif self.missing is not None and self.missing.servable:
            found.append("With other set-points of the units the grid could be run as it is.")
        for rank, trial in enumerate(self.trials):
            found.append(_told(rank, trial))
        if not self.explained:
            found.append("No set of changes was found that restores it.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """The same as data."""
        return {
            "label": self.label,
            "healthy": self.healthy,
            "explained": self.explained,
            "cause": self.cause,
            "symptoms": self.symptoms.to_dict(),
            "short": self.short_buses(),
            "binding": [] if self.missing is None else self.missing.binding,
            "suspects": [_suspect(repair) for repair in self.suspects],
            "repairs": [_as_data(trial) for trial in self.trials],
        }


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _elements(repair: Repair) -> list[str]:
    return list(dict.fromkeys(named(c.table, c.id) for c in repair.changes))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _told(rank: int, trial: Trial) -> str:
    repair = trial.repair
    changes = [c.words() for c in repair.changes[:_SHOWN]]
    more = f"; and {len(repair.changes) - _SHOWN} more" if len(repair.changes) > _SHOWN else ""
    units = f"; with other set-points ({len(repair.dispatch)})" if repair.dispatch else ""
    effect = "restores every limit" if trial.after.clean else (
        "restores a state to run, with limits slightly broken" if trial.restores else "helps, but not enough")  # fmt: skip
    head = "Most likely" if rank == 0 else "Or"
    return (
        f"{head}, {KINDS[repair.kind]} at {_listed(_elements(repair))}: {repair.reason}. "
        f"Change {'; '.join(changes)}{more}{units}. This {effect}."
    )


def _suspect(repair: Repair) -> dict[str, Any]:
    first = repair.changes[0]
    return {"table": first.table, "id": first.id, "field": first.field, "kind": repair.kind, "reason": repair.reason,
            "weight": float(repair.weight)}  # fmt: skip


def _as_data(trial: Trial) -> dict[str, Any]:
    repair = trial.repair
    return {
        "kind": repair.kind,
        "reason": repair.reason,
        "weight": float(repair.weight),
        "changes": [c.to_dict() for c in repair.changes],
        "dispatch": [c.to_dict() for c in repair.dispatch],
        "words": [c.words() for c in repair.all_changes],
        "restores": trial.restores,
        "keeps_all_limits": trial.after.clean,
        "after": trial.after.to_dict(),
    }
