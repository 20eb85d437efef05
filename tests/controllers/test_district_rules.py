"""The rules in a district: by hand on a view, and in the simulator on random data sets."""

from pathlib import Path
from typing import Any, cast

import pytest
import torch

from litgrid.controllers import Controller, make
from litgrid.controllers.idle import Idle
from litgrid.controllers.self_consumption import SelfConsumption
from litgrid.controllers.uncontrolled import Uncontrolled
from litgrid.evaluation.district_accounting import account, surplus
from litgrid.evaluation.district_rollout import DistrictRollout, district_rollout
from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district_split import split_district
from litgrid.scenarios.random_district import Features, write_random
from litgrid.sim.district_view import DistrictView
from litgrid.sim.district_world import DistrictWorld
from litgrid.site.site import Objective


class Seen(DistrictView):
    """A view whose fields are given."""

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    load_kwh = pv_kwh = cast(Any, None)


def view() -> DistrictView:
    """Two districts of three buildings: batteries in the last two (the last can't be moved), chargers in the first two.

    Steps of half an hour. The second charger has a minimum power of 40 % of its 8 kW.
    """
    return Seen(
        step_hours=0.5,
        bess_soc=torch.full((2, 2), 0.5),
        bess_power_kw=torch.tensor([4.0, 0.0]),
        bess_building=torch.tensor([1, 2]),
        load_kwh=torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.5, 1.0]]),
        pv_kwh=torch.tensor([[3.0, 0.0, 0.0], [0.0, 2.0, 9.0]]),
        charger_power_kw=torch.tensor([10.0, 8.0]),
        charger_minimum=torch.tensor([0.0, 0.4]),
        charger_building=torch.tensor([0, 1]),
        soc_required=torch.tensor([[0.9, 0.8], [0.5, 0.0]]),
        ev_soc=torch.tensor([[0.85, 0.78], [0.9, 0.0]]),
        ev_gain=torch.tensor([[0.1, 0.1], [0.1, 1.0]]),
    )


AT_ONCE = torch.tensor([[0.5, 0.4], [0.0, 0.0]])  # need / gain; 0.2 is raised to the minimum power


@pytest.mark.parametrize(("rule", "chargers"), [(Idle(), torch.zeros(2, 2)), (Uncontrolled(), AT_ONCE)])
def test_batteries_rest(rule: Controller, chargers: torch.Tensor) -> None:
    action = rule.act(view())
    assert torch.equal(action[:, :2], torch.zeros(2, 2))
    torch.testing.assert_close(action[:, 2:], chargers, atol=1e-5, rtol=0)


def test_each_battery_balances_its_own_building() -> None:
    action = SelfConsumption().act(view())
    torch.testing.assert_close(action[:, 2:], AT_ONCE, atol=1e-5, rtol=0)
    # of 2 kWh in half an hour: 1 + 0.4 x 8 / 2 = 2.6 kWh short; 1.5 kWh left over
    torch.testing.assert_close(action[:, 0], torch.tensor([-1.0, 0.75]), atol=1e-5, rtol=0)
    assert torch.equal(action[:, 1], torch.zeros(2))


def run(folder: Path, name: str, **features: Any) -> DistrictRollout:
    """A rule on eight random days."""
    write_random(folder / "data", Features(steps=8 * 24, **features), seed=3)
    scenarios = split_district(read_district(folder / "data")[0], "all", Objective())
    return district_rollout(DistrictWorld(scenarios, dtype=torch.float64), make(name, scenarios))


@pytest.mark.parametrize("features", [{}, {"curves": True}, {"losses": True}, {"dead_band": True}, {"v2g": True}])
@pytest.mark.parametrize("name", ["uncontrolled", "self_consumption"])
def test_vehicles_get_what_they_need(name: str, features: dict[str, Any], tmp_path: Path) -> None:
    figures, _ = account(run(tmp_path, name, **features))
    assert figures["ev_deliverable_kwh"] > 100.0
    assert figures["ev_unserved_kwh"] == pytest.approx(0.0, abs=1e-6)


def test_batteries_store_no_imports_and_export_nothing(tmp_path: Path) -> None:
    rollout = run(tmp_path, "self_consumption", buildings=3, losses=True)
    charged, given = rollout.flows.bess_kwh.clamp(min=0.0), -rollout.flows.bess_kwh.clamp(max=0.0)
    assert charged.sum() > 10.0
    assert float(torch.minimum(charged, rollout.flows.net_kwh.clamp(min=0.0)).max()) < 1e-9
    assert float(torch.minimum(given, surplus(rollout)).max()) < 1e-9
