"""Results on disk: run folders of Parquet files, written step by step and read by SQL."""

from aurigrid.store.query import Run, open_run
from aurigrid.store.run import RunInfo, RunWriter, StoreError, start_run

__all__ = ["Run", "RunInfo", "RunWriter", "StoreError", "open_run", "start_run"]
