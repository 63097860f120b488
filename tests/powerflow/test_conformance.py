"""What every engine must do on every grid: one suite, parametrised over engines, grids and conditions.

Expected values come from the dense oracle (`oracle.py`), which reads the tables alone. What an engine cannot do by its
nature is a strict expected failure with the reason.
"""

from __future__ import annotations

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.model.tables import BranchTable, BusTable, GenTable, LoadTable
from oracle import OFF, Condition, aligned, dc_angles, mismatch_pu, solve
from sample_grids import CONDITIONS, everything, with_zip_loads

ENGINES = ("newton", "dc")
GRIDS = ("case9", "case14", "case30", "case57", "case14 with ZIP loads", "everything")
TOL = 1e-9

_NETS: dict[str, Network] = {}


def grid(name: str) -> Network:
    if name not in _NETS:
        if name == "everything":
            _NETS[name] = everything()
        else:
            net = ag.load(name.split()[0])
            _NETS[name] = with_zip_loads(net) if name.endswith("loads") else net
    return _NETS[name]


def scenarios(name: str, condition: str, seed: int = 7) -> Scenarios:
    return CONDITIONS[condition](grid(name), np.random.default_rng(seed))


def varied(net: Network, n: int = 37, seed: int = 3) -> Scenarios:
    """Loads, units, set-points and outages at once; more scenarios than two tiles of lanes."""
    rng = np.random.default_rng(seed)
    v = net.gen.v_set_pu + rng.uniform(-0.01, 0.01, (n, net.n_bus))[:, net.gen.bus]
    return Scenarios(
        net,
        load_p_mw=net.load.p_mw * rng.uniform(0.8, 1.1, (n, net.n_load)),
        load_q_mvar=net.load.q_mvar * rng.uniform(0.8, 1.1, (n, net.n_load)),
        gen_p_mw=net.gen.p_mw * rng.uniform(0.9, 1.1, (n, net.n_gen)),
        gen_v_pu=v,
        branch_out=[[k % net.n_branch] if k % 3 else None for k in range(n)],
        gen_out=[[k % net.n_gen] if k % 5 == 1 else None for k in range(n)],
        load_out=[[k % net.n_load] if k % 7 == 2 else None for k in range(n)],
    )


def same_bits(a: ag.Solution, b: ag.Solution, rows_a: object = slice(None), rows_b: object = slice(None)) -> None:
    for name in ("v", "status", "iterations", "mismatch_pu", "slack_mw", "held"):
        left, right = getattr(a, name)[rows_a], getattr(b, name)[rows_b]
        assert left.tobytes() == right.tobytes(), f"{name} differs"


engines = pytest.mark.parametrize("engine", ENGINES)
grids = pytest.mark.parametrize("name", GRIDS)
slacks = pytest.mark.parametrize("slack", ["reference", "distributed"])
limits = pytest.mark.parametrize("q_limits", [False, True], ids=["free", "limits"])


# --- shapes, status, NaN --------------------------------------------------------------------------------------------


@engines
@grids
def test_shapes_and_types(engine: str, name: str) -> None:
    net, n = grid(name), 5
    sol = ag.power_flow(net, varied(net, n), engine=engine)
    assert sol.n == n
    for array in (sol.status, sol.iterations, sol.mismatch_pu, sol.lost_load_mw, sol.lost_gen_mw):
        assert array.shape == (n,)
    assert sol.v_mag.shape == sol.v_ang.shape == (n, net.n_bus)
    assert sol.v_mag.dtype == sol.mismatch_pu.dtype == np.float64
    flow = sol.branch_flow()
    for array in (flow.p_from_mw, flow.q_from_mvar, flow.p_to_mw, flow.q_to_mvar, flow.s_from_mva, flow.loading):
        assert array.shape == (n, net.n_branch)
    assert sol.gen_p_mw.shape == sol.gen_q_mvar.shape == (n, net.n_gen)


