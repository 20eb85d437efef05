"""Advantage actor-critic, synchronous (Mnih et al. 2016, arXiv:1602.01783)."""

from __future__ import annotations

from typing import Any, Literal

from tensordict import TensorDictBase
from torch import Tensor
from torch.optim import Optimizer, RMSprop
from torchrl.objectives import A2CLoss

from litgrid.algorithms.on_policy import OnPolicy, standardized


class A2C(OnPolicy):
    """Advantage actor-critic: on-policy, one update a batch.

    Args:
        optimizer: ``rmsprop`` as in the paper (smoothing 0.99, epsilon 1e-5), or ``adam``.
        on_policy: as for ``OnPolicy``.
    """

    name = "a2c"

    def __init__(self, *, optimizer: Literal["rmsprop", "adam"] = "rmsprop", **on_policy: Any) -> None:
        super().__init__(**on_policy)
        self.optimizer = optimizer

    def make_loss(self) -> A2CLoss:
        """Return the policy gradient, the squared error of V(s), and the entropy."""
        return A2CLoss(
            self.actor,
            self.critic,
            critic_coeff=self.weights.critic,
            entropy_coeff=self.weights.entropy,
            entropy_bonus=self.weights.entropy != 0.0,
            loss_critic_type="l2",
            functional=False,
        )

    def configure_optimizers(self) -> Optimizer:
        """One optimiser with a named group of parameters for each network."""
        if self.optimizer == "adam":
            return self.adam()
        return RMSprop(self.parameter_groups(), alpha=0.99, eps=1e-5)

    def learn(self, batch: TensorDictBase) -> dict[str, Tensor]:
        """Make one update with the whole batch (equations in docs/a2c.md)."""
        with self.stopwatch.measure("sample"):
            frames = self.with_advantages(batch)
            if self.advantage.normalize:
                frames["advantage"] = standardized(frames["advantage"])
        with self.stopwatch.measure("update"):
            losses = self.optimize(frames)
        return self.metrics(frames, losses)
