"""The door the other way: environments of gymnasium, side by side, as one environment of TorchRL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium.spaces import Box
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.data import Binary, Bounded, Composite, Unbounded
from torchrl.envs import EnvBase


class GymBatch(EnvBase):
    """B environments with one vector ``observation`` [B, O] and bounded actions [B, A], stepped one after the other.

    Actions beyond the bounds are clipped.

    Args:
        make: makes an environment.
        envs: number of environments, B.
        seed: of the first environment's random numbers; the others have the seeds that follow it.
        device: of all tensors; the environments themselves compute on the CPU.
    """

    def __init__(
        self, make: Callable[[], gymnasium.Env[Any, Any]], envs: int, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(device=device, batch_size=torch.Size([envs]))
        self.envs = [make() for _ in range(envs)]
        self._observed = np.stack([env.reset(seed=seed + number)[0] for number, env in enumerate(self.envs)])
        space = self.envs[0].action_space
        assert isinstance(space, Box)
        low, high = (torch.tensor(bound).expand(envs, -1).to(device) for bound in (space.low, space.high))
        self.action_spec = Bounded(low, high, shape=low.shape, device=device, dtype=low.dtype)
        observation = Unbounded(shape=self._observed.shape, device=device, dtype=torch.float32)
        self.observation_spec = Composite(observation=observation, shape=self.batch_size, device=device)
        self.reward_spec = Unbounded(shape=(envs, 1), device=device)
        flags = {key: Binary(shape=(envs, 1), device=device, dtype=torch.bool) for key in ("terminated", "truncated")}
        done = Binary(shape=(envs, 1), device=device, dtype=torch.bool)
        self.done_spec = Composite(flags | {"done": done}, shape=self.batch_size, device=device)

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        space = self.action_spec.space
        actions = torch.clamp(tensordict["action"], space.low, space.high).cpu().numpy()
        stepped = [env.step(action)[:4] for env, action in zip(self.envs, actions, strict=True)]
        observed, reward, terminated, truncated = (np.array(each) for each in zip(*stepped, strict=True))
        self._observed = observed
        flags = {"terminated": terminated, "truncated": truncated, "done": terminated | truncated}
        return self._tensors({"reward": reward.astype(np.float32)} | flags)

    def _reset(self, tensordict: TensorDictBase | None = None, **_: Any) -> TensorDictBase:
        chosen = None if tensordict is None else tensordict.get("_reset", None)
        for number, env in enumerate(self.envs):
            if chosen is None or chosen[number]:
                self._observed[number] = env.reset()[0]
        return self._tensors({})

    def _tensors(self, columns: dict[str, Any]) -> TensorDict:
        """What is observed now, and columns [B], as tensors."""
        values: dict[str, Tensor] = {key: torch.from_numpy(value).unsqueeze(-1) for key, value in columns.items()}
        values["observation"] = torch.from_numpy(self._observed.astype(np.float32))
        return TensorDict(values, batch_size=self.batch_size).to(self.device)

    def _set_seed(self, seed: int | None) -> None:
        for number, env in enumerate(self.envs):
            env.reset(seed=None if seed is None else seed + number)
