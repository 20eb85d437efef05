"""What a district knows, needs and pays: by hand, by brute force, and over random districts."""

import dataclasses
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensordict import TensorDict
from torch import Tensor

from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import Building, Charger, District, Observed, Storage, Vehicle
from litgrid.scenarios.district_split import split_district
from litgrid.scenarios.random_district import Features, write_random
from litgrid.sim import storage
from litgrid.sim.district_actions import floor, least_share
from litgrid.sim.district_objective import GASOLINE_KG_PER_KWH, DistrictCosts
from litgrid.sim.district_world import DistrictWorld, WorldState
from litgrid.site.site import Objective

FLAT = ((0.0, 1.0), (1.0, 1.0))
ROWS = 9
VEHICLE = [[-1, 0], [1, 0], [1, -1], [1, 0], [1, 0], [1, 0], [-1, 0], [0, -1], [0, -1]]
NEW = [[0, 1], [1, 0], [0, 0], [0, 1], [0, 0], [0, 1], [0, 0], [1, 0], [0, 0]]


def battery(capacity_kwh: float, power_kw: float) -> Storage:
    return Storage(capacity_kwh, power_kw, 1.0, 0.5, 0.0, 0.0, ((0.0,), (1.0,)), ((0.0,), (1.0,)))


def by_hand() -> District:
    """A building with a battery of 10 kWh, two chargers of 2 and 4 kW, two vehicles of 10 and 20 kWh.

    Vehicle 0 is at charger 1 three times, the last two without a gap, and then at charger 0 until the data end.
    """
    connections = {
        "vehicle": torch.tensor(VEHICLE, dtype=torch.int16),
        "new": torch.tensor(NEW, dtype=torch.bool),
        "incoming": torch.full((ROWS, 2), -1, dtype=torch.int16),
        "new_soc": torch.tensor(NEW, dtype=torch.float64) * 1.2 - 1.0,  # 0.2 wherever a connection begins
        "first_soc": torch.tensor(VEHICLE, dtype=torch.float64).clamp(min=-1, max=0) + 0.2,
        "state": torch.where(torch.tensor(VEHICLE) >= 0, 1, 3).to(torch.int8),
        "required_soc": torch.tensor([[-0.1, 0.5]] * 5 + [[0.9, 0.9]] * 4, dtype=torch.float64),
        **dict.fromkeys(("departure_time", "arrival_time", "arrival_soc"), torch.full((ROWS, 2), -1.0).double()),
    }
    ones = torch.ones(ROWS, 1, dtype=torch.float64)
    series = {"load_kwh": 3.0 * ones, "pv_kwh": ones, "price_per_kwh": 0.5 * ones, "carbon_kg_per_kwh": 0.4 * ones}
    clock = torch.arange(ROWS)
    calendar = {"month": clock * 0 + 1, "hour": clock, "minute": clock * 0, "day_type": clock * 0 + 1}
    return District(
        "by hand",
        3600,
        None,
        (Building("home", battery(10.0, 5.0)),),
        tuple(Charger(f"charger {kw}", 0, kw, 0.0, 0.0, 0.0, FLAT, FLAT) for kw in (2.0, 4.0)),
        tuple(Vehicle(f"vehicle {kwh}", battery(kwh, 10.0)) for kwh in (10.0, 20.0)),
        TensorDict(series | {"outage": torch.zeros(ROWS, 1, dtype=torch.bool)}, [ROWS]),
        TensorDict(connections, [ROWS, 2]),
        TensorDict(calendar, [ROWS]),
        Observed((), (), (), torch.zeros(ROWS, 0)),
    )


def world_of(features: Features, seed: int = 0, objective: Objective | None = None) -> DistrictWorld:
    with tempfile.TemporaryDirectory() as folder:
        district, _ = read_district(write_random(Path(folder) / "data", features, seed).parent)
    return DistrictWorld(split_district(district, "all", objective or Objective()), dtype=torch.float64)


