"""Months side by side are the year."""

from collections.abc import Callable

import pytest
import torch

from litgrid.algorithms.validation import validate
from litgrid.controllers import make
from litgrid.evaluation.accounting import mean, yearly
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site


@pytest.mark.parametrize(("name", "tolerance"), [("uncontrolled", 1e-9), ("self_consumption", 0.02)])
def test_months_side_by_side_are_the_year(
    small_site: Site, random_scenarios: Callable[..., ScenarioSet], name: str, tolerance: float
) -> None:
    """Exactly so where the battery rests; otherwise it starts each month with its initial SOC."""
    simulator = Simulator(random_scenarios(small_site), dtype=torch.float64)
    figures = mean(yearly(rollout(simulator, make(name, simulator.scenarios))))
    result = validate(simulator, make(name, simulator.scenarios))
    assert result.objective == pytest.approx(figures["objective"], rel=tolerance)
    assert result.ev_service == pytest.approx(figures["ev_service"], abs=1e-3)
