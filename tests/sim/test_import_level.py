"""One action for all sockets: levels and shares by hand, service above a floor, imports below a level, gradients."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchrl.envs import check_env_specs

from litgrid.algorithms.agent import spaces
from litgrid.algorithms.networks import Network, make_gaussian_actor
from litgrid.algorithms.policy import AgentController
from litgrid.controllers.envelope import Vehicles, by_laxity
from litgrid.controllers.uncontrolled import charge_at_once
from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.action_maps import physical
from litgrid.sim.env import EnvConfig, SiteEnv
from litgrid.sim.import_level import expected_peak_kw, free_import_kw, level_kw, share_out
from litgrid.sim.simulator import Simulator
from litgrid.sim.view import View
from litgrid.site.site import Site, Tariff, replace

RandomScenarios = Callable[..., ScenarioSet]
LEVEL = EnvConfig(observation="entity", sockets="level", socket_actions="one")
RAW_LEVEL = EnvConfig(observation="entity", sockets="raw_level", socket_actions="one")
SLOW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def view_of(scenarios: ScenarioSet, hour: int, peaks: tuple[float, float] = (0.0, 0.0)) -> View:
    """A view in float64 at an hour of the first day, with the month's two peaks."""
    simulator = Simulator(scenarios, dtype=torch.float64)
    return simulator.view(simulator.initial(torch.tensor([0]), torch.tensor([hour]), peak_kw=torch.tensor([peaks])))


def test_shares_by_hand() -> None:
    """Sockets of 2, 2 and 4 kW, limits of 0.5 to 1, 0 to 1 and 0 to 0.5: the second vehicle has the least laxity."""
    least, most = torch.tensor([[0.5, 0.0, 0.0]]), torch.tensor([[1.0, 1.0, 0.5]])
    laxity, power = torch.tensor([[2.0, 1.0, 3.0]]), torch.tensor([2.0, 2.0, 4.0])
    for total, expected in (
        (-9.0, [0.5, 0.0, 0.0]),
        (1.0, [0.5, 0.0, 0.0]),
        (2.0, [0.5, 0.5, 0.0]),
        (3.5, [0.75, 1.0, 0.0]),
        (5.0, [1.0, 1.0, 0.25]),
        (99.0, [1.0, 1.0, 0.5]),
    ):
        assert share_out(least, most, laxity, power, torch.tensor([total])).tolist() == [pytest.approx(expected)]


@SLOW
@given(seed=st.integers(0, 10_000), total=st.floats(-10.0, 60.0))
def test_shares_are_those_of_predictive_control(seed: int, total: float) -> None:
    """Its own sharing out, in NumPy, is the reference."""
    draw = np.random.default_rng(seed)
    left = draw.integers(1, 7, (1, 9))
    full = draw.uniform(1.0, 7.0, 9)
    need = draw.uniform(0.0, 1.0, (1, 9)) * left * full
    vehicles = Vehicles(np.zeros_like(left), left, need, np.broadcast_to(full, left.shape))
    expected = by_laxity(vehicles, np.array([total])) / full
    least, most = np.maximum(need - (left - 1) * full, 0.0) / full, np.minimum(need, full) / full
    tensors = (torch.from_numpy(values) for values in (least, most, left - need / full, full, np.array([total])))
    np.testing.assert_allclose(share_out(*tensors).numpy(), expected, atol=1e-12)


def test_levels_by_hand(small_site: Site, random_scenarios: RandomScenarios) -> None:
    """20 kW are expected at most, and all sockets take 3 x 2 + 2 x 7 = 20 kW."""
    scenarios = random_scenarios(small_site, days=2)
    scenarios.series["load_day_ahead_kw"][:], scenarios.series["pv_day_ahead_kw"][:] = 12.0, 5.0
    scenarios.series["load_day_ahead_kw"][:, 19] = 25.0
    for action, level in ((-1.0, 0.0), (-0.25, 15.0), (0.0, 20.0), (0.5, 30.0), (1.0, 40.0), (-7.0, 0.0), (7.0, 40.0)):
        for peak in (0.0, 17.0, 80.0):
            view = view_of(scenarios, 12, peaks=(99.0, peak))  # at noon the second charge counts
            found = level_kw(view, torch.tensor([action], dtype=torch.float64))
            assert float(found) == pytest.approx(max(level, peak))


def test_what_pv_covers_is_no_peak(small_site: Site, random_scenarios: RandomScenarios) -> None:
    scenarios = random_scenarios(small_site, days=2)
    scenarios.series["load_day_ahead_kw"][:], scenarios.series["pv_day_ahead_kw"][:] = 5.0, 12.0
    assert float(expected_peak_kw(view_of(scenarios, 12))) == 0.0


def test_free_imports(small_site: Site, random_scenarios: RandomScenarios) -> None:
    """The first charge counts 18 to 23 h, the second all other hours; a third one would count all."""
    scenarios = random_scenarios(small_site, days=2)
    assert float(free_import_kw(view_of(scenarios, 19, (7.0, 3.0)))) == 7.0
    assert float(free_import_kw(view_of(scenarios, 9, (7.0, 3.0)))) == 3.0
    view = view_of(scenarios, 19, (7.0, 3.0))
    view._tables.counted[:] = 1.0
    assert float(free_import_kw(view)) == 3.0
    view._tables.counted[:] = 0.0
    assert float(free_import_kw(view)) == 0.0
    without = random_scenarios(replace(small_site, tariff=Tariff()), days=2)
    simulator = Simulator(without)
    assert free_import_kw(simulator.view(simulator.initial(torch.tensor([0]), torch.tensor([9])))).tolist() == [0.0]


