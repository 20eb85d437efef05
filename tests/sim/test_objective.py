"""The objective by hand, by preset, and the demand charge over a year."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.objective import Costs, Rates, costs
from litgrid.sim.physics import Flows
from litgrid.sim.simulator import Simulator
from litgrid.site.calendar import month_of_step
from litgrid.site.site import Objective, Site, replace
from litgrid.site.tariff import demand_mask

RandomScenarios = Callable[..., ScenarioSet]


def flows(**energies: float) -> Flows:
    zero = torch.zeros(1, dtype=torch.float64)
    return Flows(**{key: zero + energies.get(key, 0.0) for key in Flows._fields})


def price(site: Site, peak_kw: tuple[float, float], counted: tuple[float, float]) -> tuple[Costs, torch.Tensor]:
    """100 kWh imported at 0.45, 0.5 kg/kWh; 4 kWh unserved; 20 kWh discharged; charges 48.5 and 22.8 per kW."""
    one = torch.ones(1, dtype=torch.float64)
    rates = Rates(0.45 * one, 0.5 * one, torch.tensor([counted]).double(), torch.tensor([48.5, 22.8]).double())
    energies = flows(grid_import=100.0, ev_unserved=4.0, bess_discharge=20.0, grid_export=7.0)
    return costs(energies, rates, torch.tensor([peak_kw]).double(), site)


GASOLINE = 35.0 / 120.0 * 8.9
PRICED = [
    ({"preset": "balanced"}, 45.0 + 10 * 48.5 + 0.10 * (50 + 4 * GASOLINE) + 2.26 * 4),
    ({"preset": "cost"}, 45.0 + 10 * 48.5 + 2.26 * 4),
    ({"preset": "co2"}, 50 + 4 * GASOLINE + 2.26 * 4),
    ({"preset": "cost", "wear_per_kwh": 0.5, "bill": 2.0}, 2 * (45.0 + 10 * 48.5) + 2.26 * 4 + 0.5 * 20),
]


@pytest.mark.parametrize(("objective", "total"), PRICED)
def test_presets_by_hand(small_site: Site, objective: dict[str, float], total: float) -> None:
    site = replace(small_site, objective=Objective(**objective))  # type: ignore[arg-type]
    priced, peak_kw = price(site, peak_kw=(90.0, 90.0), counted=(1.0, 0.0))
    assert float(priced.energy) == pytest.approx(45.0)
    assert float(priced.demand) == pytest.approx(10 * 48.5)
    assert float(priced.co2_kg) == pytest.approx(50 + 4 * GASOLINE)
    assert float(priced.unserved) == pytest.approx(2.26 * 4)
    assert float(priced.total) == pytest.approx(total)
    assert peak_kw.tolist() == [[100.0, 90.0]]


def test_power_below_the_peak_costs_no_demand_charge(small_site: Site) -> None:
    priced, peak_kw = price(small_site, peak_kw=(100.0, 300.0), counted=(1.0, 1.0))
    assert float(priced.demand) == 0.0
    assert peak_kw.tolist() == [[100.0, 300.0]]


def test_demand_is_charged_on_mean_power_not_on_energy(small_site: Site) -> None:
    """100 kWh in a quarter of an hour are 400 kW."""
    _, peak_kw = price(replace(small_site, step_seconds=900), peak_kw=(0.0, 0.0), counted=(1.0, 1.0))
    assert peak_kw.tolist() == [[400.0, 400.0]]


@pytest.mark.parametrize(("step_seconds", "days"), [(3600, 365), (900, 33)])
def test_demand_charges_are_the_monthly_peaks(
    small_site: Site, random_scenarios: RandomScenarios, step_seconds: int, days: int
) -> None:
    site = replace(small_site, step_seconds=step_seconds)
    simulator = Simulator(random_scenarios(site, days=days), dtype=torch.float64)
    draw = torch.Generator().manual_seed(0)
    state = simulator.initial(torch.arange(2), torch.zeros(2, dtype=torch.int64))
    imports, demand = [], torch.zeros(2, dtype=torch.float64)
    for _ in range(simulator.steps):
        state, flow, cost = simulator.step(state, torch.rand(2, 6, generator=draw, dtype=torch.float64))
        imports.append(flow.grid_import / site.step_hours)
        demand += cost.demand
    import_kw, month = torch.stack(imports, 1).numpy(), month_of_step(site)[: simulator.steps]
    for scenario in range(2):
        by_hand = sum(
            charge.price_per_kw * np.max(import_kw[scenario, counted[: simulator.steps] & (month == number)])
            for charge, counted in zip(site.tariff.demand, demand_mask(site), strict=True)
            for number in set(month)
        )
        assert float(demand[scenario]) == pytest.approx(by_hand, rel=1e-9)


def test_months_do_not_share_a_peak(small_site: Site, random_scenarios: RandomScenarios) -> None:
    simulator = Simulator(random_scenarios(small_site, days=60))
    last = 31 * 24 - 1
    state = simulator.initial(torch.tensor([0]), torch.tensor([last]), peak_kw=torch.tensor([[1e3, 1e3]]))
    after, _, costs_ = simulator.step(state, torch.zeros(1, 6))
    assert float(costs_.demand) == 0.0
    assert after.peak_kw.tolist() == [[0.0, 0.0]]


def test_costs_are_differentiable_in_the_flows(small_site: Site) -> None:
    one = torch.ones(1, dtype=torch.float64)
    rates = Rates(0.45 * one, 0.5 * one, torch.ones(1, 2).double(), torch.tensor([48.5, 22.8]).double())
    grid_import = torch.tensor([100.0], dtype=torch.float64, requires_grad=True)
    site = dataclasses.replace(small_site, objective=Objective())

    def total(grid_import: torch.Tensor) -> torch.Tensor:
        return costs(flows()._replace(grid_import=grid_import), rates, torch.full((1, 2), 90.0).double(), site)[0].total

    assert torch.autograd.gradcheck(total, (grid_import,))
