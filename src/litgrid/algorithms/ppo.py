"""Proximal policy optimisation, the clipped objective (Schulman et al. 2017, arXiv:1707.06347)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from tensordict import TensorDictBase
from torch import Tensor
from torchrl.objectives import ClipPPOLoss

from litgrid.algorithms.on_policy import OnPolicy
from litgrid.errors import InputError


@dataclass(frozen=True)
class Proximity:
    """How far a batch may move the policy.

    Args:
        epochs: passes over the batch.
        minibatch: frames of an update.
        clip: epsilon; ratios of new to old probability count from 1 - clip to 1 + clip.
        clip_value: the same for the change of V(s), in units of return; null leaves values free.
        target_kl: end the passes once the policy has moved by 1.5 times this (mean of log old - log new, in nats);
            null never does.
    """

    epochs: int = 10
    minibatch: int = 64
    clip: float = 0.2
    clip_value: float | None = None
    target_kl: float | None = None

    def __post_init__(self) -> None:
        for key in ("epochs", "minibatch"):
            if getattr(self, key) < 1:
                raise InputError(f"proximity.{key}: found {getattr(self, key)}, expected at least 1")
        if not 0.0 < self.clip < 1.0:
            raise InputError(f"proximity.clip: found {self.clip}, expected a number between 0 and 1")


class PPO(OnPolicy):
    """Proximal policy optimisation: on-policy, several passes over a batch, clipped ratios.

    Args:
        proximity: how far a batch may move the policy.
        on_policy: as for ``OnPolicy``.
    """

    name = "ppo"
    METRICS: ClassVar[dict[str, str]] = OnPolicy.METRICS | {
        "ppo/kl": "mean of log old - log new probability, in nats, in the last update",
        "ppo/clip_fraction": "share of the frames whose ratio was clipped, in the last update",
        "ppo/epochs": "passes that were begun",
    }

    def __init__(self, *, proximity: Proximity = Proximity(), **on_policy: Any) -> None:
        super().__init__(**on_policy)
        self.proximity = proximity
        frames, minibatch = self.collection.frames_per_batch, proximity.minibatch
        if self.execution == "cuda_graph" and frames % min(minibatch, frames):
            expected = f"a multiple of proximity.minibatch ({minibatch}) for execution cuda_graph"
            raise InputError(f"collection.frames_per_batch: found {frames}, expected {expected}")

    def make_loss(self) -> ClipPPOLoss:
        """Return the clipped objective, the squared error of V(s), and the entropy."""
        return ClipPPOLoss(
            self.actor,
            self.critic,
            clip_epsilon=self.proximity.clip,
            clip_value=self.proximity.clip_value,
            normalize_advantage=self.advantage.normalize,
            critic_coeff=self.weights.critic,
            entropy_coeff=self.weights.entropy,
            entropy_bonus=self.weights.entropy != 0.0,
            loss_critic_type="l2",
            functional=False,
        )

    def learn(self, batch: TensorDictBase) -> dict[str, Tensor]:
        """Pass over the batch until the budget of epochs or of KL is spent (equations in docs/ppo.md)."""
        with self.stopwatch.measure("sample"):
            frames = self.with_advantages(batch)
        passes = 0
        while passes < self.proximity.epochs:
            passes += 1
            for minibatch in self.minibatches(frames, self.proximity.minibatch):
                with self.stopwatch.measure("update"):
                    losses = self.optimize(minibatch)
            if self.is_far(losses["kl_approx"]):
                break
        return self.metrics(frames, losses) | {
            "ppo/kl": losses["kl_approx"],
            "ppo/clip_fraction": losses["clip_fraction"],
            "ppo/epochs": torch.tensor(float(passes)),
        }

    def is_far(self, kl: Tensor) -> bool:
        """Tell whether the policy has moved too far, for all ranks alike."""
        if self.proximity.target_kl is None:
            return False
        return bool(self.trainer.strategy.reduce(kl, reduce_op="mean") > 1.5 * self.proximity.target_kl)
