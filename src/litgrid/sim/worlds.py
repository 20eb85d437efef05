"""What can be simulated: years of a site, or rows of a CityLearn district. All that trains or measures takes either."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from litgrid.scenarios.district_split import DistrictScenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.district_view import DistrictView
from litgrid.sim.district_world import DistrictWorld
from litgrid.sim.simulator import Simulator
from litgrid.sim.view import View

Scenarios = ScenarioSet | DistrictScenarios
World = Simulator | DistrictWorld
AnyView = View | DistrictView


def make_world(scenarios: Scenarios, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> World:
    """The simulator of scenarios."""
    if isinstance(scenarios, DistrictScenarios):
        return DistrictWorld(scenarios, device, dtype)
    return Simulator(scenarios, device, dtype)


StateT = TypeVar("StateT")


class Stepped(Protocol[StateT]):
    """What the simulators share: a pure step, and the view of a state."""

    device: torch.device
    dtype: torch.dtype

    def step(self, state: StateT, action: Tensor) -> tuple[StateT, Any, Any]:
        """The next state, the step's flows and its costs."""

    def view(self, state: StateT) -> AnyView:
        """What is known in a state."""
