"""A few seconds of real training: how fast it is, where its time goes, and what other settings would give."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from litgrid.algorithms.a2c import A2C
from litgrid.algorithms.base import Algorithm, Collection
from litgrid.algorithms.data import ScenarioData
from litgrid.algorithms.metrics import MetricsFile
from litgrid.algorithms.ppo import PPO
from litgrid.algorithms.sac import SAC
from litgrid.algorithms.shac import SHAC
from litgrid.algorithms.stopwatch import PARTS, Part, Stopwatch
from litgrid.sim.compiling import missing

NAMES: dict[Part, str] = {"collect": "environment", "sample": "sample", "update": "update"}
"""Parts of the loop; what is left of its time is logging."""
PROBED = {
    "max_epochs": -1,
    "max_steps": -1,
    "max_time": None,
    "devices": 1,
    "num_nodes": 1,
    "strategy": "auto",
    "limit_val_batches": 0,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
}
"""Options of the trainer of a probe: one process, until it is told to stop."""

MakeTrainer = Callable[..., Trainer]


@dataclass(frozen=True)
class Measured:
    """How a training runs.

    Attributes:
        frames_per_second: of the training loop, without validations.
        updates_per_second: likewise.
        validation_seconds: of one validation.
        frames_per_epoch: between two validations.
        loop: part of the loop -> share of its time; ``logging`` is what no part measures.
    """

    frames_per_second: float
    updates_per_second: float
    validation_seconds: float
    frames_per_epoch: int
    loop: dict[str, float]

    @property
    def epoch_seconds(self) -> float:
        """Of an epoch with its validation."""
        return self.frames_per_epoch / self.frames_per_second + self.validation_seconds

    @property
    def shares(self) -> dict[str, float]:
        """Part -> share of the time of an epoch, the largest first."""
        validation = self.validation_seconds / self.epoch_seconds
        shares = {name: share * (1.0 - validation) for name, share in self.loop.items()} | {"validation": validation}
        return dict(sorted(shares.items(), key=lambda item: -item[1]))

    @property
    def overall_frames_per_second(self) -> float:
        """Of an epoch with its validation."""
        return self.frames_per_epoch / self.epoch_seconds


class Totals(Stopwatch):
    """Also adds up what its readings forget; on a GPU it waits, so that each part gets its own time."""

    def __init__(self) -> None:
        super().__init__()
        self.clear()

    def clear(self) -> None:
        """Begin the sums anew."""
        self.totals: dict[Part, float] = dict.fromkeys(PARTS, 0.0)

    @contextmanager
    def measure(self, part: Part) -> Iterator[None]:
        """Add the time of a ``with`` block to a part."""
        start = time.perf_counter()
        with super().measure(part):
            yield
            if torch.cuda.is_available():
                torch.cuda.synchronize()
        self.totals[part] += time.perf_counter() - start


class Clock(Callback):
    """Measures a training from its second batch on, and stops it after some seconds.

    Args:
        seconds: from the end of the first batch, in which things are made ready, to the end of a later one.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._start: tuple[float, int, int] | None = None
        self._validation = 0.0
        self.measured: Measured | None = None

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Take the time of the validation before the first batch."""
        if self._start is None:
            self._validation = _totals(pl_module)["validate"]

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Start, or stop once the time is over."""
        assert isinstance(pl_module, Algorithm)
        now = time.perf_counter()
        if self._start is None:
            self._start = now, pl_module.frames, pl_module.updates
            assert isinstance(pl_module.stopwatch, Totals)
            pl_module.stopwatch.clear()
        elif now - self._start[0] >= self._seconds:
            start, frames, updates = self._start
            loop = {NAMES[part]: used / (now - start) for part, used in _totals(pl_module).items() if part in NAMES}
            self.measured = Measured(
                (pl_module.frames - frames) / (now - start),
                (pl_module.updates - updates) / (now - start),
                self._validation,
                pl_module.budget.frames_per_epoch,
                loop | {"logging": 1.0 - sum(loop.values())},
            )
            trainer.should_stop = True


def _totals(module: LightningModule) -> dict[Part, float]:
    assert isinstance(module.stopwatch, Totals)
    return module.stopwatch.totals


