"""The bound of a district: below every controller, reached where the district is linear, and by hand."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensordict import TensorDict
from torch import Tensor

from litgrid.controllers import district_storages, make
from litgrid.controllers.district_program import block_program, solve
from litgrid.controllers.district_storages import Legs
from litgrid.controllers.program import Solver, Values
from litgrid.controllers.relaxed import relaxed
from litgrid.controllers.site_program import Storage as Columns
from litgrid.evaluation.district_rollout import district_rollout
from litgrid.scenarios import random_district
from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import Building, Charger, District, Observed, Storage, Vehicle
from litgrid.scenarios.district_split import DistrictScenarios, split_district
from litgrid.scenarios.random_district import Features, write_random
from litgrid.sim import storage
from litgrid.sim.district_objective import GASOLINE_KG_PER_KWH
from litgrid.sim.district_view import DistrictView
from litgrid.sim.district_world import DistrictWorld
from litgrid.sim.storage import StorageParameters
from litgrid.sim.worlds import AnyView
from litgrid.site.site import Objective

FLAT = ((0.0, 1.0), (1.0, 1.0))
IMPORT = 0.5 + 0.1 * 0.4
"""What a kWh costs in ``home``: its price, and its CO2 at 0.10 a kg."""


def drawn(features: Features, seed: int, **objective: float) -> DistrictScenarios:
    with tempfile.TemporaryDirectory() as folder:
        district, _ = read_district(write_random(Path(folder) / "data", features, seed).parent)
    return split_district(district, "all", Objective(**objective))  # type: ignore[arg-type]


class Schedule:
    """Plays actions [T, K + N]: those of the program, or any."""

    name, seed = "schedule", None

    def __init__(self, actions: Tensor) -> None:
        self.actions, self.step = actions, 0

    def act(self, view: AnyView) -> Tensor:
        assert isinstance(view, DistrictView)
        self.step += 1
        return self.actions[self.step - 1].expand(len(view.bess_soc), -1)


def planned(scenarios: DistrictScenarios) -> Schedule:
    """What the program of all rows would do, as far as the simulator can; and never both ways at once."""
    simulator = DistrictWorld(scenarios, dtype=torch.float64).simulator
    (block,) = scenarios.blocks
    written = block_program(simulator, scenarios, block)
    values = Solver(written.program).solve()
    stationary = net(values, written.batteries, written.battery)
    mobile = net(values, written.vehicles, written.vehicle)
    actions = torch.zeros(block[1], len(simulator.batteries.min_soc) + len(simulator.district.chargers))
    actions = actions.double()
    full = simulator.batteries.power_kw.numpy()[written.batteries.storage] * simulator.hours
    actions[written.batteries.row, written.batteries.storage] = torch.from_numpy(stationary / full)
    legs, ways = written.vehicles, simulator.chargers
    charger = simulator.connections.charger[legs.row, legs.storage].long()
    up, down = (way.most_kw[charger].clamp(min=1e-9).numpy() * simulator.hours for way in (ways.charge, ways.discharge))
    share = np.where(mobile > 0.0, mobile * legs.bought / up, mobile * legs.sold / down)
    actions[legs.row, len(simulator.batteries.min_soc) + charger] = torch.from_numpy(share)
    return Schedule(actions)


def net(values: Values, legs: Legs, columns: Columns) -> Values:
    """What storages take at their terminals, negative when giving, with the same change of what they hold."""
    change = values[columns.charge] * legs.efficiency - values[columns.discharge] / legs.efficiency
    return np.where(change > 0.0, change / legs.efficiency, change * legs.efficiency)


def costs(scenarios: DistrictScenarios, controllers: list[Any]) -> list[float]:
    world = DistrictWorld(scenarios, dtype=torch.float64)
    return [float(district_rollout(world, controller).costs.total.sum()) for controller in controllers]


def least(scenarios: DistrictScenarios) -> float:
    return sum(block.objective for block in solve(scenarios))


def strange(scenarios: DistrictScenarios, paid: float, gain: float) -> DistrictScenarios:
    """The same with prices lowered, also below 0, and efficiencies of batteries raised, also above 1."""
    district = scenarios.district

    def raised(part: Storage) -> Storage:
        x, y = part.power_efficiency_curve
        return dataclasses.replace(part, power_efficiency_curve=(x, tuple(gain * value for value in y)))

    series = district.series.clone()
    series["price_per_kwh"] = series["price_per_kwh"] - paid
    series["carbon_kg_per_kwh"] = series["carbon_kg_per_kwh"] - paid
    buildings = tuple(
        dataclasses.replace(home, battery=home.battery and raised(home.battery)) for home in district.buildings
    )
    vehicles = tuple(dataclasses.replace(each, storage=raised(each.storage)) for each in district.vehicles)
    changed = dataclasses.replace(district, buildings=buildings, vehicles=vehicles, series=series)
    return dataclasses.replace(scenarios, district=changed)


@st.composite
def districts(draw: st.DrawFn) -> DistrictScenarios:
    names = ("v2g", "curves", "dead_band", "losses", "limits", "service", "outage")
    parts = {name: draw(st.booleans()) for name in names}
    parts["limits"] = parts["limits"] and not parts["service"]
    buildings, chargers, step = draw(st.integers(1, 4)), draw(st.integers(0, 2)), draw(st.sampled_from([900, 3600]))
    features = Features(steps=40, step_seconds=step, buildings=buildings, chargers=chargers, **parts)
    scenarios = drawn(features, draw(st.integers(0, 10**6)), wear_per_kwh=draw(st.sampled_from([0.0, 0.05])))
    paid, gain = draw(st.sampled_from([0.0, 0.0, 0.3])), draw(st.sampled_from([1.0, 1.0, 1.5]))
    return strange(scenarios, paid, gain)


@settings(max_examples=20, deadline=None)
@given(scenarios=districts(), seed=st.integers(0, 10**6))
def test_no_controller_beats_the_bound(scenarios: DistrictScenarios, seed: int) -> None:
    plan = planned(scenarios)
    free = torch.rand(plan.actions.shape, generator=torch.Generator().manual_seed(seed)).double() * 2.4 - 1.2
    rules = [make(name, scenarios) for name in ("idle", "uncontrolled", "self_consumption")]
    found, bound = costs(scenarios, [plan, Schedule(free), *rules]), least(scenarios)
    assert min(found) >= bound - 1e-6 * (1.0 + abs(bound))


@pytest.fixture(params=[(0, False), (2, True)], ids=str)
def linear(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> DistrictScenarios:
    """Three buildings without any curve or loss; no vehicle comes with a SOC that nobody stated."""
    monkeypatch.setattr(random_district, "STATED_SOC", 1.0)
    seed, v2g = request.param
    return drawn(Features(steps=48, buildings=3, chargers=2, v2g=v2g), seed, wear_per_kwh=0.02)


def test_in_a_linear_district_the_bound_is_reached(linear: DistrictScenarios) -> None:
    assert relaxed(linear) == []
    reached, idle = costs(linear, [planned(linear), make("self_consumption", linear)])
    assert reached == pytest.approx(least(linear), rel=1e-6)
    assert reached < 0.9 * idle


def test_an_efficiency_that_is_too_low_is_no_bound(linear: DistrictScenarios, monkeypatch: pytest.MonkeyPatch) -> None:
    (reached,) = costs(linear, [planned(linear)])
    right = district_storages.best_efficiency

    def low(params: StorageParameters) -> Tensor:
        return 0.98 * right(params)

    monkeypatch.setattr(district_storages, "best_efficiency", low)
    assert reached < least(linear) * (1.0 - 1e-4)


def home(battery: dict[str, Any], car: dict[str, Any], rows: int = 4) -> DistrictScenarios:
    """One building, 3 kWh of load and 1 kWh of PV an hour, and a car that arrives in row 1 and leaves after row 2.

    It comes with SOC 0.2, needs 0.6 of 20 kWh, and its charger gives 3 kW at an efficiency of 0.5 or 0.8.
    """
    plain = Storage(10.0, 5.0, 1.0, 0.5, 0.0, 0.0, FLAT, FLAT)
    inside = torch.tensor([[0 < row < 3] for row in range(rows)])
    new = torch.tensor([[row == 1] for row in range(rows)])
    connections = {
        "vehicle": torch.where(inside, 0, -1).to(torch.int16),
        "incoming": torch.full((rows, 1), -1, dtype=torch.int16),
        "new": new,
        "new_soc": torch.where(new, 0.2, -1.0).double(),
        "first_soc": torch.full((rows, 1), -1.0).double(),
        "state": torch.where(inside, 1, 3).to(torch.int8),
        "required_soc": torch.where(inside, 0.6, -0.1).double(),
        **dict.fromkeys(("departure_time", "arrival_time", "arrival_soc"), torch.full((rows, 1), -1.0).double()),
    }
    ones, clock = torch.ones(rows, 1, dtype=torch.float64), torch.arange(rows)
    series = {"load_kwh": 3 * ones, "pv_kwh": ones, "price_per_kwh": ones / 2, "carbon_kg_per_kwh": 0.4 * ones}
    calendar = {"month": clock * 0 + 1, "hour": clock, "minute": clock * 0, "day_type": clock * 0 + 1}
    ways = (((0.0, 1.0), (0.5, 0.8)), FLAT)
    district = District(
        "home",
        3600,
        None,
        (Building("home", dataclasses.replace(plain, **battery)),),
        (Charger("socket", 0, 3.0, 1.0, 0.0, 0.0, *ways),),
        (Vehicle("car", dataclasses.replace(plain, capacity_kwh=20.0, **car)),),
        TensorDict(series | {"outage": torch.zeros(rows, 1, dtype=torch.bool)}, [rows]),
        TensorDict(connections, [rows, 1]),
        TensorDict(calendar, [rows]),
        Observed((), (), (), torch.zeros(rows, 0)),
    )
    return split_district(district, "all", Objective())


def test_bounds_by_hand() -> None:
    """Three steps of 2 kWh net. Full power for two steps, at least 0.5 x 3 kW, brings the car to 0.35: 3 kWh due."""
    none: dict[str, Any] = {"capacity_kwh": 0.0}
    assert least(home(none, {})) == pytest.approx((6.0 + 3.0 / 0.8) * IMPORT)  # the best of the charger
    gasoline = dataclasses.replace(home(none, {}), objective=Objective(unserved_per_kwh=0.0).with_preset())
    assert least(gasoline) == pytest.approx(6.0 * IMPORT + 3.0 * 0.1 * GASOLINE_KG_PER_KWH)
    # 5 kWh at a one-way efficiency of 0.9 at best, of 0.8 at full power
    curve = {"power_efficiency_curve": ((0.0, 1.0), (0.81, 0.64))}
    assert least(home(curve, {})) == pytest.approx((6.0 + 3.0 / 0.8 - 4.5) * IMPORT)
    # 2 of 5 kWh lie above the lowest SOC of 0.3; half a loss of 0.1 an hour: the chord keeps 0.9 - 0.3 of 0.7
    rest = {"depth_of_discharge": 0.7, "loss_coefficient": 0.1}
    assert least(home(rest, {})) == pytest.approx((6.0 + 3.0 / 0.8 - 2.0) * IMPORT)


def test_best_cases_by_hand() -> None:
    """A point in the middle, an end to which a curve goes on, and the chord of what standing by leaves."""
    peak, rising = ((0.0, 0.5, 1.0), (0.64, 0.81, 0.49)), ((0.2, 0.6), (0.2, 0.6))
    part = Storage(10.0, 5.0, 0.7, 0.5, 0.1, 0.0, peak, rising)
    params = storage.parameters([part], 1.0, torch.device("cpu"), torch.float64)
    assert district_storages.best_efficiency(params).tolist() == pytest.approx([0.9])
    assert district_storages.highest(params.power).tolist() == pytest.approx([1.0])
    assert district_storages.kept(params).tolist() == pytest.approx([(0.9 - 0.3) / 0.7])


def test_what_is_relaxed_is_said() -> None:
    assert relaxed(home({}, {})) == [
        "efficiency curves of chargers: highest efficiency",
        "minimum power of chargers: none",
    ]
    found = relaxed(home({"capacity_power_curve": ((0.0, 1.0), (1.0, 0.5))}, {"capacity_loss_coefficient": 1e-5}))
    assert "power curves: highest power" in found
    assert "degradation: none" in found
    assert len(relaxed(drawn(Features(steps=60, curves=True, losses=True, limits=True, outage=True), 0))) == 8