def begin(world: DistrictWorld, envs: int = 1, step: int = 0) -> WorldState:
    return world.initial(torch.full((envs,), step))


def controls(world: DistrictWorld) -> tuple[int, int]:
    return len(world.simulator.batteries.min_soc), len(world.district.chargers)


def test_stays_by_hand() -> None:
    world = DistrictWorld(split_district(by_hand(), "all", Objective()))
    views = world.view(world.initial(torch.arange(ROWS)))
    assert views.left.tolist() == [[0, 2], [5, 1], [4, 0], [3, 2], [2, 1], [1, 2], [0, 1], [2, 0], [1, 0]]
    assert views.connected.tolist() == [[vehicle >= 0 for vehicle in row] for row in VEHICLE]
    required = [[0, 0.5], [0.9, 0.5], [0.9, 0], [0.9, 0.5], [0.9, 0.5], [0.9, 0.9], [0, 0.9], [0.9, 0], [0.9, 0]]
    torch.testing.assert_close(views.soc_required, torch.tensor(required))  # that of the stay's last row
    assert views.vehicle_capacity_kwh[1].tolist() == [20, 10]
    gain = torch.tensor([[1.0, 0.4], [0.1, 0.4]])
    torch.testing.assert_close(views.ev_gain[:2], gain)  # 4 kWh of 10, 2 kWh of 20; 1 at a free charger
    assert views.charger_power_kw.tolist() == [2, 4]
    assert views.charger_lowest.tolist() == [0, 0]


def test_service_and_costs_by_hand() -> None:
    """Half of full power: vehicle 0 is short of 1 kWh after row 1, as full power would have given 6 kWh of 8."""
    world = DistrictWorld(split_district(by_hand(), "all", Objective(wear_per_kwh=0.1)), dtype=torch.float64)
    state, costs = begin(world), []
    action = torch.tensor([[-0.2, 0.5, 0.125]], dtype=torch.float64)
    for _ in range(8):
        state, flows, cost = world.step(state, action)
        costs.append(cost)
    booked = DistrictCosts(*(torch.cat(parts) for parts in zip(*costs, strict=True)))
    # vehicle 0: 0.2 + 2 x 0.05 = 0.3 of 0.5; again, then of 0.9; vehicle 1: 0.2 + 5 x 0.05 of 0.9, reachable is 0.7
    assert booked.ev_required.tolist() == pytest.approx([0, 3, 0, 0, 3, 14, 7, 0])
    assert booked.ev_deliverable.tolist() == pytest.approx([0, 3, 0, 0, 3, 10, 7, 0])
    assert booked.ev_unserved.tolist() == pytest.approx([0, 2, 0, 0, 2, 5, 6, 0])
    # row 1: 3 kWh of load, 1 of PV, 1 from the battery, 1 and 0.5 into vehicles: 2.5 kWh imported
    assert float(booked.energy[1]) == pytest.approx(2.5 * 0.5)
    assert float(booked.co2_kg[1]) == pytest.approx(2.5 * 0.4 + 2.0 * GASOLINE_KG_PER_KWH)
    assert float(booked.unserved[1]) == pytest.approx(2.0 * 2.26)
    assert float(booked.wear[1]) == pytest.approx(0.1)
    total = booked.energy + 0.1 * booked.co2_kg + booked.unserved + booked.wear
    torch.testing.assert_close(booked.total, total)
    assert float(flows.net_kwh) == pytest.approx(3 - 1 + 0 + 1)  # the battery is empty, charger 1 free


def test_an_episode_that_begins_within_a_stay_counts_from_there() -> None:
    world = DistrictWorld(split_district(by_hand(), "all", Objective()), dtype=torch.float64)
    state, idle = begin(world, step=4), torch.zeros(1, 3, dtype=torch.float64)
    for _ in range(2):
        state, _, costs = world.step(state, idle)
    assert float(costs.ev_required) == pytest.approx(14.0)
    assert float(costs.ev_deliverable) == pytest.approx(4.0)


