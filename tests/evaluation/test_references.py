"""The lines beside learning curves."""

from collections.abc import Callable

import pytest
import torch

from litgrid.controllers import make, optimum
from litgrid.evaluation.accounting import mean, yearly
from litgrid.evaluation.references import references
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site


def test_rules_as_agents_are_validated_and_the_optimum(
    small_site: Site, random_scenarios: Callable[..., ScenarioSet]
) -> None:
    scenarios = random_scenarios(small_site, scenarios=1)
    found = references(scenarios, ["uncontrolled", "self_consumption", "optimum"])
    assert list(found) == ["self_consumption", "optimum"]
    year = rollout(Simulator(scenarios, dtype=torch.float64), make("self_consumption", scenarios))
    assert found["self_consumption"] == pytest.approx(mean(yearly(year))["objective"], rel=0.02)  # months on their own
    assert found["optimum"] == optimum.solve(scenarios)[0].objective < found["self_consumption"]
