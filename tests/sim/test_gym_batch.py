"""Environments of gymnasium, side by side in TorchRL: the same steps, resets, bounds and ends."""

from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box
from tensordict import TensorDict
from torchrl.envs.utils import check_env_specs

from litgrid.sim.gym_batch import GymBatch


class Counter(gymnasium.Env[Any, Any]):
    """Observes (its number of resets, steps since the last); ends after as many steps as its seed says."""

    observation_space = Box(0.0, np.inf, (2,), np.float32)
    action_space = Box(-2.0, 2.0, (1,), np.float32)
    length, resets = 0, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:  # noqa: ARG002
        """Begin again."""
        self.length = self.length if seed is None else seed
        self.resets += 1
        self.steps = 0
        return self._see(), {}

    def step(self, action: Any) -> Any:
        """Count; the reward is the action."""
        self.steps += 1
        over = self.steps == self.length
        return self._see(), float(action[0]), over and self.length == 1, over and self.length > 1, {}

    def _see(self) -> Any:
        return np.array([self.resets, self.steps], np.float32)


def make(envs: int = 3) -> GymBatch:
    """Environments of 1, 2, 3, ... steps; the first terminates, the others are truncated."""
    return GymBatch(Counter, envs, seed=1)


def test_its_tensors_are_as_it_says() -> None:
    check_env_specs(GymBatch(lambda: gymnasium.make("Pendulum-v1"), 2, seed=0))


def test_actions_are_clipped_and_each_environment_gets_its_own() -> None:
    env = make()
    after = env.step(env.reset().set("action", torch.tensor([[-5.0], [0.5], [5.0]])))["next"]
    assert after["reward"].flatten().tolist() == [-2.0, 0.5, 2.0]


def test_ends_are_told_apart_and_only_what_ended_begins_again() -> None:
    env = make()
    frames = env.rollout(3, break_when_any_done=False)
    after = frames["next"]
    assert after["terminated"].squeeze(-1).tolist() == [[True] * 3, [False] * 3, [False] * 3]
    assert after["truncated"].squeeze(-1).tolist() == [[False] * 3, [False, True, False], [False, False, True]]
    assert after["observation"][..., 1].tolist() == [[1.0] * 3, [1.0, 2.0, 1.0], [1.0, 2.0, 3.0]]
    assert (frames["observation"][..., 0] - frames["observation"][:, :1, 0]).tolist() == [[0, 1, 2], [0, 0, 1], [0] * 3]


def test_seeds_fix_episodes() -> None:
    def episode() -> TensorDict:
        env = GymBatch(lambda: gymnasium.make("Pendulum-v1"), 2, seed=5)
        return env.rollout(5, policy=lambda observation: torch.ones_like(observation[:, :1]))

    first, second = episode(), episode()
    assert bool((first == second).all())
    assert not bool((first["observation"][0] == first["observation"][1]).all())
