"""Observations: shapes and names, order 1, two forms of one content, nothing from the future, one fast way to them."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim import observations
from litgrid.sim.observations import SOCKET_FEATURES, Observer, site_columns
from litgrid.sim.physics import State
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site, replace

RandomScenarios = Callable[..., ScenarioSet]


def somewhere(simulator: Simulator, envs: int = 16) -> State:
    """States of different scenarios and rows, after a random step."""
    draw = torch.Generator().manual_seed(1)
    scenario = torch.arange(envs) % len(simulator.scenarios)
    step = torch.randint(simulator.steps, (envs,), generator=draw)
    state = simulator.initial(scenario, step)
    return simulator.step(state, torch.rand(envs, 1 + simulator.sockets, generator=draw))[0]


@pytest.fixture(params=[3600, 900])
def simulator(request: pytest.FixtureRequest, small_site: Site, random_scenarios: RandomScenarios) -> Simulator:
    site = replace(small_site, step_seconds=request.param)
    return Simulator(random_scenarios(site, days=40))


def test_both_forms_hold_the_same(simulator: Simulator) -> None:
    view = simulator.view(somewhere(simulator))
    flat, entity = observations.flat(view), observations.entity(view)
    columns = site_columns(simulator.site)
    assert entity["site"].shape == (16, len(columns))
    assert len(set(columns)) == len(columns)
    assert entity["sockets"].shape == (16, 5, len(SOCKET_FEATURES))
    assert torch.equal(entity["mask"], view.connected)
    torch.testing.assert_close(flat, torch.cat([entity["site"], entity["sockets"].transpose(1, 2).flatten(1)], -1))


def test_the_columns_are_where_their_names_say(simulator: Simulator) -> None:
    view = simulator.view(somewhere(simulator))
    columns = dict(zip(site_columns(simulator.site), observations.entity(view)["site"].unbind(-1), strict=True))
    torch.testing.assert_close(columns["pv"], view.pv_kw / 50.0)
    torch.testing.assert_close(columns["net"], (view.load_kw - view.pv_kw) / 50.0)
    torch.testing.assert_close(columns["bess_soc"], view.bess_soc)
    torch.testing.assert_close(columns["peak_1"], view.peak_kw[:, 1] / 30.0)
    torch.testing.assert_close(columns["demand_counted_0"], view.demand_counted[:, 0])
    per_hour = simulator.site.steps_per_day // 24
    second_hour = view.forecast("load_mean7_kw", 2 * per_hour)[:, per_hour:].mean(-1)
    torch.testing.assert_close(columns["load_mean7_1"], second_hour / 30.0)
    last_hour = view.forecast("pv_day_ahead_kw", 24 * per_hour)[:, -per_hour:].mean(-1)
    torch.testing.assert_close(columns["pv_day_ahead_23"], last_hour / 50.0)
    torch.testing.assert_close(columns["hour_sin"], torch.sin(view.hour / 24 * 2 * torch.pi))


def test_socket_features_by_hand(small_site: Site, random_scenarios: RandomScenarios) -> None:
    simulator = Simulator(random_scenarios(small_site, days=2))
    view = simulator.view(simulator.initial(torch.tensor([0]), torch.tensor([0])))
    view.ev_soc = torch.tensor([[0.2, 0, 0, 0.3, 0]])
    view.known |= {"soc_required": torch.tensor([[0.9, 0, 0, 0.75, 0]]), "left": torch.tensor([[2.0, 0, 0, 1, 0]])}
    features = observations.entity(view)["sockets"][0]
    moto_kwh, car_kwh = 0.7 * 2 / 0.95, 0.45 * 30 / 0.9
    by_hand = [
        [1, 0.2, 0.9, 2 / 6, moto_kwh / 30, 1 - moto_kwh / 2 / 2, 2 / 7],
        [1, 0.3, 0.75, 1 / 6, car_kwh / 30, -1.0, 1.0],
    ]
    torch.testing.assert_close(features[[0, 3]], torch.tensor(by_hand))
    assert bool((features[[1, 2, 4]] == 0).all())


def test_features_are_of_order_one(simulator: Simulator) -> None:
    flat = observations.flat(simulator.view(somewhere(simulator, 500)))
    assert bool(flat.isfinite().all())
    assert float(flat.abs().max()) < 3.0


def test_a_site_with_nothing_on_it_has_finite_features(small_site: Site, random_scenarios: RandomScenarios) -> None:
    site = replace(
        small_site,
        pv=dataclasses.replace(small_site.pv, dc_kwp=0.0, ac_kw=0.0),
        battery=dataclasses.replace(small_site.battery, capacity_kwh=0.0, power_kw=0.0),
        carbon=dataclasses.replace(small_site.carbon, grid_kg_per_kwh=0.0),
        tariff=dataclasses.replace(small_site.tariff, price_per_kwh=0.0, windows=[], demand=[]),
    )
    simulator = Simulator(random_scenarios(site, days=9))
    flat = observations.flat(simulator.view(somewhere(simulator)))
    assert bool(flat.isfinite().all())


def test_rows_computed_beforehand_are_the_same(simulator: Simulator) -> None:
    state = somewhere(simulator)
    view, observer = simulator.view(state), Observer(simulator)
    torch.testing.assert_close(observer.flat(state, view), observations.flat(view), rtol=0, atol=1e-6)
    fast, slow = observer.entity(state, view), observations.entity(view)
    for key in ("site", "sockets", "mask"):
        torch.testing.assert_close(fast[key], slow[key], rtol=0, atol=1e-6)


def test_the_future_is_not_observed(small_site: Site, random_scenarios: RandomScenarios) -> None:
    """Other PV, load and vehicles from the next row on, and other forecasts after a day, change nothing now."""
    scenarios, now = random_scenarios(small_site, days=20), 200

    def look(scenarios: ScenarioSet) -> Tensor:
        simulator = Simulator(scenarios)
        return observations.flat(simulator.view(simulator.initial(torch.tensor([0, 1]), torch.tensor([now, now]))))

    series, sessions = scenarios.series.clone(), scenarios.sessions.clone()
    for key in series.keys():  # noqa: SIM118 (iterating over a TensorDict gives rows)
        known = now + 1 if key in ("pv_kw", "load_kw") else now + small_site.steps_per_day
        series[key][:, known:] += 5.0
    later = sessions["arrival"] > now
    sessions["soc_arrival"][later], sessions["soc_required"][later] = 0.0, 1.0
    changed = dataclasses.replace(scenarios, series=series, sessions=sessions)
    torch.testing.assert_close(look(changed), look(scenarios), rtol=0, atol=0)
