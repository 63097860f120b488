"""The table type: a frozen dataclass whose fields are read-only NumPy columns of one length."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from aurigrid.errors import InputError, Issue

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray[Any, np.dtype[Any]]

REQUIRED: Any = object()
"""Marks a column that has no default."""


def column(dtype: str, default: object, doc: str) -> Any:
    """Declare a column.

    Args:
        dtype: ``"id"`` (int64 where all are whole numbers, else object), ``"str"`` (object of str), ``"float"``,
            ``"int"`` (int32) or ``"bool"``.
        default: the value where the source is silent, or `REQUIRED`.
        doc: meaning, unit and sign, for docs and error messages.
    """
    return dataclasses.field(default=REQUIRED, metadata={"dtype": dtype, "default": default, "doc": doc})


_NUMPY = {"float": np.float64, "int": np.int32, "bool": np.bool_}


def read_only(array: Array) -> Array:
    """The same array, marked read-only."""
    array.flags.writeable = False
    return array


def _as_ids(values: object, kind: str) -> Array:
    raw = list(values)  # type: ignore[call-overload]
    if (
        kind == "id"
        and raw
        and all(isinstance(v, (int, np.integer)) and not isinstance(v, (bool, np.bool_)) for v in raw)
    ):
        return np.array(raw, dtype=np.int64)
    out = np.empty(len(raw), dtype=object)
    out[:] = [
        int(v) if isinstance(v, np.integer) else ("" if v is None else v if kind == "id" else str(v)) for v in raw
    ]
    return out


def _as_column(table: str, name: str, kind: str, values: object) -> Array:
    """Cast to the column's dtype, or raise `InputError` that names the first entries that cannot be cast."""
    if kind in ("id", "str"):
        return _as_ids(values, kind)
    try:
        raw = np.asarray(values)
        if kind == "float":
            return np.array(raw, dtype=np.float64)
        cast: Array = raw.astype(_NUMPY[kind])
        if raw.dtype.kind == "f" and not np.array_equal(cast, raw):
            raise ValueError("not whole numbers")
        return cast
    except (TypeError, ValueError) as error:
        raise InputError(
            Issue(table, name, f"cannot be read as {kind} ({error})", hint="give numbers, one per element")
        ) from error


@dataclass(frozen=True, eq=False)
class Table:
    """Base of all tables. Build with `make`; change with `replace`; rows are addressed by position (int32)."""

    @classmethod
    def table_name(cls) -> str:
        """The attribute of `Network` that holds this table: ``CostPointTable`` is ``cost_point``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__.removesuffix("Table")).lower()

    @classmethod
    @cache
    def columns(cls) -> tuple[str, ...]:
        return tuple(f.name for f in dataclasses.fields(cls))

    @classmethod
    def make(cls, n: int | None = None, **values: object) -> Self:
        """Build from columns of any array-like; scalars are repeated, missing ones take their default.

        Args:
            n: the number of rows; taken from the given columns where absent.
            **values: columns by name.

        Raises:
            InputError: an unknown or missing column, a value of the wrong type, or lengths that differ.
        """
        name = cls.table_name()
        specs = {f.name: f.metadata for f in dataclasses.fields(cls)}
        issues = [
            Issue(name, key, "is not a column of this table", hint="columns are " + ", ".join(specs))
            for key in values
            if key not in specs
        ]
        if n is None:
            lengths = {np.ndim(v) and len(v) for v in values.values() if np.ndim(v)}  # type: ignore[arg-type]
            n = max(lengths, default=0)
        done: dict[str, Array] = {}
        for key, spec in specs.items():
            value = values.get(key, spec["default"])
            if value is REQUIRED:
                if n:
                    issues.append(Issue(name, key, "is missing", hint=f"give {spec['doc']}"))
                value = []
            if isinstance(value, str) or np.ndim(value) == 0:  # type: ignore[arg-type]
                value = [value] * n if spec["dtype"] in ("id", "str") else np.full(n, value)
            try:
                array = _as_column(name, key, spec["dtype"], value)
            except InputError as error:
                issues.extend(error.issues)
                continue
            if array.shape != (n,):
                issues.append(Issue(name, key, f"has shape {array.shape}, not ({n},)", hint="give one value per row"))
            done[key] = read_only(array)
        if issues:
            raise InputError(issues)
        return cls(**done)

    @classmethod
    def empty(cls) -> Self:
        return cls.make(0)

    def __len__(self) -> int:
        return len(getattr(self, self.columns()[0]))

    def items(self) -> Iterator[tuple[str, Array]]:
        """The columns, by name, in declaration order."""
        return ((name, getattr(self, name)) for name in self.columns())

    def replace(self, **values: object) -> Self:
        """A copy with some columns replaced (cast and checked as in `make`)."""
        return self.make(len(self), **{**dict(self.items()), **values})

    def take(self, rows: Sequence[int] | Array) -> Self:
        """The rows at the given positions, or where a mask is true."""
        picked = np.asarray(rows)
        if picked.dtype != bool:
            picked = picked.astype(np.int64)
        return type(self)(**{name: read_only(values[picked]) for name, values in self.items()})

    def to_frame(self) -> pd.DataFrame:
        """The table as a pandas frame, one column a field."""
        import pandas as pd

        return pd.DataFrame(dict(self.items()))
