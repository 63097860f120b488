"""Operating points of a data set from a grid's time series: a step each, generated as `aurigrid generate` does, then varied.

Grids with profiles need no costs and no ranges to draw from: a step of the year says what loads take and wind and sun could
give, and `aurigrid.studies.points` finds an operating point for it. Loads by region, dispatch and set-points vary as in a recipe.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from aurigrid.learn.recipe import Drawn, Recipe, as_outages, branches_out, load_regions, moved_points
from aurigrid.model.network import Network
from aurigrid.model.profiles import Profiles
from aurigrid.model.table import Array
from aurigrid.studies.conditions import batch_of, conditions_of
from aurigrid.studies.points import operating_points

MARGIN = 0.02
"""Share of ratings and reactive ranges that points leave free where they can, as in a day."""


def points_of_profiles(
    net: Network, profiles: Profiles, recipe: Recipe, seed: int, threads: int | None = None
) -> Callable[[Array], Drawn]:
    """What draws the operating points of the given numbers; each depends on the seed and its own number only.

    Args:
        net: the network.
        profiles: its time series; a point takes a step of them at random.
        recipe: ranges of the factors of loads, and of what moves dispatch and set-points.
        seed: of everything that is drawn.
        threads: threads to use; all CPUs where absent.
    """
    conditions = conditions_of(net, profiles, margin=MARGIN)
    region, names = load_regions(net)
    of_load = region[net.load.bus]
    loaded = np.unique(of_load) if net.n_load else np.zeros(1, np.int64)

    def drawn(which: Array) -> Drawn:
        n = len(which)
        step, stressed = np.zeros(n, np.int64), np.zeros(n, np.int64)
        load, factor = np.zeros(n), np.zeros(n)
        noise, moved = np.empty((2, n, net.n_load)), np.empty((2, n, net.n_gen))
        for row, number in enumerate(which.tolist()):
            rng = np.random.default_rng((seed, number))
            step[row] = rng.integers(len(profiles))
            load[row], factor[row], stressed[row] = (
                rng.uniform(*recipe.load), rng.uniform(*recipe.region), rng.choice(loaded),
            )  # fmt: skip
            noise[:, row] = rng.uniform(1 - recipe.bus, 1 + recipe.bus, (2, net.n_load))
            moved[:, row] = rng.uniform(-1, 1, (2, net.n_gen))
        batch = batch_of(conditions, profiles, step.tolist())
        share = load[:, None] * np.where(of_load == stressed[:, None], factor[:, None], 1.0)
        more = conditions.solved.n_load - net.n_load
        grown = np.concatenate([share * noise, np.ones((2, n, more))], axis=2)
        sc = batch.scenarios
        changed = {name: sc.values(name) * by for name, by in zip(("load_p_mw", "load_q_mvar"), grown, strict=True)}
        given = batch.given.replace(**{name: values[:, : net.n_load] for name, values in changed.items()})
        batch = dataclasses.replace(batch, scenarios=sc.replace(**changed), given=given)
        found = operating_points(conditions, batch, threads=threads)
        points = moved_points(net, recipe, found.scenarios, batch.p_max_mw, moved)
        p = points.values("load_p_mw")
        by_region = np.stack([p[:, of_load == r].sum(1) for r in range(len(names))], 1)
        out = branches_out(net, recipe, seed, which)
        points = points.replace(branch_out=as_outages(out))
        return Drawn(points, found.label <= 1, stressed, factor, load, out, by_region)

    return drawn
