"""`Grouped`: values of many elements that follow few profiles, kept as such."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from aurigrid.errors import IssueList
from aurigrid.model.table import Array, read_only


@dataclass(frozen=True, eq=False)
class Grouped:
    """Values (n, k) of k elements of which each follows the profile of its group.

    ``value[s, e] = profile[s, group[e]] * size[e]``. A million roofs under twenty skies take a million sizes and twenty
    numbers a scenario; `Scenarios` takes such values in place of an array, and engines sum them by node and group
    once. Indexing and `numpy.asarray` give the values themselves.

    Attributes:
        profile: (n, n_group) float64.
        group: (k,) int32, the group of each element.
        size: (k,) float64, what the profile is multiplied by, e.g. installed power, MW.

    Raises:
        InputError: shapes that do not match, groups that do not exist, values that are no finite numbers; all at once.
    """

    profile: Array
    group: Array
    size: Array

    def __post_init__(self) -> None:
        issues = IssueList()
        profile, size = _numbers("profile", self.profile, 2, issues), _numbers("size", self.size, 1, issues)
        group = np.asarray(self.group)
        if group.ndim != 1 or (group.size and group.dtype.kind not in "iu"):
            issues.add(
                "grouped", "group", f"has shape {group.shape} of {group.dtype}", hint="give one whole number each"
            )
        elif group.shape != size.shape and size.ndim == 1:
            issues.add(
                "grouped", "size", f"has {len(size)} values for {len(group)} elements", hint="give one an element"
            )
        elif profile.ndim == 2 and group.size and not 0 <= group.min() <= group.max() < profile.shape[1]:
            hint = f"the profile has {profile.shape[1]} columns"
            outside = np.unique(group[(group < 0) | (group >= profile.shape[1])]).tolist()
            issues.add("grouped", "group", "names groups without a profile", outside, hint)
        issues.raise_if_any()
        for name, value in (("profile", profile), ("size", size), ("group", group.astype(np.int32))):
            object.__setattr__(self, name, read_only(value))

    @property
    def shape(self) -> tuple[int, int]:
        """(n, k), as the array would have."""
        return len(self.profile), len(self.group)

    @property
    def ndim(self) -> int:
        """Axes that the array would have."""
        return 2

    @property
    def n_group(self) -> int:
        """Number of groups."""
        return int(self.profile.shape[1])

    def __len__(self) -> int:
        return len(self.profile)

    def __getitem__(self, index: Any) -> Array:
        """Values at rows, or at (rows, elements), as NumPy indexes an array."""
        rows, element = index if isinstance(index, tuple) else (index, slice(None))
        values: Array = (
            self.profile[rows, self.group[element]] if _paired(rows, element) else self._block(rows, element)
        )
        return values * self.size[element]

    def _block(self, rows: Any, element: Any) -> Array:
        values: Array = self.profile[rows][..., self.group[element]]
        return values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[:], dtype=dtype)

    def take(self, rows: slice | Array) -> Grouped:
        """The same elements in some of the scenarios."""
        some = object.__new__(Grouped)  # checked already, and the million sizes are shared
        for name, value in (("profile", read_only(self.profile[rows])), ("group", self.group), ("size", self.size)):
            object.__setattr__(some, name, value)
        return some


def _paired(rows: Any, element: Any) -> bool:
    """Whether rows and elements are arrays that are matched one by one."""
    return not isinstance(rows, slice) and not isinstance(element, slice)


def _numbers(name: str, value: object, axes: int, issues: IssueList) -> Array:
    try:
        array = np.array(value, dtype=np.float64, order="C")
    except (TypeError, ValueError) as error:
        issues.add("grouped", name, f"cannot be read as numbers ({error})")
        return np.zeros((0,) * axes)
    if array.ndim != axes:
        issues.add("grouped", name, f"has {array.ndim} axes, not {axes}")
    elif not np.isfinite(array).all():
        at = np.argwhere(~np.isfinite(array))
        issues.add("grouped", name, f"is not a finite number in {len(at)} places, first at {tuple(at[0].tolist())}")
    return array
