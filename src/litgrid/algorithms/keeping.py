"""When a run is saved, what stops it, and how it goes on."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Checkpoint

from litgrid.algorithms import finite, saved
from litgrid.algorithms.agent import UNTRAINED
from litgrid.algorithms.base import Algorithm
from litgrid.algorithms.last_states import LastStates
from litgrid.algorithms.saved import BEST, LAST, RESUME, Content
from litgrid.algorithms.signals import StopSignals
from litgrid.errors import InputError, Stopped


class WholeFiles(TorchCheckpointIO):
    """Lightning's checkpoints, written whole or not at all, and read as tensors and plain data."""

    def save_checkpoint(self, checkpoint: Content, path: str | Path, storage_options: Any = None) -> None:  # noqa: ARG002
        """Write a checkpoint."""
        saved.write(Path(path), checkpoint)

    def load_checkpoint(self, path: str | Path, *_: Any, **__: Any) -> Content:
        """Read a checkpoint."""
        try:
            return saved.read(Path(path))
        except saved.Damaged as damage:
            raise InputError(f"{path}: {damage}") from damage


class Checkpoints(Checkpoint):
    """Keeps the untrained policy, the best by the validation objective, and the last states of the run.

    A state is saved before the first batch, after every epoch, and at the end of the batch in hand where a signal or
    another callback stops the run. Weights that are no finite numbers are never written.

    Args:
        folder: of the checkpoints.
        keep: number of last states that are kept.
    """

    last: LastStates

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder = folder
        self.keep = keep
        self.best = math.inf
        self._signals = StopSignals()
        self._resumed: Content | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        """Have Lightning write and read checkpoints our way, all processes in the folder that the first one chose."""
        trainer.strategy.checkpoint_io = WholeFiles()
        self.folder = trainer.strategy.broadcast(self.folder)
        self.last = LastStates(self.folder, self.keep, trainer.global_rank)

    def state_dict(self) -> Content:
        """Return the validation objective of ``best.ckpt``."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: Content) -> None:
        """Take it up."""
        self.best = state_dict["best"]

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: Content) -> None:  # noqa: ARG002
        """Name the files that belong to a last state."""
        if self.last.entry is not None:
            checkpoint[RESUME] = self.last.entry

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: Content) -> None:  # noqa: ARG002
        """Note the files of the state that the run goes on from; they are read once everything is built."""
        if RESUME not in checkpoint:
            raise InputError(f"ckpt_path: found a checkpoint without the state of its run, expected {LAST}")
        self._resumed = checkpoint[RESUME]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the untrained policy, or go on."""
        assert isinstance(pl_module, Algorithm)
        self._signals.watch()
        if self._resumed is None:
            trainer.save_checkpoint(self.folder / UNTRAINED)
            self._save_last(trainer, pl_module)
        else:
            self.last.restore(trainer, pl_module, self._resumed)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Stop between two batches where that is wanted; after an epoch's last batch its end comes first."""
        assert isinstance(pl_module, Algorithm)
        try:
            finite.refuse_losses(pl_module)
        except Stopped as error:
            raise self._with_advice(error) from error
        number = self._signal(trainer)
        if (number or trainer.should_stop) and not _is_last_batch(trainer):
            self._save_last(trainer, pl_module)
            self._stop_if(number, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the policy if it is the best, and the state."""
        assert isinstance(pl_module, Algorithm)
        measured = float(trainer.callback_metrics.get("val/objective", math.nan))
        objective: float = trainer.strategy.broadcast(measured)  # all processes have to decide alike
        if objective < self.best:
            self.best = objective
            self._save_best(trainer, pl_module)
        if _is_last_batch(trainer):  # else another callback stopped the run, and its state is saved already
            self._save_last(trainer, pl_module)
        self._stop_if(self._signal(trainer), pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Give the signals back."""
        self._signals.release()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:  # noqa: ARG002
        """Give the signals back."""
        self._signals.release()

    def _save_best(self, trainer: Trainer, algorithm: Algorithm) -> None:
        try:
            finite.refuse_weights(algorithm)
            trainer.save_checkpoint(self.folder / BEST)
        except Stopped as error:
            raise self._with_advice(error) from error

    def _save_last(self, trainer: Trainer, algorithm: Algorithm) -> None:
        try:
            finite.refuse_weights(algorithm)
            self.last.save(trainer, algorithm)
        except Stopped as error:
            raise self._with_advice(error) from error

    def _signal(self, trainer: Trainer) -> int:
        """Return the number of the signal that any process got, 0 if none did; the same in all of them."""
        number = int(self._signals.received or 0)
        if trainer.world_size == 1:
            return number
        numbers = torch.tensor(number, device=trainer.strategy.root_device)
        return int(trainer.strategy.reduce(numbers, reduce_op="max"))

    def _stop_if(self, number: int, algorithm: Algorithm) -> None:
        if number:
            raise Stopped(f"stopped at frame {algorithm.frames:,}; {self._advice()}", code=128 + number)

    def _with_advice(self, error: Stopped) -> Stopped:
        kept = self.last.newest
        if kept is None:
            return error
        return Stopped(f"{error}; {kept.name} is the last good checkpoint; {self._advice()}", error.code)

    def _advice(self) -> str:
        return f"go on with: litgrid fit --ckpt_path {self.folder / LAST}"


def _is_last_batch(trainer: Trainer) -> bool:
    return trainer.fit_loop.epoch_loop.batch_progress.is_last_batch