@pytest.mark.parametrize(
    "engine",
    [
        "newton",
        pytest.param("dc", marks=pytest.mark.xfail(strict=True, reason="a linear model has a solution at any load")),
    ],
)
@pytest.mark.parametrize("name", ["case9", "case57"])
def test_a_failed_row_is_nan_and_says_so(engine: str, name: str) -> None:
    net = grid(name)
    sol = ag.power_flow(net, Scenarios(net, load_p_mw=np.outer([1, 50, 1], net.load.p_mw)), engine=engine)
    assert sol.status[1] in (ag.Status.DIVERGED, ag.Status.ITERATION_LIMIT, ag.Status.SINGULAR)
    assert sol.converged.tolist() == [True, False, True]
    flow = sol.branch_flow()
    for values in (
        sol.v_mag,
        sol.v_ang,
        sol.mismatch_pu[:, None],
        flow.p_from_mw,
        flow.q_to_mvar,
        sol.gen_p_mw,
        sol.gen_q_mvar,
    ):
        assert np.isnan(values[1]).all()
        assert np.isfinite(values[[0, 2]]).all()


@engines
def test_no_supply_is_nan_and_zero_flow(engine: str) -> None:
    net = grid("everything")
    sol = ag.power_flow(net, engine=engine)
    dead = np.arange(net.n_bus) >= 13
    assert sol.status[0] == ag.Status.CONVERGED  # nothing was lost: those buses never had supply
    assert np.array_equal(np.isnan(sol.v_mag[0]), dead)
    assert np.array_equal(np.isnan(sol.v_ang[0]), dead)
    flow = sol.branch_flow()
    at_dead = net.branch.id == "D1314"
    assert flow.p_from_mw[0, at_dead] == 0
    assert np.isfinite(flow.p_from_mw).all()


@engines
@slacks
def test_a_split_names_what_it_loses(engine: str, slack: str) -> None:
    net = grid("everything")
    sc = Scenarios(net, branch_out=[["L67"], ["L56"], ["M1112a"], ["M1112a", "M1112b"], ["T45", "T25"]])
    sol = ag.power_flow(net, sc, engine=engine, slack=slack)
    islanded, solved = ag.Status.ISLANDED, ag.Status.CONVERGED
    assert sol.status.tolist() == [islanded, islanded, solved, islanded, islanded]
    assert sol.lost_load_mw.tolist() == [10, 40, 0, 12, 60]
    assert sol.lost_gen_mw.tolist() == [0, 25, 0, 15, 45]
    assert np.isnan(sol.v_mag[4, [5, 6, 7]]).all()
    assert np.isfinite(sol.v_mag[4, :5]).all()


# --- the answer itself ----------------------------------------------------------------------------------------------


def _shared_pu(at: Condition, sol: ag.Solution, row: int) -> np.ndarray:
    """(n_bus,) what all units of the island of each bus add to their schedules, pu."""
    gen, on = at.net.gen, at.on["gen"]
    added = np.where(on, sol.gen_p_mw[row] - sol.cases.scenarios.values("gen_p_mw")[row], 0.0)
    island = at.islands()
    total = np.bincount(island[at.node[gen.bus[on]]], added[on], minlength=at.net.n_bus)
    return total[island] / at.net.base_mva


@slacks
@grids
@pytest.mark.parametrize("condition", CONDITIONS)
def test_newton_against_the_dense_oracle(name: str, condition: str, slack: str) -> None:
    net, sc = grid(name), scenarios(name, condition)
    sol = ag.power_flow(net, sc, tol_pu=TOL, slack=slack)
    for row in range(sc.n):
        at = Condition(net, sc, row, distributed=slack == "distributed")
        if not sol.converged[row]:
            # our start is the base state and theirs is flat: neither may find a root where the other says there is none
            assert not solve(at).converged, f"scenario {row}: the oracle finds a solution"
            continue
        found = mismatch_pu(at, sol.v_mag[row], sol.v_ang[row], _shared_pu(at, sol, row))
        assert found < 1.001 * TOL + 1e-12
        assert found == pytest.approx(sol.mismatch_pu[row], rel=1e-3, abs=2e-12), "the certificate is wrong"
        dense = solve(at, start=sol.v_mag[row] * np.exp(1j * sol.v_ang[row]))
        assert dense.converged
        np.testing.assert_allclose(sol.v_mag[row], dense.v_mag, atol=1e-8)
        np.testing.assert_allclose(aligned(at, sol.v_ang[row], dense.v_ang), dense.v_ang, atol=1e-8)


