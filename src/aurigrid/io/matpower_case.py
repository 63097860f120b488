"""What the tables of a MATPOWER case rest on: arrays in full width, positions of buses, usable numbers, bus types."""

from __future__ import annotations

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.io.matlab import CaseText
from aurigrid.io.report import ReportBuilder
from aurigrid.model.table import Array

_PQ, _PV, _REF, _ISOLATED = 1, 2, 3, 4

_MIN_COLUMNS = {"bus": 13, "gen": 10, "branch": 11, "gencost": 5, "dcline": 17}
_GEN_COLUMNS, _BRANCH_COLUMNS = 21, 13
ROWS = "ids shown are row numbers, from 1"
_KNOWN_FIELDS = {
    *("version", "baseMVA", "bus", "gen", "branch", "gencost", "dcline"),
    *("bus_name", "genfuel", "gentype", "areas"),
}


class CheckedCase:
    """The arrays of one case and the lookups that its tables share; problems are collected in ``issues``."""

    def __init__(self, case: CaseText, where: str, name: str) -> None:
        self.case, self.where, self.name = case, where, name
        self.report = ReportBuilder("MATPOWER", where)
        self.issues = IssueList()

    def check_shapes(self) -> None:
        """Required fields and column counts; pads the optional trailing columns."""
        found = self.case.matrices
        base = found.get("baseMVA")
        if base is None or base.size != 1 or not (np.isfinite(base.item()) and base.item() > 0):
            self.issues.add(self.where, "baseMVA", "must be one positive number", hint="e.g. mpc.baseMVA = 100;")
        for key, least in _MIN_COLUMNS.items():
            if key not in found and key in ("bus", "gen", "branch"):
                self.issues.add(self.where, key, "is missing", hint=f"a case file assigns mpc.{key} = [ ... ];")
            elif key in found and len(found[key]) and found[key].shape[1] < least:
                line, width = self.case.lines.get(key, 0), found[key].shape[1]
                at = f"{self.where}, line {line}"
                self.issues.add(at, key, f"has {width} columns", hint=f"the format asks for at least {least}")
        self.issues.raise_if_any()
        assert base is not None
        self.base_mva = float(base.item())
        self.bus = found["bus"]
        if not len(self.bus):
            self.issues.add(self.where, "bus", "has no rows", hint="give at least one bus")
            self.issues.raise_if_any()
        self.gen = _padded(found["gen"], _GEN_COLUMNS)
        self.branch = _padded(found["branch"], _BRANCH_COLUMNS)
        self.dcline = found.get("dcline", np.zeros((0, 17)))
        self.gen_row = np.arange(1, len(self.gen) + 1)
        unknown = sorted({*found, *self.case.cells, *self.case.strings} - _KNOWN_FIELDS)
        if unknown:
            self.report.ignore("mpc", "fields that are not read", unknown, "they hold no part of the power-flow model")
        if "areas" in found:
            self.report.ignore("areas", "price reference buses are not kept", (), "no result depends on them")

    def bus_lookup(self) -> None:
        """Positions of the buses that the other tables name."""
        numbers = self.bus[:, 0]
        ok = np.isfinite(numbers) & (numbers == np.round(numbers))
        if not ok.all():
            self.issues.add("bus", "bus_i", "must be whole numbers", (np.flatnonzero(~ok) + 1).tolist(), ROWS)
            self.issues.raise_if_any()
        order = np.argsort(numbers, kind="stable")
        ranked = numbers[order]
        twice = np.unique(ranked[1:][ranked[1:] == ranked[:-1]])
        if len(twice):
            self.issues.add(
                "bus", "bus_i", "must be unique", twice.astype(int).tolist(), "give each bus its own number"
            )

        def position(table: str, field: str, wanted: Array, rows: Array) -> Array:
            at = np.minimum(np.searchsorted(ranked, wanted), len(ranked) - 1)
            missing = ranked[at] != wanted
            if missing.any():
                self.issues.add(
                    table,
                    field,
                    "names buses that do not exist",
                    rows[missing].tolist(),
                    ROWS,
                )
            return order[at].astype(np.int32)

        branch_row = np.arange(1, len(self.branch) + 1)
        self.from_bus = position("branch", "fbus", self.branch[:, 0], branch_row)
        self.to_bus = position("branch", "tbus", self.branch[:, 1], branch_row)
        self.gen_bus = position("gen", "bus", self.gen[:, 0], self.gen_row)
        dc_row = np.arange(1, len(self.dcline) + 1)
        self.dc_from = position("dcline", "fbus", self.dcline[:, 0], dc_row)
        self.dc_to = position("dcline", "tbus", self.dcline[:, 1], dc_row)

    def check_numbers(self) -> None:
        """No NaN anywhere; no infinity where a number is needed; bus types 1 to 4."""
        finite = {
            "bus": (self.bus, {2: "Pd", 3: "Qd", 4: "Gs", 5: "Bs", 7: "Vm", 8: "Va", 9: "baseKV"}),
            "gen": (self.gen, {1: "Pg", 2: "Qg", 5: "Vg", 7: "status"}),
            "branch": (self.branch, {2: "r", 3: "x", 4: "b", 8: "ratio", 9: "angle", 10: "status"}),
        }
        cost = self.case.matrices.get("gencost", np.zeros((0, 5)))
        widths = {"bus": 13, "gen": _GEN_COLUMNS, "branch": _BRANCH_COLUMNS}
        for table, array in (
            *((k, v[0][:, : widths[k]]) for k, v in finite.items()),
            ("gencost", cost),
            ("dcline", self.dcline),
        ):
            nan = np.isnan(array)
            for cell in self.case.unreadable.get(table, []):  # told already
                if cell[1] < nan.shape[1]:
                    nan[cell] = False
            if nan.any():
                where = ", ".join(str(c + 1) for c in np.flatnonzero(nan.any(0)))
                rows = (np.flatnonzero(nan.any(1)) + 1).tolist()
                self.issues.add(table, "", f"holds NaN in column {where}", rows, ROWS)
        for table, (array, names) in finite.items():
            for column, field in names.items():
                bad = np.flatnonzero(np.isinf(array[:, column]))
                if len(bad):
                    self.issues.add(table, field, "must be finite", (bad + 1).tolist(), ROWS)
        bad = np.flatnonzero(~np.isin(self.bus[:, 1], (_PQ, _PV, _REF, _ISOLATED)))
        if len(bad):
            numbers = self.bus[bad, 0].astype(np.int64)
            self.issues.add("bus", "type", "must be 1 (PQ), 2 (PV), 3 (reference) or 4 (isolated)", numbers.tolist())

    def bus_kinds(self) -> None:
        """Bus types as the power flow uses them: decided by the units in service."""
        kind = self.bus[:, 1].astype(int)
        numbers = self.bus[:, 0].astype(np.int64)
        self.bus_on = kind != _ISOLATED
        self.gen_on = (self.gen[:, 7] > 0) & self.bus_on[self.gen_bus]
        supplied = np.zeros(len(kind), dtype=bool)
        supplied[self.gen_bus[self.gen_on]] = True
        bare = (kind == _PV) & ~supplied
        if bare.any():
            self.report.merge(
                "bus", "PV buses without a unit in service are PQ buses", numbers[bare], "as MATPOWER does"
            )
        self.reference = (kind == _REF) & supplied
        lost = (kind == _REF) & ~supplied
        if lost.any():
            why = "the first PV bus with a unit takes over where no other is left, as MATPOWER does"
            self.report.merge("bus", "reference buses without a unit in service are PQ buses", numbers[lost], why)
        if not self.reference.any():
            pv = np.flatnonzero((kind == _PV) & supplied)
            if len(pv):
                self.reference[pv[0]] = True
                self.report.merge("bus", "the first PV bus is the reference", numbers[pv[:1]], "the file names none")
        self.regulated = ((kind == _PV) | (kind == _REF)) | self.reference


def _padded(array: Array, width: int) -> Array:
    """The first columns; missing trailing ones are 0, which the format takes as "not given"."""
    if not len(array):
        return np.zeros((0, width))
    missing = width - array.shape[1]
    return array[:, :width] if missing <= 0 else np.hstack([array, np.zeros((len(array), missing))])
