"""SAC, PPO and A2C as loops of plain PyTorch: what ``bench train`` holds beside the algorithms.

The simulator, the networks, the sizes and the equations are those of an algorithm; Lightning, and TorchRL's
collector, buffer, losses and estimators are not here. The difference in time is what these libraries cost.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import torch
from tensordict import TensorDict
from torch import Tensor, nn
from torch.nn.functional import mse_loss, smooth_l1_loss, softplus
from torch.optim import Adam
from torchrl.envs import EnvBase

from litgrid.algorithms.a2c import A2C
from litgrid.algorithms.base import Algorithm
from litgrid.algorithms.networks import Spaces, make_critic, make_value
from litgrid.algorithms.on_policy import ENTROPY, OnPolicy, standardized
from litgrid.algorithms.ppo import PPO
from litgrid.algorithms.sac import SAC
from litgrid.algorithms.stopwatch import Stopwatch

Observation = tuple[Tensor, ...]
Algo = TypeVar("Algo", bound=Algorithm)
Learner = TypeVar("Learner", bound=OnPolicy)


class Sites:
    """Environments that start anew by themselves, without the steps of a TorchRL environment.

    Attributes:
        observation: what the agent sees now.
    """

    def __init__(self, env: EnvBase) -> None:
        self.env = env
        self.keys = list(env.observation_spec.keys())
        self.observation = self._of(env._reset())

    def _of(self, values: Any) -> Observation:
        return tuple(values[key] for key in self.keys)

    def step(self, action: Tensor) -> tuple[Observation, Tensor, Tensor]:
        """Move by an action [B, A]; returns what is seen after it, rewards and ends of windows [B]."""
        after = self.env._step(TensorDict({"action": action}, batch_size=self.env.batch_size))
        seen, ended = self._of(after), after["truncated"]
        self.observation = self._of(self.env._reset(TensorDict({"_reset": ended}))) if ended.any() else seen
        return seen, after["reward"].squeeze(-1), ended.squeeze(-1)


class Loop(Generic[Algo]):
    """What the loops share; one ``iterate`` is what one training step of the algorithm is.

    Args:
        algorithm: its settings are taken, and its networks are made anew.
        env: the environments.
    """

    def __init__(self, algorithm: Algo, env: EnvBase) -> None:
        self.algorithm, self.sites, self.spaces = algorithm, Sites(env), Spaces.of(env)
        self.steps = algorithm.collection.frames_per_batch // algorithm.collection.envs
        self.actor = algorithm.make_actor(self.spaces).to(env.device)
        self.body, self.head = (part.module for part in self.actor.module[0].module)
        self.inputs = 2 if "sockets" in self.spaces.shapes else 1  # the actor doesn't read the mask
        self.low, self.high = self.spaces.low, self.spaces.high
        self.frames = self.updates = 0
        self.stopwatch = Stopwatch()

    def gaussian(self, observation: Observation) -> tuple[Tensor, Tensor]:
        """Means and deviations [B, A], before what squashes them."""
        mean, deviation = self.head(self.body(*observation[: self.inputs]))
        return mean, deviation

    def descend(self, loss: Tensor) -> None:
        """One step of all groups, each with its gradient clipped."""
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for group in self.optimizer.param_groups:
            nn.utils.clip_grad_norm_(group["params"], self.algorithm.clip_norm)
        self.optimizer.step()
        self.updates += 1

    def adam(self, *groups: tuple[list[nn.Parameter], float]) -> None:
        """Make the optimiser."""
        self.optimizer = Adam([{"params": params, "lr": rate} for params, rate in groups], fused=True)

    def iterate(self) -> None:
        """Collect frames and learn from them."""
        raise NotImplementedError


class PlainSAC(Loop[SAC]):
    """docs/sac.md, line by line."""

    def __init__(self, algorithm: SAC, env: EnvBase) -> None:
        super().__init__(algorithm, env)
        self.critics, self.targets = (
            nn.ModuleList(make_critic(self.spaces, algorithm.critic_network).module for _ in range(2)).to(env.device)
            for _ in range(2)
        )
        self.targets.load_state_dict(self.critics.state_dict())
        self.log_alpha = nn.Parameter(torch.tensor(math.log(algorithm.temperature.initial), device=env.device))
        rates = algorithm.learning_rates
        self.adam(
            (list(self.actor.parameters()), rates.actor),
            (list(self.critics.parameters()), rates.critic),
            ([self.log_alpha], rates.temperature),
        )
        self.memory: list[Tensor] = []
        self.loss = smooth_l1_loss if algorithm.critic_loss == "smooth_l1" else mse_loss

    def act(self, observation: Observation) -> tuple[Tensor, Tensor]:
        """Draw actions [B, A]; and their log probability [B]."""
        mean, deviation = self.gaussian(observation)
        noise = torch.randn_like(mean)
        free, half = mean + deviation * noise, (self.high - self.low) / 2.0
        density = -0.5 * noise**2 - deviation.log() - 0.5 * math.log(2.0 * math.pi)
        squash = 2.0 * (math.log(2.0) - free - softplus(-2.0 * free)) + half.log()
        return self.low + half * (1.0 + torch.tanh(free)), (density - squash).sum(-1)

    def iterate(self) -> None:
        """Steps into the memory, then updates on samples of it."""
        for _ in range(self.steps):
            with self.stopwatch.measure("collect"), torch.no_grad():
                before = self.sites.observation
                action, _ = self.act(before)
                after, reward, _ = self.sites.step(action)
            with self.stopwatch.measure("sample"):
                self.store(*before, action, reward, *after)
        replay = self.algorithm.replay
        if min(self.frames, replay.capacity) < replay.warmup_frames:
            return
        for _ in range(replay.updates_per_batch):
            with self.stopwatch.measure("sample"):
                sample = self.sample()
            with self.stopwatch.measure("update"):
                self.update(*sample)

    def store(self, *values: Tensor) -> None:
        """Overwrite the oldest frames."""
        capacity = self.algorithm.replay.capacity
        if not self.memory:
            self.memory = [value.new_zeros(capacity, *value.shape[1:]) for value in values]
        rows = (torch.arange(len(values[0]), device=values[0].device) + self.frames) % capacity
        for memory, value in zip(self.memory, values, strict=True):
            memory[rows] = value
        self.frames += len(rows)

    def sample(self) -> tuple[Observation, Tensor, Tensor, Observation]:
        """Observations, actions, rewards and next observations of random frames."""
        replay, device = self.algorithm.replay, self.low.device
        rows = torch.randint(min(self.frames, replay.capacity), (replay.batch_size,), device=device)
        values = [memory[rows] for memory in self.memory]
        size = (len(values) - 2) // 2
        return tuple(values[:size]), values[size], values[size + 1], tuple(values[size + 2 :])

    def losses(
        self, before: Observation, action: Tensor, reward: Tensor, after: Observation
    ) -> tuple[Tensor, Tensor, Tensor]:
        """J_Q, J_pi and J_alpha."""
        alpha = self.log_alpha.detach().exp()
        with torch.no_grad():
            next_action, log_prob = self.act(after)
            worst = torch.min(*(target(*after, next_action).squeeze(-1) for target in self.targets))
            aim = reward + self.algorithm.discount * (worst - alpha * log_prob)
        critic = torch.stack([self.loss(each(*before, action).squeeze(-1), aim) for each in self.critics]).sum()
        own, log_prob = self.act(before)
        self.critics.requires_grad_(False)
        actor = (alpha * log_prob - torch.min(*(each(*before, own).squeeze(-1) for each in self.critics))).mean()
        self.critics.requires_grad_(True)
        target_entropy = self.algorithm.temperature.target_entropy_per_action * self.spaces.actions
        return critic, actor, -(self.log_alpha * (log_prob.detach() + target_entropy)).mean()

    def update(self, *sample: Any) -> None:
        """One step of everything; target critics follow."""
        self.descend(torch.stack(self.losses(*sample)).sum())
        with torch.no_grad():
            for target, critic in zip(self.targets.parameters(), self.critics.parameters(), strict=True):
                target.lerp_(critic, self.algorithm.target_rate)


class PlainOnPolicy(Loop[Learner]):
    """What docs/ppo.md and docs/a2c.md share."""

    def __init__(self, algorithm: Learner, env: EnvBase) -> None:
        super().__init__(algorithm, env)
        self.critic = make_value(self.spaces, algorithm.critic_network).module.to(env.device)
        rates = algorithm.learning_rates
        self.adam((list(self.actor.parameters()), rates.actor), (list(self.critic.parameters()), rates.critic))

    def value(self, observation: Observation) -> Tensor:
        """V(s) [B]."""
        value: Tensor = self.critic(*observation[: self.inputs]).squeeze(-1)
        return value

    def log_prob(self, action: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
        """Log probability of actions [B]."""
        density = -0.5 * ((action - mean) / deviation) ** 2 - deviation.log() - 0.5 * math.log(2.0 * math.pi)
        return density.sum(-1)

    @torch.no_grad()
    def collect(self) -> tuple[Observation, Tensor, Tensor, Tensor, Tensor]:
        """Observations, actions, their log probabilities, advantages and targets of V, [steps x B, ...]."""
        rows: list[tuple[Tensor, ...]] = []
        observations: list[Observation] = []
        for _ in range(self.steps):
            with self.stopwatch.measure("collect"):
                before = self.sites.observation
                mean, deviation = self.gaussian(before)
                action = torch.normal(mean, deviation)
                log_prob = self.log_prob(action, mean, deviation)
                after, reward, ended = self.sites.step(action)
                observations.append(before)
            with self.stopwatch.measure("sample"):
                final = torch.zeros_like(reward)  # V of windows' last observations
                if ended.any():
                    final[ended] = self.value(tuple(part[ended] for part in after))
                rows.append((action, log_prob, reward, ended, final))
        self.frames += len(reward) * self.steps
        with self.stopwatch.measure("sample"):
            seen = tuple(torch.stack(part) for part in zip(*observations, strict=True))
            action, log_prob, reward, ended, final = (torch.stack(part) for part in zip(*rows, strict=True))
            value = self.value(seen)
            following = torch.where(ended, final, torch.cat([value[1:], self.value(after).unsqueeze(0)]))
            advantage = self.advantage(reward, value, following, ended)
            flat = tuple(part.flatten(0, 1) for part in seen)
            return flat, *(part.flatten(0, 1) for part in (action, log_prob, advantage, advantage + value))  # type: ignore[return-value]

    def advantage(self, reward: Tensor, value: Tensor, following: Tensor, ended: Tensor) -> Tensor:
        """Generalised advantages, all [steps, B]."""
        settings = self.algorithm.advantage
        error = reward + settings.discount * following - value
        going_on = settings.discount * settings.decay * ~ended
        total, result = torch.zeros_like(error[0]), torch.empty_like(error)
        for step in reversed(range(len(error))):
            total = result[step] = error[step] + going_on[step] * total
        return result

    def rest(self, observation: Observation, target: Tensor, deviation: Tensor) -> Tensor:
        """The critic's loss and the entropy's."""
        weights = self.algorithm.weights
        loss = weights.critic * mse_loss(self.value(observation), target)
        if weights.entropy == 0.0:
            return loss
        return loss - weights.entropy * (ENTROPY + deviation.log()).sum(-1).mean()


class PlainPPO(PlainOnPolicy[PPO]):
    """docs/ppo.md, line by line."""

    def iterate(self) -> None:
        """Passes over new frames."""
        observation, *rest = self.collect()
        for _ in range(self.algorithm.proximity.epochs):
            for chosen in self.minibatches(len(rest[0])):
                with self.stopwatch.measure("update"):
                    seen = tuple(part[chosen] for part in observation)
                    self.descend(self.loss(seen, *(part[chosen] for part in rest)))

    def minibatches(self, frames: int) -> Iterator[Tensor]:
        """Rows of each, in random order."""
        yield from torch.split(torch.randperm(frames, device=self.low.device), self.algorithm.proximity.minibatch)

    def loss(self, observation: Observation, action: Tensor, old: Tensor, advantage: Tensor, target: Tensor) -> Tensor:
        """The clipped objective and the rest."""
        if self.algorithm.advantage.normalize:
            advantage = standardized(advantage)
        mean, deviation = self.gaussian(observation)
        log_prob = self.log_prob(action, mean, deviation)
        ratio, clip = (log_prob - old).exp(), self.algorithm.proximity.clip
        gain = torch.min(ratio * advantage, ratio.clamp(1.0 - clip, 1.0 + clip) * advantage)
        return self.rest(observation, target, deviation) - gain.mean()


class PlainA2C(PlainOnPolicy[A2C]):
    """docs/a2c.md, line by line."""

    def iterate(self) -> None:
        """One update with all new frames."""
        observation, action, _, advantage, target = self.collect()
        with self.stopwatch.measure("update"):
            self.descend(self.loss(observation, action, advantage, target))

    def loss(self, observation: Observation, action: Tensor, advantage: Tensor, target: Tensor) -> Tensor:
        """The policy gradient and the rest."""
        if self.algorithm.advantage.normalize:
            advantage = standardized(advantage)
        mean, deviation = self.gaussian(observation)
        log_prob = self.log_prob(action, mean, deviation)
        return self.rest(observation, target, deviation) - (log_prob * advantage).mean()


def make_loop(algorithm: Algorithm, env: EnvBase) -> PlainSAC | PlainPPO | PlainA2C:
    """The loop of an algorithm."""
    match algorithm:
        case SAC():
            return PlainSAC(algorithm, env)
        case PPO():
            return PlainPPO(algorithm, env)
        case A2C():
            return PlainA2C(algorithm, env)
    raise TypeError(f"{type(algorithm).__name__} has no plain loop")