@pytest.mark.parametrize("config", [LEVEL, RAW_LEVEL], ids=["level", "raw_level"])
@SLOW
@given(seed=st.integers(0, 10_000), v2g=st.booleans())
def test_vehicles_stay_below_the_level_or_are_served(
    small_site: Site, random_scenarios: RandomScenarios, config: EnvConfig, v2g: bool, seed: int
) -> None:
    """With the floor nothing is unserved, whatever the agent does; without it vehicles never raise imports above."""
    groups = [dataclasses.replace(group, v2g=v2g) for group in small_site.fleet.groups]
    site = replace(small_site, fleet=dataclasses.replace(small_site.fleet, groups=groups))
    simulator = Simulator(random_scenarios(site, days=3, seed=seed), dtype=torch.float64)
    draw, action_map = torch.Generator().manual_seed(seed), config.action_map(None)
    lowest = action_map.lowest(simulator.params.socket_lowest)
    assert lowest.tolist() == [-1.0, -1.0 if v2g else 0.0]
    state = simulator.initial(torch.tensor([0, 1]), torch.tensor([0, 7]))
    unserved = 0.0
    for _ in range(simulator.steps):
        view = simulator.view(state)
        share = torch.rand(2, generator=draw, dtype=torch.float64)
        action = torch.stack([torch.zeros_like(share), lowest[1] + share * (1.0 - lowest[1])], -1)
        limit = torch.maximum(level_kw(view, 2.0 * share - 1.0), view.load_kw - view.pv_kw)
        state, flows, _ = simulator.step(state, physical(action_map, view, action))
        unserved += float(flows.ev_unserved.sum())
        if config is RAW_LEVEL:
            assert bool((flows.load + flows.ev - flows.pv <= limit + 1e-9).all())
    assert config is RAW_LEVEL or unserved < 1e-9


def test_the_highest_level_charges_at_once(small_site: Site, random_scenarios: RandomScenarios) -> None:
    """Where the load is never above its forecast, no vehicle waits below the level of all sockets at full power."""
    scenarios = random_scenarios(small_site, days=3)
    scenarios.series["load_day_ahead_kw"][:] = 30.0
    scenarios.series["pv_day_ahead_kw"][:] = 0.0
    simulator = Simulator(scenarios, dtype=torch.float64)
    state = simulator.initial(torch.tensor([0]), torch.tensor([0]))
    for _ in range(simulator.steps):
        view = simulator.view(state)
        action = physical(RAW_LEVEL.action_map(None), view, torch.tensor([[0.0, 1.0]], dtype=torch.float64))
        torch.testing.assert_close(action[:, 1:], charge_at_once(view), rtol=0, atol=1e-12)
        state = simulator.step(state, action)[0]


@pytest.mark.parametrize("config", [LEVEL, RAW_LEVEL], ids=["level", "raw_level"])
def test_gradients_are_those_of_the_costs(
    small_site: Site, random_scenarios: RandomScenarios, config: EnvConfig
) -> None:
    """Of a day's costs with respect to each hour's action, against central differences."""
    simulator = Simulator(random_scenarios(small_site, days=3), dtype=torch.float64)
    action_map = config.action_map(None)
    draw = torch.Generator().manual_seed(1)
    actions = (torch.rand(24, 2, generator=draw, dtype=torch.float64) * 0.4 + 0.3).requires_grad_()

    def cost(shares: Tensor) -> Tensor:
        state, total = simulator.initial(torch.tensor([0, 1]), torch.tensor([5, 29])), torch.zeros(())
        for share in shares:
            action = torch.stack([torch.zeros_like(share), share], -1)
            state, _, costs = simulator.step(state, physical(action_map, simulator.view(state), action))
            total = total + costs.total.sum()
        return total

    (found,) = torch.autograd.grad(cost(actions), actions)
    assert float(found.abs().max()) > 1.0
    with torch.no_grad():
        for which in range(48):
            change = torch.zeros(48, dtype=torch.float64)
            change[which] = 1e-6
            by = change.view(24, 2)
            slope = (cost(actions + by) - cost(actions - by)) / 2e-6
            assert float(found.flatten()[which]) == pytest.approx(float(slope), abs=1e-4)


def test_environments_have_one_action_for_all_sockets(small_site: Site, random_scenarios: RandomScenarios) -> None:
    env = SiteEnv(random_scenarios(small_site, days=4), 3, dataclasses.replace(LEVEL, window_hours=24))
    check_env_specs(env)
    assert env.action_spec.shape == (3, 2)


@pytest.mark.parametrize("size", [1, 7])
def test_one_policy_fits_any_number_of_sockets(small_site: Site, random_scenarios: RandomScenarios, size: int) -> None:
    """The weights of a policy of five sockets act, unchanged, on other sites."""
    trained = make_gaussian_actor(spaces(random_scenarios(small_site, days=2), LEVEL), Network([8], 4), 0.1)
    groups = [dataclasses.replace(small_site.fleet.groups[0], sockets=size)]
    site = replace(small_site, fleet=dataclasses.replace(small_site.fleet, groups=groups, energy_kwh_per_day=3.0))
    scenarios = random_scenarios(site, days=2)
    actor = make_gaussian_actor(spaces(scenarios, LEVEL), Network([8], 4), 0.1)
    actor.load_state_dict(trained.state_dict())
    simulator = Simulator(scenarios)
    view = simulator.view(simulator.initial(torch.tensor([0, 1]), torch.tensor([12, 12])))
    assert AgentController("shac", 0, actor, LEVEL).act(view).shape == (2, 1 + size)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"socket_actions": "each"}, "socket_actions: found each with sockets level, expected one"),
        ({"battery": "residual"}, "battery: found residual with sockets level, expected raw or band"),
    ],
)
def test_a_level_is_one_action_beside_one_of_the_battery(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        dataclasses.replace(LEVEL, **wrong)
