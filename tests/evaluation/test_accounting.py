"""The accounts of four hours, computed by hand, and of random weeks, checked against what was not used to make them."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from litgrid.controllers import make
from litgrid.controllers.self_consumption import SelfConsumption
from litgrid.evaluation.accounting import check, mean, yearly
from litgrid.evaluation.rollout import Rollout, rollout
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.calendar import month_of_step
from litgrid.site.site import Objective, Site, replace
from litgrid.site.tariff import demand_mask

Draw = Callable[..., ScenarioSet]


def account(scenarios: ScenarioSet, name: str) -> dict[str, float]:
    (year,) = yearly(rollout(Simulator(scenarios, dtype=torch.float64), make(name, scenarios)))
    return year


def test_uncontrolled(four_hours: ScenarioSet) -> None:
    # the vehicle takes 1.4 / 0.8 = 1.75 kWh in the second hour; imports 2, 0, 0, 5; exports 0, 6.25, 4, 0
    expected = {
        "import_kwh": 7.0,
        "export_kwh": 10.25,
        "load_kwh": 11.0,
        "pv_kwh": 16.0,
        "pv_used_kwh": 5.75,
        "self_consumption": 5.75 / 16.0,
        "self_sufficiency": 1.0 - 7.0 / 12.75,
        "peak_kw": 5.0,
        "energy_bill": 3.5,
        "demand_bill": 50.0,
        "bill": 53.5,
        "co2_kg": 2.8,
        "unserved_cost": 0.0,
        "wear_cost": 0.0,
        "objective": 53.78,
        "ev_kwh": 1.75,
        "ev_delivered_kwh": 1.4,
        "ev_required_kwh": 1.4,
        "ev_deliverable_kwh": 1.4,
        "ev_unserved_kwh": 0.0,
        "ev_impossible_kwh": 0.0,
        "ev_service": 1.0,
        "battery_cycles": 0.0,
        "soc_correction_kwh": 0.0,
        "soc_correction_bill": 0.0,
        "soc_correction_co2_kg": 0.0,
        "soc_correction_objective": 0.0,
        "objective_corrected": 53.78,
    }
    assert account(four_hours, "uncontrolled") == pytest.approx(expected, abs=1e-6)


def test_self_consumption(four_hours: ScenarioSet) -> None:
    # the battery gives 2 kWh (SOC 0.5 to 0.25), takes 4 and 4 (0.57, 0.89), gives 4 (0.39); 2.25 kWh are exported
    expected = {
        "import_kwh": 1.0,
        "export_kwh": 2.25,
        "pv_used_kwh": 13.75,
        "self_consumption": 13.75 / 16.0,
        "self_sufficiency": 1.0 - 1.0 / 12.75,
        "peak_kw": 1.0,
        "bill": 10.5,
        "co2_kg": 0.4,
        "objective": 10.54,
        "battery_cycles": 6.0 / 0.8 / 10.0,
        "soc_correction_kwh": 1.1 / 0.8,
        "soc_correction_bill": 0.5 * 1.375,
        "soc_correction_co2_kg": 0.4 * 1.375,
        "soc_correction_objective": 0.54 * 1.375,
        "objective_corrected": 10.54 + 0.54 * 1.375,
    }
    year = account(four_hours, "self_consumption")
    assert {key: year[key] for key in expected} == pytest.approx(expected, abs=1e-6)


def test_idle_burns_gasoline_for_what_it_does_not_serve(four_hours: ScenarioSet) -> None:
    year = account(four_hours, "idle")
    expected = {"ev_service": 0.0, "ev_unserved_kwh": 1.4, "ev_delivered_kwh": 0.0, "unserved_cost": 1.4 * 2.26}
    expected |= {"co2_kg": 7 * 0.4 + 1.4 * 2.0, "objective": 53.5 + 0.1 * 5.6 + 1.4 * 2.26}
    assert {key: year[key] for key in expected} == pytest.approx(expected, abs=1e-6)


@pytest.fixture(scope="module")
def year(small_site: Site, random_scenarios: Draw) -> Rollout:
    site = replace(small_site, objective=Objective(wear_per_kwh=0.05))
    return rollout(Simulator(random_scenarios(site, scenarios=2), dtype=torch.float64), SelfConsumption())


def test_demand_bill_is_price_times_the_highest_import_of_each_month(year: Rollout) -> None:
    site = year.scenarios.site
    month, mask = month_of_step(site), demand_mask(site)
    import_kw = year.flows.grid_import.numpy() / site.step_hours
    for index, figures in enumerate(yearly(year)):
        bill = sum(
            charge.price_per_kw * np.max(import_kw[index] * counted * (month == number))
            for charge, counted in zip(site.tariff.demand, mask, strict=True)
            for number in range(12)
        )
        assert figures["demand_bill"] == pytest.approx(bill, rel=1e-9)


def test_objective_is_the_sum_of_its_parts(year: Rollout) -> None:
    for figures in yearly(year):
        assert figures["wear_cost"] > 0
        parts = figures["bill"] + 0.10 * figures["co2_kg"] + figures["unserved_cost"] + figures["wear_cost"]
        assert figures["objective"] == pytest.approx(parts, rel=1e-9)


def test_battery_pays_for_what_it_holds_less(year: Rollout) -> None:
    for index, figures in enumerate(yearly(year)):
        held_less = float(year.bess_soc[index, 0] - year.bess_soc[index, -1]) * 40.0
        assert figures["soc_correction_kwh"] == pytest.approx(held_less / 0.95, rel=1e-9)


def test_energy_that_does_not_balance_is_refused(year: Rollout) -> None:
    leaky = year.flows._replace(grid_import=year.flows.grid_import + 1e-3)
    with pytest.raises(ArithmeticError, match="energy into and out of the site differ"):
        check(Rollout(**{**vars(year), "flows": leaky}))


def test_float32_accounts_are_accepted(small_site: Site, random_scenarios: Draw) -> None:
    simulator = Simulator(random_scenarios(small_site, days=60), dtype=torch.float32)
    yearly(rollout(simulator, SelfConsumption()))


def test_mean_over_years() -> None:
    assert mean([{"bill": 1.0, "co2_kg": 5.0}, {"bill": 3.0, "co2_kg": 6.0}]) == {"bill": 2.0, "co2_kg": 5.5}