FEATURES = st.builds(
    Features,
    steps=st.just(50),
    step_seconds=st.sampled_from([3600, 900]),
    buildings=st.integers(1, 4),
    chargers=st.integers(0, 4),
    **dict.fromkeys(("v2g", "curves", "dead_band", "losses"), st.booleans()),
)
LIMITED = st.builds(
    dataclasses.replace,
    FEATURES,
    **dict.fromkeys(("limits", "service", "outage"), st.booleans()),
)


def run(world: DistrictWorld, seed: int, mapped: bool, envs: int = 3) -> tuple[list[WorldState], list[tuple]]:  # type: ignore[type-arg]
    draw = torch.Generator().manual_seed(seed)
    state, states, record = begin(world, envs), [], []
    for _ in range(world.steps):
        action = torch.rand(envs, sum(controls(world)), generator=draw, dtype=torch.float64) * 2.4 - 1.2
        action[1:2, controls(world)[0] :] = -1.0
        states.append(state)
        state, *found = world.step(state, floor(world.view(state), action) if mapped else action)
        record.append(tuple(found))
    return [*states, state], record


@settings(max_examples=12, deadline=None)
@given(features=LIMITED, seed=st.integers(0, 2**31))
def test_energies_balance_and_costs_add_up(features: Features, seed: int) -> None:
    world = world_of(features, seed)
    _, record = run(world, seed, mapped=False)
    for step, (flows, costs) in enumerate(record):
        outage = world.district.series["outage"][step]
        balance = (flows.load_kwh + flows.bess_kwh + flows.ev_kwh - flows.pv_kwh) * ~outage
        torch.testing.assert_close(flows.net_kwh, balance)
        price, carbon = (world.district.series[key][step] for key in ("price_per_kwh", "carbon_kg_per_kwh"))
        imported = flows.net_kwh.clamp(min=0)
        torch.testing.assert_close(costs.energy, (imported * price).sum(-1))
        co2_kg = (imported * carbon).sum(-1) + costs.ev_unserved * GASOLINE_KG_PER_KWH
        torch.testing.assert_close(costs.co2_kg, co2_kg)
        torch.testing.assert_close(costs.total, costs.energy + 0.1 * co2_kg + 2.26 * costs.ev_unserved)
        assert bool((costs.ev_deliverable <= costs.ev_required + 1e-9).all())
        assert bool((costs.ev_unserved >= 0).all())


@settings(max_examples=15, deadline=None)
@given(features=FEATURES, seed=st.integers(0, 2**31))
def test_whatever_the_agent_does_floor_gives_all_that_is_possible(features: Features, seed: int) -> None:
    """With curves, dead-bands, V2G and standby losses; without limits and outages, which it does not foresee."""
    world = world_of(features, seed)
    _, record = run(world, seed, mapped=True)
    assert max(float(costs.ev_unserved.max()) for _, costs in record) < 1e-6


def test_floor_leaves_what_is_not_needed_to_the_agent() -> None:
    """The test above would hold for full power everywhere."""
    world = world_of(Features(v2g=True, chargers=6))
    view = world.view(world.initial(torch.arange(world.steps)))
    least = least_share(view)[view.connected]
    assert float((least < 0.0).double().mean()) > 0.2
    assert float((least < 1.0).double().mean()) > 0.4
    free = floor(view, torch.ones(world.steps, sum(controls(world))))[:, controls(world)[0] :][~view.connected]
    assert float(free.abs().max()) == 0.0  # CityLearn's limits count what free chargers ask for


