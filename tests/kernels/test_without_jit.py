"""The same kernels as plain Python: with the JIT off they must give what they give compiled."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import aurigrid as ag
from aurigrid.model.scenarios import Scenarios
from aurigrid.powerflow.api import solve_cases
from aurigrid.powerflow.cases import Cases
from aurigrid.powerflow.newton import Settings
from aurigrid.security.analysis import begin
from aurigrid.security.contingencies import contingencies
from aurigrid.security.limits import Limits
from aurigrid.security.pairs import PairList
from aurigrid.security.settle import Settling
from aurigrid.security.suspects import Question
from sample_grids import everything

_SCRIPT = """
import sys
import numpy as np
import aurigrid as ag
from numba import config
from sample_grids import everything
assert config.DISABLE_JIT
sys.path.insert(0, "")
from test_without_jit import settled, solutions
np.savez(sys.argv[1], *solutions(), settled())
"""


def solutions() -> list[np.ndarray]:
    """Voltages of a few scenarios of three grids, with outages, limits and distributed slack."""
    out = []
    for net, options in (
        (ag.load("case9"), {}),
        (ag.load("case14"), {"q_limits": True}),
        (everything(), {"slack": "distributed"}),
    ):
        sc = Scenarios(net, load_p_mw=np.outer([1.0, 1.05, 0.9], net.load.p_mw), branch_out=[None, None, [1]])
        out.append(ag.power_flow(net, sc, tol_pu=1e-11, threads=1, **options).v)
    return out


def settled() -> np.ndarray:
    """Measures of settled pairs of a small grid, with reactive limits."""
    net, how = ag.load("case14"), Settings(q_limits=True, distributed=True, threads=1)
    sc, outages = Scenarios.base(net), contingencies(net, "n-2:branches")
    base = solve_cases(net, Cases.of(sc), "newton", how)
    pairs = PairList.of(base.grid, outages, np.arange(outages.n))
    asked = Question(net, sc, 0, base, pairs, how, Limits(), begin(base))
    seen = asked.seen(asked.singles())
    return Settling.of(pairs, seen.alone, base, seen.single, True).measures(pairs, seen.estimated[:40], 1)


@pytest.mark.slow
def test_plain_python_equals_compiled(tmp_path: Path) -> None:
    here = Path(__file__).parent
    paths = [str(here), str(here.parent), str(Path(ag.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    env = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(paths)}
    target = tmp_path / "plain.npz"
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(target)], env=env, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    with np.load(target) as plain:
        *keys, last = plain.files
        for ours, key in zip(solutions(), keys, strict=True):
            np.testing.assert_allclose(plain[key], ours, atol=1e-9)
            assert np.isfinite(ours).any()
        # sweeps are in single precision
        np.testing.assert_allclose(plain[last], settled(), rtol=1e-4, atol=1e-5)
