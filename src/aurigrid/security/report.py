"""What a security analysis finds: outcomes by scenario and outage, and every limit that is broken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import chain
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.powerflow.solution import Solution
from aurigrid.powerflow.status import Status
from aurigrid.security.contingencies import Contingencies

if TYPE_CHECKING:
    import pyarrow as pa

    from aurigrid.model.network import Network

Array = np.ndarray[Any, np.dtype[Any]]

VIOLATION_KINDS = (
    "overload", "overload_short_term", "voltage_low", "voltage_high", "voltage_step", "reactive_limit", "islanding",
    "no_convergence",
)  # fmt: skip
"""Kinds of violation: flow over the long-term and over the short-term rating (MVA), voltage under or over its band and
change of voltage (pu), reactive power a regulator lacks (Mvar), load without supply (MW), outage without a solution."""

OVERLOAD, OVERLOAD_SHORT, V_LOW, V_HIGH, V_STEP, REACTIVE, ISLANDING, NO_CONVERGENCE = range(len(VIOLATION_KINDS))
ELEMENT_TABLES = ("branch", "bus", "gen", "")
TABLE_OF_KIND = np.array([0, 0, 1, 1, 1, 1, 3, 3], np.int8)
"""Position in `ELEMENT_TABLES` of what each kind of violation is about."""
BASE_STATE = -1


@dataclass(frozen=True, eq=False)
class Violations:
    """Broken limits in columns of equal length, unsorted.

    Attributes:
        scenario, contingency: int32 positions; contingency -1 is the state before any outage.
        kind: int8, position in `VIOLATION_KINDS`.
        element: int32 position in the table that goes with the kind (branches for overloads, buses for voltages and
            reactive power), -1 for the grid as a whole.
        value, base_value, limit: in the unit of the kind; NaN where there is none.
    """

    scenario: Array
    contingency: Array
    kind: Array
    element: Array
    value: Array
    base_value: Array
    limit: Array

    def __len__(self) -> int:
        return len(self.scenario)

    @classmethod
    def join(cls, parts: list[Violations]) -> Violations:
        columns = {}
        for name, dtype in _DTYPES.items():
            arrays = [getattr(part, name) for part in parts]
            columns[name] = np.concatenate(arrays).astype(dtype) if arrays else np.zeros(0, dtype)
        return cls(**columns)

    def take(self, rows: Array) -> Violations:
        return Violations(**{name: getattr(self, name)[rows] for name in _DTYPES})

    @cached_property
    def excess(self) -> Array:
        """Distance past the limit, in the unit of the kind."""
        step = self.kind == V_STEP
        change = np.abs(self.value - self.base_value)
        past = np.abs(self.value - np.where(np.isnan(self.limit), 0.0, self.limit))
        return np.asarray(np.where(step, change - self.limit, past))

    @cached_property
    def severity(self) -> Array:
        """Excess as a share of the limit, to sort across kinds; infinite for an outage without a solution."""
        with np.errstate(divide="ignore", invalid="ignore"):
            share = self.excess / np.abs(self.limit)
        share = np.where((self.kind == ISLANDING) | ~np.isfinite(share), self.excess / 100.0, share)
        return np.where(self.kind == NO_CONVERGENCE, np.inf, share)

    def to_arrow(self, net: Network, contingencies: Contingencies) -> pa.Table:
        """As an Arrow table, with labels and the source's ids."""
        import pyarrow as pa

        def words(codes: Array, values: list[str]) -> pa.DictionaryArray:
            place = {value: at for at, value in enumerate(dict.fromkeys(values))}
            if len(place) < len(values):  # tables may share ids; pandas wants each category once
                codes, values = np.array([place[value] for value in values])[codes], list(place)
            return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(values, pa.string()))

        table = TABLE_OF_KIND[self.kind]
        ids = [getattr(net, name).id.astype(str).tolist() for name in ELEMENT_TABLES[:3]]
        first = np.cumsum([0, *map(len, ids)], dtype=np.int32)  # the last place is for what is of no one element
        element = first[table] + np.where(table == len(ids), 0, self.element)
        labels = ["", *contingencies.label.tolist()]
        return pa.table({
            "scenario": self.scenario, "contingency": self.contingency,
            "contingency_label": words(self.contingency + 1, labels),
            "element_table": words(table, list(ELEMENT_TABLES)), "element": self.element,
            "element_id": words(element, [*chain.from_iterable(ids), ""]), "kind": words(self.kind, list(VIOLATION_KINDS)),
            "value": self.value, "base_value": pa.array(self.base_value, from_pandas=True),
            "limit": pa.array(self.limit, from_pandas=True), "excess": self.excess, "severity": self.severity,
        })  # fmt: skip


