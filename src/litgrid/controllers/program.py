"""Linear programs: columns and rows collected block by block; HiGHS solves them, and again, warm, after changes."""

from __future__ import annotations

import numpy as np
from highspy import Highs, HighsLp, HighsModelStatus, HighsStatus, MatrixFormat
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

Indices = NDArray[np.int32]
Values = NDArray[np.float64]
INFINITY = float("inf")


class Program:
    """minimise cost @ x subject to lower <= x <= upper and row_lower <= A x <= row_upper.

    Blocks add columns (variables), rows (constraints) and entries of A, and keep the numbers that they get.
    """

    def __init__(self) -> None:
        self._columns: list[Values] = [np.empty((3, 0))]
        self._rows: list[Values] = [np.empty((2, 0))]
        self._entries: list[tuple[Indices, Indices, Values]] = []
        self._shape = [0, 0]  # rows, columns

    def columns(
        self, count: int, cost: ArrayLike = 0.0, lower: ArrayLike = 0.0, upper: ArrayLike = INFINITY
    ) -> Indices:
        """Add variables; cost and bounds are numbers, or arrays [count].

        Returns:
            Their numbers [count].
        """
        self._columns.append(_side_by_side(count, cost, lower, upper))
        return self._numbers(1, count)

    def rows(self, count: int, lower: ArrayLike = -INFINITY, upper: ArrayLike = INFINITY) -> Indices:
        """Add constraints without entries; bounds are numbers, or arrays [count].

        Returns:
            Their numbers [count].
        """
        self._rows.append(_side_by_side(count, lower, upper))
        return self._numbers(0, count)

    def entries(self, rows: Indices, columns: Indices, values: ArrayLike) -> None:
        """Add values at A[rows, columns], arrays [K] (or one number for all); entries at the same place add up."""
        self._entries.append((rows, columns, np.broadcast_to(np.asarray(values, dtype=np.float64), rows.shape)))

    @property
    def shape(self) -> tuple[int, int]:
        """Constraints and variables."""
        return self._shape[0], self._shape[1]

    def costs(self) -> Values:
        """Cost of every variable."""
        costs: Values = np.concatenate(self._columns, axis=1)[0]
        return costs

    def highs(self) -> HighsLp:
        """The whole of it, as HiGHS wants it."""
        rows, columns, values = (np.concatenate(parts) for parts in zip(*self._entries, strict=True))
        matrix = csr_array((values, (rows, columns)), shape=self.shape)
        lp = HighsLp()
        lp.num_row_, lp.num_col_ = self._shape
        lp.col_cost_, lp.col_lower_, lp.col_upper_ = np.concatenate(self._columns, axis=1)
        lp.row_lower_, lp.row_upper_ = np.concatenate(self._rows, axis=1)
        lp.a_matrix_.format_ = MatrixFormat.kRowwise
        lp.a_matrix_.num_row_, lp.a_matrix_.num_col_ = self._shape
        lp.a_matrix_.start_, lp.a_matrix_.index_, lp.a_matrix_.value_ = matrix.indptr, matrix.indices, matrix.data
        return lp

    def _numbers(self, axis: int, count: int) -> Indices:
        first = self._shape[axis]
        self._shape[axis] += count
        return np.arange(first, first + count, dtype=np.int32)


def _side_by_side(count: int, *values: ArrayLike) -> Values:
    return np.stack([np.broadcast_to(np.asarray(value, dtype=np.float64), count) for value in values])


class Solver:
    """HiGHS with a program in it. Costs and bounds can be changed; the next solution starts from the last basis.

    Args:
        program: complete; what is added to it later is not seen.
        options: of HiGHS (https://ergo-code.github.io/HiGHS/dev/options/definitions/), such as ``solver="ipm"``.
    """

    def __init__(self, program: Program, **options: str | float | bool) -> None:
        self._highs = Highs()  # type: ignore[no-untyped-call]
        self._highs.silent()
        for name, value in options.items():
            _done(self._highs.setOptionValue(name, value), f"option {name}={value}")
        _done(self._highs.passModel(program.highs()), "model")

    def solve(self) -> Values:
        """The values of all variables at the minimum.

        Raises:
            ArithmeticError: HiGHS found none.
        """
        self._highs.run()
        status = self._highs.getModelStatus()
        if status != HighsModelStatus.kOptimal:
            raise ArithmeticError(f"HiGHS: found {self._highs.modelStatusToString(status)}, expected an optimum")
        return np.asarray(self._highs.getSolution().col_value)

    def change_costs(self, columns: Indices, cost: Values) -> None:
        """Set the cost of variables, arrays [K]."""
        _done(self._highs.changeColsCost(len(columns), columns, cost), "costs")

    def change_bounds(self, columns: Indices, lower: Values, upper: Values) -> None:
        """Set the bounds of variables, arrays [K]."""
        _done(self._highs.changeColsBounds(len(columns), columns, lower, upper), "bounds")

    def change_rows(self, rows: Indices, lower: Values, upper: Values) -> None:
        """Set the bounds of constraints, arrays [K]."""
        for row, low, high in zip(rows.tolist(), lower.tolist(), upper.tolist(), strict=True):
            _done(self._highs.changeRowBounds(row, low, high), "rows")


def _done(status: HighsStatus, what: str) -> None:
    if status == HighsStatus.kError:
        raise ValueError(f"HiGHS refused the {what}")
