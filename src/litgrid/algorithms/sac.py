"""Soft actor-critic with automatic temperature (Haarnoja et al. 2018, arXiv:1812.05905)."""

# ruff: noqa: B008 (the defaults are frozen dataclasses)
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from tensordict import TensorDictBase
from torch import Tensor
from torchrl.data import LazyMemmapStorage, LazyTensorStorage, TensorDictReplayBuffer
from torchrl.modules import ProbabilisticActor
from torchrl.objectives import SACLoss, SoftUpdate, ValueEstimators

from litgrid.algorithms.base import Algorithm, Budget, Collection, check_final
from litgrid.algorithms.execution import Execution
from litgrid.algorithms.networks import Network, Spaces, make_actor, make_critic
from litgrid.errors import InputError
from litgrid.sim.env import EnvConfig


@dataclass(frozen=True)
class Replay:
    """What the updates of each process of training are made of.

    Args:
        capacity: frames that the buffer holds; the oldest go first.
        batch_size: frames of an update.
        updates_per_batch: updates after each batch of new frames.
        warmup_frames: frames before the first update.
        storage: ``device`` keeps the buffer in the memory of the device that trains, ``memmap`` in files of the
            system's temporary folder (``TMPDIR``), for buffers that memory does not hold.
    """

    capacity: int = 100_000
    batch_size: int = 256
    updates_per_batch: int = 8
    warmup_frames: int = 5_000
    storage: Literal["device", "memmap"] = "device"

    def __post_init__(self) -> None:
        for key in ("capacity", "batch_size", "updates_per_batch"):
            if getattr(self, key) < 1:
                raise InputError(f"replay.{key}: found {getattr(self, key)}, expected at least 1")


@dataclass(frozen=True)
class LearningRates:
    """Of Adam.

    Args:
        actor: the policy.
        critic: both critics.
        temperature: the logarithm of the temperature.
        final: share of all that is left at the end of the budget; they fall linearly with the frames.
    """

    actor: float = 3e-4
    critic: float = 3e-4
    temperature: float = 3e-4
    final: float = 1.0

    def __post_init__(self) -> None:
        check_final(self.final)


@dataclass(frozen=True)
class Temperature:
    """The price of randomness, alpha: it rises while the policy's entropy is below its target.

    Args:
        initial: alpha at the start, in units of reward.
        target_entropy_per_action: target entropy over the number of actions, in nats; an action that is uniform over
            a range of length 1 has 0. The paper's default is -1.
    """

    initial: float = 0.1
    target_entropy_per_action: float = -1.0