_DTYPES = {
    "scenario": np.int32, "contingency": np.int32, "kind": np.int8, "element": np.int32, "value": np.float64,
    "base_value": np.float64, "limit": np.float64,
}  # fmt: skip


@dataclass(frozen=True)
class Passed:
    """What a screen did with ``of`` outages: how many it passed over, and on what grounds.

    Attributes:
        by: the screen: ``"dc"``, ``"one-step"``, ``"pairs"``, ``"learned"`` and the model's name.
        estimated: outages that an estimate keeps away from limits.
        one_outage: pairs that are no more than one of their outages; unsolved: pairs that hold an outage without a solution of
            its own.
        audited: pairs that a model had passed over and that were solved all the same; distrusted: scenarios in which one of
            them broke a limit, so that every pair was solved.
        proof: by what rule outages were passed over, or what is known of the misses of a model, in words.
    """

    by: str
    of: int = 0
    estimated: int = 0
    one_outage: int = 0
    unsolved: int = 0
    audited: int = 0
    distrusted: int = 0
    proof: str = ""

    def __add__(self, other: Passed) -> Passed:
        return replace(
            self, of=self.of + other.of, estimated=self.estimated + other.estimated,
            one_outage=self.one_outage + other.one_outage, unsolved=self.unsolved + other.unsolved,
            audited=self.audited + other.audited, distrusted=self.distrusted + other.distrusted,
        )  # fmt: skip

    @property
    def words(self) -> str:
        """One line for people."""
        out = f"{self.by}: {self.estimated} of {self.of} outages passed over, estimated to keep every limit"
        if self.by in ("dc", "one-step"):
            return f"{out}; splits are always solved"
        out += (
            f" that holds after each of their two outages alone; {self.one_outage} that are no more than one of these"
        )
        if self.unsolved:
            out += f"; {self.unsolved} that hold an outage without a solution of its own"
        if self.audited or self.distrusted:
            out += f"; {self.audited} of those passed over were solved all the same"
            out += (
                f", and broke limits in {self.distrusted} scenarios, which were solved in full"
                if self.distrusted
                else ""
            )
        return f"{out}; {self.proof}" if self.proof else out


@dataclass(frozen=True, eq=False)
class Estimates:
    """What a model's inputs say of pairs that were passed over; (n_scenario, n_contingency) float32, NaN for all others.

    Attributes:
        worst_loading, v_min_pu, band_margin_pu: as in the report, but of limits that hold after each of the two outages alone,
            and not exact: where the sum of both settles by two linear steps (`security.settle`); for pairs that a model rules
            out before, by the closed form, which has no lowest voltage.
    """

    worst_loading: Array
    v_min_pu: Array
    band_margin_pu: Array

    @classmethod
    def join(cls, parts: list[Estimates | None]) -> Estimates | None:
        """Those of consecutive groups of scenarios; None where there are none."""
        told = [part for part in parts if part is not None]
        return cls(*(np.concatenate([getattr(p, n) for p in told]) for n in cls.__dataclass_fields__)) if told else None


def joined_counts(parts: list[Passed]) -> Passed | None:
    """What a screen did with consecutive groups of scenarios; None where there was none."""
    return reduce(add, parts) if parts else None


