"""The TorchRL environment of an imported district."""

from __future__ import annotations

import torch
from torch import Tensor

from litgrid.errors import InputError
from litgrid.scenarios.district_split import DistrictScenarios
from litgrid.sim import district_observations
from litgrid.sim.citylearn_observations import CityLearnObserver
from litgrid.sim.district import DistrictFlows
from litgrid.sim.district_actions import MAPPINGS
from litgrid.sim.district_objective import DistrictCosts
from litgrid.sim.district_rewards import Reward
from litgrid.sim.district_view import DistrictView
from litgrid.sim.district_windows import DistrictWindows
from litgrid.sim.district_world import DistrictWorld, WorldState
from litgrid.sim.env import EnvConfig, Stepped, WindowEnv, done

Moved = tuple[Stepped[WorldState, DistrictView], DistrictFlows, DistrictCosts]


class DistrictEnv(WindowEnv[WorldState, DistrictView]):
    """B copies of a district, each in a window of the rows of its split.

    Keys: ``observation`` [B, F + G N], or ``site`` [B, F], ``sockets`` [B, N, G] (the chargers) and ``mask`` [B, N], or
    ``observation`` [B, C] as CityLearn has it; ``action`` [B, K + N] with batteries in [-1, 1] and chargers in [0, 1]
    ([-1, 1] with V2G); ``reward`` [B, 1]; ``done``, ``terminated``, ``truncated`` [B, 1].

    Args:
        scenarios: the district and its rows.
        envs: number of districts side by side, B.
        config: windows, observation, actions, reward.
        device: where everything is computed.
        seed: of the windows.

    Attributes:
        world: what is simulated.
        flows: of the last step; None before it, and where steps are compiled.
        costs: of the last step; None as for the flows.

    Raises:
        InputError: the configuration asks for the back end CityLearn, for actions that are not raw (several buildings
            have no one import, and their rules no forecasts), or for windows that don't fit.
    """

    flows: DistrictFlows | None = None
    costs: DistrictCosts | None = None

    def __init__(
        self,
        scenarios: DistrictScenarios,
        envs: int,
        config: EnvConfig,
        device: torch.device | str = "cpu",
        seed: int = 0,
    ) -> None:
        for key, right in (
            ("backend", "litgrid"),
            ("battery", "raw"),
            ("socket_actions", "each"),
            ("unserved_weight", 1.0),
        ):
            if (found := getattr(config, key)) != right:
                raise InputError(f"{key}: found {found} with an imported data set, expected {right}")
        super().__init__(envs, config.stated(scenarios), device)
        self.world = DistrictWorld(scenarios, device)
        self._windows = DistrictWindows(self.world, envs, config.window_hours, seed)
        self._map = MAPPINGS[config.sockets]
        self._reward = Reward(config.reward, self.world)
        if config.observation == "citylearn":
            self._citylearn = CityLearnObserver(scenarios.district, device, self.world.dtype)
        lowest = self.world.view(self.world.initial(torch.zeros(1, dtype=torch.int64))).charger_lowest
        self._begin(torch.cat([lowest.new_full((len(self.world.simulator.batteries.min_soc),), -1.0), lowest]))

    def _see(self, state: WorldState) -> DistrictView:
        return self.world.view(state)

    def _observe(self, state: WorldState, view: DistrictView, flows: DistrictFlows | None = None) -> dict[str, Tensor]:
        match self.config.observation:
            case "flat":
                return {"observation": district_observations.flat(view)}
            case "entity":
                return dict(district_observations.entity(view).items())
            case "citylearn":
                return {"observation": self._citylearn.observe(state.district, flows)}

    def _move(self, before: WorldState, view: DistrictView, end: Tensor, action: Tensor) -> Moved:
        state, flows, costs = self.world.step(before, self._map(view, action))
        after = self.world.view(state)
        reward = (self._reward(before, flows, costs) * self.config.reward_scale).unsqueeze(-1)
        return (
            (state, after, self._observe(state, after, flows) | {"reward": reward} | done(state.step, end)),
            flows,
            costs,
        )
