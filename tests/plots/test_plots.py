"""Figures show the numbers they are given, at every call alike, and call nothing that opens a window."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from aurigrid.errors import InputError, MissingExtraError
from aurigrid.model.scenarios import Scenarios
from aurigrid.store import Run, open_run
from cli.conftest import small_network
from store.states import state, two_areas, write_run

matplotlib = pytest.importorskip("matplotlib", reason="figures need the extra 'plot'")
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.collections import LineCollection  # noqa: E402

from aurigrid import plots  # noqa: E402


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No figure is shown, none outlives its test."""
    monkeypatch.setattr(plt, "show", lambda *a, **k: pytest.fail("a figure was shown"))
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("plots") / "run"
    write_run(path, n=8)
    return open_run(path)


def solved(n: int = 6) -> object:
    from aurigrid.powerflow import power_flow

    net = small_network()
    return power_flow(net, Scenarios(net, load_p_mw=np.outer(np.linspace(0.5, 1.2, n), net.load.p_mw)))


def test_a_map_of_power_flows() -> None:
    solution = solved()
    fig, ax = plots.grid_map(solution, scenario=5)
    fig.canvas.draw()
    dead, under, over = [c for c in ax.collections if isinstance(c, LineCollection)]
    loading = solution.branch_flow().loading[5]
    assert len(dead.get_segments()) == 0
    np.testing.assert_allclose(under.get_array(), 100 * np.sort(loading[loading <= 1]))
    assert len(over.get_segments()) == np.count_nonzero(loading > 1)
    dots = ax.collections[-1]
    np.testing.assert_allclose(dots.get_array(), solution.v_mag[5])
    assert ax.get_title(loc="left") == "small, scenario 5"


def test_layouts_are_the_same_at_every_call() -> None:
    first, second = (plots.grid_map(small_network())[1].collections[-1].get_offsets() for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_map_of_a_run_and_of_nothing(run: Run) -> None:
    _, ax = plots.grid_map(run, 3)
    assert ax.get_title(loc="left") == "two, 2016-01-18 00:45"
    with pytest.raises(InputError, match="no finished step 99"):
        plots.grid_map(run, 99)
    with pytest.raises(InputError, match="does not exist"):
        plots.grid_map(solved(), 6)
    from aurigrid.powerflow import power_flow

    net = small_network()
    with pytest.raises(InputError, match="has no solution"):
        plots.grid_map(power_flow(net, Scenarios(net, load_p_mw=1000 * net.load.p_mw)))


def test_coordinates_make_it_geographic() -> None:
    net = small_network()
    net = net.replace(bus=net.bus.replace(lon=[8, 9, 9, 8], lat=[50, 50, 51, 51]))
    _, ax = plots.grid_map(net)
    x, y = ax.collections[-1].get_offsets().T
    np.testing.assert_allclose(y[2] - y[1], 111.195, rtol=1e-3)
    np.testing.assert_allclose(x[1] - x[0], 111.195 * np.cos(np.deg2rad(50.5)), rtol=1e-3)
    assert [t.get_text() for t in ax.texts] == ["20 km"]


def test_loading_duration_falls(run: Run) -> None:
    solution = solved()
    _, ax = plots.loading_duration(solution, top=2)
    loading = 100 * solution.branch_flow().loading
    lines = {line.get_label(): line.get_ydata() for line in ax.lines}
    first = int(loading.max(axis=0).argmax())
    np.testing.assert_allclose(lines[str(solution.net.branch.id[first])][:-1], -np.sort(-loading[:, first]))
    np.testing.assert_allclose(lines["largest of all"][:-1], -np.sort(-loading.max(axis=1)))
    assert len([name for name in lines if not name.startswith("_")]) == 3
    _, ax = plots.loading_duration(run)
    stored = np.array(run.table("branch_state").column("loading").to_pylist()).reshape(8, -1)
    (largest,) = [line for line in ax.lines if line.get_label() == "largest of all"]
    assert largest.get_ydata()[0] == pytest.approx(100 * stored.max())


def test_a_voltage_profile_spans_the_range(run: Run) -> None:
    _, ax = plots.voltage_profile(run)
    v = np.array(run.table("bus_state").column("v_mag").to_pylist()).reshape(8, -1)
    (bars,) = [c for c in ax.collections if isinstance(c, LineCollection)]
    low = [s[0, 1] for s in bars.get_segments()]
    assert sorted(low) == pytest.approx(sorted(v.min(axis=0)))
    order = [*np.argsort(np.median(v[:, :3], axis=0)), 3]  # 380 kV first
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.median(v, axis=0)[order])


