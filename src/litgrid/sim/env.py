"""The simulator as a TorchRL environment: B sites side by side, each in its own window of a year.

``WindowEnv`` has what every such environment shares, ``SiteEnv`` is that of a site; ``district_env`` has that of an
imported district.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

import torch
from tensordict import TensorDict, TensorDictBase
from torch import Tensor
from torchrl.data import Binary, Bounded, Composite, Unbounded
from torchrl.envs import EnvBase

from litgrid.errors import InputError
from litgrid.scenarios.district_split import DistrictScenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.action_maps import ActionMap, Band, Battery, Left, Raw, Residual, Rule, RuleName, Together
from litgrid.sim.actions import Mapping
from litgrid.sim.compiling import compiled
from litgrid.sim.district_rewards import Kind
from litgrid.sim.district_view import DistrictView
from litgrid.sim.district_world import WorldState
from litgrid.sim.objective import Costs
from litgrid.sim.observations import Observer
from litgrid.sim.physics import Flows, State
from litgrid.sim.reward_scale import natural_scale
from litgrid.sim.simulator import Simulator
from litgrid.sim.view import View
from litgrid.sim.windows import Windows

S = TypeVar("S", State, WorldState)
S_co = TypeVar("S_co", covariant=True)
V = TypeVar("V", View, DistrictView)
Stepped = tuple[S, V, dict[str, Tensor]]
"""The next state, its view, and all that the agent gets."""


class _Windows(Protocol[S_co]):
    generator: torch.Generator

    def draw(self, *, first: bool) -> tuple[S_co, Tensor]:
        """States at the start of new windows, after no or other ones, and the steps [B] at which they end."""


@dataclass(frozen=True)
class EnvConfig:
    """How an agent meets the site.

    Args:
        window_hours: length of an episode that starts at a random hour; month for billing months, at whose end the
            episode is terminated; 0 or null for whole years from 1 January (of an imported data set: for each block of
            the split once).
        observation: one vector, site and socket features apart, or (imported data sets alone) CityLearn's vector.
        sockets: ``floor`` maps each socket's action onto what keeps the required SOC within reach, up to what can pay;
            ``raw`` leaves service to the agent. ``level`` and ``raw_level`` let it say up to which import vehicles
            charge, with what the floor demands above it or without.
        socket_actions: an action for each socket, ``one`` for all of them together, or ``none``: vehicles charge at
            once, or as a residual's rule has them (``sockets: floor``; not of imported data sets).
        battery: ``raw`` takes the agent's action as the battery's power; ``residual`` adds it to what a rule does,
            sockets included; ``band`` lets the agent say between which imports the battery acts (docs/actions.md).
        rule: (``residual`` alone) that the agent starts from, with the numbers of the site's rules.
        span: (``residual`` alone) share of the battery's power that an action of 1 adds, above 0 and at most 2, with
            which any power can be reached from any other.
        reward: minus the objective; or (imported data sets alone) a reward of CityLearn's: its ``RewardFunction``,
            ``SolarPenaltyReward``, ``MARL`` or ``Electric_Vehicles_Reward_Function``, summed over the buildings.
        stored_per_kwh: what a kWh that is added to the battery counts in the reward, in the site's currency, and one
            that is taken from it costs (potential-based shaping, Ng et al. 1999): so storing pays at once. A site's
            alone.
        reward_scale: factor of the reward; 0 for one over the mean cost of a step with load and PV alone, which suits
            any site and data set.
        unserved_weight: how many times the reward counts the price of unserved energy (not of imported data sets);
            above 1 the agent serves better than the objective asks for. Objectives, validation included, count it once.
        backend: the simulator, LitGrid's own or CityLearn.
        compile: fuse a step's operations by compiling them: over twice as fast, after some 20 seconds of
            compiling at the first step; results differ from eager ones by rounding. Steps stay eager, with a
            warning, where no compiler is at hand.
    """

    window_hours: int | Literal["month"] | None = 48
    observation: Literal["flat", "entity", "citylearn"] = "flat"
    sockets: Mapping = "floor"
    socket_actions: Literal["each", "one", "none"] = "each"
    battery: Battery = "raw"
    rule: RuleName = "water_filling"
    span: float = 1.0
    reward: Kind = "objective"
    stored_per_kwh: float = 0.0
    reward_scale: float = 0.01
    unserved_weight: float = 1.0
    backend: Literal["litgrid", "citylearn"] = "litgrid"
    compile: bool = False

    def __post_init__(self) -> None:
        if not 0.0 < self.span <= 2.0:
            raise InputError(f"span: found {self.span}, expected above 0 and at most 2")
        if self.unserved_weight < 0.0:
            raise InputError(f"unserved_weight: found {self.unserved_weight}, expected at least 0")
        for key, default in (("rule", "water_filling"), ("span", 1.0)):
            found = getattr(self, key)
            if self.battery != "residual" and found != default:
                raise InputError(f"{key}: found {found} with battery {self.battery}, expected battery residual")
        if self.socket_actions == "none" and self.sockets != "floor":
            raise InputError(f"sockets: found {self.sockets} with socket_actions none, expected floor")
        if "level" in self.sockets:
            for key, wrong, right in (
                ("socket_actions", self.socket_actions != "one", "one"),
                ("battery", self.battery == "residual", "raw or band"),
            ):
                if wrong:
                    raise InputError(f"{key}: found {getattr(self, key)} with sockets {self.sockets}, expected {right}")

    def action_map(self, rule: Rule | None) -> ActionMap:
        """From the agent's action to the physical one.

        Args:
            rule: that of the configuration's name; None where the caller has none.

        Raises:
            InputError: a residual, and there is none.
        """
        each = self._each(rule)
        match self.socket_actions:
            case "each":
                return each
            case "one":
                return Together(each)
            case "none":
                return Left(each, 0.0 if self.battery == "residual" else 1.0)

    def _each(self, rule: Rule | None) -> ActionMap:
        match self.battery:
            case "raw":
                return Raw(self.sockets)
            case "band":
                return Band(self.sockets)
            case "residual" if rule is not None:
                return Residual(self.sockets, rule, self.span)
            case "residual":
                raise InputError(f"battery: found residual and no rule, expected raw, band or a rule ({self.rule})")

    def stated(self, scenarios: ScenarioSet | DistrictScenarios) -> EnvConfig:
        """The configuration with the reward's scale as a factor; that of a reward of CityLearn's has to be given."""
        if self.reward_scale:
            return self
        if self.reward != "objective":
            raise InputError(f"reward_scale: found 0 with reward {self.reward}, expected a factor")
        return dataclasses.replace(self, reward_scale=natural_scale(scenarios))


def make_env(
    scenarios: ScenarioSet | DistrictScenarios,
    envs: int,
    config: EnvConfig,
    device: torch.device | str = "cpu",
    seed: int = 0,
    *,
    rule: Rule | None = None,
) -> EnvBase:
    """The environment of a site or a district, on the configured back end; arguments as for ``SiteEnv``."""
    if isinstance(scenarios, DistrictScenarios):
        from litgrid.sim.district_env import DistrictEnv  # noqa: PLC0415 (it is made from this module's parts)

        return DistrictEnv(scenarios, envs, config, device, seed)
    if config.backend == "citylearn":
        from litgrid.sim.citylearn import CityLearnSiteEnv  # noqa: PLC0415 (CityLearn is an optional dependency)

        return CityLearnSiteEnv(scenarios, envs, config, device, seed, rule=rule)
    return SiteEnv(scenarios, envs, config, device, seed, rule=rule)


class WindowEnv(EnvBase, Generic[S, V]):
    """B environments, each in a window of rows. An episode ends with its window.

    Then it is truncated, for what follows counts; a billing month is terminated.

    Subclasses say where windows start, what a step does and what is observed, and call ``_begin`` once they can.

    Args:
        envs: number of environments side by side, B.
        config: windows, observation, actions, reward.
        device: where everything is computed.
    """

    flows: Any = None
    costs: Any = None
    _windows: _Windows[S]
    _state: S
    _view: V
    _end: Tensor
    _advance: Callable[[S, V, Tensor, Tensor], Stepped[S, V]]

    def __init__(self, envs: int, config: EnvConfig, device: torch.device | str) -> None:
        super().__init__(device=device, batch_size=torch.Size([envs]))
        self.config = config

    def _begin(self, lowest: Tensor) -> None:
        """Draw the first windows; ``lowest`` are the lowest actions of an environment [A]."""
        self._start(*self._windows.draw(first=True))
        self._make_specs(lowest)
        self._advance = self._compile() if self.config.compile else self._eager

    @property
    def state(self) -> S:
        """Where the environments stand."""
        return self._state

    def detach_state(self) -> None:
        """Go on from where the environments stand, and forget how they came there: gradients end here."""
        self._start(type(self._state)(*(value.detach() for value in self._state)), self._end)

    def _start(self, state: S, end: Tensor) -> None:
        self._state, self._end = state, end
        self._view = self._see(state)

    def _see(self, state: S) -> V:
        """The view of a state."""
        raise NotImplementedError

    def _observe(self, state: S, view: V) -> dict[str, Tensor]:
        """What agents observe where an episode begins; where it goes on, TorchRL keeps what they have."""
        raise NotImplementedError

    def _move(self, before: S, view: V, end: Tensor, action: Tensor) -> tuple[Stepped[S, V], Any, Any]:
        """Step; and the step's flows and costs."""
        raise NotImplementedError

    def pure_step(self, *tensors: Tensor) -> tuple[S, dict[str, Tensor]]:
        """A step as a function of tensors: state, ends of the windows and action give the next state and outputs."""
        state = type(self._state)(*tensors[:-2])
        (after, _, values), _, _ = self._move(state, self._see(state), *tensors[-2:])
        return after, values

    def _eager(self, before: S, view: V, end: Tensor, action: Tensor) -> Stepped[S, V]:
        stepped, self.flows, self.costs = self._move(before, view, end, action)
        return stepped

    def _compile(self) -> Callable[[S, V, Tensor, Tensor], Stepped[S, V]]:
        if self.config.backend != "litgrid":
            raise InputError(f"compile: found true with backend {self.config.backend}, expected backend litgrid")
        fused = compiled(self.pure_step, *self._state, self._end, self.action_spec.zero())

        def advance(before: S, _: V, end: Tensor, action: Tensor) -> Stepped[S, V]:
            state, values = fused(*before, end, action)
            return state, self._see(state), values

        return advance

    def _make_specs(self, lowest: Tensor) -> None:
        shape: torch.Size = self.batch_size
        device: torch.device = self.device
        specs = {
            key: Binary(shape=value.shape, device=device, dtype=value.dtype)
            if value.dtype == torch.bool
            else Unbounded(shape=value.shape, device=device, dtype=value.dtype)
            for key, value in self._observe(self._state, self._view).items()
        }
        self.observation_spec = Composite(specs, shape=shape, device=device)
        low = lowest.expand(*shape, -1)
        self.action_spec = Bounded(low, torch.ones_like(low), shape=low.shape, device=device, dtype=low.dtype)
        self.reward_spec = Unbounded(shape=(*shape, 1), device=device)
        done = {key: Binary(shape=(*shape, 1), device=device, dtype=torch.bool) for key in ("done", "truncated")}
        terminated = {"terminated": Binary(shape=(*shape, 1), device=device, dtype=torch.bool)}
        self.done_spec = Composite(done | terminated, shape=shape, device=device)

    def _step(self, tensordict: TensorDictBase) -> TensorDictBase:
        with self._full_precision():
            self._state, self._view, values = self._advance(self._state, self._view, self._end, tensordict["action"])
        return TensorDict(values, batch_size=self.batch_size, device=self.device)

    def _reset(self, tensordict: TensorDictBase | None = None, **_: Any) -> TensorDictBase:
        chosen = None if tensordict is None else tensordict.get("_reset", None)
        state, end = self._windows.draw(first=chosen is None)
        if chosen is not None:
            chosen = chosen.view(self.batch_size)

            def merge(new: Tensor, old: Tensor) -> Tensor:
                return torch.where(chosen.view(-1, *[1] * (new.ndim - 1)), new, old)

            state = type(state)(*map(merge, state, self._state))
            end = merge(end, self._end)
        with self._full_precision():
            self._start(state, end)
            values = self._observe(state, self._view) | done(state.step, end)
        return TensorDict(values, batch_size=self.batch_size, device=self.device)

    def _full_precision(self) -> torch.autocast:
        """Policies may be in mixed precision; sums of energies and money keep their digits."""
        return torch.autocast(self.device.type, enabled=False)

    def _set_seed(self, seed: int | None) -> None:
        if seed is None:
            self._windows.generator.seed()
        else:
            self._windows.generator.manual_seed(seed)

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that the environment's future depends on, its random numbers included."""
        state: dict[str, Tensor] = self._state._asdict()
        return state | {"end": self._end, "generator": self._windows.generator.get_state()}

    def load_state_dict(self, state_dict: dict[str, Tensor]) -> None:
        """Continue exactly where ``state_dict`` was taken."""
        values = {key: state_dict[key].to(self.device) for key in (*self._state._fields, "end")}
        self._windows.generator.set_state(state_dict["generator"].cpu())
        end = values.pop("end")
        self._start(type(self._state)(**values), end)


