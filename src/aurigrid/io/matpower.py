"""MATPOWER case files (``.m``, format versions 1 and 2) to a `Network`.

Columns and their meaning: MATPOWER User's Manual, appendix B. What the format's own power flow does with them is kept:
a PV bus without a unit in service is a PQ bus, a unit at a PQ bus does not regulate, of several units at one bus the
last one in service sets the voltage, and elements at an isolated bus are off.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aurigrid.errors import InputError, IssueList
from aurigrid.io.matlab import CaseText, read_case_text
from aurigrid.io.matpower_case import ROWS, CheckedCase
from aurigrid.io.report import Import, SourceState
from aurigrid.model import tables as t
from aurigrid.model.network import Network
from aurigrid.model.rules import MIN_IMPEDANCE_PU
from aurigrid.model.table import Array
from aurigrid.model.validate import broken_rules, require_valid

_FUELS = {
    "ng": "gas",
    "gas": "gas",
    "dfo": "oil",
    "rfo": "oil",
    "oil": "oil",
    "coal": "coal",
    "refuse": "waste",
    "msw": "waste",
    "wood": "biomass",
    "biomass": "biomass",
    "ess": "storage",
    "unknown": "",
    "other": "other",
}


def read_matpower(path: str | Path, *, name: str = "") -> Import:
    """Read a MATPOWER case file.

    Args:
        path: the ``.m`` file.
        name: short name of the grid; the file's stem where empty.

    Returns:
        The network; bus ids are the file's bus numbers, branch, gen and dcline ids their row numbers from 1, load and
        shunt ids their bus. The format has no frequency: it stays at its default, and no result depends on it. The
        stored voltages are the source state, marked as not known to be solved.

    Raises:
        InputError: every problem found in the file, with line or field.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        issues = IssueList()
        issues.add(str(path), "", f"cannot be read ({error.strerror or error})")
        raise InputError(issues.issues) from error
    return convert_case(read_case_text(text, path.name), path.name, name or path.stem)


def convert_case(case: CaseText, where: str, name: str) -> Import:
    """The network of an evaluated case file; arguments and errors as in `read_matpower`."""
    return _Converter(case, where, name).convert()


