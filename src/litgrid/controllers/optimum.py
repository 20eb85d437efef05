"""The optimum: perfect foresight over a whole year. A bound for every controller, and no controller for a real site."""

from __future__ import annotations

import dataclasses
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
from litgrid.site.site import replace

PRICELESS = 1e3
"""Price of a kWh unserved at which none is: no tariff charges so much for one."""


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
                "controllers: found optimum on a CityLearn data set, expected a site: a data set has a bound without a "
                "schedule (optimum --citylearn)"
            )
        self.solutions = solve(scenarios) if solutions is None else list(solutions)
        self._actions = torch.stack([_actions(scenarios, solution) for solution in self.solutions])

    def act(self, view: AnyView) -> Tensor:
        """Return the scheduled action [B, 1 + N] of the view's year and step."""
        assert isinstance(view, View)
        step = view.step.clamp(max=self._actions.shape[1] - 1)
        return self._actions[view.scenario.cpu(), step.cpu()].to(view.bess_soc)


class ServedOptimum(Optimum):
    """The optimum at full service: no vehicle goes without what it could get, whatever that costs.

    Args:
        scenarios: years of a site.

    Raises:
        InputError: the scenarios are those of a district.
    """

    name = "optimum_served"

    def __init__(self, scenarios: Scenarios) -> None:
        super().__init__(served(scenarios) if isinstance(scenarios, ScenarioSet) else scenarios)


def served(scenarios: ScenarioSet) -> ScenarioSet:
    """The same years with a price of unserved energy at which there is none."""
    objective = replace(scenarios.site.objective, unserved_per_kwh=PRICELESS)
    return dataclasses.replace(scenarios, site=replace(scenarios.site, objective=objective))


def _actions(scenarios: ScenarioSet, solution: Solution) -> Tensor:
    """Schedule [T, 1 + N] as shares of full power."""
    site = scenarios.site
    groups = [group.power_kw for group in site.fleet.groups for _ in range(group.sockets)]
    power_kw = torch.tensor([site.battery.power_kw, *groups], dtype=torch.float64)
    kwh = torch.cat([solution.battery_kwh.unsqueeze(-1), solution.sockets_kwh], 1)
    return kwh / (power_kw.clamp(min=torch.finfo(kwh.dtype).tiny) * site.step_hours)
