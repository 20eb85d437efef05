"""A trained policy as a controller."""

from __future__ import annotations

import torch
from tensordict import TensorDict
from torch import Tensor
from torchrl.modules import ProbabilisticActor

from litgrid.algorithms.networks import deterministic_action
from litgrid.sim import district_actions, district_observations, observations
from litgrid.sim.action_maps import Rule, physical
from litgrid.sim.district_view import DistrictView
from litgrid.sim.env import EnvConfig
from litgrid.sim.worlds import AnyView


class AgentController:
    """A policy, deterministic, with the observation and the action mapping that it was trained with.

    Args:
        name: of the algorithm.
        seed: of the training.
        actor: the policy.
        env: configuration of the environments that it was trained in.
        rule: that it changes, with ``battery: residual``.
    """

    def __init__(
        self, name: str, seed: int | None, actor: ProbabilisticActor, env: EnvConfig, rule: Rule | None = None
    ) -> None:
        self.name = name
        self.seed = seed
        self._actor = actor
        self._env = env
        self._map = env.action_map(rule)
        self._dtype = next(actor.parameters()).dtype

    @torch.no_grad()
    def act(self, view: AnyView) -> Tensor:
        """Return the physical action [B, K + N]."""
        if isinstance(view, DistrictView):
            action = self._choose(
                district_observations.entity(view) if self._apart else district_observations.flat(view)
            )
            return district_actions.MAPPINGS[self._env.sockets](view, action.to(view.bess_soc))
        observe = observations.entity if self._apart else observations.flat
        action = self._choose(observe(view, *self._map.told(view)))
        return physical(self._map, view, action.to(view.bess_soc))

    @property
    def _apart(self) -> bool:
        return self._env.observation == "entity"

    def _choose(self, observed: TensorDict | Tensor) -> Tensor:
        """The policy's action; it observes in its own precision, whatever that of the simulation."""
        if isinstance(observed, Tensor):
            observed = TensorDict({"observation": observed}, batch_size=len(observed))
        features = observed.apply(lambda x: x.to(self._dtype) if x.is_floating_point() else x)
        return deterministic_action(self._actor, features)
