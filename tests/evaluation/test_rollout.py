"""Rollouts: whole years, side by side, every step on record."""

import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from litgrid.algorithms.agent import spaces
from litgrid.algorithms.environments import rule_of
from litgrid.algorithms.networks import Network, make_actor
from litgrid.algorithms.policy import AgentController
from litgrid.controllers import Controller
from litgrid.controllers.self_consumption import SelfConsumption
from litgrid.controllers.uncontrolled import Uncontrolled
from litgrid.evaluation.rollout import rollout, rollouts
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.env import EnvConfig
from litgrid.sim.simulator import Simulator
from litgrid.sim.worlds import AnyView
from litgrid.site.site import Site, replace

Draw = Callable[..., ScenarioSet]


def test_shapes_and_the_simulators_own_steps(small_site: Site, random_scenarios: Draw) -> None:
    simulator = Simulator(random_scenarios(small_site, scenarios=3, days=40), dtype=torch.float64)
    controller = SelfConsumption()
    run = rollout(simulator, controller)
    assert run.flows.pv.shape == run.costs.total.shape == (3, 960)
    assert run.flows.ev_sockets.shape == (3, 960, 5)
    assert run.bess_soc.shape == (3, 961)
    assert run.peak_kw.shape == (3, 961, 2)

    state = simulator.initial(torch.tensor([2]), torch.tensor([0]))  # the last year alone
    for step in range(100):
        assert run.bess_soc[2, step] == state.bess_soc[0]
        assert torch.equal(run.peak_kw[2, step], state.peak_kw[0])
        state, flows, costs = simulator.step(state, controller.act(simulator.view(state)))
        torch.testing.assert_close(run.flows.grid_import[2, step], flows.grid_import[0])
        torch.testing.assert_close(run.flows.ev_sockets[2, step], flows.ev_sockets[0])
        torch.testing.assert_close(run.costs.total[2, step], costs.total[0])


def test_decisions_are_timed(small_site: Site, random_scenarios: Draw) -> None:
    class Slow(Uncontrolled):
        def act(self, view: AnyView) -> Tensor:
            end = time.process_time() + 0.004
            while time.process_time() < end:
                pass
            return super().act(view)

    simulator = Simulator(random_scenarios(small_site, scenarios=2, days=1), dtype=torch.float64)
    assert rollout(simulator, Slow()).decision_seconds > 0.002  # of each of two sites
    assert rollout(simulator, Uncontrolled()).decision_seconds > 0.0


def test_peaks_begin_anew_each_month(small_site: Site, random_scenarios: Draw) -> None:
    run = rollout(Simulator(random_scenarios(small_site, days=40), dtype=torch.float64), Uncontrolled())
    assert float(run.peak_kw[:, 31 * 24].abs().max()) == 0.0
    assert float(run.peak_kw[:, 31 * 24 - 1].min()) > 0.0


def agent(seed: int, config: EnvConfig, scenarios: ScenarioSet) -> AgentController:
    """A policy with weights of its own."""
    torch.manual_seed(seed)
    actor = make_actor(spaces(scenarios, config), Network(hidden=[16], sockets=4)).double()
    rule, numbers = rule_of(config, scenarios), scenarios.site.rules
    return AgentController("agent", seed, actor, config, rule, numbers=numbers)


@pytest.mark.parametrize("config", [EnvConfig(), EnvConfig(observation="entity", battery="residual")])
def test_agents_that_are_alike_go_side_by_side(config: EnvConfig, small_site: Site, random_scenarios: Draw) -> None:
    """And each does what it does alone, whatever stands between them."""
    scenarios = random_scenarios(small_site, scenarios=2, days=3)
    simulator, said = Simulator(scenarios, dtype=torch.float64), list[int]()
    other = agent(3, EnvConfig(battery="band"), scenarios)
    controllers: list[Controller] = [
        agent(0, config, scenarios),
        Uncontrolled(),
        agent(1, config, scenarios),
        other,
        SelfConsumption(),
    ]
    found = rollouts(simulator, controllers, said.append)
    assert said == [2, 1, 1, 1]
    for run, controller in zip(found, controllers, strict=True):
        alone = rollout(simulator, controller)
        assert (run.controller, run.seed) == (controller.name, controller.seed)
        assert run.flows.ev_sockets.shape == alone.flows.ev_sockets.shape
        torch.testing.assert_close(run.costs, alone.costs)
        torch.testing.assert_close(run.bess_soc, alone.bess_soc)
        torch.testing.assert_close(run.peak_kw, alone.peak_kw)
    assert not torch.equal(found[0].costs.total, found[2].costs.total)


def test_agents_with_other_numbers_of_their_rule_are_not_alike(small_site: Site, random_scenarios: Draw) -> None:
    scenarios, config = random_scenarios(small_site, days=1), EnvConfig(battery="residual")
    rules = small_site.rules
    other = replace(small_site, rules=replace(rules, water_filling=replace(rules.water_filling, floor_kw=3.0)))
    first, second = (agent(0, config, replace(scenarios, site=site)) for site in (small_site, other))
    assert first.like(agent(1, config, scenarios))
    assert not first.like(second)
