"""The optimum: perfect foresight over a whole year. A bound for every controller, and no controller for a real site."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from litgrid.controllers.kept import kept
from litgrid.controllers.solution import Solution, solve_year
from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.sim.view import View
from litgrid.sim.worlds import AnyView, Scenarios


def solve(scenarios: ScenarioSet) -> list[Solution]:
    """Solve every year of a set, or read what was solved before (``kept``).

    Raises:
        ArithmeticError: HiGHS found no optimum.
    """
    return kept(scenarios, _solve)


def _solve(scenarios: ScenarioSet) -> list[Solution]:
    simulator = Simulator(scenarios, dtype=torch.float64)
    return [solve_year(simulator, year) for year in range(len(scenarios))]


class Optimum:
    """Replays the schedules of the optimum in the simulator.

    Args:
        scenarios: years of a site.
        solutions: of these years; they are solved if they are not given.

    Raises:
        InputError: the scenarios are those of a district.
    """

    name = "optimum"
    seed = None

    def __init__(self, scenarios: Scenarios, solutions: Sequence[Solution] | None = None) -> None:
        if not isinstance(scenarios, ScenarioSet):
            raise InputError(
                "controllers: found optimum on a CityLearn data set, expected a site: only its physics are linear"
            )
        self.solutions = solve(scenarios) if solutions is None else list(solutions)
        self._actions = torch.stack([_actions(scenarios, solution) for solution in self.solutions])

    def act(self, view: AnyView) -> Tensor:
        """Return the scheduled action [B, 1 + N] of the view's year and step."""
        assert isinstance(view, View)
        step = view.step.clamp(max=self._actions.shape[1] - 1)
        return self._actions[view.scenario.cpu(), step.cpu()].to(view.bess_soc)


def _actions(scenarios: ScenarioSet, solution: Solution) -> Tensor:
    """Schedule [T, 1 + N] as shares of full power."""
    site = scenarios.site
    groups = [group.power_kw for group in site.fleet.groups for _ in range(group.sockets)]
    power_kw = torch.tensor([site.battery.power_kw, *groups], dtype=torch.float64)
    kwh = torch.cat([solution.battery_kwh.unsqueeze(-1), solution.sockets_kwh], 1)
    return kwh / (power_kw.clamp(min=torch.finfo(kwh.dtype).tiny) * site.step_hours)
