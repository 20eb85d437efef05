"""What learning curves are seen beside: the validation objective of rules, and of the optimum."""

from __future__ import annotations

from collections.abc import Collection

import torch

from litgrid.algorithms.validation import validate
from litgrid.controllers import make, optimum
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator

RULES = ("self_consumption", "water_filling")
OPTIMUM = "optimum"


def references(scenarios: ScenarioSet, names: Collection[str]) -> dict[str, float]:
    """Return name -> objective of a validation year (mean), for the rules and the optimum among the names.

    Rules are measured as agents are during training, every month on its own. The optimum is that of years in one
    piece: it does not get the battery's initial charge twelve times, so an agent may come a little closer to it.

    Args:
        scenarios: the validation years.
        names: of the controllers in the comparison.
    """
    simulator = Simulator(scenarios, dtype=torch.float64)
    found = {name: validate(simulator, make(name, scenarios)).objective for name in RULES if name in names}
    if OPTIMUM in names:
        solutions = optimum.solve(scenarios)
        found[OPTIMUM] = sum(solution.objective for solution in solutions) / len(solutions)
    return found
