"""CSV tables that a site names, read with checks whose messages say file, line and column."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from litgrid.errors import InputError


def read_columns(path: Path, columns: list[str], low: float, high: float) -> NDArray[np.float64]:
    """Read columns of numbers from a CSV file with a header.

    Args:
        path: the CSV file, UTF-8, separated by commas.
        columns: headers of the columns to read.
        low: smallest value that makes sense.
        high: largest value that makes sense.

    Returns:
        [rows, columns], finite.

    Raises:
        InputError: the file is missing or no CSV, a column is missing, or a value is no number from low to high.
    """
    table = read_text(path, columns)
    return np.column_stack([numbers(path, table[column], low, high) for column in columns])


def read_text(path: Path, columns: list[str], separator: str = ",") -> pd.DataFrame:
    """Read columns of a CSV file with a header (UTF-8) as text.

    Raises:
        InputError: the file is missing, empty or no CSV, or a column is missing.
    """
    try:
        # A blank line is a missing value, not a row to pass over: it would shift every later row.
        table = pd.read_csv(path, dtype=str, sep=separator, encoding="utf-8-sig", skip_blank_lines=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: found {' '.join(str(error).split())}, expected a CSV file with a header") from error
    for column in columns:
        if column not in table:
            raise InputError(f"{path}: found the columns {', '.join(table.columns)}, expected one named {column}")
    if table.empty:
        raise InputError(f"{path}: found no row, expected rows below the header")
    return table[columns]


def numbers(path: Path, column: pd.Series, low: float, high: float, first_line: int = 2) -> NDArray[np.float64]:
    """Turn a named column into numbers, [rows], finite.

    Args:
        path: file that the column is from, for the message.
        column: text or numbers.
        low: smallest value that makes sense.
        high: largest value that makes sense.
        first_line: line of the first row in the file.

    Raises:
        InputError: a value is missing or no number from low to high.
    """
    values = pd.to_numeric(column, errors="coerce").to_numpy(float)
    wrong = np.flatnonzero(~((values >= low) & (values <= high)))
    if len(wrong):
        line, found = int(wrong[0]) + first_line, column.iloc[wrong[0]]
        raise InputError(
            f"{path}, line {line}, {column.name}: found {found}, expected a number from {low:g} to {high:g}"
        )
    return values
