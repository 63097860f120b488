"""Exact nearest neighbours of one point among many: a pass in float32, the few that may be nearest again in float64.

With ``u = 2^-24`` a float32 dot product of ``d`` terms is off by at most ``g |x| |q|``, ``g = d u / (1 - d u)`` (Higham,
*Accuracy and Stability of Numerical Algorithms*, 2nd ed., eq. 3.5); rounding points and norms to float32 adds a few ``u``
more, and what underflows less than ``4 d 2^-126``. So ``|x|^2 - 2 x.q + |q|^2`` with the product in float32 lies within
``b = (g + 8u)(|x| + |q|)^2 + 4 d 2^-126`` of the true squared distance. Every point whose distance less ``b`` is not above
the k-th smallest distance plus ``b`` is measured again in float64; no other can be among the nearest k. The points are
moved to their mean first, which makes ``b`` small.
"""

from __future__ import annotations

import numpy as np

from aurigrid.model.table import Array

_ROWS_A_BLOCK = 1 << 16


class NearestIndex:
    """Points prepared for searches.

    Args:
        points: (n, d) float64, finite; kept, not copied.
    """

    def __init__(self, points: Array) -> None:
        self.points = points
        self._origin = points.mean(axis=0) if len(points) else np.zeros(points.shape[1])
        self._coarse = np.empty(points.shape, np.float32)
        self._norm = np.empty(len(points))
        for i in range(0, len(points), _ROWS_A_BLOCK):
            block = points[i : i + _ROWS_A_BLOCK] - self._origin
            with np.errstate(over="ignore"):
                self._coarse[i : i + _ROWS_A_BLOCK] = block
            self._norm[i : i + _ROWS_A_BLOCK] = np.sqrt(np.einsum("ij,ij->i", block, block))
        d, u = points.shape[1], 2.0**-24
        self._error, self._underflow = d * u / (1 - d * u) + 8 * u, 4 * d * 2.0**-126

    def nearest(self, query: Array, k: int, among: Array | None = None) -> tuple[Array, Array]:
        """The k points nearest to a query by Euclidean distance, nearest first; equal distances in the order of rows.

        Args:
            query: (d,) point.
            k: how many, at least 1.
            among: (n,) bool, points that may be found; all where absent.

        Returns:
            Rows (m,) and float64 distances (m,), ``m = min(k, number of points that may be found)``.
        """
        rows = np.arange(len(self.points)) if among is None else np.flatnonzero(among)
        if len(rows) > k:
            rows = self._candidates(query - self._origin, k, None if among is None else rows)
        difference = self.points[rows] - query
        square = np.einsum("ij,ij->i", difference, difference)
        order = np.lexsort((rows, square))[:k]
        return rows[order], np.sqrt(square[order])

    def _candidates(self, query: Array, k: int, rows: Array | None) -> Array:
        """Rows, ascending, that may be among the nearest k."""
        size = float(np.linalg.norm(query))
        norm = self._norm if rows is None else self._norm[rows]
        with np.errstate(over="ignore", invalid="ignore"):
            product = self._coarse @ query.astype(np.float32)
        product = product if rows is None else product[rows]
        if not np.isfinite(product).all():  # beyond float32: nothing is known about any point
            return np.arange(len(product)) if rows is None else rows
        square = norm * norm
        square -= 2.0 * product
        square += size * size
        bound = norm + size
        bound *= bound
        bound *= self._error
        bound += self._underflow
        reach = np.partition(square + bound, k - 1)[k - 1]
        kept = np.flatnonzero(square - bound <= reach)
        return kept if rows is None else rows[kept]
