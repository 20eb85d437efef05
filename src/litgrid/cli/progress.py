"""What ``fit`` shows while it trains: a bar in a terminal, and a line for each epoch."""

from __future__ import annotations

import sys
import time
from typing import Any

from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from tqdm import tqdm  # type: ignore[import-untyped]

from litgrid.algorithms.base import Algorithm


class Progress(ProgressBar):
    """Frames, frames per second, time left, return, CO2, and where the time goes."""

    def __init__(self) -> None:
        super().__init__()
        self._shown = True
        self._bar: tqdm[Any] | None = None
        self._began = 0.0, 0  # seconds and frames

    def disable(self) -> None:
        """Show nothing."""
        self._shown = False

    def enable(self) -> None:
        """Show it again."""
        self._shown = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Draw the bar."""
        super().on_train_start(trainer, pl_module)
        assert isinstance(pl_module, Algorithm)
        self._began = time.perf_counter(), pl_module.frames
        hidden = not (self._shown and sys.stderr.isatty())
        self._bar = tqdm(
            total=pl_module.budget.total_frames,
            initial=pl_module.frames,
            unit=" frames",
            unit_scale=True,
            dynamic_ncols=True,
            disable=hidden,
        )

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print where the untrained policy stands."""
        super().on_train_epoch_start(trainer, pl_module)
        assert isinstance(pl_module, Algorithm)
        if pl_module.frames == 0:
            self._print(pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Move the bar."""
        super().on_train_batch_end(trainer, pl_module, *args)
        assert isinstance(pl_module, Algorithm)
        assert self._bar is not None
        if not self._bar.disable:
            self._bar.update(pl_module.frames - self._bar.n)
            self._bar.set_postfix_str(_status(pl_module.latest), refresh=False)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print a line."""
        super().on_validation_end(trainer, pl_module)
        assert isinstance(pl_module, Algorithm)
        self._print(pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        super().on_train_end(trainer, pl_module)
        if self._bar is not None:
            self._bar.close()

    def _print(self, algorithm: Algorithm) -> None:
        if not self._shown:
            return
        metrics = algorithm.latest
        line = f"{algorithm.frames:>10,} frames"
        if "val/objective" in metrics:
            line += f"   validation objective {metrics['val/objective']:>12,.0f}, CO2 {metrics['val/co2_kg']:,.0f} kg"
        tqdm.write(f"{line}   {_status(metrics)}   {self._left(algorithm)}".rstrip(), file=sys.stderr)

    def _left(self, algorithm: Algorithm) -> str:
        """Return the time to the end, at the speed of this run so far, validations included."""
        seconds, frames = self._began
        done, to_do = algorithm.frames - frames, algorithm.budget.total_frames - algorithm.frames
        if not (done and to_do):
            return ""
        return f"{tqdm.format_interval((time.perf_counter() - seconds) * to_do / done)} left"


def _status(metrics: dict[str, float]) -> str:
    """Return rates, the latest return in training and the split of the time."""
    parts = []
    if "train/return" in metrics:
        parts.append(f"return {metrics['train/return']:.1f}")
    if "time/frames_per_second" in metrics:
        parts.append(f"{metrics['time/frames_per_second']:,.0f} frames/s")
        shares = [f"{part} {metrics[f'time/{part}']:.0%}" for part in ("collect", "sample", "update")]
        parts.append(", ".join(shares))
    return "   ".join(parts)