class SAC(Algorithm):
    """Soft actor-critic: off-policy, twin critics, entropy at a target.

    Args:
        env: the environments.
        collection: how experience is collected.
        budget: how long to train.
        actor_network: the policy's network.
        critic_network: the network of each critic.
        replay: what the updates are made of.
        learning_rates: of the optimiser.
        temperature: of the entropy.
        discount: gamma, of a step.
        target_rate: tau, by which target critics follow in each update.
        clip_norm: highest norm of the gradient of each group of parameters.
        seed: of environments, exploration and replay; ``seed_everything`` of the configuration.
        matmul: as for ``Algorithm``.
        execution: likewise.
    """

    name = "sac"
    METRICS: ClassVar[dict[str, str]] = Algorithm.METRICS | {
        "loss/critic": "squared error of both critics against the soft target, J_Q",
        "loss/actor": "mean of alpha log pi - min Q, J_pi",
        "loss/temperature": "J_alpha",
        "sac/temperature": "alpha",
        "sac/entropy": "mean of -log pi, in nats; the temperature steers it to its target",
        "sac/q": "mean of min Q at the policy's own actions: discounted reward to come, with entropy",
    }
    loss: SACLoss
    buffer: TensorDictReplayBuffer

    def __init__(
        self,
        *,
        env: EnvConfig = EnvConfig(),
        collection: Collection = Collection(),
        budget: Budget = Budget(),
        actor_network: Network = Network(),
        critic_network: Network = Network(),
        replay: Replay = Replay(),
        learning_rates: LearningRates = LearningRates(),
        temperature: Temperature = Temperature(),
        discount: float = 0.99,
        target_rate: float = 0.005,
        critic_loss: Literal["l2", "smooth_l1"] = "l2",
        clip_norm: float = 10.0,
        seed: int = 0,
        matmul: Literal["highest", "high", "medium"] = "highest",
        execution: Execution = "eager",
    ) -> None:
        super().__init__(
            env=env,
            collection=collection,
            budget=budget,
            clip_norm=clip_norm,
            seed=seed,
            matmul=matmul,
            execution=execution,
        )
        self.actor_network = actor_network
        self.critic_network = critic_network
        self.replay = replay
        self.learning_rates = learning_rates
        self.temperature = temperature
        self.discount = discount
        self.target_rate = target_rate
        self.critic_loss = critic_loss

    def make_actor(self, spaces: Spaces) -> ProbabilisticActor:
        """Return an untrained policy."""
        return make_actor(spaces, self.actor_network)

    def build(self, spaces: Spaces) -> None:
        """Make actor, twin critics with their targets, and the replay buffer."""
        self.actor = self.make_actor(spaces)
        critic = make_critic(spaces, self.critic_network)
        self.loss = SACLoss(
            self.actor,
            critic,
            num_qvalue_nets=2,
            loss_function=self.critic_loss,
            alpha_init=self.temperature.initial,
            target_entropy=self.temperature.target_entropy_per_action * spaces.actions,
        )
        self.loss.make_value_estimator(ValueEstimators.TD0, gamma=self.discount)
        _ = self.loss.target_entropy  # registers its buffer, without which a checkpoint does not load
        self.target_critics = SoftUpdate(self.loss, tau=self.target_rate)
        read = {*self.actor.in_keys, *critic.in_keys}
        observed = [key for key in spaces.shapes if key in read]
        self.kept = [*observed, "action", *(("next", key) for key in (*observed, "reward", "done", "terminated"))]
        self.buffer = TensorDictReplayBuffer(
            storage=self._storage(),
            batch_size=self.replay.batch_size,
        )

    def _storage(self) -> LazyTensorStorage | LazyMemmapStorage:
        if self.replay.storage == "memmap":
            return LazyMemmapStorage(self.replay.capacity)
        return LazyTensorStorage(self.replay.capacity, device=self.device)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return actor, critics and temperature."""
        rates = self.learning_rates
        return [
            {"name": "actor", "params": list(self.loss.actor_network_params.parameters()), "lr": rates.actor},
            {"name": "critic", "params": list(self.loss.qvalue_network_params.parameters()), "lr": rates.critic},
            {"name": "temperature", "params": [self.loss.log_alpha], "lr": rates.temperature},
        ]

    def learn(self, batch: TensorDictBase) -> dict[str, Tensor]:
        """Store the new frames, then update on samples of all."""
        with self.stopwatch.measure("sample"):
            self.buffer.extend(batch.select(*self.kept).reshape(-1))
        if len(self.buffer) < self.replay.warmup_frames:
            return {}
        for _ in range(self.replay.updates_per_batch):
            with self.stopwatch.measure("sample"):
                sample = self.buffer.sample().to(self.device)
            with self.stopwatch.measure("update"):
                losses = self.update(sample)
        return losses

    def update(self, sample: TensorDictBase) -> dict[str, Tensor]:
        """Make one update of critics, actor, temperature and target critics (equations in docs/sac.md)."""
        losses = self.optimize(sample)
        self.target_critics.step()
        return {
            "loss/critic": losses["loss_qvalue"],
            "loss/actor": losses["loss_actor"],
            "loss/temperature": losses["loss_alpha"],
            "sac/temperature": losses["alpha"],
            "sac/entropy": losses["entropy"],
            "sac/q": -losses["loss_actor"] - losses["alpha"] * losses["entropy"],
        }
