"""Figures of plans and of many days show the numbers of the stored tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.errors import InputError
from aurigrid.model.tables import StorageTable
from aurigrid.store import Run, open_run
from dispatch.grids import hours, triangle
from store.states import write_run

matplotlib = pytest.importorskip("matplotlib", reason="figures need the extra 'plot'")
pytest.importorskip("highspy")
matplotlib.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402

from aurigrid import plots  # noqa: E402


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Run:
    from aurigrid.studies.planning import save_plan

    store = StorageTable.make(id=["b"], bus=[1], p_min_mw=-20.0, p_max_mw=20.0, energy_mwh=20.0, energy_max_mwh=60.0)
    found = ag.dispatch(triangle(55.0, storage=store), hours(), gap=0.001, time_limit=20.0)
    return open_run(save_plan(tmp_path_factory.mktemp("plots") / "plan", found, "triangle", {}))


def test_the_stack_of_a_plan_reaches_the_load(plan: Run) -> None:
    fig, ax = plots.dispatch_stack(plan)
    fig.canvas.draw()
    labels = ax.get_legend_handles_labels()[1]
    fuels = {r["fuel"] for r in plan.sql("SELECT fuel FROM plan_schedule GROUP BY 1 HAVING sum(p_mw) > 0").to_pylist()}
    causes = {r["cause"] for r in plan.sql("SELECT DISTINCT cause FROM plan_curtailment WHERE mwh > 0").to_pylist()}
    assert set(labels) == fuels | {"storage", "load"} | {f"not used: {c}" for c in causes}
    tops = [c.get_paths()[0].vertices[:, 1].max() for c in ax.collections if c.get_label().startswith("not used")]
    row = "SELECT max(gen_mw + curtailed_mw + f) AS top FROM plan_steps JOIN (SELECT step, sum(greatest(p_mw, 0)) AS f "
    expected = plan.sql(row + "FROM plan_storage GROUP BY 1) USING (step)").to_pylist()[0]["top"]
    assert max(tops) == pytest.approx(expected)
    drawn = ax.lines[0].get_ydata()
    assert list(drawn) == plan.sql("SELECT load_mw FROM plan_steps ORDER BY step").column("load_mw").to_pylist()


def test_prices_of_all_buses(plan: Run) -> None:
    _, ax = plots.nodal_prices(plan)
    price = np.array(plan.sql("SELECT price_per_mwh AS p FROM plan_prices ORDER BY step, bus").column("p").to_pylist())
    median, paid = ax.lines
    np.testing.assert_allclose(median.get_ydata(), np.median(price.reshape(8, 3), axis=1))
    outer = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (outer.min(), outer.max()) == pytest.approx((price.min(), price.max()))
    stored = plan.sql("SELECT price_per_mwh AS p FROM plan_steps ORDER BY step").column("p").to_pylist()
    np.testing.assert_allclose(paid.get_ydata(), stored)


def test_days_as_a_fan(tmp_path: Path, plan: Run) -> None:
    write_run(tmp_path / "run", n=4 * 96)
    run = open_run(tmp_path / "run")
    _, ax = plots.daily_fan(run, "load_mw - gen_by_fuel_mw['wind']")
    load = np.array(run.table("steps").column("load_mw").to_pylist()).reshape(4, 96) - 6.0
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.median(load, axis=0))
    np.testing.assert_allclose(ax.lines[0].get_xdata(), np.arange(96) / 4)
    with pytest.raises(InputError, match="a fan needs 3"):
        plots.daily_fan(plan)
    with pytest.raises(InputError, match="colour"):
        plots.daily_fan(run, "colour")
    with pytest.raises(InputError, match="plan"):
        plots.dispatch_stack(run)
