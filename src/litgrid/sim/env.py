"""The simulator as a TorchRL environment: B sites side by side, each in its own window of a year."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.data import Binary, Bounded, Composite, Unbounded
from torchrl.envs import EnvBase

from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.actions import MAPPINGS, Mapping
from litgrid.sim.compiling import compiled
from litgrid.sim.memory import keep_freed_memory
from litgrid.sim.objective import Costs
from litgrid.sim.observations import Observer
from litgrid.sim.physics import Flows, State
from litgrid.sim.simulator import Simulator
from litgrid.sim.view import View
from litgrid.sim.windows import Windows

Stepped = tuple[State, View, dict[str, Tensor]]
"""The next state, its view, and all that the agent gets."""


@dataclass(frozen=True)
class EnvConfig:
    """How an agent meets the site.

    Args:
        window_hours: length of an episode that starts at a random hour; 0 or null for whole years from 1 January.
        observation: one vector, or site and socket features apart.
        sockets: ``floor`` maps each socket's action onto what keeps the required SOC within reach, up to full power;
            ``raw`` leaves service to the agent.
        reward_scale: the reward is minus this times the objective.
        backend: the simulator, LitGrid's own or CityLearn.
        compile: fuse a step's operations by compiling them: over twice as fast, after some 20 seconds of
            compiling at the first step; results differ from eager ones by rounding. Steps stay eager, with a
            warning, where no compiler is at hand.
    """

    window_hours: int | None = 48
    observation: Literal["flat", "entity"] = "flat"
    sockets: Mapping = "floor"
    reward_scale: float = 0.01
    backend: Literal["litgrid", "citylearn"] = "litgrid"
    compile: bool = False


def make_env(
    scenarios: ScenarioSet, envs: int, config: EnvConfig, device: torch.device | str = "cpu", seed: int = 0
) -> EnvBase:
    """The environment of the configured back end; arguments as for ``SiteEnv``."""
    if config.backend == "citylearn":
        from litgrid.sim.citylearn import CityLearnSiteEnv  # noqa: PLC0415 (CityLearn is an optional dependency)

        return CityLearnSiteEnv(scenarios, envs, config, device, seed)
    return SiteEnv(scenarios, envs, config, device, seed)


class SiteEnv(EnvBase):
    """B sites. An episode ends with its window, truncated and never terminated: the site goes on.

    Keys: ``observation`` [B, F + G N], or ``site`` [B, F], ``sockets`` [B, N, G] and ``mask`` [B, N]; ``action``
    [B, 1 + N] with the battery in [-1, 1] and sockets in [0, 1] ([-1, 1] with V2G); ``reward`` [B, 1]; ``done``,
    ``terminated``, ``truncated`` [B, 1].

    Args:
        scenarios: years of one site.
        envs: number of sites side by side, B.
        config: windows, observation, actions, reward.
        device: where everything is computed.
        seed: of the windows.

    Attributes:
        flows: of the last step; None before it, and where steps are compiled.
        costs: of the last step; None as for the flows.
    """

    flows: Flows | None = None
    costs: Costs | None = None
    simulator_class: type[Simulator] = Simulator
    """What moves batteries and vehicles; a subclass may name another."""

    def __init__(
        self,
        scenarios: ScenarioSet,
        envs: int,
        config: EnvConfig,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ) -> None:
        super().__init__(device=device, batch_size=torch.Size([envs]))
        keep_freed_memory()
        self.config = config
        self.simulator = self.simulator_class(scenarios, device)
        self._windows = Windows(self.simulator, envs, config.window_hours, seed)
        self._observer = Observer(self.simulator)
        self._map = MAPPINGS[config.sockets]
        self._start(*self._windows.draw())
        self._make_specs()
        self._advance = self._compile() if config.compile else self._eager

    @property
    def state(self) -> State:
        """Where the sites stand."""
        return self._state

    @property
    def table_bytes(self) -> int:
        """Memory of the tables that steps read, the observation's included."""
        return self.simulator.tables.bytes + self._observer.bytes

    def _start(self, state: State, end: Tensor) -> None:
        self._state, self._end = state, end
        self._view = self.simulator.view(state)

    def _observe(self, state: State, view: View) -> dict[str, Tensor]:
        if self.config.observation == "flat":
            return {"observation": self._observer.flat(state, view)}
        return dict(self._observer.entity(state, view).items())

    def _move(self, before: State, view: View, end: Tensor, action: Tensor) -> tuple[Stepped, Flows, Costs]:
        state, after, flows, costs = self.simulator.advance(before, view, action[:, 0], self._map(view, action[:, 1:]))
        reward = (costs.total * -self.config.reward_scale).unsqueeze(-1)
        return (state, after, self._observe(state, after) | {"reward": reward} | _done(state, end)), flows, costs

    def pure_step(self, *tensors: Tensor) -> tuple[State, dict[str, Tensor]]:
        """A step as a function of tensors: state, ends of the windows and action give the next state and outputs."""
        state = State(*tensors[:-2])
        (after, _, values), _, _ = self._move(state, self.simulator.view(state), *tensors[-2:])
        return after, values

    def _eager(self, before: State, view: View, end: Tensor, action: Tensor) -> Stepped:
        stepped, self.flows, self.costs = self._move(before, view, end, action)
        return stepped

    def _compile(self) -> Callable[[State, View, Tensor, Tensor], Stepped]:
        if self.config.backend != "litgrid":
            raise InputError(f"compile: found true with backend {self.config.backend}, expected backend litgrid")

        fused = compiled(self.pure_step, *self._state, self._end, self.action_spec.zero())

        def advance(before: State, _: View, end: Tensor, action: Tensor) -> Stepped:
            state, values = fused(*before, end, action)
            return state, self.simulator.view(state), values

        return advance

    def _make_specs(self) -> None:
        shape, device = self.batch_size, self.device
        specs = {
            key: Binary(shape=value.shape, device=device, dtype=value.dtype)
            if value.dtype == torch.bool
            else Unbounded(shape=value.shape, device=device, dtype=value.dtype)
            for key, value in self._observe(self._state, self._view).items()
        }
        self.observation_spec = Composite(specs, shape=shape, device=device)
        low = torch.cat([-torch.ones(1, device=device), self.simulator.params.socket_lowest]).expand(*shape, -1)
        self.action_spec = Bounded(low, torch.ones_like(low), shape=low.shape, device=device, dtype=low.dtype)
        self.reward_spec = Unbounded(shape=(*shape, 1), device=device)
        done = {key: Binary(shape=(*shape, 1), device=device, dtype=torch.bool) for key in ("done", "truncated")}
        terminated = {"terminated": Binary(shape=(*shape, 1), device=device, dtype=torch.bool)}
        self.done_spec = Composite(done | terminated, shape=shape, device=device)

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        self._state, self._view, values = self._advance(self._state, self._view, self._end, tensordict["action"])
        return TensorDict(values, batch_size=self.batch_size, device=self.device)

    def _reset(self, tensordict: TensorDictBase | None = None, **_: Any) -> TensorDictBase:
        state, end = self._windows.draw()
        chosen = None if tensordict is None else tensordict.get("_reset", None)
        if chosen is not None:
            chosen = chosen.view(self.batch_size)

            def merge(new: Tensor, old: Tensor) -> Tensor:
                return torch.where(chosen.view(-1, *[1] * (new.ndim - 1)), new, old)

            state = State(*map(merge, state, self._state))
            end = merge(end, self._end)
        self._start(state, end)
        values = self._observe(state, self._view) | _done(state, end)
        return TensorDict(values, batch_size=self.batch_size, device=self.device)

    def _set_seed(self, seed: int | None) -> None:
        if seed is None:
            self._windows.generator.seed()
        else:
            self._windows.generator.manual_seed(seed)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the environment's future depends on, its random numbers included."""
        return self._state._asdict() | {"end": self._end, "generator": self._windows.generator.get_state()}

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        """Continue exactly where ``state_dict`` was taken."""
        values = dict(state_dict)
        self._windows.generator.set_state(values.pop("generator").cpu())
        end = values.pop("end").to(self.device)
        self._start(State(**{key: value.to(self.device) for key, value in values.items()}), end)


def _done(state: State, end: Tensor) -> dict[str, Tensor]:
    truncated = (state.step >= end).unsqueeze(-1)
    return {"done": truncated, "truncated": truncated.clone(), "terminated": torch.zeros_like(truncated)}
