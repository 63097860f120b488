"""Operating points that survive outages, and remedial actions: the secure part of opf, and actions."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aurigrid.cli import show
from aurigrid.cli.common import (
    NOT_SOLVED,
    OUTAGES_HELP,
    Grid,
    Json,
    Slack,
    SlackOption,
    Threads,
    Top,
    compiling_notice,
    guarded,
    print_json,
)

if TYPE_CHECKING:
    from aurigrid.model.network import Network
    from aurigrid.secure import RemedialReport, SecureOperatingPoints

ShortFactor = Annotated[
    float, typer.Option(help="Short-term rating of branches that have none, as a multiple of the long-term one.")
]
VMargin = Annotated[float, typer.Option(help="How far voltages may leave their bands after an outage, pu.")]


def secure_point(
    net: Network, outages: str, short_factor: float, v_margin_pu: float, price: float, rounds: int, actions: Path | None,
    soft_price: float, max_iterations: int, threads: int | None,
) -> SecureOperatingPoints:  # fmt: skip
    """The operating point that ``opf --secure`` shows."""
    from aurigrid.secure import secure_operating_points

    return secure_operating_points(
        net, None, outages, short_factor=short_factor, v_margin_pu=v_margin_pu, insecurity_price=price, max_rounds=rounds,
        corrective=actions, soft_price=soft_price, max_iterations=max_iterations, threads=threads,
    )  # fmt: skip


def secure_figures(found: SecureOperatingPoints) -> dict[str, Any]:
    """What ``--json`` says about security."""
    return {
        "security": found.status_of(0).name.lower(),
        "outages": len(found.contingencies),
        "outages_splitting": int(found.splits[0].sum()),
        "outages_cured": int((found.cured_by[0] >= 0).sum()),
        "outages_beyond_reach": int(found.beyond_reach[0].sum()),
        "rounds": int(found.rounds[0]),
        "cuts": int(found.cuts[0]),
        "violations_remaining": len(found.found),
        "overload_remaining_mva": float(found.rest_mva[0]),
        "voltage_remaining_pu": float(found.rest_pu[0]),
        "price_remaining_per_h": float(found.rest_price[0]),
        "objective_unsecured": float(found.unsecured_objective[0]),
        "security_cost_per_h": float(found.security_cost[0]),
        "power_flows": found.power_flows,
    }


def print_security(found: SecureOperatingPoints, top: int) -> None:
    """Words and a table of what is left."""
    data = secure_figures(found)
    rows = [
        (r["contingency_label"], f"{r['element_table']} {r['element_id']}".strip(), r["kind"], f"{r['value']:,.3f}",
         "" if r["limit"] is None else f"{r['limit']:,.3f}")
        for r in found.violations.slice(0, top).to_pylist()
    ]  # fmt: skip
    if rows:
        head = [("outage", "l"), ("element", "l"), ("kind", "l"), ("value", "r"), ("limit", "r")]
        show.table("What outages still break, worst first", head, rows)
    sentences = [
        f"{found.status_of(0).meaning}: {data['outages']:,} outages, {data['rounds']} rounds, {data['cuts']} cuts.".capitalize(),
        f"Security costs {data['security_cost_per_h']:,.2f} per hour.",
    ]
    if data["outages_cured"]:
        sentences.append(f"{data['outages_cured']} outages rely on a listed action.")
    if data["violations_remaining"]:
        sentences.append(
            f"Left: {data['violations_remaining']} broken limits, {data['overload_remaining_mva']:,.2f} MVA and "
            f"{data['voltage_remaining_pu']:.4f} pu, at {data['price_remaining_per_h']:,.2f} per hour."
        )
    if data["outages_beyond_reach"]:
        sentences.append(
            f"{data['outages_beyond_reach']} of the outages that break them cannot be survived: no state within limits was "
            "found after them, whatever the units give."
        )
    show.summary(sentences, [])


@guarded
def actions(
    grid: Grid,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON list of actions.", show_default=False)],
    outages: Annotated[str, typer.Option("--outages", "-o", help=OUTAGES_HELP)] = "n-1",
    short: Annotated[bool, typer.Option("--short", help="Judge by short-term ratings.")] = False,
    short_factor: ShortFactor = 1.0,
    v_margin_pu: VMargin = 0.0,
    q_limits: Annotated[
        bool, typer.Option("--q-limits/--no-q-limits", help="Hold units within reactive limits.")
    ] = True,
    slack: SlackOption = Slack.distributed,
    threads: Threads = None,
    top: Top = 10,
    json: Json = False,
) -> int:
    """Try every listed action after every outage that breaks limits, in full AC, and rank them.

    Exit code 1 if some are not cured.
    """
    from aurigrid.io.load import load_with_report
    from aurigrid.secure import remedial_actions

    net = load_with_report(grid).network
    clock = show.Clock()
    with compiling_notice():
        report = remedial_actions(
            net, None, outages, actions=file, rating="short" if short else "long", short_factor=short_factor,
            v_margin_pu=v_margin_pu, q_limits=q_limits, slack=slack.value, threads=threads,
        )  # fmt: skip
    if json:
        print_json(
            {"grid": net.name, "outages": len(report.contingencies), "actions": len(report.actions), "states": len(report),
             "cured": int(report.cured.sum()), "power_flows": report.power_flows, "seconds": clock.seconds,
             "tried": report.table().to_pylist()}
        )  # fmt: skip
    else:
        _print_actions(grid, net, report, top, clock.seconds)
    return 0 if report.cured.all() else NOT_SOLVED


def _print_actions(grid: str, net: Network, report: RemedialReport, top: int, seconds: float) -> None:
    labels = ["before outages", *report.contingencies.label.tolist()]
    rows = []
    worst_first = sorted(range(len(report)), key=lambda k: -report.before_worst[k])
    for k in worst_first[:top]:
        a = int(report.rank[k, 0])
        t = report.tried
        word = "cures" if t.cured[k, a] else ("helps" if report.best[k] >= 0 else "none helps")
        rows.append(
            (labels[report.contingency[k] + 1], str(report.before[k]), f"{report.before_worst[k]:.1%}",
             report.actions.actions[a].label if report.best[k] >= 0 else "", word, f"{t.worst[k, a]:.1%}")
        )  # fmt: skip
    if rows:
        head = [
            ("outage", "l"),
            ("broken limits", "r"),
            ("worst excess", "r"),
            ("best action", "l"),
            ("", "l"),
            ("after it", "r"),
        ]
        show.table("Outages that break limits, worst first", head, rows)
    show.summary(
        [
            f"{len(report):,} states break limits ({len(report.contingencies):,} outages, and before them); a listed action "
            f"cures {int(report.cured.sum()):,} of them ({report.power_flows:,} power flows, {show.duration(seconds)})."
        ],
        [f"aurigrid n1 {shlex.quote(grid)}"],
    )
