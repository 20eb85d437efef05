"""The district simulator beside CityLearn. ``pytest -rP`` prints the errors found."""

import functools
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import District
from litgrid.scenarios.export import export
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.random_district import Features, write_random
from litgrid.sim import chargers, connections, limits
from litgrid.sim import district as simulation
from litgrid.sim.district_parity import Run, load_citylearn, random_actions, run_citylearn, run_simulator, worst_errors
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site

pytest.importorskip("citylearn")

PUBLIC = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "citylearn_2022_phase_1"
EXACT: dict[str, Any] = {"dtype": torch.float64, "emulate_float32": True}
DOUBLE: dict[str, Any] = {"dtype": torch.float64}
SINGLE: dict[str, Any] = {"dtype": torch.float32}
BOUNDS = ((EXACT, 1e-6), (DOUBLE, 1e-5), (SINGLE, 1e-4))  # SINGLE: the goal over a year

def test_the_cases_have_what_they_are_for() -> None:
    """No case is equal because nothing happens in it."""
    vehicle = case("vehicles").district.connections["vehicle"].numpy()
    new = case("vehicles").district.connections["new_soc"].numpy()
    arrivals = (vehicle[1:] >= 0) & (vehicle[1:] != vehicle[:-1])
    assert arrivals.sum() > 100
    assert (arrivals & (new[1:] < 0)).sum() > 10  # keep the SOC that they have
    homes = [set(np.nonzero(vehicle == number)[1]) for number in range(len(case("vehicles").district.vehicles))]
    assert min(len(home) for home in homes) >= 2
    assert float((case("v2g").run["charger_kwh"] < 0).double().mean()) > 0.1
    requested = case("dead-band").actions[:, 1:].clamp(-1, 1) != 0
    assert float((case("dead-band").run["commanded_kwh"] == 0)[requested].double().mean()) > 0.05
    for name in ("limits", "service", "all with limits", "all with service"):
        assert float((case(name).run["violation_kwh"] > 0).double().mean()) > 0.2, name
    outage = case("outage").district.series["outage"][:-1]
    assert 0.1 < float(outage.double().mean()) < 0.4
    assert float(case("outage").run["net_kwh"][outage].abs().max()) == 0.0
    for name in ("batteries", "dead-band"):
        worn = case(name).run["bess_capacity_kwh"]
        assert bool((worn[-1] < 0.99 * worn[0]).all())


def test_vehicles_drift_as_in_citylearn() -> None:
    """With CityLearn's seed, also the SOCs of vehicles that are away are its own."""
    district, env, actions, still = case("vehicles")
    theirs = run_citylearn(env, district, actions, drift=True)
    seed = env.random_seed + env.episode_tracker.episode
    ours = run_simulator(simulation.DistrictSimulator(district, **EXACT, drift_seed=seed), actions)
    assert max(worst_errors(ours, theirs, district).values()) < 1e-6
    assert worst_errors(still, theirs, district)["vehicle_soc"] > 0.1


def test_a_batch_is_its_districts_side_by_side() -> None:
    district, _, actions, _ = case("all with service")
    simulator = simulation.DistrictSimulator(district, dtype=torch.float64)
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
    district, _ = read_district(export(scenarios, 0, tmp_path / "data").parent)
    ours, theirs = (
        Simulator(scenarios, dtype=torch.float64),
        simulation.DistrictSimulator(district, dtype=torch.float64),
    )
    start = torch.zeros(1, dtype=torch.int64)
    state, other = ours.initial(start, start), theirs.initial(start)
    for action in random_actions(district, 100, 0).clamp(min=0.0):
        state, flows, costs = ours.step(state, action.unsqueeze(0))
        other, found = theirs.step(other, action.unsqueeze(0))
        torch.testing.assert_close(found.net_kwh[:, 0], flows.grid_import - flows.grid_export, atol=1e-5, rtol=1e-6)
        torch.testing.assert_close(found.charger_kwh, flows.ev_sockets, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(found.cost[:, 0], costs.energy, atol=1e-5, rtol=1e-6)


def test_gradients_flow_through_a_window() -> None:
    """Those of finite differences, over six steps of a district with curves, losses and limits."""
    district, _, actions, _ = case("all with limits")
    simulator = simulation.DistrictSimulator(district, dtype=torch.float64)

    def bill(window: torch.Tensor) -> torch.Tensor:
        state, total = simulator.initial(torch.tensor([40])), torch.zeros((), dtype=torch.float64)
        for action in window:
            state, flows = simulator.step(state, action.unsqueeze(0))
            total = total + flows.cost.sum() + flows.co2_kg.sum()
        return total + state.bess_soc.sum() + state.vehicle_soc.sum()

    kinks = (actions == 0.0) | (actions.abs() >= 1.0)
    window = torch.where(kinks, 0.6, actions)[40:46].requires_grad_()
    assert torch.autograd.gradcheck(bill, (window,), eps=1e-7, atol=1e-5)


@pytest.mark.skipif(not PUBLIC.exists(), reason=f"{PUBLIC} is absent")
@pytest.mark.parametrize("steps", [300, pytest.param(8758, marks=pytest.mark.slow)])
def test_the_public_data_set(steps: int) -> None:
    """Five buildings of CityLearn's challenge of 2022, with random actions, over the year."""
    district, _ = read_district(PUBLIC)
    assert (len(district.buildings), len(district.chargers), district.steps) == (5, 0, 8759)
    actions = random_actions(district, steps, 0)
    theirs = run_citylearn(load_citylearn(PUBLIC / "schema.json"), district, actions)
    for options, bound in BOUNDS:
        errors = worst_errors(
            run_simulator(simulation.DistrictSimulator(district, **options), actions), theirs, district
        )
        print(steps, options, {key: f"{error:.0e}" for key, error in errors.items()})
        assert max(errors.values()) < bound, errors
