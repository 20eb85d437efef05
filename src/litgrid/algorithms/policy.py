"""A trained policy as a controller."""

from __future__ import annotations

import torch
from tensordict import TensorDict
from torch import Tensor
from torchrl.modules import ProbabilisticActor

from litgrid.algorithms.networks import deterministic_action
from litgrid.sim.actions import physical
from litgrid.sim.env import EnvConfig
from litgrid.sim.observations import entity, flat
from litgrid.sim.view import View


class AgentController:
    """A policy, deterministic, with the observation and the action mapping that it was trained with.

    Args:
        name: of the algorithm.
        seed: of the training.
        actor: the policy.
        env: configuration of the environments that it was trained in.
    """

    def __init__(self, name: str, seed: int | None, actor: ProbabilisticActor, env: EnvConfig) -> None:
        self.name = name
        self.seed = seed
        self._actor = actor
        self._mapping = env.sockets
        self._observation = env.observation
        self._dtype = next(actor.parameters()).dtype

    @torch.no_grad()
    def act(self, view: View) -> Tensor:
        """Return the physical action [B, 1 + N]."""
        action = deterministic_action(self._actor, self._observe(view))
        return physical(self._mapping, view, action.to(view.bess_soc))

    def _observe(self, view: View) -> TensorDict:
        """Return the observation in the precision of the policy, whatever that of the simulation."""
        if self._observation == "entity":
            features = entity(view)
        else:
            features = TensorDict({"observation": flat(view)}, batch_size=len(view.bess_soc))
        return features.apply(lambda x: x.to(self._dtype) if x.is_floating_point() else x)