@slacks
@grids
@pytest.mark.parametrize("condition", CONDITIONS)
def test_dc_against_the_dense_oracle(name: str, condition: str, slack: str) -> None:
    net, sc = grid(name), scenarios(name, condition)
    sol = ag.power_flow(net, sc, engine="dc", slack=slack)
    assert sol.converged.all()
    for row in range(sc.n):
        at = Condition(net, sc, row, distributed=slack == "distributed")
        expected = dc_angles(at)
        assert np.array_equal(np.isnan(sol.v_ang[row]), np.isnan(expected))
        np.testing.assert_allclose(aligned(at, sol.v_ang[row], expected), expected, atol=1e-9)
        assert sol.mismatch_pu[row] < 1e-9


@pytest.mark.parametrize(
    "engine",
    [
        "newton",
        pytest.param("dc", marks=pytest.mark.xfail(strict=True, reason="the linear model has all voltages at 1 pu")),
    ],
)
def test_set_points_are_held(engine: str) -> None:
    net, sc = grid("case57"), scenarios("case57", "set-points")
    sol = ag.power_flow(net, sc, engine=engine)
    held = net.gen.in_service & net.gen.regulates
    np.testing.assert_allclose(sol.v_mag[:, net.gen.bus[held]], sc.gen_v_pu[:, held], atol=1e-12)


@engines
@slacks
@pytest.mark.parametrize("condition", CONDITIONS)
def test_units_branches_and_loads_balance(engine: str, slack: str, condition: str) -> None:
    """Kirchhoff's law from the public results alone: units + storage + links - loads = flows, at every bus."""
    name = "case14" if engine == "dc" else "everything"
    net, sc = grid(name), scenarios(name, condition)
    sol = ag.power_flow(net, sc, engine=engine, slack=slack, tol_pu=1e-11)
    flow = sol.branch_flow()
    for row in np.flatnonzero(sol.converged):
        at = Condition(net, sc, row, distributed=slack == "distributed")
        kind, _ = at.kinds()
        left = np.zeros(net.n_bus, dtype=complex)
        v = np.where(np.isfinite(sol.v_mag[row]), sol.v_mag[row], 1.0)
        free = net.gen.regulates | net.gen.is_reference
        own = np.where(at.on["gen"], at.gen_p_mw + 1j * np.where(free, 0, at.gen_q_mvar), 0)
        q = np.nan_to_num(sol.gen_q_mvar[row])  # a linear model gives none
        np.add.at(left, at.node[net.gen.bus], sol.gen_p_mw[row] + 1j * q - own)
        np.add.at(
            left, at.node[net.compensator.bus], 1j * np.where(net.compensator.regulates, sol.compensator_q_mvar[row], 0)
        )
        for k in np.flatnonzero(net.shunt.in_service):
            i = at.node[net.shunt.bus[k]]
            left[i] -= complex(net.shunt.g_mw[k], -net.shunt.b_mvar[k]) * at.shunt_step[k] * v[i] ** 2
        left += at.specified(v) * net.base_mva
        np.add.at(left, at.node[net.branch.from_bus], -flow.p_from_mw[row] - 1j * flow.q_from_mvar[row])
        np.add.at(left, at.node[net.branch.to_bus], -flow.p_to_mw[row] - 1j * flow.q_to_mvar[row])
        assert np.abs(left.real[kind != OFF]).max() < 1e-7
        # what a regulating converter gives is no public result
        kind[at.node[net.hvdc.to_bus[net.hvdc.regulates_to]]] = OFF
        if engine == "newton":
            assert np.abs(left.imag[kind != OFF]).max() < 1e-7


# --- one scenario does not know the others --------------------------------------------------------------------------


@engines
@slacks
@limits
@pytest.mark.parametrize("name", ["case30", "everything"])
def test_batch_equals_loop(engine: str, slack: str, q_limits: bool, name: str) -> None:
    net = grid(name)
    sc = varied(net)
    batch = ag.power_flow(net, sc, engine=engine, slack=slack, q_limits=q_limits, tol_pu=1e-11)
    for row in range(sc.n):
        # large batches take chord steps, single power flows Newton's: equal to the tolerance, not to the last bit
        one = ag.power_flow(net, sc[row], engine=engine, slack=slack, q_limits=q_limits, tol_pu=1e-11)
        assert one.status[0] == batch.status[row]
        np.testing.assert_allclose(one.v[0], batch.v[row], atol=1e-9)
        np.testing.assert_array_equal(one.held[0], batch.held[row])