def probe(algorithm: Algorithm, data: ScenarioData, make_trainer: MakeTrainer, seconds: float) -> Measured:
    """Train for some seconds, in a temporary folder.

    SAC updates from its first batch on, whatever its warm-up.

    Args:
        algorithm: as configured; a copy of it is trained.
        data: the scenarios.
        make_trainer: from options that take precedence over those configured.
        seconds: to measure, after the first batch and until the end of a batch.
    """
    trial, clock = copy.deepcopy(algorithm), Clock(seconds)
    trial.stopwatch = Totals()
    if isinstance(trial, SAC):
        trial.replay = replace(trial.replay, warmup_frames=0)
    with tempfile.TemporaryDirectory() as folder:
        logger = MetricsFile(Path(folder), list(trial.METRICS))
        trainer = make_trainer(**PROBED, logger=logger, callbacks=[clock], default_root_dir=folder)
        trainer.fit(trial, datamodule=data)
    assert clock.measured is not None, "the training was interrupted"
    return clock.measured


@dataclass(frozen=True)
class Change:
    """Other settings that may be faster.

    Attributes:
        setting: as on the command line.
        algorithm: with them.
        trainer: options of the trainer.
        caution: what else they change.
    """

    setting: str
    algorithm: Algorithm
    trainer: dict[str, str]
    caution: str = ""


def changes(algorithm: Algorithm, bottleneck: str, device: torch.device, bf16: bool) -> list[Change]:
    """Return what is worth a try against a bottleneck.

    Args:
        algorithm: as configured.
        bottleneck: a part of ``Measured.shares``.
        device: that it trains on.
        bf16: whether 16 bits could be had and are not used.
    """
    match bottleneck:
        case "environment":
            return _more_environments(algorithm, device)
        case "update":
            mixed = Change("trainer.precision bf16-mixed", algorithm, {"precision": "bf16-mixed"})
            return [*([mixed] if bf16 else []), *_fewer_updates(algorithm)]
        case "sample":
            return _fewer_updates(algorithm)
        case "logging":
            rows = 10 * algorithm.budget.batches_per_row
            other = _with(algorithm, budget=replace(algorithm.budget, batches_per_row=rows))
            return [Change(f"model.budget.batches_per_row {rows}", other, {})]
    return []


def _with(algorithm: Algorithm, **attributes: object) -> Algorithm:
    other = copy.deepcopy(algorithm)
    for name, value in attributes.items():
        setattr(other, name, value)
    return other


def _more_environments(algorithm: Algorithm, device: torch.device) -> list[Change]:
    config, envs, frames = algorithm.env_config, 2 * algorithm.collection.envs, algorithm.collection.frames_per_batch
    setting, right = f"model.collection.envs {envs}", frames if frames % envs == 0 else 2 * frames
    if right != frames:
        setting += f" with model.collection.frames_per_batch {right}"
    found = [Change(setting, _with(algorithm, collection=Collection(envs, right)), {})]
    if config.backend == "litgrid" and not config.compile and missing(device) is None:
        found.append(Change("model.env.compile true", _with(algorithm, env_config=replace(config, compile=True)), {}))
    return found


def _fewer_updates(algorithm: Algorithm) -> list[Change]:
    """Half as many updates of a frame; that is another training, not the same one faster."""
    caution = "half the updates: compare the validation objective"
    frames = algorithm.collection.frames_per_batch
    match algorithm:
        case SAC() if algorithm.replay.updates_per_batch > 1:
            half = algorithm.replay.updates_per_batch // 2
            other = _with(algorithm, replay=replace(algorithm.replay, updates_per_batch=half))
            return [Change(f"model.replay.updates_per_batch {half}", other, {}, caution)]
        case PPO() if algorithm.proximity.minibatch < frames:
            size = min(2 * algorithm.proximity.minibatch, frames)
            other = _with(algorithm, proximity=replace(algorithm.proximity, minibatch=size))
            return [Change(f"model.proximity.minibatch {size}", other, {}, caution)]
        case SHAC() if algorithm.regression.epochs > 1:
            passes = algorithm.regression.epochs // 2
            other = _with(algorithm, regression=replace(algorithm.regression, epochs=passes))
            return [Change(f"model.regression.epochs {passes}", other, {}, caution)]
        case A2C():
            other = _with(algorithm, collection=replace(algorithm.collection, frames_per_batch=2 * frames))
            return [Change(f"model.collection.frames_per_batch {2 * frames}", other, {}, caution)]
    return []
