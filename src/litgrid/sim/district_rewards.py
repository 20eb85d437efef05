"""The rewards of a district by the names of ``EnvConfig.reward``: the objective's, or those of CityLearn."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from litgrid.sim.citylearn_rewards import battery_homes, marl, reward_function, solar_penalty
from litgrid.sim.citylearn_vehicle_reward import vehicle_data, vehicle_reward
from litgrid.sim.district import DistrictFlows
from litgrid.sim.district_objective import DistrictCosts
from litgrid.sim.district_world import DistrictWorld, WorldState

Kind = Literal["objective", "import", "solar_penalty", "marl", "vehicles"]


class Reward:
    """A reward, as a central agent gets it: summed over the buildings.

    Args:
        kind: which.
        world: of the district.
    """

    def __init__(self, kind: Kind, world: DistrictWorld) -> None:
        self._kind = kind
        self._homes = battery_homes(world.district, world.device)
        self._data = vehicle_data(world.district, world.device, world.dtype)

    def __call__(self, before: WorldState, flows: DistrictFlows, costs: DistrictCosts) -> Tensor:
        """The reward [B] of a step that began with a state."""
        match self._kind:
            case "objective":
                return -costs.total
            case "import":
                return reward_function(flows).sum(-1)
            case "solar_penalty":
                return solar_penalty(flows, self._homes).sum(-1)
            case "marl":
                return marl(flows).sum(-1)
            case "vehicles":
                return vehicle_reward(flows, before.before_soc, before.step, self._data, central=True).sum(-1)
