"""What a run keeps beside its checkpoints: its configuration, its metrics, and the same in W&B."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import wandb
import yaml
from jsonargparse import Namespace
from jsonargparse.typing import Path_fr
from lightning import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from litgrid.algorithms.agent import CONFIG
from litgrid.algorithms.base import Algorithm
from litgrid.algorithms.files import write_whole
from litgrid.algorithms.metrics import MetricsFile
from litgrid.algorithms.saved import BEST
from litgrid.algorithms.sources import Folder
from litgrid.cli.curves import Curves


class KeepConfig(SaveConfigCallback):
    """Writes the whole configuration into the run's folder, and to W&B."""

    def __init__(self, parser: LightningArgumentParser, config: Namespace, folder: Path) -> None:
        super().__init__(parser, config, save_to_log_dir=False)
        self.folder = folder

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Write it once the scenarios are there and the run is about to start."""
        text = written(self.parser, self.config)
        write_whole(self.folder / CONFIG, text.encode())
        for logger in trainer.loggers:
            logger.log_hyperparams(yaml.safe_load(text))


def written(parser: LightningArgumentParser, config: Namespace) -> str:
    """Return a configuration as YAML, every value in it, that means the same in whatever folder it is read."""
    return str(parser.dump(with_absolute_paths(config), skip_none=False))


def with_absolute_paths(config: Namespace) -> Namespace:
    """Return a configuration that means the same in whatever folder it is read."""
    absolute = config.clone()
    for key, value in config.items():
        if isinstance(value, Path_fr | Folder):
            absolute[key] = type(value)(value.absolute)
    return absolute


def make_loggers(folder: Path, model: Algorithm, with_wandb: bool) -> list[Logger]:
    """Log metrics to ``metrics.csv``, and to W&B: offline, unless a key is set (``WANDB_API_KEY``). One process does.

    Args:
        folder: of the run.
        model: whose metrics they are.
        with_wandb: W&B at all; ``WANDB_MODE=disabled`` in the environment leaves it out as well.
    """
    loggers: list[Logger] = [MetricsFile(folder, list(model.METRICS))]
    mode = wandb_mode()
    first = rank_zero_only.rank == 0  # type: ignore[attr-defined]
    if with_wandb and first and mode != "disabled":
        wandb.setup(wandb.Settings(silent=True))
        experiment, label = folder.absolute().parts[-3:-1]
        loggers.append(
            Curves(
                model,
                project="litgrid",
                name=f"{label}-seed-{model.seed}",
                group=os.environ.get("WANDB_RUN_GROUP", experiment),
                job_type=label,
                save_dir=folder,
                id=wandb_id(folder),
                mode=mode,  # W&B itself looks once in the life of a process
            )
        )
    return loggers


def wandb_mode() -> Any:
    """Where W&B writes: offline, unless a key is set (``WANDB_API_KEY``) or ``WANDB_MODE`` says otherwise."""
    return os.environ.setdefault("WANDB_MODE", "online" if os.environ.get("WANDB_API_KEY") else "offline")


def wandb_id(folder: Path) -> str | None:
    """Return the id of a run in W&B, where an earlier part of it has one: W&B names its folders by it."""
    earlier = sorted((folder / "wandb").glob("*run-*-*"))
    return earlier[-1].name.rsplit("-", 1)[1] if earlier else None


def summarise(loggers: list[Logger], folder: Path, figures: dict[str, Any]) -> None:
    """Give W&B the figures of the evaluation and, online, the best policy with its configuration; end its run there.

    Args:
        loggers: of the run.
        folder: of the run.
        figures: of the evaluation.
    """
    summary = {
        f"{figures['split']}/{row['controller']}/{key}": value
        for row in figures["controllers"]
        for key, value in row.items()
        if isinstance(value, float)
    }
    for logger in loggers:
        if isinstance(logger, Curves):
            logger.finish(summary, [folder / CONFIG, folder / "checkpoints" / BEST])
