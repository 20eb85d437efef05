"""The floor mapping: by hand, and that no action can leave a vehicle without what it could have got."""

import dataclasses
from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.actions import floor, least_share, raw
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


def test_floor_maps_each_range_onto_what_is_allowed(small_site: Site, random_scenarios: RandomScenarios) -> None:
    case = {"ev_soc": [0.2] * 5, "required": [0.9, 0.9, 0.0, 0.9, 0.9], "left": [1, 1, 3, 4, 1]}
    view = view_by_hand(random_scenarios(small_site, days=2), **case)  # type: ignore[arg-type]
    least = least_share(view)[0]
    for share in (0.0, 0.25, 1.0, -3.0, 7.0):
        action = torch.full((1, 5), share)
        inside = min(max(share, 0.0), 1.0)
        torch.testing.assert_close(floor(view, action)[0], least + inside * (1 - least))
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


def test_without_the_floor_service_is_the_agents(small_site: Site, random_scenarios: RandomScenarios) -> None:
    simulator = Simulator(random_scenarios(small_site, days=4))
    state = simulator.initial(torch.tensor([0]), torch.tensor([0]))
    unserved = torch.zeros(1)
    for _ in range(simulator.steps):
        state, flows, _ = simulator.step(state, torch.zeros(1, 6))
        unserved += flows.ev_unserved
    assert float(unserved) > 10.0
