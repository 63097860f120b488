"""`Scenarios`: a batch of conditions of one `Network`: injections, set-points and outages."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from aurigrid.errors import InputError, Issue, IssueList
from aurigrid.model.grouped import Grouped
from aurigrid.model.network import Network
from aurigrid.model.ragged import Ragged
from aurigrid.model.scenario_input import OUTAGES, SOURCES, agreed_n, entries, labels, numbers, ragged, stretched
from aurigrid.model.table import Array, read_only


@dataclass(frozen=True, eq=False, init=False)
class Scenarios:
    """`n` conditions of one network; what is not given is as in the network.

    Arrays are (n, elements) in the order of the network's tables, or (elements,) for all scenarios alike; they are kept
    as read-only views, without a copy where they are float64 and C-contiguous, so do not write to them afterwards. An
    (elements,) array stays one row in memory (its row stride is 0). Loads and active injections may be `Grouped`: many
    elements that follow few profiles, which then are never written out.

    Outage lists have one entry a scenario: None, one element, or several. An element is a position (int) or an id or
    name (str). A bool array (n, elements), or (elements,) for all scenarios, is a mask of what is out.

    Attributes:
        net: the network.
        n: number of scenarios.
        load_p_mw, load_q_mvar: consumption at 1 pu, (n, n_load), MW and Mvar, or None.
        gen_p_mw, gen_q_mvar: injection of units, (n, n_gen), MW and Mvar, or None.
        gen_v_pu: voltage set-points, (n, n_gen), pu, or None.
        storage_p_mw, storage_q_mvar: injection of storage, (n, n_storage), MW and Mvar, or None.
        hvdc_p_mw: power drawn at the sending end, (n, n_hvdc), MW, or None.
        shunt_step: steps in service, (n, n_shunt), or None.
        branch_out, gen_out, load_out, bus_out, hvdc_out: `Ragged` lists of positions that are out of service.
        label: (n,) names of the scenarios, object of str, or None.

    Raises:
        InputError: shapes that do not match, values that are no finite numbers, voltages that are not positive, unknown
            elements; all of them at once.
    """

    net: Network
    n: int
    load_p_mw: Array | Grouped | None
    load_q_mvar: Array | Grouped | None
    gen_p_mw: Array | Grouped | None
    gen_q_mvar: Array | None
    gen_v_pu: Array | None
    storage_p_mw: Array | None
    storage_q_mvar: Array | None
    hvdc_p_mw: Array | None
    shunt_step: Array | None
    branch_out: Ragged
    gen_out: Ragged
    load_out: Ragged
    bus_out: Ragged
    hvdc_out: Ragged
    label: Array | None

    def __init__(
        self,
        net: Network,
        *,
        n: int | None = None,
        load_p_mw: object = None,
        load_q_mvar: object = None,
        gen_p_mw: object = None,
        gen_q_mvar: object = None,
        gen_v_pu: object = None,
        storage_p_mw: object = None,
        storage_q_mvar: object = None,
        hvdc_p_mw: object = None,
        shunt_step: object = None,
        branch_out: object = None,
        gen_out: object = None,
        load_out: object = None,
        bus_out: object = None,
        hvdc_out: object = None,
        label: object = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name in SOURCES or name in OUTAGES}
        issues = IssueList()
        arrays = {name: numbers(net, name, given[name], issues) for name in SOURCES}
        outages = {name: entries(net, name, given[name], issues) for name in OUTAGES}
        named = None if label is None else labels(label, issues)
        count = agreed_n(n, arrays, outages, named, issues)
        done: dict[str, Any] = {"net": net, "n": count, "label": named}
        for name, array in arrays.items():
            done[name] = None if array is None else stretched(net, name, array, count, issues)
        for name, entry in outages.items():
            done[name] = ragged(net, name, entry, count, issues)
        issues.raise_if_any()
        for name, value in done.items():
            object.__setattr__(self, name, value)

    @classmethod
    def _trusted(cls, **fields: Any) -> Self:
        """Build from parts that are checked already."""
        self = cls.__new__(cls)
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        return self

    @classmethod
    def base(cls, net: Network, n: int = 1) -> Self:
        """`n` times the network as it is."""
        return cls(net, n=n)

    @classmethod
    def concat(cls, parts: Iterable[Scenarios]) -> Self:
        """All scenarios of several batches of the same network, in order.

        Raises:
            InputError: no parts, or parts of different networks.
        """
        batches = list(parts)
        if not batches:
            raise InputError(Issue("scenarios", "", "nothing to join", hint="give at least one batch"))
        net = batches[0].net
        if any(part.net is not net and part.net.digest != net.digest for part in batches):
            raise InputError(Issue("scenarios", "", "the batches belong to different networks"))
        fields: dict[str, Any] = {"net": net, "n": sum(part.n for part in batches), "label": None}
        for name in SOURCES:
            varied = any(getattr(part, name) is not None for part in batches)
            fields[name] = read_only(np.concatenate([part.values(name) for part in batches])) if varied else None
        for name in OUTAGES:
            fields[name] = Ragged.concat([getattr(part, name) for part in batches])
        if any(part.label is not None for part in batches):
            blank = [part.label if part.label is not None else np.full(part.n, "", dtype=object) for part in batches]
            fields["label"] = read_only(np.concatenate(blank))
        return cls._trusted(**fields)

    def __len__(self) -> int:
        return self.n

    def _repr_html_(self) -> str:
        from aurigrid.model.markup import scenarios_html

        return scenarios_html(self)

    def __repr__(self) -> str:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        given += [name for name in OUTAGES if len(getattr(self, name).idx)]
        return f"Scenarios({self.n} of {self.net.name!r}: {', '.join(given) or 'as in the network'})"

    def __getitem__(self, rows: int | slice | Array | Sequence[int]) -> Self:
        """Some of the scenarios; a slice shares memory with this batch."""
        if isinstance(rows, (int, np.integer)):
            if not -self.n <= rows < self.n:
                raise IndexError(f"scenario {rows} of {self.n}")
            row = int(rows) % self.n
            return self.take(slice(row, row + 1))
        return self.take(rows)

    def take(self, rows: slice | Array | Sequence[int]) -> Self:
        """The scenarios at the given positions (slice, positions or bool mask); a slice shares memory."""
        picked = np.arange(self.n)[rows if isinstance(rows, slice) else _as_index(rows)]
        fields: dict[str, Any] = {"net": self.net, "n": len(picked)}
        for name in SOURCES:
            array = getattr(self, name)
            if isinstance(array, Grouped):
                array = array.take(rows if isinstance(rows, slice) else picked)
            elif array is not None and array.strides[0] == 0:
                array = np.broadcast_to(array[0], (len(picked), array.shape[1]))
            elif array is not None:
                array = read_only(array[rows if isinstance(rows, slice) else picked])
            fields[name] = array
        for name in OUTAGES:
            fields[name] = getattr(self, name).take(picked)
        fields["label"] = None if self.label is None else read_only(self.label[picked])
        return self._trusted(**fields)

    def replace(self, **changes: Any) -> Self:
        """A copy with some arrays, outage lists or labels replaced, checked as at construction."""
        return dataclasses.replace(self, **changes)

    def values(self, name: str) -> Array:
        """One quantity of `SOURCES` as (n, elements), the network's own column where it is not varied."""
        array: Array | Grouped | None = getattr(self, name)
        if array is not None:
            return array[:] if isinstance(array, Grouped) else array
        table, column = SOURCES[name]
        base = getattr(getattr(self.net, table), column)
        return np.broadcast_to(base, (self.n, len(base)))

    @property
    def branch_out_ptr(self) -> Array:
        return self.branch_out.ptr

    @property
    def branch_out_idx(self) -> Array:
        return self.branch_out.idx

    @property
    def gen_out_ptr(self) -> Array:
        return self.gen_out.ptr

    @property
    def gen_out_idx(self) -> Array:
        return self.gen_out.idx

    @property
    def load_out_ptr(self) -> Array:
        return self.load_out.ptr

    @property
    def load_out_idx(self) -> Array:
        return self.load_out.idx

    @property
    def bus_out_ptr(self) -> Array:
        return self.bus_out.ptr

    @property
    def bus_out_idx(self) -> Array:
        return self.bus_out.idx

    @property
    def hvdc_out_ptr(self) -> Array:
        return self.hvdc_out.ptr

    @property
    def hvdc_out_idx(self) -> Array:
        return self.hvdc_out.idx


def _as_index(rows: object) -> Array:
    index = np.asarray(rows)
    return index if index.dtype == bool else index.astype(np.int64)
