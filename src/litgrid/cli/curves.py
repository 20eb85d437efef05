"""A run in W&B: its configuration, its curves against frames, and its best policy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from litgrid.algorithms.base import Algorithm


class Curves(WandbLogger):
    """Lightning's logger, with frames in place of batches as the axis of all curves, those of callbacks included.

    Args:
        algorithm: that counts the frames.
        options: as for ``WandbLogger``.
    """

    def __init__(self, algorithm: Algorithm, **options: Any) -> None:
        super().__init__(**options)
        self._algorithm = algorithm
        self._defined = False

    @property
    def experiment(self) -> Any:
        """The run; it begins when it is first needed."""
        run = super().experiment
        if not self._defined and isinstance(run, wandb.Run):
            run.define_metric("frames")
            run.define_metric("*", step_metric="frames", step_sync=True)
            self._defined = True
        return run

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:  # noqa: ARG002
        """Log a row; ``step`` counts batches where Lightning's callbacks log, and is left out."""
        self.experiment.log({**metrics, "frames": self._algorithm.frames})

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """End the run where training failed or was stopped, so that it can go on; a whole one ends by ``finish``."""
        if status != "success" and isinstance(self._experiment, wandb.Run):
            self._experiment.finish(exit_code=1)

    def finish(self, summary: Mapping[str, float], files: list[Path]) -> None:
        """End the run.

        Args:
            summary: figures of the whole run.
            files: an artifact of the run where W&B is online; offline they stay where they are.
        """
        self.experiment.summary.update(dict(summary))
        if not self.experiment.offline:
            artifact = wandb.Artifact(f"{self.experiment.id}-best", type="model")
            for path in files:
                artifact.add_file(str(path))
            self.experiment.log_artifact(artifact)
        self.experiment.finish()
