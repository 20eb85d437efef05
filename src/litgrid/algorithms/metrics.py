"""``metrics.csv``: one row each time something is measured, with columns that never change."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only


class MetricsFile(Logger):
    """Writes metrics to a CSV file, whose first column is the number of frames.

    Rows of a resumed run follow those up to its checkpoint; rows that the interrupted run wrote after it are dropped.
    Metrics that are no column (of callbacks that the user adds) are left to the other loggers.

    Args:
        folder: of the run.
        columns: without ``frames``.
    """

    def __init__(self, folder: Path, columns: list[str]) -> None:
        super().__init__()
        self.folder = folder
        self.path = folder / "metrics.csv"
        self.columns = ["frames", *columns]
        self._started = False

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
        if not self._started:
            self._start(step)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self.columns).writerow({"frames": step, **row})

    def _start(self, frames: int) -> None:
        """Write the header, and the rows of an earlier part of this run."""
        earlier = read_metrics(self.path) if self.path.exists() else []
        part = self.path.with_name(self.path.name + ".part")
        part.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self.columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(row for row in earlier if int(row["frames"]) < frames)
        part.replace(self.path)
        self._started = True


def read_metrics(path: Path) -> list[dict[str, str]]:
    """Read the rows of a ``metrics.csv``; a cell without a value is an empty string."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
