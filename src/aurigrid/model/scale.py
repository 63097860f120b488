"""A grid with more or less of some plants: `scaled` multiplies all plants of a fuel, in the network and in its profiles.

A factor k stands for k plants in place of each one: limits, ramps, reactive ranges, outputs, series, costs of starts and
cost curves follow, so that a MWh costs what it did::

    p_max -> k p_max      cost(P) -> k cost(P / k), that is c0 -> k c0, c1 -> c1, c2 -> c2 / k

Least times, emission rates and voltage set-points stay. A factor of 0 leaves plants that give nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.table import Array

_SIZED = (
    "p_mw", "q_mvar", "p_min_mw", "p_max_mw", "q_min_mvar", "q_max_mvar", "participation", "ramp_up_mw_per_min",
    "ramp_down_mw_per_min", "start_cost", "stop_cost", "cost_c0_per_h",
)  # fmt: skip
"""Columns of the unit table that grow with a plant."""
_WORDS = {"pv": "solar", "sun": "solar", "ng": "gas", "water": "hydro"}


def parse_factors(text: str) -> dict[str, float]:
    """Factors by fuel from ``"wind=2,pv=40"``.

    Raises:
        InputError: parts that are no ``fuel=factor``, or fuels given twice; all of them.
    """
    issues, out = IssueList(), {}
    for part in text.split(","):
        fuel, mark, number = (piece.strip() for piece in part.partition("="))
        try:
            value = float(number)
        except ValueError:
            mark = ""
            value = 0.0
        if not mark or not fuel:
            issues.add("scale", "", f"{part.strip()!r} is not a fuel and its factor", hint="write wind=2,pv=40")
        elif fuel in out:
            issues.add("scale", fuel, "is given twice", hint="give one factor a fuel")
        else:
            out[fuel] = value
    issues.raise_if_any()
    return out


def scaled(net: Network, profiles: Profiles | None, factors: Mapping[str, float]) -> tuple[Network, Profiles | None]:
    """Multiply all plants of some fuels.

    Args:
        net: the network.
        profiles: its series, or None; those of ``gen.p_mw``, ``gen.q_mvar`` and of the limits follow.
        factors: by fuel as in ``gen.fuel``, 0 or more; ``pv`` and ``sun`` mean ``solar``, ``ng`` ``gas``, ``water`` ``hydro``
            where the network has no such fuel itself. Capital letters do not matter.

    Returns:
        The network and the profiles, changed copies; the same objects where all factors are 1.

    Raises:
        InputError: a fuel that no plant of the network has, a factor that is no finite number of 0 or more, or a fuel named
            twice; all of them at once.
    """
    fuel = np.char.lower(net.gen.fuel.astype(str))
    known = sorted(set(fuel.tolist()) - {""})
    issues, factor = IssueList(), np.ones(net.n_gen)
    named: dict[str, str] = {}
    for name, value in factors.items():
        word = name.lower()
        word = word if word in known else _WORDS.get(word, word)
        if word not in known:
            hint = "the network has " + (", ".join(known) or "plants without fuel only")
            issues.add("scale", name, "is not a fuel of this network", hint=hint)
        elif not (isinstance(value, (int, float, np.number)) and np.isfinite(value) and value >= 0):
            issues.add("scale", name, f"has the factor {value}", hint="give a finite number of 0 or more")
        elif word in named:
            issues.add("scale", name, f"means the same fuel as {named[word]}", hint="give one factor a fuel")
        else:
            named[word] = name
            factor[fuel == word] = float(value)
    issues.raise_if_any()
    if (factor == 1.0).all():
        return net, profiles
    return _network(net, factor), None if profiles is None else _profiles(profiles, factor)


def _network(net: Network, factor: Array) -> Network:
    gen, points = net.gen, net.cost_point
    changed = factor != 1.0
    columns = {name: getattr(gen, name).copy() for name in _SIZED}
    with np.errstate(invalid="ignore"):  # no limit stays no limit, also times 0
        for values in columns.values():
            values[changed] = np.where(np.isfinite(values), factor * values, values)[changed]
    c2 = np.divide(gen.cost_c2_per_mw2h, factor, out=np.zeros(len(gen)), where=factor > 0)
    gen = gen.replace(**columns, cost_c2_per_mw2h=c2)
    kept = points.take(np.flatnonzero(factor[points.gen] > 0)) if len(points) else points
    if len(kept):
        size = factor[kept.gen]
        kept = kept.replace(p_mw=size * kept.p_mw, cost_per_h=size * kept.cost_per_h)
    return net.replace(gen=gen, cost_point=kept)


def _profiles(profiles: Profiles, factor: Array) -> Profiles:
    size = {key: factor[s.position] for key, s in profiles.series.items() if key[0] == "gen" and key[1] in _SIZED}
    return profiles.multiplied({key: value for key, value in size.items() if (value != 1.0).any()})
