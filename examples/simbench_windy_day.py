"""A windy day of the German transmission grid: planned, brought together with AC, every outage solved, and what it says.

    python examples/simbench_windy_day.py [--date 2016-12-06] [--scale wind=1.5] [--out runs/windy]

Prints where wind, sun and water are curtailed and why, what one more MW on each corridor would have saved, where plan and AC do
not agree, and which outages are worst. The data are SimBench's `1-EHV-mixed--0-no_sw` (`pip install 'aurigrid[grids,dispatch]'`).
"""

from __future__ import annotations

import argparse
from typing import Any

import aurigrid as ag
from aurigrid.store import Run, open_run

GRID, DATE = "1-EHV-mixed--0-no_sw", "2016-12-06"

QUESTIONS = {
    "Curtailed by cause, MWh": """
        SELECT cause, round(sum(mwh)) AS mwh, count(DISTINCT gen_id) AS units FROM plan_curtailment
        GROUP BY cause ORDER BY mwh DESC""",
    "What limits them most": """
        SELECT cause, limiting, round(sum(mwh)) AS mwh FROM plan_curtailment WHERE limiting <> ''
        GROUP BY ALL ORDER BY mwh DESC LIMIT 8""",
    "One more MW all day would save (currency)": """
        SELECT branch_id AS corridor, outage, count(*) AS steps, round(sum(price_per_mw) * $h) AS saves FROM plan_limits
        WHERE price_per_mw > 0 GROUP BY ALL ORDER BY saves DESC LIMIT 8""",
    "Plan and AC": """
        SELECT CASE WHEN agreed THEN 'agree' ELSE reason END AS outcome, count(*) AS steps, round(max(moved_mw)) AS most_mw
        FROM plan_agreement GROUP BY ALL ORDER BY steps DESC""",
    "Worst outages": """
        SELECT contingency_label AS outage, element_id AS at, kind, count(DISTINCT step) AS steps,
               round(100 * max(severity), 1) AS past_limit_percent
        FROM violations WHERE contingency >= 0 AND new AND severity IS NOT NULL
        GROUP BY ALL ORDER BY past_limit_percent DESC LIMIT 8""",
}


def answers(run: Run, step_h: float) -> dict[str, list[dict[str, Any]]]:
    """Every question with its rows."""
    return {
        what: run.sql(query, {"h": step_h} if "$h" in query else None).to_pylist() for what, query in QUESTIONS.items()
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", default=GRID, help="a grid with profiles")
    parser.add_argument("--date", default=DATE)
    parser.add_argument("--scale", default=None, help="more plants of a fuel, such as wind=1.5")
    parser.add_argument("--out", default="runs/windy")
    asked = parser.parse_args(arguments)
    done = ag.run_day(asked.grid, asked.date, asked.out, scale=asked.scale, dispatch="plan", told=print)
    run = open_run(done.run)
    assert done.plan is not None
    print(
        f"cost {done.plan['cost']:,.0f}, commitment gap {100 * done.plan['commitment_gap']:.2f} %, {done.seconds:.0f} s in all"
    )
    for what, rows in answers(run, float(run.info.options["step_min"]) / 60.0).items():
        print(f"\n{what}")
        for row in rows:
            print("  " + "  ".join(f"{key} {value}" for key, value in row.items() if value not in ("", None)))


if __name__ == "__main__":
    main()
