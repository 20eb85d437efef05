"""What PPO and A2C share: a stochastic actor, a critic V(s), generalised advantages, passes over the new frames."""

# ruff: noqa: B008 (the defaults are frozen dataclasses)
from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from tensordict import TensorDictBase
from torch import Tensor
from torchrl.modules import ProbabilisticActor
from torchrl.objectives import LossModule
from torchrl.objectives.value import GAE

from litgrid.algorithms.base import Algorithm, Budget, Collection, check_final
from litgrid.algorithms.execution import Execution, Losses
from litgrid.algorithms.networks import Gaussian, Network, Spaces, make_gaussian_actor, make_value
from litgrid.errors import InputError
from litgrid.sim.env import EnvConfig

GROUPS = ("actor", "critic")
ENTROPY = 0.5 * math.log(2.0 * math.pi * math.e)  # of a Gaussian with deviation 1, in nats


@dataclass(frozen=True)
class Advantage:
    """How good an action was: generalised advantage estimation (Schulman et al. 2016, arXiv:1506.02438).

    Args:
        discount: gamma, of a step.
        decay: lambda; 1 sums all rewards up to the end of the batch and adds the value there (n-step returns), 0 looks
            one step ahead.
        normalize: shift and scale the advantages of an update to mean 0 and deviation 1.
    """

    discount: float = 0.99
    decay: float = 0.95
    normalize: bool = True

    def __post_init__(self) -> None:
        for key in ("discount", "decay"):
            if not 0.0 <= getattr(self, key) <= 1.0:
                raise InputError(f"advantage.{key}: found {getattr(self, key)}, expected a number from 0 to 1")


@dataclass(frozen=True)
class Weights:
    """Of the parts of the loss beside the policy's own.

    Args:
        critic: of the squared error of V(s).
        entropy: of the policy's entropy, which is rewarded.
    """

    critic: float = 0.5
    entropy: float = 0.0


@dataclass(frozen=True)
class LearningRates:
    """Of the optimiser. A critic that learns faster than the policy spares it from following values that are not there.

    Args:
        actor: the policy.
        critic: V(s).
        final: share of both that is left at the end of the budget; they fall linearly with the frames.
    """

    actor: float = 3e-4
    critic: float = 3e-4
    final: float = 1.0

    def __post_init__(self) -> None:
        check_final(self.final)