@slacks
@limits
@pytest.mark.parametrize("name", ["case57", "everything"])
def test_a_diverging_scenario_leaves_its_neighbours(name: str, slack: str, q_limits: bool) -> None:
    net = grid(name)
    calm = varied(net)
    load = calm.load_p_mw.copy()
    wild = np.arange(1, calm.n, 4)
    load[wild] *= 50
    others = np.setdiff1d(np.arange(calm.n), wild)
    a = ag.power_flow(net, calm, slack=slack, q_limits=q_limits)
    b = ag.power_flow(net, calm.replace(load_p_mw=load), slack=slack, q_limits=q_limits)
    assert not b.converged[wild].any()
    same_bits(a, b, others, others)


@engines
@slacks
@limits
def test_threads_change_nothing(engine: str, slack: str, q_limits: bool) -> None:
    net = grid("case57")
    sc = varied(net, 300)
    one = ag.power_flow(net, sc, engine=engine, slack=slack, q_limits=q_limits, threads=1)
    for threads in (2, 3, None):
        same_bits(one, ag.power_flow(net, sc, engine=engine, slack=slack, q_limits=q_limits, threads=threads))


@engines
def test_order_of_scenarios_changes_nothing(engine: str) -> None:
    net = grid("case30")
    sc = varied(net, 60)
    order = np.random.default_rng(0).permutation(60)
    same_bits(ag.power_flow(net, sc, engine=engine), ag.power_flow(net, sc.take(order), engine=engine), order)


# --- outages --------------------------------------------------------------------------------------------------------


@engines
@grids
def test_outage_and_restoration_cancel(engine: str, name: str) -> None:
    net = grid(name)
    base = ag.power_flow(net, engine=engine)
    sc = Scenarios(net, branch_out=[None, [0], None, [1], None], gen_out=[None, None, [net.n_gen - 1], None, None])
    sol = ag.power_flow(net, sc, engine=engine)
    for row in (0, 4):
        assert sol.v[row].tobytes() == base.v[0].tobytes()
        assert sol.mismatch_pu[row] == base.mismatch_pu[0]


@engines
@slacks
@pytest.mark.parametrize("name", ["case14", "case57", "everything"])
def test_an_outage_is_the_grid_without_the_element(engine: str, slack: str, name: str) -> None:
    net = grid(name)
    sol = ag.power_flow(net, Scenarios(net, branch_out=[[2], [3, 4]]), engine=engine, slack=slack, tol_pu=1e-11)
    for row, out in enumerate(([2], [3, 4])):
        on = net.branch.in_service.copy()
        on[out] = False
        without = net.replace(branch=net.branch.replace(in_service=on))
        other = ag.power_flow(without, engine=engine, slack=slack, tol_pu=1e-11)
        np.testing.assert_allclose(sol.v_mag[row], other.v_mag[0], atol=1e-9)
        np.testing.assert_allclose(sol.v_ang[row], other.v_ang[0], atol=1e-9)
        np.testing.assert_allclose(sol.branch_flow().p_from_mw[row], other.branch_flow().p_from_mw[0], atol=1e-6)


@engines
def test_the_outage_of_what_is_out_changes_nothing(engine: str) -> None:
    net = grid("everything")
    net = net.replace(
        branch=net.branch.replace(in_service=net.branch.id != "M1112b"),
        gen=net.gen.replace(in_service=net.gen.id != "G1b"),
        load=net.load.replace(in_service=net.load.id != "D1"),
        hvdc=net.hvdc.replace(in_service=net.hvdc.id != "H2"),
    )
    sc = Scenarios(net, branch_out=[["M1112b"]], gen_out=[["G1b"]], load_out=[["D1"]], hvdc_out=[["H2"]])
    a, b = ag.power_flow(net, sc, engine=engine), ag.power_flow(net, engine=engine)
    np.testing.assert_array_equal(a.v, b.v)