class _Converter(CheckedCase):
    """The tables of one case."""

    def convert(self) -> Import:
        try:
            self.check_shapes()
        except InputError as error:
            raise InputError([*self.case.issues, *error.issues]) from None
        self.issues.issues.extend(self.case.issues)
        self.bus_lookup()
        self.check_numbers()
        if self.issues.issues:
            self.add_broken_rules()
        network = self.network()
        self.count_source()
        require_valid(network)
        state = SourceState(
            "stored in the file",
            solved=False,
            v_mag_pu=self.bus[:, 7].copy(),
            v_ang_deg=self.bus[:, 8].copy(),
            remarks=("the format does not tell whether these voltages are a solution",),
        )
        return Import(network, self.report.finish(network), source_state=state)

    def add_broken_rules(self) -> None:
        """Raise what was found, with what else is wrong row by row; positions and islands cannot be judged here."""
        found, self.issues = self.issues, IssueList()
        try:
            with np.errstate(invalid="ignore"):  # rows that hold NaN are cast as they come
                found.issues.extend(broken_rules(self.network(), finite=False))
        except InputError as error:
            found.issues.extend(error.issues)
        found.raise_if_any()

    def network(self) -> Network:
        """The tables, in the order in which they depend on one another."""
        self.bus_kinds()
        bus = self.buses()
        branch, switch, extra_shunt = self.branches()
        gen = self.units()
        cost = self.costs(len(gen))
        gen, cost_point = gen.replace(**cost[0]), cost[1]
        return Network(
            bus=bus,
            branch=branch,
            gen=gen,
            load=self.loads(),
            shunt=self.shunts(extra_shunt),
            hvdc=self.dc_lines(),
            switch=switch,
            cost_point=cost_point,
            capability=self.capability(),
            name=self.name,
            base_mva=self.base_mva,
        )

    def buses(self) -> t.BusTable:
        numbers = self.bus[:, 0].astype(np.int64)
        kv = self.bus[:, 9].copy()
        unknown = kv == 0
        if unknown.any():
            self.report.merge(
                "bus", "baseKV is 0: taken as 1 kV", numbers[unknown], "per-unit results do not depend on it"
            )
            kv[unknown] = 1.0
        names = self.case.cells.get("bus_name")
        if names is not None and len(names) != len(numbers):
            self.report.ignore("bus_name", f"has {len(names)} names for {len(numbers)} buses", (), "names are dropped")
            names = None
        return t.BusTable.make(
            id=numbers,
            name=names if names is not None else "",
            v_nom_kv=kv,
            v_max_pu=self.bus[:, 11],
            v_min_pu=self.bus[:, 12],
            area=[f"{v:g}" for v in self.bus[:, 6]],
            zone=[f"{v:g}" for v in self.bus[:, 10]],
            in_service=self.bus_on,
            v_mag_pu=self.bus[:, 7],
            v_ang_deg=self.bus[:, 8],
        )

    def branches(self) -> tuple[t.BranchTable, t.SwitchTable, Array]:
        """Branches, the switches that stand for those without impedance, and the charging of these, (n_bus,) Mvar."""
        b, f, to = self.branch, self.from_bus, self.to_bus
        row = np.arange(1, len(b) + 1)
        on = (b[:, 10] > 0) & self.bus_on[f] & self.bus_on[to]
        ratio, shift = b[:, 8], b[:, 9]
        kv = self.bus[:, 9]
        other_kv = (kv[f] != kv[to]) & (kv[f] > 0) & (kv[to] > 0)
        transformer = (ratio != 0) | (shift != 0) | other_kv
        size = np.hypot(b[:, 2], b[:, 3])
        short = (size < MIN_IMPEDANCE_PU) & np.isin(ratio, (0, 1)) & (shift == 0)
        extra = np.zeros(len(self.bus))
        if (short & (size == 0)).any():
            ids = row[short & (size == 0)]
            self.report.merge("branch", "zero impedance: now switches", ids, "their two buses are one node")
        if (short & (size > 0)).any():
            why = f"below {MIN_IMPEDANCE_PU:g} pu an impedance only spoils the numbers"
            self.report.approximate("branch", "next to no impedance: now switches", row[short & (size > 0)], why)
        charged = short & on & (b[:, 4] != 0)
        np.add.at(extra, f[charged], b[charged, 4] * self.base_mva)
        rate = np.where(b[:, 5:8] == 0, np.inf, b[:, 5:8])
        low = np.where(b[:, 11] == 0, -360.0, np.clip(b[:, 11], -360, 360))
        high = np.where(b[:, 12] == 0, 360.0, np.clip(b[:, 12], -360, 360))
        branch = t.BranchTable.make(
            id=row,
            kind=np.where(transformer, t.TRANSFORMER, t.LINE),
            from_bus=f,
            to_bus=to,
            r_pu=b[:, 2],
            x_pu=b[:, 3],
            b_from_pu=b[:, 4] / 2,
            b_to_pu=b[:, 4] / 2,
            tap_ratio=np.where(ratio == 0, 1.0, ratio),
            shift_deg=shift,
            rate_mva=rate[:, 0],
            rate_short_mva=rate[:, 1],
            rate_emergency_mva=rate[:, 2],
            angle_min_deg=low,
            angle_max_deg=high,
            in_service=on,
        ).take(~short)
        switch = t.SwitchTable.make(
            id=row[short], from_bus=f[short], to_bus=to[short], closed=on[short], rate_mva=rate[short, 0]
        )
        return branch, switch, extra

    def units(self) -> t.GenTable:
        g, at = self.gen, self.gen_bus
        regulates = self.regulated[at]
        v_set = g[:, 5].copy()
        last = np.zeros(len(self.bus), dtype=int)
        last[at[self.gen_on]] = np.flatnonzero(self.gen_on)  # assignment in order: the last unit of a bus stays
        held = self.gen_on & regulates
        differs = held & (v_set != v_set[last[at]])
        if differs.any():
            why = "as MATPOWER does where units at one bus disagree"
            self.report.merge("gen", "Vg is that of the last unit at its bus", self.gen_row[differs], why)
            v_set[held] = v_set[last[at[held]]]
        first_at = {int(bus): row for row, bus in reversed(list(enumerate(at.tolist()))) if self.gen_on[row]}
        reference = np.zeros(len(g), dtype=bool)
        reference[[first_at[bus] for bus in np.flatnonzero(self.reference).tolist()]] = True
        agc, ten, thirty = g[:, 16], g[:, 17] / 10, g[:, 18] / 30
        ramp = np.where(agc > 0, agc, np.where(ten > 0, ten, np.where(thirty > 0, thirty, np.inf)))
        fuel = [_FUELS.get(v.lower(), v.lower()) for v in self.labels("genfuel")]
        return t.GenTable.make(
            len(g),
            id=self.gen_row,
            bus=at,
            p_mw=g[:, 1],
            q_mvar=g[:, 2],
            v_set_pu=v_set,
            regulates=regulates,
            is_reference=reference,
            v_ang_deg=np.where(reference, self.bus[at, 8], 0.0),
            p_min_mw=g[:, 9],
            p_max_mw=g[:, 8],
            q_min_mvar=g[:, 4],
            q_max_mvar=g[:, 3],
            participation=g[:, 20],
            ramp_up_mw_per_min=ramp,
            ramp_down_mw_per_min=ramp,
            fuel=fuel,
            technology=self.labels("gentype"),
            in_service=self.gen_on,
        )

    def labels(self, field: str) -> list[str]:
        """A cell array with one string a unit, or empty strings."""
        found = self.case.cells.get(field)
        if found is not None and len(found) == len(self.gen):
            return found
        if found is not None:
            what = f"has {len(found)} entries for {len(self.gen)} units"
            self.report.ignore(field, what, (), "labels are dropped; no power flow depends on them")
        return [""] * len(self.gen)

    def costs(self, n: int) -> tuple[dict[str, Array], t.CostPointTable]:
        """Polynomials up to degree two as columns of the units, piecewise-linear costs as points."""
        cost = self.case.matrices.get("gencost", np.zeros((0, 5)))
        if len(cost) not in (0, n, 2 * n):
            what = f"has {len(cost)} rows for {n} units"
            self.issues.add(self.where, "gencost", what, hint="give one row per unit, or two (P, then Q)")
            self.issues.raise_if_any()
        c, of_q = np.zeros((n, 3)), self.reactive_costs(cost[n:], n)
        start, stop = np.zeros(n), np.zeros(n)
        points: list[tuple[int, float, float]] = []
        cubic, short = [], []
        for row, line in enumerate(cost[:n]):
            start[row], stop[row] = line[1], line[2]
            count = int(np.nan_to_num(line[3], posinf=-1.0))
            wanted = 2 * count if line[0] == 1 else count
            values = line[4 : 4 + wanted] if count >= 0 else line[:0]
            if len(values) != wanted:
                short.append(row + 1)
                continue
            if line[0] == 1:
                points += [(row, p, v) for p, v in zip(values[::2], values[1::2], strict=True)]
            elif line[0] == 2:
                if (values[:-3] != 0).any():
                    cubic.append(row + 1)
                c[row] = _lowest(values)
            else:
                self.issues.add("gencost", "model", "must be 1 (piecewise linear) or 2 (polynomial)", [row + 1])
        if short:
            self.issues.add("gencost", "ncost", "asks for more values than the row has", short, ROWS)
        self.issues.raise_if_any()
        if cubic:
            why = "an optimal power flow uses the rest of the polynomial; no power flow depends on it"
            self.report.ignore("gencost", "terms above the second degree", cubic, why)
        columns = {
            "cost_c0_per_h": c[:, 0] + of_q[:, 0],
            "cost_c1_per_mwh": c[:, 1],
            "cost_c2_per_mw2h": c[:, 2],
            "cost_q1_per_mvarh": of_q[:, 1],
            "cost_q2_per_mvar2h": of_q[:, 2],
            "start_cost": start,
            "stop_cost": stop,
        }
        at, p, value = (list(v) for v in zip(*points, strict=True)) if points else ([], [], [])
        return columns, t.CostPointTable.make(len(at), gen=at, p_mw=p, cost_per_h=value)

    def reactive_costs(self, cost: Array, n: int) -> Array:
        """(n, 3) coefficients of the costs of reactive power, lowest degree first."""
        c, other = np.zeros((n, 3)), []
        for row, line in enumerate(cost):
            count = int(np.nan_to_num(line[3], posinf=-1.0))
            values = line[4 : 4 + max(count, 0)]
            if line[0] != 2 or len(values) != count or (values[:-3] != 0).any():
                other.append(row + 1)
            else:
                c[row] = _lowest(values)
        if other:
            why = "only polynomials up to the second degree are costs of reactive power here"
            self.report.ignore("gencost", "costs of reactive power", other, why)
        return c

    def sinks(self) -> Array:
        """Rows of dispatchable loads with reactive power: units of negative output that keep their power factor.

        As in MATPOWER, the reactive power at Pmin is the limit that is not 0, and follows active power in proportion.
        """
        g = self.gen
        sink = (g[:, 9] < 0) & np.isfinite(g[:, 9]) & (g[:, 8] == 0) & ((g[:, 3] != 0) | (g[:, 4] != 0))
        unclear = sink & (g[:, 3] != 0) & (g[:, 4] != 0)
        if unclear.any():
            why = "Qmin and Qmax are both not 0, so that no power factor follows; they move freely within them"
            self.report.approximate("gen", "dispatchable loads", self.gen_row[unclear], why)
        return np.flatnonzero(sink & ~unclear)

    def capability(self) -> t.CapabilityTable:
        """The two points (Pc1, Pc2) of a unit's capability line where the file gives one; the power factor of dispatchable
        loads as limits that coincide."""
        g, sink = self.gen, self.sinks()
        given = (g[:, 10] != g[:, 11]) & (g[:, 12:16] != 0).any(axis=1)
        rows = np.setdiff1d(np.flatnonzero(given), sink)
        at = np.repeat(np.r_[rows, sink], 2)
        p, low, high = (g[rows][:, pair].ravel() for pair in ([10, 11], [12, 14], [13, 15]))
        own = np.column_stack([g[sink, 3] + g[sink, 4], np.zeros(len(sink))]).ravel()
        p = np.r_[p, np.column_stack([g[sink, 9], np.zeros(len(sink))]).ravel()]
        low, high = np.r_[low, own], np.r_[high, own]
        order = np.lexsort((p, at))
        return t.CapabilityTable.make(
            len(at), gen=at[order], p_mw=p[order], q_min_mvar=low[order], q_max_mvar=high[order]
        )

    def loads(self) -> t.LoadTable:
        rows = np.flatnonzero((self.bus[:, 2] != 0) | (self.bus[:, 3] != 0))
        return t.LoadTable.make(
            len(rows),
            id=self.bus[rows, 0].astype(np.int64),
            bus=rows,
            p_mw=self.bus[rows, 2],
            q_mvar=self.bus[rows, 3],
            in_service=self.bus_on[rows],
        )

    def shunts(self, extra_mvar: Array) -> t.ShuntTable:
        """Gs and Bs, with the charging of branches that became switches added at their from bus."""
        g, b = self.bus[:, 4], self.bus[:, 5] + extra_mvar
        rows = np.flatnonzero((g != 0) | (b != 0))
        return t.ShuntTable.make(
            len(rows),
            id=self.bus[rows, 0].astype(np.int64),
            bus=rows,
            g_mw=g[rows],
            b_mvar=b[rows],
            in_service=self.bus_on[rows],
        )

    def dc_lines(self) -> t.HvdcTable:
        """DC lines; both converters hold their bus's voltage. The format's power flow leaves them out unless asked."""
        d = self.dcline
        if not len(d):
            return t.HvdcTable.empty()
        row = np.arange(1, len(d) + 1)
        p, fixed, share = d[:, 3].copy(), d[:, 15].copy(), d[:, 16].copy()
        back = p < 0
        if back.any():
            why = "the format's losses grow with power drawn at the from end only; exact at the given power"
            self.report.approximate("dcline", "fixed losses, as power flows backwards", row[back], why)
            fixed[back] += share[back] * p[back]
            share[back] = 0.0
            p[back] -= fixed[back]
        on = (d[:, 2] > 0) & self.bus_on[self.dc_from] & self.bus_on[self.dc_to]
        why = "MATPOWER leaves DC lines out of a power flow unless toggle_dcline switches them on; here they are on"
        self.report.approximate("dcline", "are part of the model", row[on], why)
        return t.HvdcTable.make(
            id=row,
            from_bus=self.dc_from,
            to_bus=self.dc_to,
            p_mw=p,
            p_min_mw=d[:, 9],
            p_max_mw=d[:, 10],
            loss_fixed_mw=fixed,
            loss_share=share,
            regulates_from=True,
            regulates_to=True,
            v_set_from_pu=d[:, 7],
            v_set_to_pu=d[:, 8],
            q_from_mvar=d[:, 5],
            q_to_mvar=d[:, 6],
            q_min_from_mvar=d[:, 11],
            q_max_from_mvar=d[:, 12],
            q_min_to_mvar=d[:, 13],
            q_max_to_mvar=d[:, 14],
            in_service=on,
        )

    def count_source(self) -> None:
        self.report.count("bus", self.bus_on, self.bus[:, 2], self.bus[:, 3])
        self.report.count("gen", self.gen_on, self.gen[:, 1], self.gen[:, 2])
        self.report.count("branch", self.branch[:, 10] > 0)
        if len(self.dcline):
            self.report.count("dcline", self.dcline[:, 2] > 0, self.dcline[:, 3])


def _lowest(values: Array) -> Array:
    """(3,) coefficients of a polynomial from constant to square, from those of a row, highest first."""
    c = np.zeros(3)
    tail = values[-3:][::-1]
    c[: len(tail)] = tail
    return c
