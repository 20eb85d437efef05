"""Trained policies as controllers: one, or several that are alike, side by side."""

from __future__ import annotations

from collections.abc import Sequence

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
from litgrid.site.rules import Rules


class AgentController:
    """A policy, deterministic, with the observation and the action mapping that it was trained with.

    Args:
        name: of the algorithm.
        seed: of the training.
        actor: the policy.
        env: configuration of the environments that it was trained in.
        rule: that it changes, with ``battery: residual``.
        numbers: of that rule; those that the agent was trained with.
    """

    def __init__(
        self,
        name: str,
        seed: int | None,
        actor: ProbabilisticActor,
        env: EnvConfig,
        rule: Rule | None = None,
        *,
        numbers: Rules | None = None,
    ) -> None:
        self.name = name
        self.seed = seed
        self._actor = actor
        self._env = env
        self._map = env.action_map(rule)
        self._numbers = numbers
        self._dtype = next(actor.parameters()).dtype

    def like(self, other: AgentController) -> bool:
        """Whether nothing but weights (and names) tells the two apart on the same site."""
        return (self._env, self._numbers) == (other._env, other._numbers)

    def act(self, view: AnyView) -> Tensor:
        """Return the physical action [B, K + N]."""
        return Team([self]).act(view)

    def observe(self, view: AnyView) -> TensorDict:
        """What the policy is told, [B]."""
        if isinstance(view, DistrictView):
            observed = district_observations.entity(view) if self._apart else district_observations.flat(view)
        else:
            see = observations.entity if self._apart else observations.flat
            observed = see(view, *self._map.told(view))
        return TensorDict({"observation": observed}, len(observed)) if isinstance(observed, Tensor) else observed

    def choose(self, observed: TensorDict) -> Tensor:
        """The policy's action; it observes in its own precision, whatever that of the simulation."""
        features = observed.apply(lambda x: x.to(self._dtype) if x.is_floating_point() else x)
        return deterministic_action(self._actor, features)

    def physical(self, view: AnyView, action: Tensor) -> Tensor:
        """The physical action [B, K + N] for the policy's."""
        action = action.to(view.bess_soc)
        if isinstance(view, DistrictView):
            return district_actions.MAPPINGS[self._env.sockets](view, action)
        return physical(self._map, view, action)

    @property
    def _apart(self) -> bool:
        return self._env.observation == "entity"


class Team:
    """Agents that are alike, each in its own rows of a batch: features and the meaning of actions are found out once.

    Args:
        agents: one or more; the first has the first rows, and all have the same number.
    """

    def __init__(self, agents: Sequence[AgentController]) -> None:
        self._agents = agents

    @torch.no_grad()
    def act(self, view: AnyView) -> Tensor:
        """Return the physical action [B, K + N]."""
        first = self._agents[0]
        rows = first.observe(view).chunk(len(self._agents))
        chosen = [agent.choose(own) for agent, own in zip(self._agents, rows, strict=True)]
        return first.physical(view, torch.cat(chosen))
