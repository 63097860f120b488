"""What a stored day found: the worst hours, the worst outages, the most threatened elements, and where to look next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aurigrid.store import Run
from aurigrid.studies.facts import MODEL_WORDS, Fact, Kind

Rows = list[dict[str, Any]]

_WORST_HOURS = """
SELECT strftime(date_trunc('hour', time), '%H:00') AS hour, max(outages_violating) AS insecure_outages,
       sum(outages_failed) AS unsolved, max(base_violations) AS broken_before, max(max_loading) AS base_loading,
       max(worst_severity) AS severity
FROM steps GROUP BY date_trunc('hour', time) ORDER BY unsolved DESC, insecure_outages DESC, severity DESC LIMIT $n
"""
_WORST_OUTAGES = """
SELECT contingency_label AS outage, count(DISTINCT step) AS steps, max(severity) AS severity,
       arg_max(element_id, severity) AS element, arg_max(kind, severity) AS kind,
       arg_max(value, severity) AS value, arg_max("limit", severity) AS "limit"
FROM violations WHERE contingency >= 0 AND new AND severity IS NOT NULL AND kind <> 'reactive_limit'
GROUP BY contingency_label ORDER BY severity DESC, steps DESC LIMIT $n
"""
_THREATENED = """
SELECT element_id AS element, kind, count(DISTINCT step) AS steps, count(DISTINCT contingency) AS outages,
       max(severity) AS severity
FROM violations WHERE contingency >= 0 AND new AND severity IS NOT NULL AND kind <> 'reactive_limit'
GROUP BY element_id, kind ORDER BY outages * steps DESC, severity DESC LIMIT $n
"""
_FAILED = """
SELECT contingency_label AS outage, status, count(*) AS steps FROM contingencies
WHERE status NOT IN ('converged', 'islanded', 'skipped') GROUP BY ALL ORDER BY steps DESC, outage LIMIT $n
"""
_SPLIT = """
SELECT contingency_label AS outage, count(*) AS steps, max(lost_load_mw) AS lost_load_mw,
       max(lost_gen_mw) AS lost_gen_mw
FROM contingencies WHERE status = 'islanded' GROUP BY ALL
ORDER BY greatest(max(contingencies.lost_load_mw), max(contingencies.lost_gen_mw)) DESC, outage LIMIT $n
"""
_BASE = """
SELECT element_id AS element, kind, count(*) AS steps, max(severity) AS severity FROM violations
WHERE contingency < 0 GROUP BY ALL ORDER BY steps DESC, severity DESC LIMIT $n
"""
_REACTIVE = """
SELECT count(*) AS rows, count(DISTINCT element) AS places FROM violations WHERE kind = 'reactive_limit'
"""
_TOTALS = """
SELECT count(*) AS steps, count(*) FILTER (status NOT IN ('converged', 'islanded')) AS base_failed,
       max(outages) AS outages, sum(outages_converged)::BIGINT AS converged, sum(outages_islanded)::BIGINT AS islanded,
       sum(outages_failed)::BIGINT AS failed,
       sum(outages - outages_converged - outages_islanded - outages_failed)::BIGINT AS passed,
       sum(outages_violating)::BIGINT AS insecure,
       count(*) FILTER (base_violations > 0) AS steps_broken_before, count(*) FILTER (outages_violating > 0
       OR outages_failed > 0) AS steps_insecure, min(load_mw) AS load_min_mw, max(load_mw) AS load_max_mw,
       min(v_min_pu) AS v_min_pu, max(v_max_pu) AS v_max_pu, max(max_loading) AS max_loading,
       arg_max(max_loading_branch, max_loading) AS max_loading_branch
FROM steps
"""
_FUELS = """
SELECT key AS fuel, sum(value) * $hours / 1000 AS gwh, max(value) AS peak_mw FROM (
  SELECT unnest(map_entries(gen_by_fuel_mw), recursive := true) FROM steps) GROUP BY key ORDER BY gwh DESC
