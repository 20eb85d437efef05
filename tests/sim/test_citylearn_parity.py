"""The site in Iquitos through CityLearn and through the simulator; the conformance kit compares smaller ones."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from litgrid.scenarios.build import build
from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.export import export
from litgrid.scenarios.random import random_scenarios as draw_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.citylearn import environment_class, process_settings_kept
from litgrid.sim.conformance import SiteConformance
from litgrid.sim.conformance.reference import reference
from litgrid.sim.district_parity import random_actions
from litgrid.sim.env import SiteEnv
from litgrid.site.site import Site, Years, read_site, replace

pytest.importorskip("citylearn")

IQUITOS = Path(__file__).resolve().parents[2] / "configs" / "sites" / "iquitos.yaml"


def changes(scenarios: ScenarioSet, steps: int) -> tuple[int, int, int, int]:
    """Arrivals and departures in the first steps, sockets that change vehicles, sessions without a gap before."""
    keys = ("socket", "arrival", "departure")
    socket, arrival, departure = (scenarios.sessions[key][0].long().numpy() for key in keys)
    arrives, leaves = arrival < steps, departure < steps
    ends = set(zip(socket[leaves].tolist(), departure[leaves].tolist(), strict=True))
    back_to_back = len(ends & set(zip(socket[arrives].tolist(), arrival[arrives].tolist(), strict=True)))
    changing = int((np.bincount(socket[arrives]) > 1).sum())
    return int(arrives.sum()), int(leaves.sum()), changing, back_to_back


def beginning(scenarios: ScenarioSet, steps: int) -> ScenarioSet:
    """The first steps of a scenario set, without the sessions that go on after them."""
    sessions = scenarios.sessions.clone()
    later = sessions["departure"] > steps
    for key in ("arrival", "departure"):
        sessions[key][later] = steps
    return dataclasses.replace(scenarios, series=scenarios.series[:, :steps], sessions=sessions)


@pytest.mark.slow
def test_500_steps_with_128_sockets(tmp_path: Path) -> None:
    """With the sessions that the site is simulated with."""
    site = replace(read_site(IQUITOS), years=Years(1, 1, 1))
    scenarios = beginning(build(site, "test"), 500)
    assert site.fleet.sockets == 128
    arrivals, departures, changing, back_to_back = changes(scenarios, 500)
    print(f"{arrivals} arrivals, {departures} departures, {back_to_back} of them with an arrival in the same step")
    assert min(arrivals, departures) > 2000
    assert changing == 128
    assert back_to_back > 100
    kit = SiteConformance()
    kit.environment = SiteEnv
    expected = reference(export(scenarios, 0, tmp_path / "data").parent)
    for dtype in (torch.float64, torch.float32):
        kit.equals(scenarios, expected, dtype, 1e-5)


def test_nothing_is_drawn(small_site: Site, tmp_path: Path) -> None:
    """CityLearn's random numbers change no energy: other seeds give the same year, bit for bit."""
    scenarios = draw_scenarios(small_site, 1, 100)
    path = export(scenarios, 0, tmp_path / "data")
    actions = random_actions(read_district(path.parent)[0], 100, 0).tolist()
    runs = []
    for seed in (0, 7):
        with process_settings_kept():
            env = environment_class()(str(path), offline=True, random_seed=seed)
        while not env.terminated:
            env.step([actions[env.time_step]])
        (building,) = env.buildings
        assert env.time_step == 100
        vehicles = [
            [vehicle and vehicle.name for vehicle in c.past_connected_evs] for c in building.electric_vehicle_chargers
        ]
        chargers = [charger.electricity_consumption.tolist() for charger in building.electric_vehicle_chargers]
        series = [building.net_electricity_consumption.tolist(), building.electrical_storage.soc.tolist()]
        runs.append([vehicles, chargers, series])
    assert runs[0] == runs[1]
