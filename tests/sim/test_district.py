"""The district simulator: batches, drift, gradients; the conformance kit compares it with CityLearn."""

from pathlib import Path

import numpy as np
import pytest
import torch

from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.export import export
from litgrid.scenarios.random import random_scenarios
from litgrid.sim.conformance.reference import district
from litgrid.sim.district import DistrictSimulator
from litgrid.sim.district_parity import load_citylearn, random_actions, run_citylearn, run_simulator, worst_errors
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site

pytest.importorskip("citylearn")


def test_the_cases_have_what_they_are_for() -> None:
    """No case is equal because nothing happens in it."""
    vehicle = district("vehicles").district.connections["vehicle"].numpy()
    new = district("vehicles").district.connections["new_soc"].numpy()
    arrivals = (vehicle[1:] >= 0) & (vehicle[1:] != vehicle[:-1])
    assert arrivals.sum() > 100
    assert (arrivals & (new[1:] < 0)).sum() > 10  # keep the SOC that they have
    homes = [set(np.nonzero(vehicle == number)[1]) for number in range(len(district("vehicles").district.vehicles))]
    assert min(len(home) for home in homes) >= 2
    assert float((district("v2g").run["charger_kwh"] < 0).double().mean()) > 0.1
    requested = district("dead-band").actions[:, 1:].clamp(-1, 1) != 0
    assert float((district("dead-band").run["commanded_kwh"] == 0)[requested].double().mean()) > 0.05
    for name in ("limits", "service", "all with limits", "all with service"):
        assert float((district(name).run["violation_kwh"] > 0).double().mean()) > 0.2, name
    outage = district("outage").district.series["outage"][:-1]
    assert 0.1 < float(outage.double().mean()) < 0.4
    assert float(district("outage").run["net_kwh"][outage].abs().max()) == 0.0
    for name in ("batteries", "dead-band"):
        worn = district(name).run["bess_capacity_kwh"]
        assert bool((worn[-1] < 0.99 * worn[0]).all())


def test_vehicles_drift_as_in_citylearn() -> None:
    """With CityLearn's seed, also the SOCs of vehicles that are away are its own."""
    folder, vehicles, actions, still = district("vehicles")
    env = load_citylearn(folder / "schema.json")
    theirs = run_citylearn(env, vehicles, actions, drift=True)
    seed = env.random_seed + env.episode_tracker.episode
    simulator = DistrictSimulator(vehicles, dtype=torch.float64, emulate_float32=True, drift_seed=seed)
    assert max(worst_errors(run_simulator(simulator, actions), theirs, vehicles).values()) < 1e-6
    assert worst_errors(still, theirs, vehicles)["vehicle_soc"] > 0.1


def test_a_batch_is_its_districts_side_by_side() -> None:
    _, found, actions, _ = district("all with service")
    simulator = DistrictSimulator(found, dtype=torch.float64)
    starts = torch.tensor([0, 50, 120, 50])
    state, separate = simulator.initial(starts), [simulator.initial(starts[b : b + 1]) for b in range(4)]
    for t in range(30):
        action = actions[starts + t]
        state, flows = simulator.step(state, action)
        for b in range(4):
            separate[b], alone = simulator.step(separate[b], action[b : b + 1])
            for whole, part in zip((*state, *flows), (*separate[b], *alone), strict=True):
                torch.testing.assert_close(whole[b : b + 1], part)


def test_an_exported_scenario_is_the_same_in_both_simulators(small_site: Site, tmp_path: Path) -> None:
    """The site's own simulator and the district's agree on the site's energies, bill and CO2."""
    scenarios = random_scenarios(small_site, 1, 100)
    exported, _ = read_district(export(scenarios, 0, tmp_path / "data").parent)
    ours, theirs = Simulator(scenarios, dtype=torch.float64), DistrictSimulator(exported, dtype=torch.float64)
    start = torch.zeros(1, dtype=torch.int64)
    state, other = ours.initial(start, start), theirs.initial(start)
    for action in random_actions(exported, 100, 0).clamp(min=0.0):
        state, flows, costs = ours.step(state, action.unsqueeze(0))
        other, found = theirs.step(other, action.unsqueeze(0))
        torch.testing.assert_close(found.net_kwh[:, 0], flows.grid_import - flows.grid_export, atol=1e-5, rtol=1e-6)
        torch.testing.assert_close(found.charger_kwh, flows.ev_sockets, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(found.cost[:, 0], costs.energy, atol=1e-5, rtol=1e-6)


@pytest.mark.parametrize(("name", "row"), [("all with limits", 40), ("all with service", 80)])
def test_gradients_flow_through_a_window(name: str, row: int) -> None:
    """Those of finite differences, with respect to actions and SOCs, where no limit is met exactly."""
    _, found, actions, _ = district(name)
    simulator = DistrictSimulator(found, dtype=torch.float64)
    start = simulator.initial(torch.tensor([row]))

    def bill(window: torch.Tensor, bess_soc: torch.Tensor, vehicle_soc: torch.Tensor) -> torch.Tensor:
        state = start._replace(bess_soc=bess_soc, vehicle_soc=vehicle_soc)
        total = torch.zeros((), dtype=torch.float64)
        for action in window:
            state, flows = simulator.step(state, action.unsqueeze(0))
            total = total + flows.cost.sum() + flows.co2_kg.sum()
        return total + state.bess_soc.sum() + state.vehicle_soc.sum()

    kinks = (actions == 0.0) | (actions.abs() >= 1.0)
    window = torch.where(kinks, 0.6, actions)[row : row + 3]
    inputs = [values.clone().requires_grad_() for values in (window, start.bess_soc, start.vehicle_soc)]
    for gradient in torch.autograd.grad(bill(*inputs), inputs):
        assert int((gradient != 0.0).sum()) >= 3
    assert torch.autograd.gradcheck(bill, inputs, eps=1e-7, atol=1e-5)
