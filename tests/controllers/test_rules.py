"""The rules, by hand and in the simulator."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from litgrid.controllers import CONTROLLERS, make
from litgrid.controllers.idle import Idle
from litgrid.controllers.self_consumption import SelfConsumption
from litgrid.controllers.uncontrolled import Uncontrolled
from litgrid.errors import InputError
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.import_level import needed_share, up_to
from litgrid.sim.simulator import Simulator
from litgrid.sim.view import View
from litgrid.site.site import Battery, Site, replace

Draw = Callable[..., ScenarioSet]


def view(battery_kw: float = 4.0) -> View:
    """Three sites with two sockets of 2 and 3 kW; the second socket is free on the first site."""
    present = SimpleNamespace(
        site=SimpleNamespace(battery=SimpleNamespace(power_kw=battery_kw)),
        bess_soc=torch.full((3,), 0.5),
        pv_kw=torch.tensor([5.0, 0.0, 100.0]),
        load_kw=torch.tensor([2.0, 3.0, 2.0]),
        soc_required=torch.tensor([[0.9, 0.0], [0.9, 0.8], [0.5, 0.8]]),
        ev_soc=torch.tensor([[0.2, 0.0], [0.9, 0.7], [0.9, 0.2]]),
        socket_power_kw=torch.tensor([2.0, 3.0]),
        socket_rate=torch.tensor([1.0, 0.5]),
        socket_efficiency=torch.tensor([0.8, 0.8]),
        socket_lowest=torch.zeros(2),
        left=torch.tensor([[3.0, 0.0], [2.0, 2.0], [1.0, 4.0]]),
    )
    return cast(View, present)


AT_ONCE = torch.tensor([[0.875, 0.0], [0.0, 0.25], [0.0, 1.0]])  # (required - SOC) / (rate x efficiency), at most 1


def test_idle_does_nothing() -> None:
    assert torch.equal(Idle().act(view()), torch.zeros(3, 3))


def test_uncontrolled_charges_at_once_and_stops_at_the_required_soc() -> None:
    action = Uncontrolled().act(view())
    assert torch.equal(action[:, 0], torch.zeros(3))
    torch.testing.assert_close(action[:, 1:], AT_ONCE)


def test_self_consumption_balances_the_site_with_the_battery() -> None:
    action = SelfConsumption().act(view())
    torch.testing.assert_close(action[:, 1:], AT_ONCE)
    # 5 - 2 - 1.75 = 1.25 kW left over; 3 + 0.75 = 3.75 kW short; 95 kW left over, of which the battery takes 4
    torch.testing.assert_close(action[:, 0], torch.tensor([1.25, -3.75, 4.0]) / 4.0)


def test_vehicles_wait_for_surplus_as_long_as_they_can() -> None:
    """3, none and 98 kW are left over; 0.5 kW of a surplus are a quarter of the first socket's power."""
    present = view()
    waiting = torch.tensor([[0.875, 0.0], [0.0, 0.0], [0.0, 1.0]])
    torch.testing.assert_close(up_to(present, 0.0, needed_share(present)), waiting)
    torch.testing.assert_close(up_to(present, -2.5, needed_share(present))[0], torch.tensor([0.25, 0.0]))
    present.left[1, 1] = 1.0  # the last step of its stay
    torch.testing.assert_close(up_to(present, 0.0, needed_share(present))[1], AT_ONCE[1])


def test_self_consumption_without_a_battery() -> None:
    assert torch.equal(SelfConsumption().act(view(battery_kw=0.0))[:, 0], torch.zeros(3))


@pytest.mark.parametrize("name", ["uncontrolled", "self_consumption"])
def test_vehicles_get_what_they_need_and_no_more(name: str, small_site: Site, random_scenarios: Draw) -> None:
    scenarios = random_scenarios(small_site, days=14)
    run = rollout(Simulator(scenarios, dtype=torch.float64), make(name, scenarios))
    assert run.flows.ev_deliverable.sum() > 1000.0
    torch.testing.assert_close(run.flows.ev_unserved, torch.zeros_like(run.flows.ev_unserved))
    torch.testing.assert_close(run.flows.ev_stored.sum(1), run.flows.ev_deliverable.sum(1))


def test_the_battery_stores_no_imports_and_exports_nothing(small_site: Site, random_scenarios: Draw) -> None:
    simulator = Simulator(random_scenarios(small_site, days=14), dtype=torch.float64)
    flows = rollout(simulator, SelfConsumption()).flows
    assert flows.bess_charge.sum() > 100.0
    assert float(torch.minimum(flows.bess_charge, flows.grid_import).max()) < 1e-9
    assert float(torch.minimum(flows.bess_discharge, flows.grid_export).max()) < 1e-9


def test_a_site_without_battery_is_the_uncontrolled_one(small_site: Site, random_scenarios: Draw) -> None:
    bare = replace(small_site, battery=Battery(capacity_kwh=0.0, power_kw=0.0))
    simulator = Simulator(random_scenarios(bare, days=3), dtype=torch.float64)
    greedy, plain = (rollout(simulator, rule).costs for rule in (SelfConsumption(), Uncontrolled()))
    assert torch.equal(greedy.total, plain.total)


def test_unknown_name(small_site: Site, random_scenarios: Draw) -> None:
    with pytest.raises(InputError, match="found 'greedy', expected some of: idle, uncontrolled, self_consumption"):
        make("greedy", random_scenarios(small_site, days=1))


def test_names_are_their_own(small_site: Site, random_scenarios: Draw) -> None:
    scenarios = random_scenarios(small_site, days=1)
    assert {name: make(name, scenarios).name for name in CONTROLLERS} == {name: name for name in CONTROLLERS}
