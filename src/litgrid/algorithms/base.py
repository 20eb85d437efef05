"""What all algorithms share: environments, collection, budget, optimiser step, validation, metrics, counters.

An algorithm adds its networks and loss (``build``), its optimiser's groups (``parameter_groups``), and what it learns
from a batch of experience (``learn``).
"""

# ruff: noqa: B008 (the defaults are frozen dataclasses)
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from lightning import LightningModule
from lightning.pytorch.core.optimizer import LightningOptimizer
from tensordict import TensorDict, TensorDictBase
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torchrl.collectors import Collector
from torchrl.data import TensorDictReplayBuffer
from torchrl.envs import EnvBase
from torchrl.modules import ProbabilisticActor

from litgrid.algorithms.collectors import Backend, MakeEnv, check_backend, experience
from litgrid.algorithms.data import ScenarioData
from litgrid.algorithms.environments import rule_of
from litgrid.algorithms.execution import Evaluate, Execution, Gradients, Losses, check, evaluation, gradients, of_policy
from litgrid.algorithms.horizons import Horizons
from litgrid.algorithms.networks import Spaces
from litgrid.algorithms.policy import AgentController
from litgrid.algorithms.stopwatch import Clock, Stopwatch
from litgrid.algorithms.validation import validate
from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.env import EnvConfig
from litgrid.sim.worlds import World, make_world


def check_final(share: float) -> None:
    """Refuse what can't be left of the learning rates at the end of the budget.

    Raises:
        InputError: naming it.
    """
    if not 0.0 <= share <= 1.0:
        raise InputError(f"learning_rates.final: found {share}, expected a number from 0 to 1")


@dataclass(frozen=True)
class Collection:
    """How each process of training collects experience. A frame is one step of one environment.

    Args:
        envs: environments side by side.
        frames_per_batch: frames between two blocks of updates, of all environments together.
        workers: processes that share the environments, for a simulator that is slow to step; 0 for none but the one
            that learns. Workers compute on the CPU.
        backend: workers are processes of this machine, or actors on a Ray cluster (extra ``ray``).
    """

    envs: int = 64
    frames_per_batch: int = 256
    workers: int = 0
    backend: Backend = "process"

    def __post_init__(self) -> None:
        _require_multiple("collection.frames_per_batch", self.frames_per_batch, "collection.envs", self.envs)
        if self.workers:
            _require_multiple("collection.envs", self.envs, "collection.workers", self.workers)
        elif self.backend != "process":
            raise InputError(f"collection.backend: found {self.backend} with workers 0, expected at least 1")
        check_backend(self.backend)


@dataclass(frozen=True)
class Budget:
    """How long to train, in frames of all processes together.

    Args:
        total_frames: until the end.
        frames_per_epoch: between two validations and checkpoints.
        batches_per_row: batches between two rows of metrics.
    """

    total_frames: int = 307_200
    frames_per_epoch: int = 10_240
    batches_per_row: int = 10

    def __post_init__(self) -> None:
        _require_multiple("budget.total_frames", self.total_frames, "budget.frames_per_epoch", self.frames_per_epoch)
        if self.batches_per_row < 1:
            raise InputError(f"budget.batches_per_row: found {self.batches_per_row}, expected at least 1")


def _require_multiple(key: str, value: int, of_key: str, of: int) -> None:
    if of < 1:
        raise InputError(f"{of_key}: found {of}, expected at least 1")
    if value < of or value % of:
        raise InputError(f"{key}: found {value}, expected a multiple of {of_key} ({of})")


