"""Every controller sees what a site would know: nothing that is not known yet changes a decision; forecasts alike."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import get_args

import pytest
import torch
from torch import Tensor

from litgrid.algorithms.agent import spaces
from litgrid.algorithms.environments import rule_of
from litgrid.algorithms.networks import Network, make_actor
from litgrid.algorithms.policy import AgentController
from litgrid.controllers import CONTROLLERS, make
from litgrid.evaluation.information import (
    HOURS,
    Change,
    Knowledge,
    Maker,
    knowledge,
    view_at,
    with_other_future,
    with_other_present,
)
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim import observations, tables
from litgrid.sim.env import EnvConfig
from litgrid.site.rules import Forecast
from litgrid.site.site import Site, replace

RandomScenarios = Callable[..., ScenarioSet]
BOUNDS = {"mpc_perfect", "optimum", "optimum_served"}
"""They know the scenarios, and say so."""
FORECASTS: tuple[Forecast, ...] = get_args(Forecast)
NOWS = HOURS  # steps of an hour
AGENTS = {
    "flat": EnvConfig(),
    "entity": EnvConfig(observation="entity"),
    "band": EnvConfig(battery="band"),
    "residual": EnvConfig(battery="residual"),
}


@pytest.fixture(scope="module")
def scenarios(small_site: Site, random_scenarios: RandomScenarios) -> ScenarioSet:
    return random_scenarios(small_site, days=12)


def decisions(of: Maker, scenarios: ScenarioSet, change: Change = with_other_future) -> list[list[Tensor]]:
    """What a controller decides, with the years as they are and changed, at each of ``NOWS``."""
    return [[of(years).act(view_at(years, now)) for years in (scenarios, change(scenarios, now))] for now in NOWS]


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


@pytest.mark.parametrize("name", ["self_consumption", "time_of_use", "water_filling", "water_filling_waiting", "mpc"])
def test_the_present_is_known(name: str, scenarios: ScenarioSet) -> None:
    """So the check can fail: decisions follow the row in which they are made."""
    assert changed(decisions(lambda years: make(name, years), scenarios, with_other_present))


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
    assert changed(decisions(lambda years: agent(AGENTS[name], years), scenarios, with_other_present))


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


def test_what_decisions_are_made_upon_is_found(small_site: Site, scenarios: ScenarioSet) -> None:
    """A rule without forecasts, one with the day-ahead one, and one that sees the future and is found out."""
    rules = replace(small_site.rules, water_filling=replace(small_site.rules.water_filling, forecast="day_ahead"))
    site = replace(small_site, rules=rules)
    policy = agent(EnvConfig(), scenarios)
    makers: dict[str, Maker] = {
        **{name: partial(make, name) for name in ("idle", "self_consumption", "water_filling", "mpc", "mpc_perfect")},
        "agent": lambda _: policy,
    }
    found = knowledge(site, makers)
    assert found["idle"] == Knowledge(future=False, present=False, forecasts=[])
    assert found["self_consumption"] == Knowledge(future=False, present=True, forecasts=[])
    assert {"load_day_ahead_kw", "pv_day_ahead_kw"} <= set(found["water_filling"].forecasts)
    assert "load_mean7_kw" not in found["water_filling"].forecasts
    assert {"load_day_ahead_kw", "pv_day_ahead_kw", "price_per_kwh"} <= set(found["mpc"].forecasts)
    assert found["agent"] == Knowledge(future=False, present=True, forecasts=list(tables.FORECASTS))
    assert [name for name, known in found.items() if known.future] == ["mpc_perfect"]
