"""Results on disk: run folders of Parquet files, written step by step and read by SQL."""

from aurigrid.store.features import ensure_features
from aurigrid.store.query import Run, open_run
from aurigrid.store.run import RunInfo, RunWriter, StoreError, start_run
from aurigrid.store.similar import Similar, Situations, similar

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