def test_the_stack_adds_up_to_the_generation(run: Run) -> None:
    _, ax = plots.generation_stack(run)
    top = max(path.vertices[:, 1].max() for c in ax.collections for path in c.get_paths())
    assert top == pytest.approx(0.010)  # 6 MW of wind and 4 of hydro
    assert [line.get_label() for line in ax.lines] == ["load"]
    np.testing.assert_allclose(ax.lines[0].get_ydata() * 1000, run.table("steps").column("load_mw").to_pylist())
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["load", "wind", "hydro"]


def test_the_timeline_counts_outages(run: Run) -> None:
    _, ax = plots.violation_timeline(run)
    heights = [bar.get_height() for bar in ax.patches]
    steps = run.table("steps")
    assert heights == steps.column("outages_violating").to_pylist() + steps.column("outages_failed").to_pylist()


def test_the_matrix_holds_the_worst_of_all_steps(run: Run) -> None:
    _, ax = plots.severity_matrix(run)
    (image,) = ax.images
    stored = run.sql("SELECT max(severity) AS s FROM violations").to_pylist()[0]["s"]
    assert np.asarray(image.get_array()).tolist() == [[pytest.approx(100 * stored)]]
    _, one = plots.severity_matrix(run, step=0)
    assert np.asarray(one.images[0].get_array())[0, 0] == pytest.approx(100 * 10 / 90)


def test_the_matrix_of_a_report_is_that_of_its_violations() -> None:
    from aurigrid.security import security_analysis

    report = security_analysis(small_network(), contingencies="n-1")
    _, ax = plots.severity_matrix(report)
    rows = [t.get_text() for t in ax.get_yticklabels()]
    columns = [t.get_text() for t in ax.get_xticklabels()]
    grid = np.ma.filled(ax.images[0].get_array(), np.nan)
    for r in report.violations.to_pylist():
        if r["kind"] == "overload":
            at = grid[rows.index(r["contingency_label"]), columns.index(r["element_id"])]
            assert at >= 100 * r["severity"] - 1e-9
    assert "L1" in rows
    assert "L2" in columns


def test_prices_of_a_batch() -> None:
    from aurigrid.opf import optimal_power_flow

    net = small_network()
    net = net.replace(gen=net.gen.replace(cost_c1_per_mwh=[20, 5]))
    found = optimal_power_flow(net, Scenarios(net, load_p_mw=np.outer([0.5, 0.8, 1.0], net.load.p_mw)))
    _, ax = plots.price_timeline(found)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), found.price_per_mwh.mean(axis=1))


def test_axes_can_be_given(run: Run) -> None:
    fig, (left, right) = plt.subplots(1, 2)
    assert plots.grid_map(run, 0, ax=left) == (fig, left)
    assert plots.loading_duration(run, ax=right) == (fig, right)


def test_nothing_to_show_is_told(tmp_path: Path) -> None:
    write_run(tmp_path / "empty", n=0)
    empty = open_run(tmp_path / "empty")
    for figure in (plots.generation_stack, plots.violation_timeline, plots.loading_duration, plots.voltage_profile):
        with pytest.raises(InputError):
            figure(empty)
    with pytest.raises(InputError, match="no outage breaks a limit"):
        plots.severity_matrix(empty)
    net = two_areas()
    unrated = net.replace(branch=net.branch.replace(rate_mva=np.inf))
    writer = write_run(tmp_path / "unrated", n=0, net=unrated, total=1)
    writer.write_step(0, state(net, 0, np.random.default_rng(0)))
    with pytest.raises(InputError, match="has no rating"):
        plots.loading_duration(open_run(tmp_path / "unrated"))


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"aurigrid\[plot\]"):
        plots.grid_map(small_network())
