"""Every controller sees what a site would know: nothing that is not known yet changes a decision; forecasts alike."""

import dataclasses
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor

from litgrid.algorithms.agent import spaces
from litgrid.algorithms.environments import rule_of
from litgrid.algorithms.networks import Network, make_actor
from litgrid.algorithms.policy import AgentController
from litgrid.controllers import CONTROLLERS, Controller, make
from litgrid.scenarios.scenario_set import SERIES, ScenarioSet
from litgrid.sim import observations, tables
from litgrid.sim.env import EnvConfig
from litgrid.sim.simulator import Simulator
from litgrid.sim.view import View
from litgrid.site.rules import Forecast
from litgrid.site.site import Site, replace

RandomScenarios = Callable[..., ScenarioSet]
BOUNDS = {"mpc_perfect", "optimum", "optimum_served"}
"""They know the scenarios, and say so."""
FORECASTS: tuple[Forecast, ...] = get_args(Forecast)
NOWS = (24 * 8 + 10, 24 * 8 + 19, 24 * 9 + 3)
"""Steps at which the future is another one."""
AGENTS = {
    "flat": EnvConfig(),
    "entity": EnvConfig(observation="entity"),
    "band": EnvConfig(battery="band"),
    "residual": EnvConfig(battery="residual"),
}


@pytest.fixture(scope="module")
def scenarios(small_site: Site, random_scenarios: RandomScenarios) -> ScenarioSet:
    return random_scenarios(small_site, days=12)


def with_other_future(scenarios: ScenarioSet, now: int, unknown: int = 1) -> ScenarioSet:
    """The same years up to the present step, with all that is not known in it made new.

    What is: power from the next row (or from ``unknown`` rows after this one) on; forecasts, prices and carbon
    intensity from a day on; and vehicles that have not come yet, which stay away.
    """
    series = scenarios.series.clone()
    draw = torch.Generator().manual_seed(now)
    for key in SERIES:
        first = now + (scenarios.site.steps_per_day if key in tables.FORECASTS else unknown)
        later = series[key][:, first:]
        series[key][:, first:] = later * 0.5 + torch.rand(later.shape, generator=draw) * later.max()
    sessions = scenarios.sessions.clone()
    for key in ("arrival", "departure"):
        sessions[key][scenarios.sessions["arrival"] > now] = scenarios.steps
    return dataclasses.replace(scenarios, series=series, sessions=sessions)


def view_at(scenarios: ScenarioSet, now: int) -> View:
    """What both sites know then, in float64."""
    simulator = Simulator(scenarios, dtype=torch.float64)
    step = torch.full((2,), now)
    peak = torch.tensor([[9.0, 21.0], [14.0, 12.0]], dtype=torch.float64)
    return simulator.view(simulator.initial(torch.tensor([0, 1]), step, torch.tensor([0.35, 0.8]), peak))


def decisions(of: Callable[[ScenarioSet], Controller], scenarios: ScenarioSet, unknown: int = 1) -> list[list[Tensor]]:
    """What a controller decides, with the future as it is and with another one, at each of ``NOWS``."""
    return [
        [of(years).act(view_at(years, now)) for years in (scenarios, with_other_future(scenarios, now, unknown))]
        for now in NOWS
    ]


def changed(pairs: list[list[Tensor]]) -> bool:
    return any(not torch.equal(first, second) for first, second in pairs)


@pytest.mark.parametrize("name", sorted(CONTROLLERS.keys() - BOUNDS))
def test_what_a_controller_can_not_know_does_not_change_its_decision(name: str, scenarios: ScenarioSet) -> None:
    pairs = decisions(lambda years: make(name, years), scenarios)
    assert not changed(pairs)
    assert name == "idle" or bool(torch.stack([first for first, _ in pairs]).abs().sum() > 0)


@pytest.mark.parametrize("forecast", FORECASTS)
def test_whatever_the_forecast_of_water_filling(forecast: Forecast, scenarios: ScenarioSet) -> None:
    rules = scenarios.site.rules
    rules = replace(rules, water_filling=replace(rules.water_filling, forecast=forecast))
    years = dataclasses.replace(scenarios, site=replace(scenarios.site, rules=rules))
    assert not changed(decisions(lambda given: make("water_filling", given), years))


def test_perfect_foresight_would_be_seen(scenarios: ScenarioSet) -> None:
    assert changed(decisions(lambda years: make("mpc_perfect", years), scenarios))


@pytest.mark.parametrize("name", ["self_consumption", "time_of_use", "water_filling", "mpc"])
def test_the_present_is_known(name: str, scenarios: ScenarioSet) -> None:
    """So the check can fail: decisions follow the row in which they are made."""
    assert changed(decisions(lambda years: make(name, years), scenarios, unknown=0))


def agent(config: EnvConfig, scenarios: ScenarioSet) -> AgentController:
    """An untrained agent whose action depends on all that it observes."""
    torch.manual_seed(0)
    actor = make_actor(spaces(scenarios, config), Network(hidden=[32, 32], sockets=8)).double()
    for parameter in actor.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return AgentController("agent", 0, actor, config, rule_of(config, scenarios))


@pytest.mark.parametrize("name", AGENTS)
def test_what_an_agent_can_not_know_does_not_change_its_decision(name: str, scenarios: ScenarioSet) -> None:
    assert not changed(decisions(lambda years: agent(AGENTS[name], years), scenarios))
    assert changed(decisions(lambda years: agent(AGENTS[name], years), scenarios, unknown=0))


@pytest.mark.parametrize("now", NOWS)
def test_observations_tell_nothing_that_is_not_known(now: int, scenarios: ScenarioSet) -> None:
    views = [view_at(years, now) for years in (scenarios, with_other_future(scenarios, now))]
    assert torch.equal(*map(observations.flat, views))
    for first, second in zip(*(observations.entity(view).values() for view in views), strict=True):
        assert torch.equal(first, second)


def test_agents_observe_the_forecasts_that_rules_read() -> None:
    observed = {key for key, _, _ in observations.FORECASTS.values()}
    assert observed == set(tables.FORECASTS)
    assert {f"{what}_{forecast}_kw" for what in ("load", "pv") for forecast in FORECASTS} < observed


@pytest.mark.parametrize("key", tables.FORECASTS)
def test_each_forecast_changes_the_observation_up_to_a_day_ahead(key: str, scenarios: ScenarioSet) -> None:
    now, day = NOWS[0], scenarios.site.steps_per_day
    for row, seen in ((now + day - 1, True), (now + day, False)):
        other = dataclasses.replace(scenarios, series=scenarios.series.clone())
        other.series[key][:, row] += 0.1
        same = torch.equal(observations.flat(view_at(scenarios, now)), observations.flat(view_at(other, now)))
        assert same is not seen
