"""Model-predictive control in the simulator: better than the rule, never better than the optimum, full service."""

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor

from litgrid.controllers import make
from litgrid.controllers.optimum import solve
from litgrid.controllers.outlook import PerfectForecasts, SiteForecasts
from litgrid.errors import InputError
from litgrid.evaluation.accounting import yearly
from litgrid.evaluation.rollout import Rollout, rollout
from litgrid.scenarios.district_split import DistrictScenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.sim.view import View
from litgrid.site.rules import Mpc, Rules
from litgrid.site.site import Battery, Photovoltaics, Site, replace

Draw = Callable[..., ScenarioSet]
NAMES = ("mpc", "mpc_mean7", "mpc_persistence", "mpc_perfect")


def run(scenarios: ScenarioSet, name: str) -> Rollout:
    """The years of a controller."""
    return rollout(Simulator(scenarios, dtype=torch.float64), make(name, scenarios))


def objective(found: Rollout) -> float:
    """Of all years, with the correction for the battery's SOC at their ends."""
    return sum(year["objective"] + year["soc_correction_objective"] for year in yearly(found))


def test_perfect_forecasts_beat_the_rule_and_not_the_optimum(small_site: Site, random_scenarios: Draw) -> None:
    dear = replace(small_site, objective=replace(small_site.objective, unserved_per_kwh=100.0))  # for equal service
    scenarios = random_scenarios(dear, scenarios=1, days=33, seed=3)  # two months
    rule, found = (run(scenarios, name) for name in ("self_consumption", "mpc_perfect"))
    best = sum(solution.objective for solution in solve(scenarios))
    share = (objective(rule) - objective(found)) / (objective(rule) - best)
    assert float(found.flows.ev_unserved.sum()) < 1e-9
    assert 0.9 < share < 1.0


@pytest.mark.parametrize("name", NAMES)
def test_vehicles_get_all_that_is_possible(name: str, small_site: Site, random_scenarios: Draw) -> None:
    found = run(random_scenarios(small_site, days=5), name)
    assert found.flows.ev_deliverable.sum() > 300.0
    assert float(found.flows.ev_unserved.sum()) < 1e-9
    torch.testing.assert_close(found.flows.ev_stored.sum(1), found.flows.ev_deliverable.sum(1))


def _v2g(site: Site) -> Site:
    return replace(site, fleet=replace(site.fleet, groups=[replace(group, v2g=True) for group in site.fleet.groups]))


SITES: dict[str, Callable[[Site], Site]] = {
    "no battery": lambda site: replace(site, battery=Battery(0.0, 0.0)),
    "no PV": lambda site: replace(site, pv=Photovoltaics(0.0, 0.0)),
    "quarter hours": lambda site: replace(site, step_seconds=900),
    "V2G": _v2g,
    "no demand charge": lambda site: replace(site, tariff=replace(site.tariff, demand=[])),
    "no vehicles": lambda site: replace(site, fleet=replace(site.fleet, groups=[])),
}


@pytest.mark.parametrize("change", SITES)
def test_on_other_sites(change: str, small_site: Site, random_scenarios: Draw) -> None:
    scenarios = random_scenarios(SITES[change](small_site), scenarios=1, days=2)
    found = run(scenarios, "mpc_mean7")
    assert float(found.flows.ev_unserved.sum()) < 1e-9
    assert bool((found.flows.ev_sockets >= 0.0).all())


def test_sockets_alone_lower_the_peak(small_site: Site, random_scenarios: Draw) -> None:
    scenarios = random_scenarios(SITES["no battery"](small_site), scenarios=1, days=10)
    assert objective(run(scenarios, "mpc_perfect")) < 0.98 * objective(run(scenarios, "uncontrolled"))


