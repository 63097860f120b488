"""A small grid with ratings that some pairs of outages break, and a data set of it."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import aurigrid as ag
from aurigrid.learn import Dataset, Recipe, make_dataset

RECIPE = Recipe(load=(0.9, 1.05), region=(0.9, 1.1), points="opf", rating_share=1.0)


@cache
def small() -> ag.Network:
    """The 14-bus grid; ratings a little above its flows."""
    net = ag.load("case14")
    flow = ag.power_flow(net).branch_flow()
    size = np.maximum(flow.s_from_mva[0], flow.s_to_mva[0])
    branch = net.branch.replace(rate_mva=np.maximum(1.7 * size, 45.0))
    gen = net.gen.replace(cost_c1_per_mwh=np.linspace(10.0, 40.0, net.n_gen))
    bus = net.bus.replace(v_min_pu=np.full(net.n_bus, 0.9), v_max_pu=np.full(net.n_bus, 1.1))
    return net.replace(branch=branch, gen=gen, bus=bus)


def made(folder: Path, **options: Any) -> Dataset:
    """A data set of the small grid."""
    return make_dataset(
        small(), folder, **{"scenarios": 6, "seed": 1, "recipe": RECIPE, "threads": 1, "keep": 0.5, **options}
    )
