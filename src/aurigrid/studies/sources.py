"""A grid together with the time series that its steps come from."""

from __future__ import annotations

import os
from collections.abc import Mapping

from aurigrid.errors import InputError, Issue
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.scale import parse_factors, scaled


def load_with_profiles(
    grid: object,
    profiles: str | os.PathLike[str] | Profiles | None = None,
    scale: Mapping[str, float] | str | None = None,
) -> tuple[Network, Profiles, str]:
    """Read a grid, and its own profiles or those that are given for it; with factors by fuel, both scaled by them.

    Returns:
        The network, its profiles and its name.

    Raises:
        InputError: an unreadable grid, profiles that do not fit it, or none at all; bad factors.
    """
    net, series, name = _read(grid, profiles)
    if not scale:
        return net, series, name
    net, more = scaled(net, series, factors_of(scale))
    return net, series if more is None else more, name


def factors_of(scale: Mapping[str, float] | str | None) -> dict[str, float]:
    """Factors by fuel as they are or from text, ``"wind=2,pv=40"``.

    Raises:
        InputError: text that cannot be read.
    """
    return parse_factors(scale) if isinstance(scale, str) else dict(scale or {})


def _read(grid: object, profiles: str | os.PathLike[str] | Profiles | None) -> tuple[Network, Profiles, str]:
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