class Algorithm(LightningModule, ABC):
    """Trains an agent on the environments of a site or a district.

    One training step is a batch of frames from the collector and the updates that follow; the training loader only
    counts. Optimisation is manual: one backward and one optimiser step an update, so that Lightning's
    ``global_step`` counts updates.

    Args:
        env: the environments.
        collection: how experience is collected.
        budget: how long to train.
        clip_norm: highest norm of the gradient of each group of parameters.
        seed: of environments, exploration and replay; ``seed_everything`` of the configuration.
        matmul: precision of products of float32 matrices; ``high`` allows TF32 on a GPU, ``medium`` bfloat16.
        execution: how updates run. ``compiled`` fuses the operations of the loss and its gradient (``torch.compile``),
            after a minute of compiling; ``cuda_graph`` launches all their kernels at once, and all of the policy's.
            Neither changes what is learned beyond rounding, nor what is saved.
    """

    name: ClassVar[str]
    METRICS: ClassVar[dict[str, str]] = {
        "updates": "optimiser steps so far",
        "train/return": "mean sum of rewards of the windows that ended since the last row, with exploration",
        "train/reward": "mean reward of a frame since the last row, with exploration",
        "val/objective": "objective of a validation year (months side by side), or of all validation days of a "
        "CityLearn data set, deterministic, in currency",
        "val/co2_kg": "CO2 of the same",
        "val/return": "the same as a return: minus the reward's scale times the objective",
        "val/ev_service": "energy delivered to vehicles over what could have been delivered, 0..1",
        "time/minutes": "wall-clock minutes of training so far, validations included; a run's parts add up",
        "time/frames_per_second": "frames over wall-clock time since the last row",
        "time/updates_per_second": "updates over wall-clock time since the last row",
        "time/collect": "share of the wall-clock time in environments and policy",
        "time/sample": "share of the wall-clock time in writing to and sampling from the replay buffer",
        "time/update": "share of the wall-clock time in losses, backward and optimiser",
        "time/validate": "share of the wall-clock time in validations",
        "time/log": "share of the wall-clock time in metrics and loggers",
    }
    learning_rates: Any  # the algorithm's own: one for each group of parameters, and ``final``
    actor: ProbabilisticActor
    loss: nn.Module
    buffer: TensorDictReplayBuffer | None = None

    def __init__(
        self,
        *,
        env: EnvConfig = EnvConfig(),
        collection: Collection = Collection(),
        budget: Budget = Budget(),
        clip_norm: float = 10.0,
        seed: int = 0,
        matmul: Literal["highest", "high", "medium"] = "highest",
        execution: Execution = "eager",
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.env_config = env
        self.collection = collection
        self.budget = budget
        self.clip_norm = clip_norm
        self.seed = seed
        self.matmul = matmul
        self.execution = execution
        key = "collection.frames_per_batch"
        if env.observation == "citylearn":
            raise InputError(
                "env.observation: found citylearn, expected flat or entity: agents learn from scaled features"
            )
        per_batch, per_epoch = self.collection.frames_per_batch, self.budget.frames_per_epoch
        _require_multiple("budget.frames_per_epoch", per_epoch, key, per_batch)
        self.frames = 0
        self.updates = 0
        self.stopwatch = Stopwatch()
        self.clock = Clock()
        self.latest: dict[str, float] = {}

    @abstractmethod
    def make_actor(self, spaces: Spaces) -> ProbabilisticActor:
        """Return an untrained policy."""

    @abstractmethod
    def build(self, spaces: Spaces) -> None:
        """Make ``actor``, the other networks, and the loss."""

    @abstractmethod
    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the optimiser's groups: ``name``, ``params``, ``lr``."""

    @abstractmethod
    def learn(self, batch: TensorDictBase) -> dict[str, Tensor]:
        """Learn from new experience.

        Args:
            batch: [envs, frames_per_batch / envs], as TorchRL's collectors return it.

        Returns:
            Metrics (scalars on the device).
        """

    @property
    def ticks_per_epoch(self) -> int:
        """Batches in an epoch, of each process."""
        return self.budget.frames_per_epoch // (self.collection.frames_per_batch * self.trainer.world_size)

    @property
    def own_frames(self) -> int:
        """Frames that this process has collected."""
        return self.frames // self.trainer.world_size

    def check_processes(self, processes: int) -> None:
        """Refuse a number of processes that does not share an epoch in whole batches.

        Raises:
            InputError: naming the budget.
        """
        of_key = f"collection.frames_per_batch x {processes} processes"
        of = self.collection.frames_per_batch * processes
        _require_multiple("budget.frames_per_epoch", self.budget.frames_per_epoch, of_key, of)

    @property
    def data(self) -> ScenarioData:
        """The scenarios."""
        data: ScenarioData = self.trainer.datamodule  # type: ignore[attr-defined]
        return data

    def stream(self, *use: int) -> int:
        """Seed of a stream of random numbers: its own for each rank and use."""
        return int(np.random.SeedSequence([self.seed, self.global_rank, *use]).generate_state(1)[0])

    def configure_model(self) -> None:
        """Make environments, networks and collector (once)."""
        if hasattr(self, "_batches"):
            return
        torch.set_float32_matmul_precision(self.matmul)
        envs, device = self.collection.envs, self.trainer.strategy.root_device
        check(self.execution, device, self.trainer.world_size)
        self.env_config = self.env_config.stated(self.data.train)
        env = self.data.make_env(envs, self.env_config, device, self.stream(0))
        torch.manual_seed(self.stream(1))
        self.build(Spaces.of(env))
        self.collector = None if self.collection.workers else self.make_collector(env)
        self._batches = self._workers_experience() if self.collector is None else iter(self.collector)
        self._running = torch.zeros(envs, device=device)
        self._ended: list[Tensor] = []
        self._rewards: list[Tensor] = []

    def make_collector(self, env: EnvBase) -> Collector | Horizons:
        """Collect in this process."""
        return Collector(
            env,
            self.actor,
            frames_per_batch=self.collection.frames_per_batch,
            total_frames=-1,
            trust_policy=True,
            track_traj_ids=False,
            auto_register_policy_transforms=False,
            **of_policy(self.execution),
        )

    def _workers_experience(self) -> Iterator[TensorDictBase]:
        collection, device = self.collection, self.trainer.strategy.root_device

        def workers() -> list[MakeEnv]:
            envs = collection.envs // collection.workers
            seeds = [self.stream(2, worker, self.frames) for worker in range(collection.workers)]
            return [MakeEnv(self.data.train, envs, self.env_config, seed) for seed in seeds]

        return experience(workers, self.actor, collection.frames_per_batch, collection.backend, device)

    @cached_property
    def _validation(self) -> World:
        """The validation scenarios, simulated; made when they are first needed, which may be never."""
        return make_world(self.data.validation, self.device)

    def configure_optimizers(self) -> Optimizer:
        """One Adam with a named group of parameters for each network."""
        return self.adam()

    def adam(self) -> Adam:
        """Adam in one kernel for all parameters, two to three times as fast as tensor by tensor.

        Where gradients are scaled (``16-mixed``) it would unscale them itself, after they have been clipped.
        """
        scaled = self._trainer is not None and getattr(self._trainer.precision_plugin, "scaler", None) is not None
        return Adam(self.parameter_groups(), fused=not scaled)

    def on_train_start(self) -> None:
        """Begin the learning curve with the untrained policy."""
        self.clock.start()
        if self.frames == 0 and self.trainer.limit_val_batches:
            self.record(self.validation_metrics())
        self.stopwatch.reset(self.frames, self.updates)

    @property
    def spent(self) -> float:
        """Share of the budget, at most 1."""
        return min(self.frames / self.budget.total_frames, 1.0)

    def training_step(self, batch: int, batch_idx: int) -> None:  # noqa: ARG002 (Lightning's signature)
        """Collect a batch of frames and learn from it, at rates that fall linearly with the frames."""
        for group in self._optimizer.param_groups:
            rate: float = getattr(self.learning_rates, group["name"])
            group["lr"] = (1.0 - (1.0 - self.learning_rates.final) * self.spent) * rate
        with self.stopwatch.measure("collect"):
            frames = next(self._batches)
        self.frames += frames.numel() * self.trainer.world_size
        with self.stopwatch.measure("log"):
            self._follow_returns(frames)
        metrics = self.learn(frames)
        if (batch_idx + 1) % self.budget.batches_per_row == 0:
            with self.stopwatch.measure("log"):
                self.record({**self._over_processes(metrics), **self._progress()})

    @cached_property
    def evaluate_loss(self) -> Evaluate:
        """The loss of frames, as it is executed."""
        return evaluation(self.loss, self.execution)

    @cached_property
    def _gradients(self) -> Gradients:
        return gradients(self._backward, self.execution)

    def _backward(self, frames: TensorDictBase) -> Losses:
        """Put the gradient of the loss where the optimiser finds it; a CUDA graph's stays in the same memory."""
        loss, parts = self.evaluate_loss(frames)
        self._optimizer.zero_grad(set_to_none=self.execution != "cuda_graph")
        self.manual_backward(loss)
        return parts

    @property
    def _optimizer(self) -> LightningOptimizer:
        optimizer = self.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        return optimizer

    def optimize(self, frames: TensorDictBase) -> Losses:
        """Make one step down the gradient of the loss of frames, and return what the loss put out."""
        losses = self._gradients(frames)
        self._optimizer.step()
        self.updates += 1
        return losses

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip each group's gradient; here it is unscaled, whatever the precision."""
        for group in optimizer.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], self.clip_norm)

    def validation_step(self, batch: int, batch_idx: int) -> None:  # noqa: ARG002 (Lightning's signature)
        """Measure the deterministic policy on the validation scenarios."""
        metrics = self.validation_metrics()
        self.log_dict(metrics, logger=False, batch_size=1, sync_dist=True)
        self.record(metrics)

    def validation_metrics(self) -> dict[str, float]:
        """Return objective, return and service of the deterministic policy, which one process measures for all.

        In full precision, as the trained agent will be evaluated.
        """
        with self.stopwatch.measure("validate"), torch.autocast(self.device.type, enabled=False):
            result = validate(self._validation, self.agent()) if self.trainer.is_global_zero else None
            result = self.trainer.strategy.broadcast(result)
            assert result is not None
        return {
            "val/objective": result.objective,
            "val/co2_kg": result.co2_kg,
            "val/return": -self.env_config.reward_scale * result.objective,
            "val/ev_service": result.ev_service,
        }

    def agent(self) -> AgentController:
        """Return the present policy as a controller."""
        scenarios = self.data.validation
        numbers = scenarios.site.rules if isinstance(scenarios, ScenarioSet) else None
        rule = rule_of(self.env_config, scenarios)
        return AgentController(self.name, self.seed, self.actor, self.env_config, rule, numbers=numbers)

    def record(self, metrics: Mapping[str, float | Tensor]) -> None:
        """Send metrics to the loggers, against frames."""
        values = {key: float(value) for key, value in metrics.items()}
        values |= {"updates": self.updates, "time/minutes": self.clock.seconds / 60}
        self.latest |= values
        for logger in self.loggers:
            logger.log_metrics(values, step=self.frames)

    def _follow_returns(self, frames: TensorDictBase) -> None:
        reward, done = frames["next", "reward"].detach().squeeze(-1), frames["next", "done"].squeeze(-1)
        for row, end in zip(reward.unbind(1), done.unbind(1), strict=True):
            self._running += row
            self._ended.append(self._running[end])
            self._running = self._running * ~end
        self._rewards.append(reward.mean())

    def _progress(self) -> dict[str, float]:
        """Return what happened since the last row, in all processes, and forget it."""
        ended = torch.cat(self._ended)
        sums = torch.stack([ended.sum(), ended.new_tensor(len(ended)), torch.stack(self._rewards).mean()])
        returns, windows, reward = self.trainer.strategy.reduce(sums, reduce_op="sum").tolist()
        metrics = {"train/reward": reward / self.trainer.world_size}
        if windows:
            metrics["train/return"] = returns / windows
        self._ended, self._rewards = [], []
        return metrics | self.stopwatch.read(self.frames, self.updates)

    def _over_processes(self, metrics: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the means of all processes; what each of them logs has the same keys."""
        if not metrics:
            return {}
        values = torch.stack([value.detach().float().to(self.device) for value in metrics.values()])
        return dict(zip(metrics, self.trainer.strategy.reduce(values, reduce_op="mean").tolist(), strict=True))

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the counters (plain numbers, so that the file loads with ``weights_only=True``)."""
        checkpoint["litgrid"] = {"algorithm": self.name, "frames": self.frames, "updates": self.updates}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take up the counters."""
        self.frames = checkpoint["litgrid"]["frames"]
        self.updates = checkpoint["litgrid"]["updates"]

    def run_state(self) -> dict[str, Any]:
        """Return what this process's future depends on beside weights, counters, buffer and random streams.

        Workers keep their environments to themselves; they begin new windows where the run goes on.
        """
        gathered = {"ended": self._ended, "rewards": self._rewards}
        if self.collector is None:
            return gathered
        return gathered | {
            "env": self.collector.env.state_dict(),
            "carried": self.collector._carrier.clone().to_dict(),  # its own state_dict leaves out the observations
            "running": self._running,
        }

    def load_run_state(self, state: dict[str, Any]) -> None:
        """Take up what ``run_state`` returned."""
        self._ended = [value.to(self.device) for value in state["ended"]]
        self._rewards = [value.to(self.device) for value in state["rewards"]]
        if self.collector is None:
            return
        self.collector.env.load_state_dict(state["env"])
        carried = TensorDict(state["carried"], batch_size=self.collector.env.batch_size)
        self.collector._carrier.update(carried.to(self.device))
        self._running = state["running"].to(self.device)

    def teardown(self, stage: str) -> None:  # noqa: ARG002 (Lightning's signature)
        """Close the collector, or the workers."""
        if not hasattr(self, "_batches"):
            return
        if self.collector is not None:
            self.collector.shutdown()
        elif isinstance(self._batches, Generator):
            self._batches.close()