def brute_force(world: DistrictWorld, states: list[WorldState], env: int) -> Tensor:
    """Required, deliverable and unserved energy of every row [T - 1, 3], session by session."""
    district, vehicles = world.district, world.simulator.vehicles
    vehicle, new, required = (district.connections[key].numpy() for key in ("vehicle", "new", "required_soc"))
    forced = world.simulator.connections.forced.numpy()
    booked = torch.zeros(world.steps, 3, dtype=torch.float64)
    for charger, facts in enumerate(district.chargers):
        full_kwh = facts.max_charging_kw * facts.active * facts.charge_efficiency[1][-1] * world.simulator.hours
        for row in np.flatnonzero(new[:, charger]):
            who = int(vehicle[row, charger])
            arrival = reachable = states[row].vehicle_soc[env, who]
            for step in range(row, world.steps):
                if step > row and forced[step, who] >= 0:
                    reachable = states[step].vehicle_soc[env, who]
                request = torch.zeros(1, len(district.vehicles), dtype=torch.float64)
                request[0, who] = full_kwh
                start = torch.zeros_like(request).index_fill(1, torch.tensor([who]), float(reachable))
                lost = states[step].vehicle_lost[env : env + 1]
                filled = (
                    storage.charge(start, lost, request, vehicles, world.simulator.hours).soc if facts.active else start
                )
                if vehicle[step + 1, charger] != who or new[step + 1, charger]:
                    wanted = max(float(required[step, charger]), 0.0)
                    target = min(wanted, float(filled[0, who]))
                    given = float(states[step + 1].before_soc[env, who])
                    kwh = district.vehicles[who].storage.capacity_kwh
                    short = [wanted - float(arrival), target - float(arrival), target - given]
                    booked[step] += torch.tensor([max(0.0, value) * kwh for value in short])
                    break
                reachable = storage.stand_by(filled, vehicles)[0, who]
    return booked


@settings(max_examples=5, deadline=None)
@given(features=FEATURES, seed=st.integers(0, 2**31))
def test_service_is_that_of_a_count_session_by_session(features: Features, seed: int) -> None:
    features = dataclasses.replace(features, curves=False, chargers=max(1, features.chargers))
    world = world_of(features, seed)
    states, record = run(world, seed, mapped=False)
    found = torch.stack(
        [torch.stack([costs.ev_required, costs.ev_deliverable, costs.ev_unserved], -1) for _, costs in record]
    )
    for env in range(2):
        torch.testing.assert_close(found[:, env], brute_force(world, states, env))


def test_views_show_the_vehicles_where_they_are() -> None:
    world = world_of(Features(buildings=3, v2g=True, dead_band=True, losses=True))
    states, record = run(world, 0, mapped=False)
    for step, (flows, _) in enumerate(record):
        assert torch.equal(states[step + 1].before_soc, flows.vehicle_soc)
    for step in (0, 17, 80, world.steps):
        view, vehicle = world.view(states[step]), world.district.connections["vehicle"][step]
        for charger, who in enumerate(vehicle.tolist()):
            expected = states[step].vehicle_soc[:, who] if who >= 0 else torch.zeros(3, dtype=torch.float64)
            assert torch.equal(view.ev_soc[:, charger], expected)
        for key in ("load_kwh", "pv_kwh", "price_per_kwh", "carbon_kg_per_kwh"):
            assert torch.equal(getattr(view, key)[0], world.district.series[key][step])
        for key in ("month", "hour", "minute", "day_type"):
            assert getattr(view, key).tolist() == [int(world.district.calendar[key][step])] * 3


def test_gradients_through_a_window_are_finite_differences() -> None:
    world = world_of(Features(buildings=3, curves=True, losses=True, v2g=True), objective=Objective(wear_per_kwh=0.1))
    start = begin(world, step=5)
    count = sum(controls(world))
    actions = torch.rand(4, 1, count, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 1.8 - 0.9

    def cost(given: Tensor) -> Tensor:
        state, total = start, torch.zeros(1, dtype=torch.float64)
        for action in given:
            state, _, costs = world.step(state, action)
            total = total + costs.total
        return total

    actions.requires_grad_()
    (slopes,) = torch.autograd.grad(cost(actions).sum(), actions)
    assert float((slopes.abs().amax((0, 1)) > 0).double().mean()) > 0.5  # most controls matter
    assert torch.autograd.gradcheck(cost, actions)
