"""What the folder of a run says of its training: how it learned, and with which settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from litgrid.algorithms.agent import CONFIG
from litgrid.algorithms.configs import settings
from litgrid.algorithms.metrics import read_metrics
from litgrid.evaluation.comparison import Curve, Difference

METRICS = "metrics.csv"
OWN = (
    *("seed_everything", "model.init_args.seed", "experiment", "label", "runs", "json", "ckpt_path", "keep_last"),
    "data.folder",
)
"""Settings that say nothing of how an agent learns."""


def curve(run: Path, seed: int) -> Curve:
    """Read the validations of a run."""
    rows = [row for row in read_metrics(run / METRICS) if row["val/objective"]]
    columns = ("frames", "time/minutes", "val/objective")
    # a run of an earlier version has no minutes
    frames, minutes, objective = (np.array([float(row.get(key) or "nan") for row in rows]) for key in columns)
    return Curve(seed, frames, minutes, objective)


def differences(runs: Mapping[str, Path]) -> list[Difference]:
    """Compare the configurations of runs.

    Args:
        runs: name -> folder.

    Returns:
        The settings that are not the same in all runs, in the order in which they are met.
    """
    found = {name: settings(run / CONFIG) for name, run in runs.items()}
    keys = [key for key in dict.fromkeys(key for config in found.values() for key in config) if key not in OWN]
    rows = [Difference(key, {name: config[key] for name, config in found.items() if key in config}) for key in keys]
    return [row for row in rows if not _agreed(row, len(runs))]


def _agreed(row: Difference, runs: int) -> bool:
    first, *others = row.values.values()
    return len(row.values) == runs and all(other == first for other in others)