class OnPolicy(Algorithm):
    """Learns from the newest frames alone.

    A batch holds ``frames_per_batch / envs`` consecutive steps of every environment. Windows that end within it are
    truncated, not terminated: their value goes on (it is that of the window's last observation).

    Args:
        actor_network: the policy's network.
        critic_network: the network of V(s).
        advantage: how it is estimated.
        weights: of the parts of the loss.
        learning_rates: of the optimiser.
        initial_spread: of the actions at the start, as a share of half their range.
        final_spread: that at the end of the budget, towards which it goes evenly on a logarithmic scale; null has the
            policy learn it.
        others: as for ``Algorithm``.
    """

    METRICS: ClassVar[dict[str, str]] = Algorithm.METRICS | {
        "loss/policy": "the algorithm's loss of the policy",
        "loss/critic": "mean squared error of V(s) against the returns",
        "policy/entropy": "of the Gaussian, in nats",
        "policy/spread": "mean deviation of the actions, as a share of half their range",
        "policy/explained_variance": "share of the returns' variance that V(s) explains, at most 1",
    }
    half_range: Tensor

    def __init__(
        self,
        *,
        env: EnvConfig = EnvConfig(),
        collection: Collection = Collection(),
        budget: Budget = Budget(),
        actor_network: Network = Network(activation="tanh"),
        critic_network: Network = Network(activation="tanh"),
        advantage: Advantage = Advantage(),
        weights: Weights = Weights(),
        learning_rates: LearningRates = LearningRates(),
        initial_spread: float = 1.0,
        final_spread: float | None = None,
        clip_norm: float = 0.5,
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
        self.advantage = advantage
        self.weights = weights
        self.learning_rates = learning_rates
        self.initial_spread = initial_spread
        self.final_spread = final_spread
        for key in ("initial_spread", "final_spread"):
            if (found := getattr(self, key)) is not None and found <= 0.0:
                raise InputError(f"{key}: found {found}, expected a number above 0")

    @abstractmethod
    def make_loss(self) -> LossModule:
        """Return the loss of ``actor`` and ``critic``."""

    def make_actor(self, spaces: Spaces) -> ProbabilisticActor:
        """Return an untrained policy."""
        return make_gaussian_actor(spaces, self.actor_network, self.initial_spread)

    def build(self, spaces: Spaces) -> None:
        """Make actor, critic and loss."""
        self.actor = self.make_actor(spaces)
        self.critic = make_value(spaces, self.critic_network)
        (self._gaussian,) = [part for part in self.actor.modules() if isinstance(part, Gaussian)]
        self._gaussian.log_spread.requires_grad_(self.final_spread is None)
        self.loss = self.make_loss()
        self.register_buffer("half_range", (spaces.high - spaces.low) / 2.0, persistent=False)
        self._estimate = GAE(
            gamma=self.advantage.discount,
            lmbda=self.advantage.decay,
            value_network=None,  # ``evaluate`` writes the values
        )

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return actor and critic."""
        return [
            {"name": name, "params": list(getattr(self, name).parameters()), "lr": getattr(self.learning_rates, name)}
            for name in GROUPS
        ]

    def training_step(self, batch: int, batch_idx: int) -> None:
        """Lower the spread as far as the budget is spent; then as ever."""
        if self.final_spread is not None:
            spread = self.initial_spread * (self.final_spread / self.initial_spread) ** self.spent
            self._gaussian.log_spread.data.fill_(math.log(spread))
        super().training_step(batch, batch_idx)

    @torch.no_grad()
    def with_advantages(self, batch: TensorDictBase) -> TensorDictBase:
        """Add ``advantage`` and ``value_target`` to a batch [envs, steps]; return its frames as updates need them."""
        self.evaluate(batch)
        return self._estimate(batch).exclude("next", "parameters", "loc").reshape(-1)

    def evaluate(self, batch: TensorDictBase) -> None:
        """Add V(s) and V(s') to a batch [envs, steps].

        What follows a step is the next step's observation, whose value is known; only where a window or the batch
        ends, it has to be evaluated.
        """
        inputs = self.critic.in_keys
        value = self.critic(batch.select(*inputs))["state_value"]
        end = batch["next", "done"].squeeze(-1).clone()
        end[:, -1] = True
        following = torch.cat([value[:, 1:], value[:, -1:]], 1)
        following[end] = self.critic(batch["next"].select(*inputs)[end])["state_value"]
        batch["state_value"], batch["next", "state_value"] = value, following

    def minibatches(self, frames: TensorDictBase, size: int) -> Iterator[TensorDictBase]:
        """Go through all frames once, in random order; the last minibatch may be smaller."""
        for chosen in torch.split(torch.randperm(len(frames), device=frames.device), size):
            yield frames[chosen]

    def metrics(self, frames: TensorDictBase, losses: Losses) -> dict[str, Tensor]:
        """Return what both algorithms log."""
        error = frames["value_target"] - frames["state_value"]
        spread = frames["scale"][:1]
        return {
            "loss/policy": losses["loss_objective"],
            "loss/critic": losses["loss_critic"],
            "policy/entropy": (spread.log() + ENTROPY).sum(),
            "policy/spread": (spread / self.half_range).mean(),
            "policy/explained_variance": 1.0 - error.var() / frames["value_target"].var(),
        }


def standardized(values: Tensor) -> Tensor:
    """Shift and scale values to mean 0 and deviation 1."""
    return (values - values.mean()) / values.std().clamp(min=1e-8)
