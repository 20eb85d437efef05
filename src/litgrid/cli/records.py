"""What a run keeps: its configuration, its checkpoints, its metrics, and the same in W&B."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import wandb
from jsonargparse import Namespace
from jsonargparse.typing import Path_fr
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback
from lightning.pytorch.loggers import Logger, WandbLogger

from litgrid.algorithms.agent import CONFIG, UNTRAINED
from litgrid.algorithms.base import Algorithm
from litgrid.algorithms.metrics import MetricsFile
from litgrid.algorithms.sources import Folder

BEST = "best.ckpt"
LAST = "last.ckpt"


class KeepConfig(SaveConfigCallback):
    """Writes the whole configuration into the run's folder, and to W&B."""

    def __init__(self, parser: LightningArgumentParser, config: Namespace, folder: Path) -> None:
        super().__init__(parser, config, save_to_log_dir=False)
        self.folder = folder

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Write it once the scenarios are there and the run is about to start."""
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{CONFIG}.part"
        self.parser.save(with_absolute_paths(self.config), str(part), skip_none=False, overwrite=True, multifile=False)
        part.replace(self.folder / CONFIG)
        for logger in trainer.loggers:
            logger.log_hyperparams(self.config.as_dict())


def with_absolute_paths(config: Namespace) -> Namespace:
    """Return a configuration that means the same in whatever folder it is read."""
    absolute = config.clone()
    for key, value in config.items():
        if isinstance(value, Path_fr | Folder):
            absolute[key] = type(value)(value.absolute)
    return absolute


class KeepUntrained(Callback):
    """Keeps the policy before its first update, which the result is measured against."""

    def __init__(self, checkpoints: Path) -> None:
        self.path = checkpoints / UNTRAINED

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Save it, unless the run is resumed."""
        if trainer.global_step == 0:
            trainer.save_checkpoint(self.path)


def keep_checkpoints(checkpoints: Path) -> list[Callback]:
    """Keep the untrained policy, the best by the validation objective, and the last.

    ``save_last`` would write the last one only when it is the best.
    """

    def keep(name: str, monitor: str | None) -> ModelCheckpoint:
        return ModelCheckpoint(
            dirpath=checkpoints,
            filename=Path(name).stem,
            monitor=monitor,
            enable_version_counter=False,
            save_on_train_epoch_end=True,
        )

    return [KeepUntrained(checkpoints), keep(BEST, "val/objective"), keep(LAST, None)]


def make_loggers(folder: Path, model: Algorithm, with_wandb: bool) -> list[Logger]:
    """Log metrics to ``metrics.csv``, and to W&B: offline, unless a key is set (``WANDB_API_KEY``).

    Args:
        folder: of the run.
        model: whose metrics they are.
        with_wandb: W&B at all; ``WANDB_MODE=disabled`` in the environment leaves it out as well.
    """
    loggers: list[Logger] = [MetricsFile(folder, list(model.METRICS))]
    os.environ.setdefault("WANDB_MODE", "online" if os.environ.get("WANDB_API_KEY") else "offline")
    if with_wandb and os.environ["WANDB_MODE"] != "disabled":
        wandb.setup(wandb.Settings(silent=True))
        name, experiment = f"{model.name}-seed-{model.seed}", folder.parent.parent.name
        loggers.append(
            WandbLogger(project="litgrid", name=name, group=experiment, job_type=model.name, save_dir=folder)
        )
    return loggers


def summarise(loggers: list[Logger], figures: dict[str, Any]) -> None:
    """Give W&B the figures of the evaluation, and end its run."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            for row in figures["controllers"]:
                numbers = {key: value for key, value in row.items() if isinstance(value, float)}
                logger.experiment.summary.update(
                    {f"{figures['split']}/{row['controller']}/{key}": value for key, value in numbers.items()}
                )
            logger.experiment.finish()