"""


@dataclass(frozen=True)
class Outlook:
    """The findings of a run, each a list of rows as plain data, the worst first.

    Attributes:
        totals: counts and extremes over all steps.
        fuels: energy and peak by fuel.
        hours: worst hours.
        outages: outages that break limits which held before, by severity.
        threatened: elements endangered by most outages and steps.
        failed: outages without a solution.
        split: outages that leave a part of the grid without supply.
        base: limits broken before any outage.
        reactive: how often and at how many buses units give more reactive power than they can.
        next: commands that look closer.
        model: the model that passed outages over, and what is known of what it misses; empty where all were solved.
    """

    totals: dict[str, Any]
    fuels: Rows
    hours: Rows
    outages: Rows
    threatened: Rows
    failed: Rows
    split: Rows
    base: Rows
    reactive: dict[str, int]
    next: list[str]
    model: dict[str, Any]

    def sentences(self) -> list[str]:
        """What is wrong, where, how bad: one plain sentence a fact."""
        return [fact.sentence for fact in self.facts()]

    def facts(self) -> list[Fact]:
        """The same as data."""
        t = self.totals
        if not t["steps"]:
            return [Fact("no_step", "The run has no finished step yet.", {})]
        counts = {"steps": t["steps"], "outages": t["outages"], "asked": t["steps"] * t["outages"]}
        solved = "{steps} steps, {outages} outages each: {solved:,} of {asked:,} outages solved."
        return [
            Fact("solved", solved, {**counts, "solved": t["converged"] + t["islanded"]}),
            *self._passed(),
            *self._before(),
            *self._after(),
            *self._unsolved(),
        ]

    def _passed(self) -> Iterator[Fact]:
        if self.model:
            text = f"{{passed:,}} were {MODEL_WORDS}."
            yield Fact("passed", text, {"passed": self.totals["passed"], **self.model})

    def _before(self) -> Iterator[Fact]:
        t = self.totals
        if t["base_failed"]:
            text = "The base state has no solution in {steps} steps."
            yield Fact("base_unsolved", text, {"steps": t["base_failed"]})
        if not t["steps_broken_before"]:
            yield Fact("base_holds", "Before any outage, every limit holds in every step.", {})
            return
        first = self.base[0]
        yield Fact(
            "base_broken",
            "Before any outage, limits are broken in {steps} steps; most often {kind} at {element} ({often} steps).",
            {
                "steps": t["steps_broken_before"], "kind": Kind(first["kind"]), "element": first["element"],
                "often": first["steps"],
            },
        )  # fmt: skip

    def _after(self) -> Iterator[Fact]:
        t = self.totals
        if not self.outages:
            if self.model:
                yield Fact("secure_solved", "No outage that was solved breaks a limit that held before it.", {})
            else:
                yield Fact("secure", "No outage breaks a limit that held before it.", {})
            return
        worst = self.outages[0]
        yield Fact(
            "insecure",
            "After an outage, new limits are broken in {cases:,} cases, in {insecure} of {steps} steps. Worst: losing "
            "{outage} leaves {kind} at {element}, {past:.1f} % past its limit.",
            {
                "cases": t["insecure"], "insecure": t["steps_insecure"], "steps": t["steps"],
                "outage": worst["outage"], "kind": Kind(worst["kind"]), "element": worst["element"],
                "past": 100 * worst["severity"],
            },
        )  # fmt: skip

    def _unsolved(self) -> Iterator[Fact]:
        t = self.totals
        if self.failed:
            first = self.failed[0]
            yield Fact(
                "outages_unsolved",
                "{cases:,} outages have no power flow solution; most often {outage} ({steps} steps).",
                {"cases": t["failed"], "outage": first["outage"], "steps": first["steps"]},
            )
        if self.split:
            first = self.split[0]
            yield Fact(
                "islanding",
                "{cases:,} outages leave a part of the grid without supply; the largest is {outage}: up to {load:.0f} MW of "
                "load and {infeed:.0f} MW of infeed lost.",
                {
                    "cases": t["islanded"], "outage": first["outage"], "load": first["lost_load_mw"],
                    "infeed": first["lost_gen_mw"],
                },
            )  # fmt: skip
        if self.reactive["rows"]:
            yield Fact(
                "reactive",
                "At {places} buses units give more or less reactive power than they can; hold the limits (q_limits) for "
                "states that exist.",
                {"places": self.reactive["places"]},
            )

    def to_dict(self) -> dict[str, Any]:
        """The findings as plain data."""
        return dict(self.__dict__)


def outlook(run: Run, n: int = 5) -> Outlook:
    """Read the findings of a run, `n` rows of each kind."""

    def ask(query: str, **values: object) -> Rows:
        found: Rows = run.sql(query, values or {"n": n}).to_pylist()
        return found

    totals = run.sql(_TOTALS).to_pylist()[0]
    hours = float(run.info.options.get("step_min", 60)) / 60
    outages = ask(_WORST_OUTAGES)
    threatened = ask(_THREATENED)
    return Outlook(
        totals=totals,
        fuels=ask(_FUELS, hours=hours) if totals["steps"] else [],
        hours=ask(_WORST_HOURS),
        outages=outages,
        threatened=threatened,
        failed=ask(_FAILED),
        split=ask(_SPLIT),
        base=ask(_BASE),
        reactive=run.sql(_REACTIVE).to_pylist()[0],
        next=_next(run, outages, threatened),
        model=dict(run.info.options.get("model", {})),
    )


def _next(run: Run, outages: Rows, threatened: Rows) -> list[str]:
    where = f"aurigrid sql {run.path}"
    queries = []
    if outages:
        name = outages[0]["outage"].replace("'", "''")
        queries.append(
            f"SELECT step, element_id, value FROM violations WHERE contingency_label = '{name}' ORDER BY step"
        )
    if threatened:
        name = threatened[0]["element"].replace("'", "''")
        columns = "step, contingency_label, value"
        queries.append(f"SELECT {columns} FROM violations WHERE element_id = '{name}' ORDER BY severity DESC LIMIT 20")
    queries.append("SELECT time, load_mw, gen_by_fuel_mw['wind'] AS wind_mw, max_loading, outages_violating FROM steps")
    return [f'{where} "{query}"' for query in queries]
