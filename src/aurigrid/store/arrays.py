"""Columns of Arrow as arrays, from their buffers: Arrow's own conversion loads pandas first, which takes half a second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from aurigrid.model.table import Array

_DTYPES = {
    "int8": "i1", "int16": "<i2", "int32": "<i4", "int64": "<i8", "float": "<f4", "double": "<f8",
    "timestamp[ms]": "<M8[ms]", "timestamp[us]": "<M8[us]", "timestamp[ns]": "<M8[ns]",
}  # fmt: skip


def numbers(column: pa.ChunkedArray) -> Array:
    """A column of numbers, times or truth values as an array.

    Null is NaN, NaT or False; whole numbers with nulls become float64.
    """
    parts = [_chunk(chunk) for chunk in column.chunks]
    return np.concatenate(parts) if parts else np.zeros(0, _DTYPES.get(str(column.type), "bool"))


def codes(column: pa.ChunkedArray) -> tuple[tuple[str, ...], Array]:
    """A dictionary-coded column of texts as its words and the number of each row's word, int32, -1 where null."""
    chunks = column.unify_dictionaries().chunks
    if not chunks:
        return (), np.zeros(0, np.int32)
    rows = [np.nan_to_num(_chunk(chunk.indices), nan=-1).astype(np.int32) for chunk in chunks]
    return tuple(str(word) for word in chunks[0].dictionary.to_pylist()), np.concatenate(rows)


def _chunk(chunk: Any) -> Array:
    n, first, kind = len(chunk), chunk.offset, str(chunk.type)
    there, data = chunk.buffers()
    if not n:
        return np.zeros(0, _DTYPES.get(kind, "bool"))
    if kind == "bool":
        found = _bits(data, first, n)
        return found & _bits(there, first, n) if chunk.null_count else found
    width = np.dtype(_DTYPES[kind])
    values = np.frombuffer(data, width, n, first * width.itemsize)
    if not chunk.null_count:
        return values
    values = values.astype(float) if width.kind == "i" else values.copy()
    values[~_bits(there, first, n)] = np.datetime64("NaT") if width.kind == "M" else np.nan
    return values


def _bits(data: Any, first: int, n: int) -> Array:
    return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[first : first + n].astype(bool)
