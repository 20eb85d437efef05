"""Experience through which gradients flow: TorchRL's collectors, which run without, in a few lines with them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from tensordict import TensorDictBase
from torchrl.envs import EnvBase, ExplorationType, set_exploration_type
from torchrl.modules import ProbabilisticActor


class Horizons:
    """Steps of all environments under the present policy, whose rewards know how they depend on its weights.

    Where one batch ends and the next begins, states go on and gradients stop (truncated backpropagation in time).
    Simulation is left in full precision where the policy's is mixed.

    Args:
        env: whose steps are differentiable; it forgets how it came to a state when it is asked to (``detach_state``).
        actor: the policy; it explores.
        steps: of each environment in a batch.

    Attributes:
        env: as given.
    """

    def __init__(self, env: EnvBase, actor: ProbabilisticActor, steps: int) -> None:
        self.env = env
        self._actor = actor
        self._steps = steps
        self._carrier: TensorDictBase = env.reset()

    def __iter__(self) -> Iterator[TensorDictBase]:
        """Yield batches [envs, steps] without end."""
        while True:
            yield self._collect()

    def _collect(self) -> TensorDictBase:
        frames, carried = [], self._carrier
        with set_exploration_type(ExplorationType.RANDOM):
            for _ in range(self._steps):
                acted = self._actor(carried)
                with torch.autocast(self.env.device.type, enabled=False):
                    stepped, carried = self.env.step_and_maybe_reset(acted)
                frames.append(stepped)
        self._carrier = carried.detach()
        self.env.detach_state()
        return torch.stack(frames, 1)

    def shutdown(self) -> None:
        """Close the environment."""
        self.env.close()
