"""The pandapower reader against pandapower itself: its own bus admittance matrix, injections and solved voltages."""

import warnings

import numpy as np
import pytest

from aurigrid.errors import InputError
from aurigrid.io.load import load
from aurigrid.io.pandapower import read_pandapower
from pi_model import admittance, mismatch, nodes, reduced, scheduled

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # import-time warnings of third-party packages
    pp = pytest.importorskip("pandapower")
    nw = pytest.importorskip("pandapower.networks")

NETWORKS = [
    "case4gs",
    "case9",
    "case14",
    "case24_ieee_rts",
    "case39",
    "case57",
    "case89pegase",
    "case118",
    "case145",
    "case300",
    "GBreducednetwork",
    "iceland",
    "case1354pegase",
    "example_simple",
    "example_multivoltage",
    "mv_oberrhein",
    "create_cigre_network_hv",
    "create_cigre_network_mv",
    "create_cigre_network_lv",
    "simple_mv_open_ring_net",
    "ieee_european_lv_asymmetric",
]


def solved(net, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pp.runpp(net, tolerance_mva=1e-8, numba=False, **options)
    return net


def catalogue_net(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(nw, name)()


def worst_mismatch(net, imported):
    """Largest imbalance in MVA of our model at the tool's solution; open ends and inner nodes follow passively."""
    grid, state = imported.network, imported.source_state
    v, angle = state.v_mag_pu.copy(), state.v_ang_deg.copy()
    fill_inner(net, grid, v, angle)
    assert np.isfinite(v[len(net.bus) :][grid.bus.in_service[len(net.bus) :]]).all()
    return np.abs(mismatch(grid, v, angle)).max()


def same_admittance(net, imported):
    """Relative difference of our matrix and pandapower's over the buses that both have, the rest eliminated."""
    ours, node = admittance(imported.network), nodes(imported.network)
    theirs = net._ppc["internal"]["Ybus"].tocsr()
    alive = np.flatnonzero(net.res_bus.vm_pu.notna().to_numpy())
    first = alive[np.unique(node[alive], return_index=True)[1]]
    at = net._pd2ppc_lookups["bus"][net.bus.index.to_numpy()[first]]
    a, b = reduced(ours, node[first]), reduced(theirs, at)
    return np.abs(a - b).max() / np.abs(b).max()


@pytest.mark.parametrize("name", NETWORKS)
def test_admittance_and_balance_equal_pandapowers(name):
    net = solved(catalogue_net(name))
    imported = read_pandapower(net)
    assert imported.source_state.solved
    assert same_admittance(net, imported) < 1e-12
    assert worst_mismatch(net, imported) < 1e-5  # MVA; the tool stops at 1e-8 MVA a bus


@pytest.mark.parametrize("name", ["case9", "case118", "case300", "iceland", "mv_oberrhein"])
def test_injections_equal_pandapowers(name):
    net = solved(catalogue_net(name))
    imported = read_pandapower(net)
    ours = scheduled(imported.network, imported.source_state.v_mag_pu)
    bus, gen = net._ppc["bus"], net._ppc["gen"]
    theirs = -(bus[:, 2] + 1j * bus[:, 3])
    references = set(net._pd2ppc_lookups["bus"][net.ext_grid.bus.to_numpy()].tolist())
    for row in gen:
        theirs[int(row[0])] += row[1]
    node = nodes(imported.network)
    at = net._pd2ppc_lookups["bus"][net.bus.index.to_numpy()]
    for i in np.flatnonzero(net.res_bus.vm_pu.notna()):
        if node[i] == i and at[i] not in references:
            assert ours[i] == pytest.approx(theirs[at[i]], abs=1e-10)


@pytest.mark.parametrize("name", ["case300", "example_multivoltage", "mv_oberrhein"])
def test_reads_a_net_without_changing_it(name):
    net = catalogue_net(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = pp.to_json(net)
        read_pandapower(net)
        assert pp.to_json(net) == before


def test_ids_names_and_positions_are_the_sources():
    net = catalogue_net("example_multivoltage")
    grid = read_pandapower(net).network
    assert grid.bus.id[: len(net.bus)].tolist() == net.bus.index.tolist()
    assert grid.bus.name[: len(net.bus)].tolist() == net.bus.name.tolist()
    assert "trafo3w:0:hv" in grid.branch.id.tolist()
    assert {"ext_grid:0", "gen:0", "sgen:0", "xward:0"} <= set(grid.gen.id.tolist())
    star = np.flatnonzero(grid.bus.is_star)
    assert grid.bus.id[star].tolist() == ["trafo3w:0"]
    assert grid.n_load == len(net.load) + len(net.ward) + len(net.xward)


def test_source_flows_are_those_of_the_tool():
    net = solved(catalogue_net("example_multivoltage"))
    imported = read_pandapower(net)
    state, grid = imported.source_state, imported.network
    row = {id: i for i, id in enumerate(grid.branch.id)}
    assert state.p_from_mw[row["line:0"]] == net.res_line.p_from_mw[0]
    assert state.q_to_mvar[row["trafo3w:0:lv"]] == net.res_trafo3w.q_lv_mvar[0]
    v = state.v_mag_pu * np.exp(1j * np.deg2rad(state.v_ang_deg))
    b = grid.branch
    t = b.tap_ratio * np.exp(1j * np.deg2rad(b.shift_deg))
    y = 1 / (b.r_pu + 1j * b.x_pu)
    current = (y + b.g_from_pu + 1j * b.b_from_pu) / np.abs(t) ** 2 * v[b.from_bus] - y / t.conj() * v[b.to_bus]
    power = v[b.from_bus] * current.conj() * grid.base_mva
    known = b.in_service & np.isfinite(state.p_from_mw) & np.isfinite(power.real)
    assert known.sum() >= 25
    np.testing.assert_allclose(power.real[known], state.p_from_mw[known], atol=1e-6)


# ---- one element at a time: a feeder with the element at its end, solved by the tool --------------------------------


def feeder():
    """110 kV external grid, a line, a 110/20 kV transformer, a 20 kV line and a load."""
    net = pp.create_empty_network(sn_mva=10.0)
    b = [pp.create_bus(net, kv) for kv in (110.0, 110.0, 20.0, 20.0)]
    pp.create_ext_grid(net, b[0], vm_pu=1.02, va_degree=5.0)
    line = {"r_ohm_per_km": 0.1, "x_ohm_per_km": 0.3, "c_nf_per_km": 10.0, "max_i_ka": 0.5}
    pp.create_line_from_parameters(net, b[0], b[1], length_km=10.0, g_us_per_km=1.5, **line)
    pp.create_transformer_from_parameters(
        net, b[1], b[2], sn_mva=40, vn_hv_kv=112.0, vn_lv_kv=20.5, vkr_percent=0.4, vk_percent=11.0, pfe_kw=30.0,
        i0_percent=0.1, shift_degree=150.0, tap_side="hv", tap_neutral=0, tap_min=-9, tap_max=9,
        tap_step_percent=1.5, tap_step_degree=0.0, tap_pos=0, tap_changer_type="Ratio",
    )  # fmt: skip
    pp.create_line_from_parameters(net, b[2], b[3], length_km=5.0, parallel=2, df=0.9, **line)
    pp.create_load(net, b[3], p_mw=8.0, q_mvar=2.0, scaling=0.9)
    return net


def tap(**values):
    def change(net):
        for key, value in values.items():
            net.trafo[key] = value  # the feeder has one transformer

    return change


def three_winding(star=False, **values):
    def change(net):
        bus = [pp.create_bus(net, kv) for kv in (30.0, 10.0)]
        arguments = {"tap_side": "hv", "tap_pos": 3, "tap_step_percent": 1.2, "tap_step_degree": 10.0} | values
        pp.create_transformer3w_from_parameters(
            net, 1, *bus, 110, 31, 10.5, 40, 25, 15, 10.1, 10.3, 10.6, 0.3, 0.31, 0.32, 30, 0.1, shift_mv_degree=30,
            shift_lv_degree=-60, tap_min=-8, tap_max=8, tap_neutral=0, tap_at_star_point=star,
            tap_changer_type="Ratio", **arguments,
        )  # fmt: skip
        pp.create_load(net, bus[0], p_mw=5.0, q_mvar=1.0)
        pp.create_load(net, bus[1], p_mw=3.0, q_mvar=1.0)

    return change


def open_at(element, et, bus):
    return lambda net: pp.create_switch(net, bus, element, et=et, closed=False)


def second_line(net):
    pp.create_line_from_parameters(net, 2, 3, 7.0, 0.1, 0.3, 12.0, 0.4)


def open_line(net):
    second_line(net)
    pp.create_switch(net, 3, 2, et="l", closed=False)


def line_to_dead_bus(net):
    bus = pp.create_bus(net, 20.0, in_service=False)
    pp.create_line_from_parameters(net, 3, bus, 7.0, 0.1, 0.3, 50.0, 0.4)


def open_transformer(net):
    pp.create_transformer(net, 1, 2, "40 MVA 110/20 kV")
    pp.create_switch(net, 2, 1, et="t", closed=False)


def bus_switches(net):
    bus = [pp.create_bus(net, 20.0) for _ in range(2)]
    pp.create_switch(net, 3, bus[0], et="b")
    pp.create_switch(net, bus[0], bus[1], et="b", z_ohm=0.4)
    pp.create_switch(net, bus[1], 2, et="b", closed=False)
    pp.create_load(net, bus[1], p_mw=1.0)


def zip_loads(net):
    net.load = net.load.iloc[:0]
    pp.create_load(
        net, 3, 6.0, 2.0, const_z_p_percent=30, const_i_p_percent=20, const_z_q_percent=50, const_i_q_percent=10
    )
    pp.create_load(net, 2, 2.0, 1.0, const_z_p_percent=100, const_z_q_percent=100)


def consumers(net):
    pp.create_motor(net, 3, pn_mech_mw=0.8, cos_phi=0.85, efficiency_percent=94, loading_percent=80)
    pp.create_asymmetric_load(net, 3, 0.1, 0.2, 0.3, 0.05, 0.06, 0.07)
    pp.create_asymmetric_sgen(net, 2, 0.2, 0.1, 0.1, 0.0, 0.01, 0.02)
    pp.create_storage(net, 3, p_mw=-1.5, q_mvar=0.3, max_e_mwh=4.0, soc_percent=25.0, min_p_mw=-2.0, max_p_mw=3.0)
    pp.create_ward(net, 3, 0.5, 0.2, 0.3, 0.1)
    pp.create_xward(net, 2, 0.5, 0.2, 0.3, 0.1, 0.8, 4.0, 1.0)


def shunts(net):
    pp.create_shunt(net, 3, q_mvar=-1.2, p_mw=0.1, vn_kv=21.0, step=2, max_step=3)
    pp.create_shunt(net, 2, q_mvar=0.7)


def units(net):
    pp.create_gen(net, 3, p_mw=3.0, vm_pu=1.01, scaling=0.8, min_q_mvar=-2, max_q_mvar=2, slack_weight=2.0)
    pp.create_sgen(net, 2, p_mw=2.0, q_mvar=-0.4, scaling=0.5, type="WP")
    pp.create_sgen(net, 2, p_mw=9.0, in_service=False)


def dc_line(sign=1.0):
    def change(net):
        pp.create_dcline(net, 1, 3, p_mw=sign * 3.0, loss_percent=2.0, loss_mw=0.1, vm_from_pu=1.01, vm_to_pu=1.0)

    return change


def impedance(net):
    pp.create_impedance(net, 2, 3, 0.01, 0.05, 20.0, gf_pu=0.001, bf_pu=0.002, gt_pu=0.003, bt_pu=0.004)


def reactor(net):
    net.trafo["shift_degree"] = 0.0  # with these elements the tool starts flat, too far from 150 degrees
    pp.create_svc(net, 3, 100.0, -400.0, 1.0, 145.0, controllable=False)


def statcom(net):
    pp.create_ssc(net, 3, 0.1, 5.0, set_vm_pu=1.0)


def pi_model(net):
    net.user_pf_options = {"trafo_model": "pi"}


ELEMENTS = {
    "plain": lambda net: None,
    "ratio tap, high side": tap(tap_pos=4),
    "ratio tap, low side": tap(tap_pos=-3, tap_side="lv"),
    "skewed tap": tap(tap_pos=4, tap_step_degree=60.0),
    "skewed tap, low side": tap(tap_pos=4, tap_step_degree=60.0, tap_side="lv"),
    "symmetrical tap": tap(tap_pos=4, tap_step_degree=90.0, tap_changer_type="Symmetrical"),
    "ideal shifter by degree": tap(tap_pos=4, tap_step_degree=2.0, tap_step_percent=0.0, tap_changer_type="Ideal"),
    "ideal shifter by percent": tap(tap_pos=4, tap_changer_type="Ideal", tap_side="lv"),
    "two tap changers": tap(
        tap_pos=2, tap2_side="lv", tap2_pos=3, tap2_neutral=0, tap2_step_percent=0.8, tap2_step_degree=0.0,
        tap2_changer_type="Ratio",
    ),
    "uneven leakage": tap(leakage_resistance_ratio_hv=0.3, leakage_reactance_ratio_hv=0.7),
    "parallel": tap(parallel=2),
    "pi model": pi_model,
    "three windings": three_winding(),
    "three windings, tap at mv": three_winding(tap_side="mv"),
    "three windings, tap at lv": three_winding(tap_side="lv"),
    "three windings, tap at star, hv": three_winding(star=True),
    "three windings, tap at star, lv": three_winding(star=True, tap_side="lv"),
    "open line end": open_line,
    "line to a bus out of service": line_to_dead_bus,
    "open transformer end": open_transformer,
    "bus switches": bus_switches,
    "voltage-dependent loads": zip_loads,
    "consumers": consumers,
    "shunts": shunts,
    "units": units,
    "DC line": dc_line(),
    "DC line backwards": dc_line(-1.0),
    "impedance": impedance,
    "uncontrolled SVC": reactor,
    "STATCOM": statcom,
}  # fmt: skip


@pytest.mark.parametrize("element", ELEMENTS)
def test_each_element_balances_at_the_tools_solution(element):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = feeder()
        ELEMENTS[element](net)
    solved(net)
    assert net.res_bus.vm_pu[net.bus.in_service].notna().all()
    assert worst_mismatch(net, read_pandapower(net)) < 1e-6


def fill_inner(net, grid, v, angle):
    """Voltages of inner nodes and open ends: from the tool's results, or passively from the other end."""
    for table in ("xward", "ssc"):
        for index in net[table].index:
            at = grid.bus.id.tolist().index(f"{table}:{index}")
            result = net[f"res_{table}"]
            v[at] = result.vm_internal_pu[index]
            angle[at] = result.va_internal_degree[index]
    added = np.arange(grid.n_bus) >= len(net.bus)
    unknown = np.flatnonzero(np.isnan(v) & added & grid.bus.in_service)
    y = admittance(grid)
    known = np.flatnonzero(np.isfinite(v))
    if len(unknown):
        voltage = v[known] * np.exp(1j * np.deg2rad(angle[known]))
        inner = np.linalg.solve(y[unknown][:, unknown].todense(), -(y[unknown][:, known] @ voltage))
        v[unknown], angle[unknown] = np.abs(inner), np.rad2deg(np.angle(inner))


def test_switched_off_at_both_ends_is_out_of_service():
    net = feeder()
    second_line(net)
    for bus in (2, 3):
        pp.create_switch(net, bus, 2, et="l", closed=False)
    grid = read_pandapower(net).network
    assert grid.branch.in_service[grid.branch.id.tolist().index("line:2")] == np.False_
    assert grid.n_bus == len(net.bus)


def test_ratings_limits_and_taps():
    net = feeder()
    pp.create_gen(net, 3, p_mw=1.0, min_p_mw=0.5, max_p_mw=2.0, max_q_mvar=1.0)
    grid = read_pandapower(net).network
    row = {id: i for i, id in enumerate(grid.branch.id)}
    assert grid.branch.rate_mva[row["line:1"]] == pytest.approx(np.sqrt(3) * 20.0 * 0.5 * 0.9 * 2)
    assert grid.branch.rate_mva[row["trafo:0"]] == 40.0
    assert grid.branch.tap_step_pu[row["trafo:0"]] == pytest.approx(0.015 * (112.0 / 20.5) / (110.0 / 20.0))
    assert (grid.branch.tap_min[row["trafo:0"]], grid.branch.tap_max[row["trafo:0"]]) == (-9, 9)
    unit = grid.gen.id.tolist().index("gen:0")
    assert (grid.gen.p_min_mw[unit], grid.gen.p_max_mw[unit], grid.gen.q_max_mvar[unit]) == (0.5, 2.0, 1.0)
    assert grid.gen.q_min_mvar[unit] == -np.inf


def test_costs_fuels_and_coordinates():
    net = feeder()
    net.bus["geo"] = ['{"type":"Point","coordinates":[9.5,51.25]}', None, "", "not json"]
    pp.create_sgen(net, 2, p_mw=2.0, type="WP")
    pp.create_poly_cost(net, 0, "ext_grid", cp1_eur_per_mw=12.0, cp0_eur=3.0, cp2_eur_per_mw2=0.5)
    pp.create_pwl_cost(net, 0, "sgen", [[0.0, 1.0, 10.0], [1.0, 3.0, 20.0]])
    imported = read_pandapower(net)
    grid = imported.network
    assert (grid.gen.cost_c0_per_h[0], grid.gen.cost_c1_per_mwh[0], grid.gen.cost_c2_per_mw2h[0]) == (3.0, 12.0, 0.5)
    assert grid.cost_point.p_mw.tolist() == [0.0, 1.0, 3.0]
    assert grid.cost_point.cost_per_h.tolist() == [0.0, 10.0, 50.0]
    assert grid.gen.fuel.tolist() == ["", "wind"]
    assert (grid.bus.lon[0], grid.bus.lat[0]) == (9.5, 51.25)
    assert np.isnan(grid.bus.lon[1:]).all()


def test_what_is_not_exact_is_named():
    net = feeder()
    pp.create_impedance(net, 2, 3, 0.01, 0.05, 20.0, rtf_pu=0.02, xtf_pu=0.05)
    pp.create_load(net, 3, 1.0, const_z_p_percent=50)
    pp.create_measurement(net, "v", "bus", 1.0, 0.01, 1)
    net.line["max_loading_percent"] = 100.0
    net.line.loc[1, "max_loading_percent"] = 60.0
    report = read_pandapower(net).report
    assert {(n.table, n.ids) for n in report.approximated} == {
        ("impedance", ("impedance:0",)),
        ("load", ("load:0", "load:1")),
    }
    assert [(n.table, n.ids) for n in report.ignored] == [("measurement", ("measurement:0",)), ("line", ("line:1",))]
    assert not report.exact
    totals = {t.table: t for t in report.source_totals}
    assert totals["load"].p_mw == pytest.approx(8.0 * 0.9 + 1.0)


def test_uneven_impedance_keeps_its_diagonal():
    net = feeder()
    pp.create_impedance(net, 2, 3, 0.01, 0.05, 20.0, rtf_pu=0.02, xtf_pu=0.06)
    solved(net)
    ours = admittance(read_pandapower(net).network).toarray()
    theirs = net._ppc["internal"]["Ybus"].toarray()
    at = net._pd2ppc_lookups["bus"][net.bus.index]
    np.testing.assert_allclose(np.diag(ours), np.diag(theirs[np.ix_(at, at)]), rtol=1e-12)


def test_json_file_gives_the_same_network(tmp_path):
    net = catalogue_net("example_multivoltage")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pp.to_json(net, str(tmp_path / "grid.json"))
    again, first = load(tmp_path / "grid.json"), read_pandapower(net).network
    for name, table in first.tables():
        for column, values in table.items():
            if column not in ("v_mag_pu", "v_ang_deg"):  # results, which JSON keeps to 15 digits
                assert getattr(getattr(again, name), column).tolist() == pytest.approx(values.tolist(), nan_ok=True), (
                    column
                )


def test_bad_nets_are_refused_with_every_problem(tmp_path):
    net = feeder()
    net.line.loc[0, "to_bus"] = 77
    net.load.loc[0, "bus"] = 78
    with pytest.raises(InputError) as caught:
        read_pandapower(net)
    assert "line:0" in str(caught.value)
    net = feeder()
    net.line["x_ohm_per_km"] = net.line["x_ohm_per_km"].astype(object)
    net.line.loc[0, "x_ohm_per_km"] = "much"
    with pytest.raises(InputError, match="much"):
        read_pandapower(net)
    with pytest.raises(InputError, match="no rows"):
        read_pandapower(pp.create_empty_network())
    for text in ("{", '{"a": 1}', "[1, 2]"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(InputError, match=r"bad\.json"):
            load(tmp_path / "bad.json")
