"""A comparison in W&B: its table, and the learning curves of all runs against frames and minutes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import wandb

from litgrid.cli.records import wandb_mode
from litgrid.evaluation.comparison import Comparison, Curve
from litgrid.evaluation.rollout import label
from litgrid.evaluation.tables import records

AXES = ("frames", "minutes")


def log_comparison(comparison: Comparison, out: Path) -> None:
    """Log a comparison as a run of its own, where W&B writes (``wandb_mode``).

    Args:
        comparison: whose table and curves.
        out: folder for W&B's files.
    """
    mode = wandb_mode()
    if mode == "disabled":
        return
    wandb.setup(wandb.Settings(silent=True))
    figures = comparison.figures
    with wandb.init(
        project="litgrid",
        name=f"comparison-{figures['split']}",
        group=experiment(comparison),
        job_type="comparison",
        mode=mode,
        dir=out,
        config={"site": figures["site"], "split": figures["split"], "runs": _runs(comparison)},
    ) as run:
        run.log({"comparison": table(comparison), **charts(comparison)})
        run.summary["advice"] = comparison.advice


def experiment(comparison: Comparison) -> str:
    """The experiment that the runs belong to; where there are several, all of them."""
    return "+".join(dict.fromkeys(run.parent.parent.name for entry in comparison.entries for run in entry.runs))


def _runs(comparison: Comparison) -> list[str]:
    return [run.as_posix() for entry in comparison.entries for run in entry.runs]


def table(comparison: Comparison) -> wandb.Table:
    """The columns of the CSV, a row for each controller."""
    rows = records(comparison)
    return wandb.Table(columns=list(rows[0]), data=[list(row.values()) for row in rows])


def charts(comparison: Comparison) -> dict[str, Any]:
    """The validation objective of all runs in one chart, against frames and against minutes."""
    curves = {label(entry.name, curve.seed): curve for entry in comparison.entries for curve in entry.curves}
    found = {}
    for axis in AXES:
        known = {name: curve for name, curve in curves.items() if _known(curve, axis)}
        if known:
            found[f"curves/{axis}"] = wandb.plot.line_series(
                xs=[getattr(curve, axis).tolist() for curve in known.values()],
                ys=[curve.objective.tolist() for curve in known.values()],
                keys=list(known),
                title=f"validation objective against {axis}",
                xname=axis,
            )
    return found


def _known(curve: Curve, axis: str) -> bool:
    return len(curve.frames) > 0 and not any(map(math.isnan, getattr(curve, axis)))
