"""The floor mapping: by hand, and that no action can leave a vehicle without what it could have got."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litgrid.controllers.uncontrolled import charge_at_once
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.actions import floor, least_share, most_share, raw
from litgrid.sim.simulator import Simulator
from litgrid.sim.view import View
from litgrid.site.site import Site, replace

RandomScenarios = Callable[..., ScenarioSet]


def with_v2g(site: Site) -> Site:
    groups = [dataclasses.replace(group, v2g=True) for group in site.fleet.groups]
    return replace(site, fleet=dataclasses.replace(site.fleet, groups=groups))


def view_by_hand(scenarios: ScenarioSet, ev_soc: list[float], required: list[float], left: list[int]) -> View:
    """A view of five sockets with given vehicles."""
    simulator = Simulator(scenarios)
    view = simulator.view(simulator.initial(torch.tensor([0]), torch.tensor([0])))
    view.ev_soc = torch.tensor([ev_soc])
    view.known |= {"soc_required": torch.tensor([required]), "left": torch.tensor([left]).float()}
    return view


def test_least_share_by_hand(small_site: Site, random_scenarios: RandomScenarios) -> None:
    """Moto: a step stores 0.95 of its battery; car: 7 x 0.9 / 30 = 0.21."""
    case = {
        "ev_soc": [0.2, 0.2, 0.0, 0.2, 0.2],
        "required": [0.9, 0.9, 0.0, 0.9, 0.5],
        "left": [1, 2, 0, 4, 3],
    }
    view = view_by_hand(random_scenarios(small_site, days=2), **case)  # type: ignore[arg-type]
    least = least_share(view)[0].tolist()
    assert [least[0], least[1]] == pytest.approx([0.7 / 0.95, 0.0])
    assert [least[3], least[4]] == pytest.approx([(0.7 - 3 * 0.21) / 0.21, 0.0])


def test_least_share_with_v2g_by_hand(small_site: Site, random_scenarios: RandomScenarios) -> None:
    """What is to spare may be discharged: 0.2 of a moto's 2 kWh give 0.38 kWh of the 2 that it may give."""
    site = with_v2g(small_site)
    case = {"ev_soc": [0.9] * 5, "required": [0.7, 0.0, 0.0, 0.7, 0.0], "left": [1] * 5}
    view = view_by_hand(random_scenarios(site, days=2), **case)  # type: ignore[arg-type]
    least = least_share(view)[0].tolist()
    assert [least[0], least[1], least[3]] == pytest.approx([-0.19, -0.855, -0.2 * 0.9 * 30 / 7])


def test_most_share_by_hand(small_site: Site, random_scenarios: RandomScenarios) -> None:
    """What is missing, at most full power; nothing where nothing is missing; full power where it can be taken back."""
    case = {"ev_soc": [0.2, 0.8, 0.9, 0.2, 0.4], "required": [0.9, 0.9, 0.9, 0.9, 0.5], "left": [3] * 5}
    scenarios = random_scenarios(small_site, days=2)
    most = most_share(view_by_hand(scenarios, **case))[0].tolist()  # type: ignore[arg-type]
    assert most == pytest.approx([0.7 / 0.95, 0.1 / 0.95, 0.0, 1.0, 0.1 / 0.21], abs=1e-6)
    scenarios = random_scenarios(with_v2g(small_site), days=2)
    assert most_share(view_by_hand(scenarios, **case))[0].tolist() == [1.0] * 5  # type: ignore[arg-type]


def test_floor_maps_each_range_onto_what_is_allowed(small_site: Site, random_scenarios: RandomScenarios) -> None:
    case = {"ev_soc": [0.2, 0.2, 0.2, 0.2, 0.7], "required": [0.9, 0.9, 0.0, 0.9, 0.9], "left": [1, 2, 3, 4, 2]}
    view = view_by_hand(random_scenarios(small_site, days=2), **case)  # type: ignore[arg-type]
    least, most = least_share(view)[0], most_share(view)[0]
    assert float((most - least).max()) > 0.7
    for share in (0.0, 0.25, 1.0, -3.0, 7.0):
        action = torch.full((1, 5), share)
        inside = min(max(share, 0.0), 1.0)
        torch.testing.assert_close(floor(view, action)[0], least + inside * (most - least))
        assert torch.equal(raw(view, action), action)


ACTIONS: dict[str, Callable[[tuple[int, int], torch.Generator], torch.Tensor]] = {
    "random": lambda shape, draw: torch.rand(shape, generator=draw, dtype=torch.float64) * 2 - 1,
    "lowest": lambda shape, _: -torch.ones(shape, dtype=torch.float64),
    "highest": lambda shape, _: torch.ones(shape, dtype=torch.float64),
}


@pytest.mark.parametrize("actions", list(ACTIONS))
@pytest.mark.parametrize("v2g", [False, True])
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000))
def test_under_the_floor_nothing_is_unserved(
    small_site: Site, random_scenarios: RandomScenarios, v2g: bool, actions: str, seed: int
) -> None:
    site = with_v2g(small_site) if v2g else small_site
    simulator = Simulator(random_scenarios(site, days=4, seed=seed), dtype=torch.float64)
    draw = torch.Generator().manual_seed(seed)
    state = simulator.initial(torch.tensor([0, 1]), torch.tensor([0, 7]))
    required = unserved = 0.0
    for _ in range(simulator.steps):
        action = ACTIONS[actions]((2, 6), draw)
        action[:, 1:] = floor(simulator.view(state), action[:, 1:])
        state, flows, _ = simulator.step(state, action)
        unserved = max(unserved, float(flows.ev_unserved.max()))
        required += float(flows.ev_required.sum())
    assert unserved < 1e-9
    assert required > 100.0


def test_under_the_floor_no_vehicle_takes_more_than_it_needs(
    small_site: Site, random_scenarios: RandomScenarios
) -> None:
    """The highest actions are those that charge at once: exactly what is required, as far as it is reachable."""
    simulator = Simulator(random_scenarios(small_site, days=4), dtype=torch.float64)
    state = simulator.initial(torch.tensor([0]), torch.tensor([0]))
    stored = deliverable = 0.0
    for _ in range(simulator.steps):
        action = torch.ones(1, 6, dtype=torch.float64)
        action[:, 1:] = floor(simulator.view(state), action[:, 1:])
        torch.testing.assert_close(action[:, 1:], charge_at_once(simulator.view(state)), rtol=0, atol=1e-12)
        state, flows, _ = simulator.step(state, action)
        stored += float(flows.ev_stored)
        deliverable += float(flows.ev_deliverable)
    there = simulator.view(state).connected
    assert deliverable > 50.0
    assert stored >= deliverable
    assert stored - deliverable <= 32.0 * float(there.sum())  # of those that have not left yet


def test_without_the_floor_service_is_the_agents(small_site: Site, random_scenarios: RandomScenarios) -> None:
    simulator = Simulator(random_scenarios(small_site, days=4))
    state = simulator.initial(torch.tensor([0]), torch.tensor([0]))
    unserved = torch.zeros(1)
    for _ in range(simulator.steps):
        state, flows, _ = simulator.step(state, torch.zeros(1, 6))
        unserved += flows.ev_unserved
    assert float(unserved) > 10.0
