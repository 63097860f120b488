"""`secure_operating_points`: operating points of least cost that survive outages, found in batch.

Rounds of: optimal power flow with the cuts so far, exact AC power flows of outages, cuts where limits break. See
docs/secure.md.
"""

from __future__ import annotations

from os import PathLike
from typing import Any, Literal

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.model.network import Network
from aurigrid.model.scenarios import Scenarios
from aurigrid.opf.api import checked_run
from aurigrid.powerflow.api import SLACKS
from aurigrid.powerflow.newton import Settings, thread_count
from aurigrid.secure.actions import ActionSet, Given
from aurigrid.secure.check import Limits
from aurigrid.secure.result import SecureOperatingPoints
from aurigrid.secure.search import Search
from aurigrid.security.contingencies import Contingencies, Explicit
from aurigrid.security.contingencies import contingencies as build_contingencies

Array = np.ndarray[Any, np.dtype[Any]]


def secure_operating_points(
    net: Network,
    scenarios: Scenarios | None = None,
    contingencies: str | PathLike[str] | Explicit | Contingencies = "n-1",
    *,
    short_factor: float = 1.0,
    v_margin_pu: float = 0.0,
    insecurity_price: float = 1000.0,
    max_rounds: int = 12,
    corrective: Given | None = None,
    q_limits: bool = True,
    slack: Literal["reference", "distributed"] = "distributed",
    gen_p_max_mw: Array | None = None,
    objective: str | dict[str, float] = "cost",
    soft_price: float = 10_000.0,
    max_iterations: int = 150,
    threads: int | None = None,
) -> SecureOperatingPoints:
    """Find operating points of least cost that keep all limits before and after every outage, in full AC.

    After an outage nobody acts: units keep their active power but for the slack's shares, and hold their voltages as far as
    their reactive limits allow. Flows must then stay within the short-term rating and voltages within their bands. What an
    outage cuts off is reported and breaks no limit by itself. Every scenario ends labelled: secure; insecure, with what is
    left and its price; or infeasible before any outage.

    Args:
        net: the network.
        scenarios: n conditions of it; the network as it is where absent.
        contingencies: outages, as for `security_analysis`.
        short_factor: short-term rating of branches that have none, as a multiple of ``rate_mva``.
        v_margin_pu: how far voltages may leave their bands after an outage, pu.
        insecurity_price: price of overload after an outage, currency/MWh; ten times that for a pu of voltage (times the base
            power). Security that costs more is left, and stated.
        corrective: actions (a JSON file or objects, see `remedial_actions`) that may be taken after an outage. One that an action
            brings within these limits needs no cut, if it has a solution and stays within emergency ratings before.
        max_rounds: optimal power flows a scenario may take after the first one.
        q_limits: hold units within their reactive limits after outages.
        slack: who takes the balance after an outage, as for `power_flow`.
        gen_p_max_mw, objective, soft_price, max_iterations, threads: as for `optimal_power_flow`.

    Returns:
        n labelled points with their certificates, and the exact outcome of every outage.

    Raises:
        InputError: as `optimal_power_flow` and `security_analysis`, and options that do not fit.
    """
    issues = IssueList()
    for name, value, good in (
        ("short_factor", short_factor, short_factor > 0 and np.isfinite(short_factor)),
        ("v_margin_pu", v_margin_pu, 0 <= v_margin_pu < 1),
        ("insecurity_price", insecurity_price, insecurity_price > 0 and np.isfinite(insecurity_price)),
        ("max_rounds", max_rounds, max_rounds >= 0),
        ("slack", slack, slack in SLACKS),
    ):
        if not good:
            issues.add("secure_operating_points", name, f"is {value!r}", hint=_HINTS[name])
    issues.raise_if_any()
    sc = scenarios if scenarios is not None else Scenarios.base(net)
    run = checked_run(net, sc, gen_p_max_mw, objective, soft_price, max_iterations, threads, curves=False)
    outages = build_contingencies(run.net, contingencies)
    how = Settings(q_limits=q_limits, distributed=slack == "distributed", threads=thread_count(threads))
    limits = Limits.of(run.net, short_factor, v_margin_pu)
    actions = None if corrective is None else ActionSet.of(run.net, corrective)
    return Search(run, outages, limits, how, insecurity_price, max_rounds, soft_price, actions).solve()


_HINTS = {
    "short_factor": "give a positive multiple of rate_mva",
    "v_margin_pu": "give a margin from 0 to 1 pu",
    "insecurity_price": "give a positive price per MWh",
    "max_rounds": "give 0 or more",
    "slack": "choose reference or distributed",
}
