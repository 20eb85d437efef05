"""Short-horizon actor-critic: gradients through the simulator (Xu et al. 2022, arXiv:2204.07137)."""

# ruff: noqa: B008 (the defaults are frozen dataclasses)
from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torchrl.envs import EnvBase
from torchrl.modules import ProbabilisticActor, ValueOperator
from torchrl.objectives.value.functional import vec_td_lambda_return_estimate

from litgrid.algorithms.base import Algorithm, Budget, Collection, check_final
from litgrid.algorithms.execution import Execution
from litgrid.algorithms.horizons import Horizons
from litgrid.algorithms.networks import Network, Spaces, make_gaussian_actor, make_value
from litgrid.errors import InputError
from litgrid.sim.env import EnvConfig


@dataclass(frozen=True)
class LearningRates:
    """Of Adam.

    Args:
        actor: the policy.
        critic: V(s).
        final: what is left of both at the end of the budget, as a share; they fall linearly with the frames.
    """

    actor: float = 2e-3
    critic: float = 1e-3
    final: float = 0.1

    def __post_init__(self) -> None:
        check_final(self.final)


@dataclass(frozen=True)
class Regression:
    """How V(s) follows its targets.

    Args:
        decay: lambda of the TD(lambda) targets; 1 sums all rewards up to the end of the horizon, 0 looks one step
            ahead.
        epochs: passes over a batch.
        minibatch: frames of an update.
        target_rate: by which the target critic follows after each batch.
    """

    decay: float = 0.95
    epochs: int = 2
    minibatch: int = 1024
    target_rate: float = 0.2

    def __post_init__(self) -> None:
        for key in ("epochs", "minibatch"):
            if getattr(self, key) < 1:
                raise InputError(f"regression.{key}: found {getattr(self, key)}, expected at least 1")
        for key in ("decay", "target_rate"):
            if not 0.0 <= getattr(self, key) <= 1.0:
                raise InputError(f"regression.{key}: found {getattr(self, key)}, expected a number from 0 to 1")


class HorizonLoss(nn.Module):
    """Minus the return of a horizon, where frames have one; else the squared error of V(s)."""

    def __init__(self, critic: ValueOperator) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, frames: TensorDictBase) -> dict[str, Tensor]:
        """Return one of ``loss_actor`` and ``loss_critic``."""
        if "horizon_return" in frames.keys():  # noqa: SIM118 (a TensorDict)
            return {"loss_actor": -frames["horizon_return"].mean()}
        inputs = frames.select(*self.critic.in_keys)
        return {"loss_critic": nn.functional.mse_loss(self.critic(inputs)["state_value"], frames["value_target"])}