@engines
@slacks
def test_a_lost_reference_moves_to_the_largest_unit(engine: str, slack: str) -> None:
    net = grid("case14")  # units at buses 0 (reference), 1 (140 MW), 2, 5, 7 (100 MW)
    sc = Scenarios(net, gen_out=[[0], None], bus_out=[None, [0]])
    sol = ag.power_flow(net, sc, engine=engine, slack=slack)
    assert sol.status.tolist() == [ag.Status.CONVERGED, ag.Status.ISLANDED]
    assert (sol.gen_p_mw[:, 0] == 0).all()
    if slack == "reference":
        np.testing.assert_array_equal(sol.gen_p_mw[0, 2:], net.gen.p_mw[2:])
        assert sol.gen_p_mw[0, 1] > net.gen.p_mw[1] + 200


@engines
@slacks
def test_an_island_without_any_unit_loses_its_supply(engine: str, slack: str) -> None:
    net = grid("everything")
    sol = ag.power_flow(net, Scenarios(net, gen_out=[["G8"], ["G0", "G1a", "G1b", "G5"]]), engine=engine, slack=slack)
    assert sol.status.tolist() == [ag.Status.ISLANDED] * 2
    # G12 and W6 do not regulate, so they cannot carry an island
    assert np.isnan(sol.v_mag[0, 8:13]).all()
    assert np.isnan(sol.v_mag[1, :8]).all()
    assert np.isfinite(sol.v_mag[0, :8]).all()
    assert np.isfinite(sol.v_mag[1, 8:13]).all()
    assert sol.lost_load_mw.tolist() == [57, 165]
    whole = ag.power_flow(grid("case9"), Scenarios(grid("case9"), gen_out=[[0, 1, 2]]), engine=engine, slack=slack)
    assert whole.status[0] == ag.Status.ISLANDED
    assert np.isnan(whole.v_mag).all()
    assert whole.lost_load_mw[0] == grid("case9").load.p_mw.sum()


@engines
@slacks
def test_a_link_stops_when_an_end_is_dead(engine: str, slack: str) -> None:
    """H1 runs from bus 2 to 9 and H2 from 6 to 11: with bus 9, or the line to bus 6, out, the other end is idle."""
    net = grid("everything")
    sc = Scenarios(
        net, bus_out=[[9], None, None, None], branch_out=[None, ["L56"], None, None], hvdc_out=[None, None, [0], [1]]
    )
    sol = ag.power_flow(net, sc, engine=engine, slack=slack, tol_pu=1e-11)
    one, two = slice(0, 8), slice(8, 13)
    np.testing.assert_allclose(sol.v_mag[0, one], sol.v_mag[2, one], atol=1e-9)
    np.testing.assert_allclose(sol.v_ang[0, one], sol.v_ang[2, one], atol=1e-9)
    np.testing.assert_allclose(sol.v_mag[1, two], sol.v_mag[3, two], atol=1e-9)
    np.testing.assert_allclose(sol.v_ang[1, two], sol.v_ang[3, two], atol=1e-9)


def test_the_next_unit_of_a_node_brings_its_set_point() -> None:
    net = grid("everything")
    net = net.replace(gen=net.gen.replace(v_set_pu=np.where(net.gen.id == "G1b", 0.99, net.gen.v_set_pu)))
    sol = ag.power_flow(net, Scenarios(net, gen_out=[None, ["G1a"], ["G1b"], ["G1a", "G1b"]]))
    np.testing.assert_allclose(sol.v_mag[:3, 1], [1.01, 0.99, 1.01], atol=1e-12)
    assert abs(sol.v_mag[3, 1] - 1.01) > 1e-4


# --- the same grid, told differently --------------------------------------------------------------------------------


