"""`import aurigrid` stays light: heavy packages load inside the functions that need them."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = (
    "torch",
    "highspy",
    "duckdb",
    "fastapi",
    "pypowsybl",
    "pandapower",
    "pandas",
    "pyarrow",
    "typer",
    "rich",
    "simbench",
    "matplotlib",
    "onnx",
    "onnxruntime",
    "safetensors",
)


def _loaded_after(statement: str) -> list[str]:
    code = f"import json, sys\n{statement}\nprint(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return list(json.loads(done.stdout))


def test_import_loads_no_heavy_package() -> None:
    assert _loaded_after("import aurigrid") == []


def test_model_loads_no_heavy_package_and_no_compiler() -> None:
    modules = "network, profiles, scenarios, validate"
    assert _loaded_after(f"from aurigrid.model import {modules}\nassert 'numba' not in sys.modules") == []


def test_the_check_itself_sees_a_heavy_package() -> None:
    assert "pandas" in _loaded_after("import pandas")