class SiteEnv(WindowEnv[State, View]):
    """B sites, each in its own window of a year.

    Keys: ``observation`` [B, F + G N], or ``site`` [B, F], ``sockets`` [B, N, G] and ``mask`` [B, N]; ``action``
    [B, 1 + N] with the battery in [-1, 1] and sockets in [0, 1] ([-1, 1] with V2G, and as a residual), or as a band
    [B, 2 + N] with both limits in [-1, 1]; ``reward`` [B, 1]; ``done``, ``terminated``, ``truncated`` [B, 1].

    Args:
        scenarios: years of one site.
        envs: number of sites side by side, B.
        config: windows, observation, actions, reward.
        device: where everything is computed.
        seed: of the windows.
        rule: that of ``battery: residual``: the environment stands below the controllers, and is given it.

    Attributes:
        flows: of the last step; None before it, and where steps are compiled.
        costs: of the last step; None as for the flows.

    Raises:
        InputError: the configuration asks for what only imported data sets have, or for a rule that is not given.
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
        *,
        rule: Rule | None = None,
    ) -> None:
        for key, value, right in (
            ("observation", config.observation == "citylearn", "flat or entity"),
            ("reward", config.reward != "objective", "objective"),
        ):
            if value:
                found = getattr(config, key)
                raise InputError(f"{key}: found {found}, expected {right} on a site ({found} is of imported data sets)")
        super().__init__(envs, config.stated(scenarios), device)
        self.simulator = self.simulator_class(scenarios, device)
        self._windows = Windows(self.simulator, envs, config.window_hours, seed)
        self._observer = Observer(self.simulator)
        self._map = config.action_map(rule)
        self._begin(self._map.lowest(self.simulator.params.socket_lowest))

    @property
    def table_bytes(self) -> int:
        """Memory of the tables that steps read, the observation's included."""
        return self.simulator.tables.bytes + self._observer.bytes

    @property
    def told(self) -> int:
        """Number of site features beyond those that all agents observe."""
        return sum(features.shape[-1] for features in self._map.told(self._view))

    def _see(self, state: State) -> View:
        return self.simulator.view(state)

    def _observe(self, state: State, view: View) -> dict[str, Tensor]:
        if self.config.observation == "flat":
            return {"observation": self._observer.flat(state, view, *self._map.told(view))}
        return dict(self._observer.entity(state, view, *self._map.told(view)).items())

    def _move(
        self, before: State, view: View, end: Tensor, action: Tensor
    ) -> tuple[Stepped[State, View], Flows, Costs]:
        state, after, flows, costs = self.simulator.advance(before, view, *self._map(view, action))
        stored_kwh = (state.bess_soc - before.bess_soc) * self.simulator.params.bess_capacity_kwh
        felt = costs.total + (self.config.unserved_weight - 1.0) * costs.unserved
        reward = ((stored_kwh * self.config.stored_per_kwh - felt) * self.config.reward_scale).unsqueeze(-1)
        ended = done(state.step, end, terminated=self.config.window_hours == "month")
        return (state, after, self._observe(state, after) | {"reward": reward} | ended), flows, costs


def done(step: Tensor, end: Tensor, *, terminated: bool = False) -> dict[str, Tensor]:
    """The keys that say whether windows are over: where a window is all that counts, terminated, else truncated."""
    over = (step >= end).unsqueeze(-1)
    never = torch.zeros_like(over)
    return {
        "done": over,
        "truncated": never if terminated else over.clone(),
        "terminated": over.clone() if terminated else never,
    }