def test_the_future_changes_nothing(small_site: Site, random_scenarios: Draw) -> None:
    scenarios = random_scenarios(small_site, scenarios=1, days=4)
    series, sessions, now = scenarios.series.clone(), scenarios.sessions.clone(), 50
    series["load_kw"][:, now:] *= 2.0
    series["pv_kw"][:, now:] *= 0.1
    sessions["soc_required"][sessions["arrival"] >= now] = 1.0
    other = dataclasses.replace(scenarios, series=series, sessions=sessions)
    before, after = (run(chosen, "mpc") for chosen in (scenarios, other))
    assert torch.equal(before.bess_soc[:, : now + 1], after.bess_soc[:, : now + 1])
    assert torch.equal(before.flows.ev_sockets[:, :now], after.flows.ev_sockets[:, :now])
    assert not torch.equal(before.bess_soc, after.bess_soc)


def test_rows_are_planned_for_alone(small_site: Site, random_scenarios: Draw) -> None:
    scenarios = random_scenarios(small_site, scenarios=2, days=2)
    alone = dataclasses.replace(scenarios, series=scenarios.series[1:], sessions=scenarios.sessions[1:])
    both, one = run(scenarios, "mpc_mean7"), run(alone, "mpc_mean7")
    assert torch.equal(both.bess_soc[1:], one.bess_soc)
    assert torch.equal(both.flows.ev_sockets[1:], one.flows.ev_sockets)


def test_the_present_error_of_a_forecast_fades(small_site: Site) -> None:
    def forecast(key: str, steps: int) -> Tensor:
        return torch.tensor([[10.0, 20.0, 0.0]]).repeat(1, 8)[:, :steps] if "pv" in key else torch.ones(1, steps)

    view = SimpleNamespace(forecast=forecast, pv_kw=torch.tensor([5.0]), load_kw=torch.tensor([3.0]))
    settings = Mpc(load_memory=0.5, pv_memory=0.8)
    ahead = SiteForecasts("mean7", small_site, settings, 30).ahead(cast(View, view))
    np.testing.assert_allclose(ahead.pv_kw[0, :5], [5.0, 20.0 * (1 - 0.5 * 0.8), 0.0, 10 * (1 - 0.5 * 0.8**3), 15.904])
    np.testing.assert_allclose(ahead.load_kw[0, :4], [3.0, 1.5, 1.25, 1.125])  # at most twice the forecast
    np.testing.assert_allclose(ahead.load_kw[0, 24:], 1.0 + 0.5 ** np.arange(24, 30))


def test_perfect_forecasts_are_the_scenarios(small_site: Site, random_scenarios: Draw) -> None:
    scenarios = random_scenarios(small_site, scenarios=2, days=3)
    simulator = Simulator(scenarios, dtype=torch.float64)
    view = simulator.view(simulator.initial(torch.tensor([1, 0]), torch.tensor([5, 70])))
    ahead = PerfectForecasts(scenarios, 48).ahead(view)
    load = scenarios.series["load_kw"].double().numpy()
    np.testing.assert_array_equal(ahead.load_kw[0], load[1, 5:53])
    np.testing.assert_array_equal(ahead.load_kw[1], np.append(load[0, 70:], np.full(46, load[0, -1])))


@pytest.mark.parametrize("name", NAMES)
def test_two_days_ahead(name: str, small_site: Site, random_scenarios: Draw) -> None:
    site = replace(small_site, rules=Rules(mpc=Mpc(horizon_hours=48.0)))
    scenarios = random_scenarios(site, scenarios=1, days=3)
    assert objective(run(scenarios, name)) < objective(run(scenarios, "uncontrolled"))


@pytest.mark.parametrize("name", NAMES)
def test_it_controls_sites_alone(name: str) -> None:
    district = object.__new__(DistrictScenarios)
    with pytest.raises(InputError, match=f"found {name} for a CityLearn data set, expected a site"):
        make(name, district)


@pytest.mark.parametrize(
    ("key", "value"),
    [("horizon_hours", 49.0), ("load_margin", -0.1), ("pv_memory", 1.1), ("hold_per_kwh", -1.0)],
)
def test_settings_are_checked(key: str, value: float) -> None:
    with pytest.raises(InputError, match=f"rules.mpc.{key}: found {value}, expected"):
        Mpc(**{key: value})
