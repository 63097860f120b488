"""Results on disk: run folders of Parquet files, written step by step and read by SQL.

The names are loaded when they are first used: reading a run's record needs no arrays, and the console's server starts sooner.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "Run": "query",
    "RunInfo": "run",
    "RunWriter": "run",
    "Similar": "situations",
    "Situations": "situations",
    "StoreError": "run",
    "ensure_features": "features",
    "open_run": "query",
    "similar": "situations",
    "start_run": "run",
}

__all__ = [
    "Run",
    "RunInfo",
    "RunWriter",
    "Similar",
    "Situations",
    "StoreError",
    "ensure_features",
    "open_run",
    "similar",
    "start_run",
]

if TYPE_CHECKING:
    from aurigrid.store.features import ensure_features
    from aurigrid.store.query import Run, open_run
    from aurigrid.store.run import RunInfo, RunWriter, StoreError, start_run
    from aurigrid.store.situations import Similar, Situations, similar


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'aurigrid.store' has no attribute {name!r}")
    value = getattr(import_module(f"aurigrid.store.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