def renumbered(net: Network, order: np.ndarray) -> Network:
    """The grid with its buses in another order; `order[p]` is the former position of the bus now at p."""
    place = np.empty(len(order), dtype=int)
    place[order] = np.arange(len(order))

    def at(values: np.ndarray) -> np.ndarray:
        return np.where(values >= 0, place[values], -1)

    moved = {}
    for table, columns in {
        "branch": ("from_bus", "to_bus", "regulated_bus"), "gen": ("bus", "controlled_bus"), "load": ("bus",),
        "shunt": ("bus",),
        "storage": ("bus",), "compensator": ("bus", "controlled_bus"), "hvdc": ("from_bus", "to_bus"),
        "switch": ("from_bus", "to_bus"),
    }.items():  # fmt: skip
        rows = getattr(net, table)
        moved[table] = rows.replace(**{c: at(getattr(rows, c)) for c in columns})
    return net.replace(bus=net.bus.take(order), **moved)


@engines
@slacks
@grids
def test_renumbering_buses_changes_nothing(engine: str, name: str, slack: str) -> None:
    net = grid(name)
    order = np.random.default_rng(5).permutation(net.n_bus)
    other = renumbered(net, order)
    outages = {"branch_out": [None, [1], [3, 5]], "load_out": [None, [0], None]}
    a = ag.power_flow(net, Scenarios(net, **outages), engine=engine, slack=slack, tol_pu=1e-11)
    b = ag.power_flow(other, Scenarios(other, **outages), engine=engine, slack=slack, tol_pu=1e-11)
    assert a.status.tolist() == b.status.tolist()
    np.testing.assert_allclose(b.v_mag, a.v_mag[:, order], atol=1e-9)
    np.testing.assert_allclose(b.v_ang, a.v_ang[:, order], atol=1e-9)
    np.testing.assert_allclose(b.branch_flow().p_from_mw, a.branch_flow().p_from_mw, atol=1e-6)
    np.testing.assert_allclose(b.gen_p_mw, a.gen_p_mw, atol=1e-6)


@engines
@slacks
@grids
def test_the_power_base_changes_nothing(engine: str, name: str, slack: str) -> None:
    net, ratio = grid(name), 3.7
    branch = net.branch
    shunts = {c: getattr(branch, c) / ratio for c in ("g_from_pu", "b_from_pu", "g_to_pu", "b_to_pu")}
    other = net.replace(
        base_mva=net.base_mva * ratio,
        branch=branch.replace(r_pu=branch.r_pu * ratio, x_pu=branch.x_pu * ratio, **shunts),
    )
    a = ag.power_flow(net, engine=engine, slack=slack, tol_pu=1e-11)
    b = ag.power_flow(other, engine=engine, slack=slack, tol_pu=1e-11)
    np.testing.assert_allclose(b.v_mag, a.v_mag, atol=1e-9)
    np.testing.assert_allclose(b.v_ang, a.v_ang, atol=1e-9)
    np.testing.assert_allclose(b.branch_flow().q_from_mvar, a.branch_flow().q_from_mvar, atol=1e-6)
    np.testing.assert_allclose(b.gen_p_mw, a.gen_p_mw, atol=1e-6)


@engines
def test_a_closed_switch_is_one_node(engine: str) -> None:
    net = grid("everything")
    sol = ag.power_flow(net, engine=engine, tol_pu=1e-11)
    assert sol.v_mag[0, 2] == sol.v_mag[0, 3]
    assert sol.v_ang[0, 2] == sol.v_ang[0, 3]
    merged = net.replace(
        branch=net.branch.replace(from_bus=np.where(net.branch.from_bus == 3, 2, net.branch.from_bus)),
        load=net.load.replace(bus=np.where(net.load.bus == 3, 2, net.load.bus)),
        switch=net.switch.replace(closed=False),
    )
    other = ag.power_flow(merged, engine=engine, tol_pu=1e-11)
    live = np.setdiff1d(np.arange(13), [3])
    np.testing.assert_allclose(other.v_mag[0, live], sol.v_mag[0, live], atol=1e-9)
    np.testing.assert_allclose(other.v_ang[0, live], sol.v_ang[0, live], atol=1e-9)
    opened = ag.power_flow(net.replace(switch=net.switch.replace(closed=False)), engine=engine)
    assert abs(opened.v_ang[0, 2] - opened.v_ang[0, 3]) > 1e-3