@dataclass(frozen=True, eq=False)
class SecurityReport:
    """Outcome of a security analysis; all arrays are (n_scenario, n_contingency) unless said otherwise.

    Attributes:
        base: the scenarios' power flows before any outage.
        status: int8 `Status`; SKIPPED where a screen passed an outage over.
        iterations, mismatch_pu: as in `Solution`; a shared outage has those of the one that was solved.
        lost_load_mw, lost_gen_mw: demand and infeed that lost their supply.
        worst_loading: largest loading of a rated branch, 1.0 = 100 %; v_min_pu and v_max_pu: extreme voltages;
            band_margin_pu: least distance of a voltage inside its band, negative outside.
        found: broken limits; `violations` gives them as an Arrow table.
        passed: how outages were passed over; None where all were solved.
        estimates: what is estimated of those that a model passed over; None where none was asked.
        power_flows: AC power flows that were solved, base states included.
    """

    net: Network
    contingencies: Contingencies
    base: Solution
    status: Array
    iterations: Array
    mismatch_pu: Array
    lost_load_mw: Array
    lost_gen_mw: Array
    worst_loading: Array
    v_min_pu: Array
    v_max_pu: Array
    band_margin_pu: Array
    found: Violations
    passed: Passed | None
    estimates: Estimates | None
    power_flows: int

    @property
    def screen(self) -> str:
        """How outages were passed over, in words; empty where all were solved."""
        return self.passed.words if self.passed is not None else ""

    @cached_property
    def violations(self) -> pa.Table:
        """Every broken limit, worst first: scenario, contingency, element, kind, value, base_value, limit, severity."""
        order = np.lexsort((self.found.contingency, self.found.scenario, -self.found.severity))
        return self.found.take(order).to_arrow(self.net, self.contingencies)

    @property
    def margin(self) -> Array:
        """(n_scenario, n_contingency) how far each solved outage is from a limit: the lesser of the share of its rating that the
        most loaded branch leaves free and of ``band_margin_pu``; negative where a limit is broken, NaN without a solution."""
        return np.fmin(1.0 - self.worst_loading, self.band_margin_pu)

    def ranked(self, scenario: int = 0) -> pa.Table:
        """The outages of one scenario, those without a solution first, then by margin.

        Returns:
            Columns contingency, contingency_label, status, worst_loading, v_min_pu, v_max_pu, margin and estimated. An outage
            that a model passed over has its estimates, and ``estimated`` says so; one that a screen without estimates passed
            over comes last.
        """
        import pyarrow as pa

        status = self.status[scenario]
        loading, low, inside = (
            getattr(self, n)[scenario].copy() for n in ("worst_loading", "v_min_pu", "band_margin_pu")
        )
        guessed = np.zeros(len(status), bool)
        if self.estimates is not None:
            told = self.estimates
            guessed = ~np.isnan(told.worst_loading[scenario])
            for own, values in ((loading, told.worst_loading), (low, told.v_min_pu), (inside, told.band_margin_pu)):
                own[guessed] = values[scenario, guessed]
        margin = np.fmin(1.0 - loading, inside)
        unsolved = ~np.isin(status, (Status.CONVERGED, Status.ISLANDED, Status.SKIPPED))
        order = np.lexsort((margin, ~unsolved))  # what has no margin comes last of its kind
        words = np.array([s.name.lower() for s in Status])
        return pa.table({
            "contingency": order.astype(np.int32), "contingency_label": self.contingencies.label[order],
            "status": words[status[order]], "worst_loading": pa.array(loading[order], from_pandas=True),
            "v_min_pu": pa.array(low[order], from_pandas=True),
            "v_max_pu": pa.array(self.v_max_pu[scenario, order], from_pandas=True),
            "margin": pa.array(margin[order], from_pandas=True), "estimated": guessed[order],
        })  # fmt: skip

    @property
    def secure(self) -> Array:
        """(n_scenario,) whether no limit is broken by any outage, base state included."""
        broken = np.zeros(len(self.status), bool)
        broken[self.found.scenario] = True
        return ~broken

    def _repr_html_(self) -> str:
        from aurigrid.security.markup import report_html

        return report_html(self)

    def __repr__(self) -> str:
        counts = ", ".join(f"{np.sum(self.status == s)} {s.meaning}" for s in Status if (self.status == s).any())
        return f"SecurityReport({len(self.status)} x {len(self.contingencies)}: {counts}; {len(self.found)} violations)"
