"""``metrics.csv``: one row each time something is measured, with columns that never change."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from litgrid.algorithms.files import write_whole, writing
from litgrid.errors import InputError


class MetricsFile(Logger):
    """Writes metrics to a CSV file, whose first column is the number of frames.

    A run that goes on from a checkpoint continues the rows that were there when it was taken (``cut``).
    Metrics that are no column (of callbacks that the user adds) are left to the other loggers.

    Args:
        folder: of the run.
        columns: without ``frames``.

    Attributes:
        rows: written so far, those of the run's earlier parts included.
    """

    def __init__(self, folder: Path, columns: list[str]) -> None:
        super().__init__()
        self.folder = folder
        self.path = folder / "metrics.csv"
        self.columns = ["frames", *columns]
        self.rows = 0

    @property
    def name(self) -> str:
        """Of the logger."""
        return "metrics"

    @property
    def version(self) -> str:
        """The run has one."""
        return ""

    @property
    def save_dir(self) -> str:
        """The folder of the run."""
        return str(self.folder)

    @rank_zero_only
    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Write nothing: config.yaml has them."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append a row.

        Args:
            metrics: values of some columns.
            step: number of frames.
        """
        row = {key: f"{value:.6g}" for key, value in metrics.items() if key in self.columns}
        if step is None or not row:
            return
        with writing(self.path):
            if self.rows == 0:
                self._write([])
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self.columns).writerow({"frames": step, **row})
        self.rows += 1

    @rank_zero_only
    def sync(self) -> None:
        """Wait until the disk has all rows."""
        if self.rows:
            with writing(self.path), self.path.open("rb+") as file:
                os.fsync(file.fileno())

    @rank_zero_only
    def cut(self, rows: int) -> None:
        """Go on after a number of rows; later ones, which the interrupted run wrote after its checkpoint, are dropped.

        Raises:
            InputError: the file has fewer.
        """
        earlier = read_metrics(self.path) if self.path.exists() else []
        if len(earlier) < rows:
            raise InputError(f"{self.path}: found {len(earlier)} rows, expected the {rows} of the run's checkpoint")
        self._write(earlier[:rows])
        self.rows = rows

    def _write(self, rows: list[dict[str, str]]) -> None:
        """Write the header and these rows."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns)
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self.path, text.getvalue().encode())


def read_metrics(path: Path) -> list[dict[str, str]]:
    """Read the rows of a ``metrics.csv``; a cell without a value is an empty string."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