@engines
def test_islands_are_solved_as_if_alone(engine: str) -> None:
    """Two copies of case9 and one of case14 in one network, against each alone."""
    nine, fourteen = grid("case9"), grid("case14")
    both = joined([nine, fourteen, nine])
    sol = ag.power_flow(both, engine=engine, tol_pu=1e-11)
    alone = [ag.power_flow(net, engine=engine, tol_pu=1e-11) for net in (nine, fourteen, nine)]
    np.testing.assert_allclose(sol.v_mag[0], np.concatenate([s.v_mag[0] for s in alone]), atol=1e-9)
    np.testing.assert_allclose(sol.v_ang[0], np.concatenate([s.v_ang[0] for s in alone]), atol=1e-9)
    shared = ag.power_flow(both, engine=engine, slack="distributed", tol_pu=1e-11)
    apart = [ag.power_flow(net, engine=engine, slack="distributed", tol_pu=1e-11) for net in (nine, fourteen, nine)]
    np.testing.assert_allclose(shared.gen_p_mw[0], np.concatenate([s.gen_p_mw[0] for s in apart]), atol=1e-6)


def joined(nets: list[Network]) -> Network:
    """Several networks as one, without connection; all on the first one's base."""
    first, out = nets[0], {}
    for table in ("bus", "branch", "gen", "load", "shunt"):
        columns: dict[str, list[np.ndarray]] = {}
        shift = 0
        for copy, net in enumerate(nets):
            assert net.base_mva == first.base_mva
            rows = getattr(net, table)
            for key, values in rows.items():
                if key == "id":
                    values = np.array([f"{copy}/{v}" for v in values], dtype=object)
                elif key in ("bus", "from_bus", "to_bus"):
                    values = values + shift
                columns.setdefault(key, []).append(values)
            shift += net.n_bus
        out[table] = type(getattr(first, table)).make(**{k: np.concatenate(v) for k, v in columns.items()})
    return Network(**out, base_mva=first.base_mva)


# --- references and slack -------------------------------------------------------------------------------------------


@engines
def test_references_hold_their_angles(engine: str) -> None:
    net = grid("case14")
    turned = net.replace(gen=net.gen.replace(v_ang_deg=np.where(net.gen.is_reference, 30.0, 0.0)))
    a, b = ag.power_flow(net, engine=engine, tol_pu=1e-11), ag.power_flow(turned, engine=engine, tol_pu=1e-11)
    assert b.v_ang[0, 0] == pytest.approx(np.radians(30), abs=1e-12)
    np.testing.assert_allclose(b.v_ang - np.radians(30), a.v_ang - a.v_ang[0, 0], atol=1e-9)


@engines
def test_several_references_in_one_island(engine: str) -> None:
    net = grid("case57")
    refs = [0, 5]
    angle = np.where(np.arange(net.n_gen) == 5, -5.0, net.gen.v_ang_deg)
    mask = np.isin(np.arange(net.n_gen), refs)
    net = net.replace(gen=net.gen.replace(is_reference=mask, v_ang_deg=angle, regulates=True))
    sol = ag.power_flow(net, engine=engine, tol_pu=1e-11)
    np.testing.assert_allclose(sol.v_ang[0, net.gen.bus[refs]], np.radians(angle[refs]), atol=1e-12)
    at = Condition(net)
    if engine == "newton":
        assert mismatch_pu(at, sol.v_mag[0], sol.v_ang[0]) < 1e-10
    else:
        np.testing.assert_allclose(sol.v_ang[0], dc_angles(at), atol=1e-9)
    out = ag.power_flow(net, Scenarios(net, gen_out=[[5], [0]]), engine=engine)
    assert out.status.tolist() == [ag.Status.CONVERGED] * 2
    np.testing.assert_array_equal(out.gen_p_mw[0, [1, 2, 3, 4]], net.gen.p_mw[[1, 2, 3, 4]])


