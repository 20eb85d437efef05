"""Time of use: days by hand, and the rule in the simulator."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from litgrid.controllers.self_consumption import SelfConsumption
from litgrid.controllers.time_of_use import TimeOfUse
from litgrid.evaluation.rollout import Rollout, rollout
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.rules import Rules
from litgrid.site.rules import TimeOfUse as Settings
from litgrid.site.site import Battery, Fleet, Site, replace

Draw = Callable[..., ScenarioSet]


def run(site: Site, random_scenarios: Draw, dear: float, **settings: Any) -> Rollout:
    """Two equal days of 4 kW, PV of 12 kW from 10 to 12 h, dear from 18 to 23 h; a battery of 20 kWh, 80 % one way."""
    battery = Battery(20.0, 10.0, depth_of_discharge=1.0, efficiency_one_way=0.8, initial_soc=0.0)
    rules = Rules(time_of_use=Settings(**settings))
    scenarios = random_scenarios(replace(site, battery=battery, fleet=Fleet(), rules=rules), scenarios=1, days=2)
    scenarios.series["load_kw"] = torch.full((1, 48), 4.0)
    scenarios.series["pv_kw"] = torch.tensor([[12.0 if 10 <= hour < 12 else 0.0 for hour in range(24)] * 2])
    scenarios.series["price_per_kwh"] = torch.tensor([[dear if 18 <= hour < 23 else 0.2 for hour in range(24)] * 2])
    return rollout(Simulator(scenarios, dtype=torch.float64), TimeOfUse(scenarios.site))


def test_energy_is_spread_over_the_dear_hours(small_site: Site, random_scenarios: Draw) -> None:
    """2 x 8 kWh of surplus store 12.8, which give 10.24: 2.048 in each of five hours."""
    flows = run(small_site, random_scenarios, dear=0.5).flows
    assert flows.bess_charge[0, 10:12].tolist() == pytest.approx([8.0, 8.0])
    assert flows.bess_discharge[0, 18:23].tolist() == pytest.approx([2.048] * 5)
    assert float(flows.bess_discharge[:, :24].sum()) == pytest.approx(10.24)


def test_energy_is_given_as_fast_as_it_is_used(small_site: Site, random_scenarios: Draw) -> None:
    flows = run(small_site, random_scenarios, dear=0.5, spread=False).flows
    assert flows.bess_discharge[0, 18:23].tolist() == pytest.approx([4.0, 4.0, 2.24, 0.0, 0.0])


def test_energy_is_bought_just_before_dear_hours(small_site: Site, random_scenarios: Draw) -> None:
    """Up to imports of 6 kW, 2 kW for 3 hours; below the surplus nothing changes."""
    flows = run(small_site, random_scenarios, dear=0.5, grid_charge_kw=6.0, grid_charge_hours=3.0).flows
    assert flows.bess_charge[0, 12:18].tolist() == pytest.approx([0.0, 0.0, 0.0, 2.0, 2.0, 2.0])


def test_nothing_is_bought_where_losses_cost_more(small_site: Site, random_scenarios: Draw) -> None:
    """0.3 x 0.8 x 0.8 is less than 0.2."""
    flows = run(small_site, random_scenarios, dear=0.3, grid_charge_kw=6.0).flows
    assert float(flows.bess_charge[:, :24].sum()) == pytest.approx(16.0)


def test_at_one_price_it_is_self_consumption(small_site: Site, random_scenarios: Draw) -> None:
    scenarios = random_scenarios(small_site, days=5)
    scenarios.series["price_per_kwh"][:] = 0.28
    simulator = Simulator(scenarios, dtype=torch.float64)
    imports = [rollout(simulator, each).flows.grid_import for each in (TimeOfUse(small_site), SelfConsumption())]
    torch.testing.assert_close(*imports)


@pytest.mark.parametrize("changes", [{}, {"battery": Battery(0.0, 0.0)}, {"step_seconds": 900}])
def test_vehicles_get_what_they_need_and_nothing_stored_is_exported(
    changes: dict[str, Any], small_site: Site, random_scenarios: Draw
) -> None:
    scenarios = random_scenarios(replace(small_site, **changes), days=5)
    flows = rollout(Simulator(scenarios, dtype=torch.float64), TimeOfUse(scenarios.site)).flows
    torch.testing.assert_close(flows.ev_unserved, torch.zeros_like(flows.ev_unserved))
    assert float(torch.minimum(flows.bess_discharge, flows.grid_export).max()) < 1e-9
