"""A grid together with the time series that its steps come from."""

from __future__ import annotations

import os

from aurigrid.errors import InputError, Issue
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles


def load_with_profiles(
    grid: object, profiles: str | os.PathLike[str] | Profiles | None = None
) -> tuple[Network, Profiles, str]:
    """Read a grid, and its own profiles or those that are given for it.

    Returns:
        The network, its profiles and its name.

    Raises:
        InputError: an unreadable grid, profiles that do not fit it, or none at all.
    """
    from aurigrid.io.load import load_with_report
    from aurigrid.io.series import read_series_tables

    imported = load_with_report(grid)
    net = imported.network
    name = net.name or "grid"
    if isinstance(profiles, Profiles):
        profiles.require_fits(net)
        return net, profiles, name
    if profiles is not None:
        return net, read_series_tables(net, profiles), name
    if imported.profiles is None:
        hint = (
            "use a SimBench code, an RTS-GMLC folder or an Aurigrid folder with profiles, or give some with --profiles"
        )
        raise InputError(Issue("grid", "", f"{name} comes without profiles, so it has no days", hint=hint))
    return net, imported.profiles, name
