"""The outages of one state as a run folder of one step: what ``aurigrid n1 --out`` writes, and the console shows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from aurigrid.store import RunWriter, ensure_features, start_run
from aurigrid.studies import rows

if TYPE_CHECKING:
    from aurigrid.model.network import Network
    from aurigrid.security import SecurityReport
    from aurigrid.security.contingencies import Contingencies


def start_snapshot(
    out: str | os.PathLike[str], net: Network, outages: Contingencies, options: Mapping[str, Any]
) -> RunWriter:
    """Create the folder before anything is solved, or open one that was made in the same way.

    Args:
        out: the folder; absent, empty, or of the same grid and options.
        net: the network.
        outages: what is taken out.
        options: everything that changes results, as plain data.

    Raises:
        InputError: the folder is something else, or was made otherwise; every difference is named.
        StoreError: the folder cannot be written.
    """
    from aurigrid.io.folder import save

    return start_run(
        out,
        grid={
            "name": net.name,
            "digest": net.digest,
            "buses": net.n_bus,
            "branches": net.n_branch,
            "units": net.n_gen,
        },
        options={**options, "outages": outages.n},
        n_steps=1,
        contingency_list=rows.contingency_list_columns(net, outages),
        save_grid=lambda path: save(net, path),
    )


def store_snapshot(writer: RunWriter, report: SecurityReport, seconds: float) -> None:
    """Write the state and its outages as step 0, unless it is there; a state of no profile has no time.

    Raises:
        StoreError: the disk is full or the folder cannot be written.
    """
    if 0 not in writer.finished:
        found = rows.violation_columns(report, 0)
        writer.write_step(
            0,
            {
                **rows.state_columns(report.base, 0),
                "violations": found,
                "contingencies": rows.contingency_columns(report, 0, found["contingency"]),
                "steps": {
                    **rows.step_columns(report.base, 0, report.status[0], found),
                    "time": np.datetime64("NaT"),
                    "seconds": seconds,
                },
            },
        )
    writer.close("finished", {"power_flows": report.power_flows, "solve_seconds": round(seconds, 3)})
    ensure_features(writer.path)