@engines
def test_distributed_slack_follows_participation(engine: str) -> None:
    net = grid("everything")
    rng = np.random.default_rng(2)
    sc = Scenarios(net, load_p_mw=net.load.p_mw * rng.uniform(0.8, 1.2, (6, net.n_load)))
    sol = ag.power_flow(net, sc, engine=engine, slack="distributed", tol_pu=1e-11)
    change = sol.gen_p_mw - net.gen.p_mw
    for units, weight in (([0, 1, 2, 3], [3, 1, 2, 1]), ([5, 6], [2, 1])):
        per_weight = change[:, units] / weight
        np.testing.assert_allclose(per_weight, per_weight[:, :1] * np.ones(len(units)), atol=1e-7)
        assert np.abs(per_weight).min() > 0.01
    np.testing.assert_array_equal(change[:, 4], 0)
    reference = ag.power_flow(net, sc, engine=engine, tol_pu=1e-11)
    assert np.abs(reference.gen_p_mw[:, 1:5] - net.gen.p_mw[1:5]).max() == 0


@engines
def test_shares_of_units_that_are_out_go_to_the_others(engine: str) -> None:
    net = grid("everything")
    sc = Scenarios(net, gen_out=[["G1b"], ["G8"], ["G12"]])
    sol = ag.power_flow(net, sc, engine=engine, slack="distributed", tol_pu=1e-11)
    change = sol.gen_p_mw - net.gen.p_mw
    per_weight = change[0, [0, 1, 3]] / [3, 1, 1]
    np.testing.assert_allclose(per_weight, per_weight[0], atol=1e-7)
    assert sol.status.tolist() == [ag.Status.CONVERGED, ag.Status.ISLANDED, ag.Status.CONVERGED]
    assert sol.gen_p_mw[0, 2] == sol.gen_p_mw[2, 6] == 0


# --- the call -------------------------------------------------------------------------------------------------------


def test_bad_options_are_named_together() -> None:
    net = grid("case9")
    with pytest.raises(ag.InputError) as caught:
        ag.power_flow(net, engine="ac", slack="none", tol_pu=0, max_iterations=0, threads=0)  # type: ignore[arg-type]
    assert {i.field for i in caught.value.issues} == {"engine", "slack", "tol_pu", "max_iterations", "threads"}
    with pytest.raises(ag.InputError, match="another network"):
        ag.power_flow(net, Scenarios.base(grid("case14")))
    with pytest.raises(ag.InputError, match="x_pu"):
        ag.power_flow(net.replace(branch=net.branch.replace(x_pu=0.0, r_pu=0.0)))


@pytest.mark.parametrize("tol", [1e-4, 1e-8, 1e-11])
def test_the_tolerance_is_kept(tol: float) -> None:
    net = grid("case57")
    sol = ag.power_flow(net, varied(net), tol_pu=tol)
    assert (sol.mismatch_pu[sol.converged] < 1.001 * tol + 1e-12).all()


def test_the_iteration_limit_is_kept() -> None:
    net = grid("case57")
    sc = Scenarios(
        net, load_p_mw=np.outer([1.0, 1.25], net.load.p_mw), load_q_mvar=np.outer([1.0, 1.25], net.load.q_mvar)
    )
    sol = ag.power_flow(net, sc, max_iterations=1)
    assert sol.status.tolist() == [ag.Status.CONVERGED, ag.Status.ITERATION_LIMIT]
    assert sol.iterations[1] == 1
    assert ag.power_flow(net, sc).converged.all()


def test_a_reference_that_is_out_goes_to_the_largest_unit_left_though_the_grid_splits_too() -> None:
    net = Network(
        BusTable.make(id=np.arange(5), v_nom_kv=110.0),
        BranchTable.make(id=np.arange(4), from_bus=[0, 1, 1, 0], to_bus=[1, 2, 3, 4], x_pu=0.1),
        GenTable.make(
            id=np.arange(4), bus=[0, 2, 3, 4], p_mw=[0.0, 5.0, 5.0, 5.0], regulates=True,
            is_reference=[True, False, False, False], p_max_mw=[100.0, 27.8, 25.0, 36.6],
        ),
        LoadTable.make(id=np.arange(4), bus=[1, 2, 3, 4], p_mw=5.0),
    )  # fmt: skip
    sol = ag.power_flow(net, Scenarios(net, branch_out=[[0, 2]], gen_out=[[0, 2]]))
    assert sol.status.tolist() == [ag.Status.ISLANDED]
    assert np.isfinite(sol.v_mag[0]).tolist() == [True, False, False, False, True]
    assert sol.lost_load_mw.tolist() == [15.0]
