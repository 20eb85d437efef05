"""Small CSV tables that a site names, read with checks whose messages say file, line and column."""

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
    try:
        # A blank line is a missing value, not a row to pass over: it would shift every later row.
        table = pd.read_csv(path, dtype=str, encoding="utf-8-sig", skip_blank_lines=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: found {' '.join(str(error).split())}, expected a CSV file with a header") from error
    for column in columns:
        if column not in table:
            raise InputError(f"{path}: found the columns {', '.join(table.columns)}, expected one named {column}")
    values: NDArray[np.float64] = table[columns].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    wrong = np.argwhere(~((values >= low) & (values <= high)))
    if len(wrong):
        row, column = wrong[0][0], columns[wrong[0][1]]
        found = table[column].iloc[row]
        raise InputError(f"{path}, line {row + 2}, {column}: found {found}, expected a number from {low:g} to {high:g}")
    return values
