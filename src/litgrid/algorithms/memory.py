"""How much memory training will take, part by part, before anything large is allocated.

A small training is rehearsed with the real code: at the sizes that are configured, or along the line towards them where
those are large. All its tensors are counted, and what grows with the sizes is continued to them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import torch
from lightning import Trainer
from tensordict import TensorDictBase
from torch.optim import Optimizer

from litgrid.algorithms.allocations import Allocations
from litgrid.algorithms.base import Algorithm, Collection
from litgrid.algorithms.environments import make_env
from litgrid.algorithms.execution import Losses
from litgrid.algorithms.free_memory import free_bytes
from litgrid.algorithms.networks import Spaces
from litgrid.algorithms.ppo import PPO
from litgrid.algorithms.sac import SAC
from litgrid.algorithms.shac import SHAC
from litgrid.algorithms.sources import SiteYears, Source
from litgrid.errors import InputError
from litgrid.scenarios.random import random_scenarios
from litgrid.sim.env import EnvConfig
from litgrid.sim.worlds import Scenarios, make_world

GB = 1e9
REHEARSED_BYTES = 32e6  # of the frames of a rehearsal
STEPS = 8  # of a rehearsal, at most: how frames are divided into environments and steps makes no difference
TINY = 4
DAYS = 20, 40  # of scenarios whose tables are measured


@dataclass(frozen=True)
class Sizes:
    """What the memory of learning depends on.

    Attributes:
        frames: between two blocks of updates.
        update: frames of an update.
    """

    frames: int
    update: int

    @classmethod
    def of(cls, algorithm: Algorithm) -> Sizes:
        """Those of a configured algorithm."""
        frames = algorithm.collection.frames_per_batch
        match algorithm:
            case SAC():
                return cls(frames, algorithm.replay.batch_size)
            case PPO():
                return cls(frames, min(algorithm.proximity.minibatch, frames))
            case SHAC():
                return cls(frames, min(algorithm.regression.minibatch, frames))
        return cls(frames, frames)

    def scaled(self, factor: float) -> Sizes:
        """Both times a factor, whole and at least ``TINY``."""
        return Sizes(max(TINY, round(self.frames * factor)), max(TINY, round(self.update * factor)))


@dataclass(frozen=True)
class Plan:
    """Memory of a training in bytes.

    Attributes:
        parts: name -> bytes that are there all the time (``docs/doctor.md`` has the list), and the two that come and
            go: ``scenarios_while_built`` and ``activations``.
        free: of the device that all of it lives on, before.
        ranks: processes that each take that much of the same memory.
        row: bytes of a frame in the replay buffer; 0 without one.
    """

    parts: dict[str, float]
    free: float
    ranks: int = 1
    row: float = 0.0

    @property
    def needed(self) -> float:
        """The most at a time."""
        parts = self.parts
        training = sum(parts.values()) - parts["scenarios_while_built"]
        return self.ranks * max(training, parts["scenarios"] + parts["scenarios_while_built"])

    @property
    def fits(self) -> bool:
        """Whether it is there."""
        return self.needed <= self.free


def plan(algorithm: Algorithm, source: Source, trainer: Trainer) -> Plan:
    """Foresee the memory of a training.

    Args:
        algorithm: as configured, not yet trained.
        source: of its scenarios.
        trainer: says on which device all of it will live, how precise it is (what ends in ``mixed`` computes in 16
            bits), and how many processes share the device's memory.

    Raises:
        InputError: the networks alone are larger than what is free.
    """
    device, precision = trainer.strategy.root_device, str(trainer.precision)
    free = free_bytes(device)
    sample = source.sample()
    _refuse_networks(algorithm, sample, free)
    tiny = rehearse(algorithm, sample, Sizes(TINY, TINY), precision)
    sizes = Sizes.of(algorithm)
    factor = min(1.0, REHEARSED_BYTES / (tiny["frame"] * max(sizes.frames, sizes.update)))
    large = rehearse(algorithm, sample, sizes.scaled(factor), precision)
    learning = large
    if factor < 1.0:
        small = rehearse(algorithm, sample, sizes.scaled(factor / 2.0), precision)
        halves = 2.0 * (1.0 / factor - 1.0)  # from the larger rehearsal to the configured sizes
        learning = {key: value + halves * (value - small[key]) for key, value in large.items()}
    row = learning.pop("row")
    learning.pop("frame")
    capacity = algorithm.replay.capacity if isinstance(algorithm, SAC) else 0
    parts = _scenarios(algorithm, source) | {
        "environments": _environments(algorithm, sample),
        "replay": row * capacity,
        **learning,
    }
    return Plan(parts, free, 1 if device.type == "cuda" else trainer.num_devices, row)


def rehearse(algorithm: Algorithm, scenarios: Scenarios, sizes: Sizes, precision: str) -> dict[str, float]:
    """Collect and learn twice on the CPU, at given sizes, and count.

    Returns:
        Bytes of ``networks`` (with targets), ``gradients``, ``optimizer``, ``rollout`` and ``activations`` (the most
        at a time beyond all the rest); of a ``frame`` as it is collected and of a ``row`` of the replay buffer.
    """
    steps = min(STEPS, sizes.frames)
    envs = -(-sizes.frames // steps)
    trial = _resized(algorithm, Collection(envs, envs * steps), sizes.update)
    mixed = torch.autocast("cpu", torch.bfloat16) if precision.endswith("mixed") else nullcontext()
    with Allocations() as memory, mixed:
        env = make_env(scenarios, envs, trial.env_config)
        before = memory.live
        trial.build(Spaces.of(env))
        optimizer = trial.configure_optimizers()
        networks = memory.live - before
        trial.optimize = partial(_optimize, trial, optimizer)  # type: ignore[method-assign]
        before = memory.live
        batches = iter(trial.make_collector(env))
        batch = next(batches)
        rollout = memory.live - before  # what the collector writes into, and the copy that it hands out
        trial.learn(batch)
        batch = next(batches)
        memory.peak = before = memory.live
        trial.learn(batch)
        activations = memory.peak - before
    return {
        "networks": networks,
        "gradients": sum(parameter.grad.nbytes for parameter in trial.parameters() if parameter.grad is not None),
        "optimizer": sum(value.nbytes for state in optimizer.state.values() for value in state.values()),
        "rollout": rollout,
        "activations": activations,
        "frame": batch.bytes() / batch.numel(),
        "row": trial.buffer.storage.get(0).bytes() if isinstance(trial, SAC) else 0.0,
    }


def _resized(algorithm: Algorithm, collection: Collection, update: int) -> Algorithm:
    """Return a copy that collects and updates at other sizes, on our simulator and as it is."""
    trial = copy.deepcopy(algorithm)
    trial.collection, trial.env_config = collection, _simplest(algorithm.env_config)
    trial.execution = "eager"
    match trial:
        case SAC():
            kept = max(update, collection.frames_per_batch)
            trial.replay = replace(trial.replay, capacity=kept, batch_size=update, updates_per_batch=1, warmup_frames=0)
        case PPO():
            trial.proximity = replace(trial.proximity, minibatch=update, epochs=1, target_kl=None)
        case SHAC():
            trial.regression = replace(trial.regression, minibatch=update, epochs=1)
    return trial


def _simplest(config: EnvConfig) -> EnvConfig:
    """Return what takes the same memory with any scenarios, a day of them too."""
    return replace(config, window_hours=0, backend="litgrid", compile=False)


def _optimize(algorithm: Algorithm, optimizer: Optimizer, frames: TensorDictBase) -> Losses:
    """Do what ``Algorithm.optimize`` does, without a trainer."""
    loss, parts = algorithm.evaluate_loss(frames)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    algorithm.on_before_optimizer_step(optimizer)
    optimizer.step()
    return parts


def _refuse_networks(algorithm: Algorithm, sample: Scenarios, free: float) -> None:
    """Refuse layers that could not even be rehearsed."""
    spaces = Spaces.of(make_env(sample, 1, _simplest(algorithm.env_config)))
    inputs = max(math.prod(shape) for key, shape in spaces.shapes.items() if key != "sockets")
    for key in ("actor_network", "critic_network"):
        hidden = getattr(algorithm, key).hidden
        weights = 4.0 * sum(wide * next_wide for wide, next_wide in pairwise([inputs, *hidden]))
        if 4.0 * weights > free:  # with gradients and the optimiser's moments
            raise InputError(
                f"{key}.hidden: found {hidden}, whose weights, gradients and moments take "
                f"{4.0 * weights / GB:,.1f} GB; {free / GB:,.1f} GB are free"
            )


def _counted(make: Callable[[], object]) -> tuple[int, int]:
    """Bytes that something takes, and the most while it is made."""
    with Allocations() as memory:
        made = make()
        live = memory.live
    del made
    return live, memory.peak


def _environments(algorithm: Algorithm, sample: Scenarios) -> float:
    """Bytes of the states and observations of all environments."""

    def made(envs: int) -> object:
        env = make_env(sample, envs, _simplest(algorithm.env_config))
        return env, env.reset()

    few, many = (_counted(partial(made, envs))[0] for envs in (8, 72))
    return (many - few) / 64 * algorithm.collection.envs


def _scenarios(algorithm: Algorithm, source: Source) -> dict[str, float]:
    """Bytes of the tables for training and validation, and how many more there are while they are made."""
    if not isinstance(source, SiteYears):
        found = [_tables(algorithm, source.load(split), split) for split in ("train", "validation")]
    else:
        found = [
            _extended(algorithm, source, split, years)
            for split, years in (("train", source.site.years.train), ("validation", source.site.years.validation))
        ]
    (train, train_peak), (validation, validation_peak) = found
    most = max(train_peak, train + validation_peak)
    return {"scenarios": train + validation, "scenarios_while_built": most - train - validation}


def _tables(algorithm: Algorithm, scenarios: Scenarios, split: str) -> tuple[float, float]:
    if split == "train":
        return _counted(lambda: make_env(scenarios, 1, _simplest(algorithm.env_config)))
    return _counted(lambda: make_world(scenarios))


def _extended(algorithm: Algorithm, source: SiteYears, split: str, years: int) -> tuple[float, float]:
    """What years take, continued from two lengths of one."""
    steps = [days * source.site.steps_per_day for days in DAYS]
    short, long = (_tables(algorithm, random_scenarios(source.site, 1, count), split) for count in steps)
    more = (years * (source.site.steps_per_year + 1) - (steps[1] + 1)) / (steps[1] - steps[0])
    live, peak = (many + (many - few) * more for few, many in zip(short, long, strict=True))
    return live, peak