class SHAC(Algorithm):
    """Short-horizon actor-critic: the policy follows the gradient of its return through the simulator.

    A batch is a horizon: ``frames_per_batch / envs`` consecutive steps of every environment. What comes after it is
    told by a target critic.

    Args:
        env: the environments; they have to be differentiable, which CityLearn is not.
        collection: how experience is collected, in this process.
        budget: how long to train.
        actor_network: the policy's network.
        critic_network: the network of V(s).
        discount: gamma, of a step.
        regression: how V(s) follows its targets.
        learning_rates: of the optimiser.
        averaging: decay of the moving average of the policy's weights after each batch, which is the policy that is
            validated and kept (Polyak and Juditsky 1992); 0 for the trained one itself.
        initial_spread: of the actions at the start, as a share of half their range.
        clip_norm: highest norm of the gradient of each group of parameters.
        seed: of environments and exploration; ``seed_everything`` of the configuration.
        matmul: as for ``Algorithm``.
        execution: likewise, without ``cuda_graph``.
    """

    name = "shac"
    METRICS: ClassVar[dict[str, str]] = Algorithm.METRICS | {
        "loss/actor": "minus the discounted return of a horizon, the value of what follows included, over its steps",
        "loss/critic": "mean squared error of V(s) against the TD(lambda) targets in the last update",
        "policy/spread": "mean deviation of the actions, as a share of half their range",
        "shac/explained_variance": "share of the targets' variance that V(s) explained before the batch, at most 1",
    }
    half_range: Tensor

    def __init__(
        self,
        *,
        env: EnvConfig = EnvConfig(),
        collection: Collection = Collection(envs=64, frames_per_batch=1536),
        budget: Budget = Budget(total_frames=307_200, frames_per_epoch=30_720),
        actor_network: Network = Network(activation="silu"),
        critic_network: Network = Network(activation="silu"),
        discount: float = 0.99,
        regression: Regression = Regression(),
        learning_rates: LearningRates = LearningRates(),
        averaging: float = 0.0,
        initial_spread: float = 0.1,
        clip_norm: float = 1.0,
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
        self.discount = discount
        self.regression = regression
        self.learning_rates = learning_rates
        self.averaging = averaging
        self.initial_spread = initial_spread
        for key, found, expected in (
            ("env.backend", env.backend, "litgrid"),
            ("collection.workers", collection.workers, 0),
        ):
            if found != expected:
                raise InputError(f"{key}: found {found}, expected {expected}: gradients flow through the simulator")
        if execution == "cuda_graph":
            raise InputError("execution: found cuda_graph, expected eager or compiled for SHAC")
        if not 0.0 <= discount <= 1.0:
            raise InputError(f"discount: found {discount}, expected a number from 0 to 1")
        if not 0.0 <= averaging < 1.0:
            raise InputError(f"averaging: found {averaging}, expected at least 0 and below 1")

    def check_processes(self, processes: int) -> None:
        """Refuse more than one: an update is of the policy or of the critic, and processes wait for both.

        Raises:
            InputError: there are more.
        """
        if processes > 1:
            raise InputError(f"trainer.devices x num_nodes: found {processes} processes, expected 1 for SHAC")

    def make_actor(self, spaces: Spaces) -> ProbabilisticActor:
        """Return an untrained policy."""
        return make_gaussian_actor(spaces, self.actor_network, self.initial_spread)

    def make_collector(self, env: EnvBase) -> Horizons:
        """Collect in this process, with gradients."""
        return Horizons(env, self.learner, self.collection.frames_per_batch // self.collection.envs)

    def build(self, spaces: Spaces) -> None:
        """Make actor, critic, target critic and loss."""
        self.learner = self.make_actor(spaces)
        self.actor = copy.deepcopy(self.learner).requires_grad_(requires_grad=False)
        self.critic = make_value(spaces, self.critic_network)
        follow = get_ema_multi_avg_fn(1.0 - self.regression.target_rate)  # type: ignore[no-untyped-call]
        self.target = AveragedModel(self.critic, multi_avg_fn=follow).requires_grad_(requires_grad=False)
        self.loss = HorizonLoss(self.critic)
        self.register_buffer("half_range", (spaces.high - spaces.low) / 2.0, persistent=False)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return actor and critic."""
        modules = {"actor": self.learner, "critic": self.critic}
        return [
            {"name": name, "params": list(module.parameters()), "lr": getattr(self.learning_rates, name)}
            for name, module in modules.items()
        ]

    def learn(self, batch: TensorDictBase) -> dict[str, Tensor]:
        """Make one update of the policy, then some of the critic (equations in docs/shac.md)."""
        with self.stopwatch.measure("update"):
            losses = self.optimize(TensorDict({"horizon_return": self.horizon_return(batch)}))
            self.average()
            frames = self.with_targets(batch.detach())
            explained = self.explained_variance(frames)
            for minibatch in self.minibatches(frames):
                losses |= self.optimize(minibatch)
            self.target.update_parameters(self.critic)
        return {
            "loss/actor": losses["loss_actor"],
            "loss/critic": losses["loss_critic"],
            "policy/spread": (batch["scale"][0, 0].detach() / self.half_range).mean(),
            "shac/explained_variance": explained,
        }

    @torch.no_grad()
    def average(self) -> None:
        """Let the policy that is kept follow the trained one: at first as the mean of all so far."""
        batch = self.collection.frames_per_batch
        rate = max(1.0 - self.averaging, batch / max(batch, self.frames))
        for kept, trained in zip(self.actor.parameters(), self.learner.parameters(), strict=True):
            kept.lerp_(trained, rate)

    def horizon_return(self, batch: TensorDictBase) -> Tensor:
        """Discounted rewards of each environment and the value of what follows them, over the steps: [envs].

        Discounting begins anew with every window, whose end is valued like that of the horizon.
        """
        reward, done = batch["next", "reward"].squeeze(-1), batch["next", "done"].squeeze(-1)
        terminated = batch["next", "terminated"].squeeze(-1)
        envs, steps = reward.shape
        step = torch.arange(steps, device=reward.device).expand(envs, -1)
        first = torch.cat([torch.zeros_like(step[:, :1]), step[:, 1:] * done[:, :-1]], 1).cummax(1).values
        weight = self.discount ** (step - first)
        end = done.clone()
        end[:, -1] = True
        following = torch.zeros_like(reward)
        following[end] = self.value(batch["next"][end]).squeeze(-1)
        return torch.mean(weight * (reward + self.discount * following * ~terminated), 1)

    def value(self, observed: TensorDictBase) -> Tensor:
        """V(s) of the target critic, [..., 1]."""
        value: Tensor = self.target(observed.select(*self.critic.in_keys))["state_value"]
        return value

    @torch.no_grad()
    def with_targets(self, batch: TensorDictBase) -> TensorDictBase:
        """Return the frames of a batch with the TD(lambda) returns of the target critic as ``value_target``."""
        after = batch["next"]
        batch["value_target"] = vec_td_lambda_return_estimate(
            self.discount,
            self.regression.decay,
            self.value(after),
            after["reward"],
            done=after["done"],
            terminated=after["terminated"],
        )
        return batch.select(*self.critic.in_keys, "value_target").reshape(-1)

    @torch.no_grad()
    def explained_variance(self, frames: TensorDictBase) -> Tensor:
        """How well the critic knew the targets."""
        error = frames["value_target"] - self.critic(frames.select(*self.critic.in_keys))["state_value"]
        return torch.sub(1.0, error.var() / frames["value_target"].var())

    def minibatches(self, frames: TensorDictBase) -> Iterator[TensorDictBase]:
        """Go through all frames ``epochs`` times, each time in random order; the last minibatch may be smaller."""
        for _ in range(self.regression.epochs):
            order = torch.randperm(len(frames), device=frames.device)
            for chosen in torch.split(order, self.regression.minibatch):
                yield frames[chosen]
