"""CityLearn's observations, ours beside its own. ``pytest -rP`` prints the errors found."""

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from litgrid.errors import InputError
from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import District
from litgrid.scenarios.export import export
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.random_district import Features, write_random
from litgrid.sim import citylearn_headroom, citylearn_observations
from litgrid.sim import district as simulation
from litgrid.sim.district_parity import (
    OBSERVATIONS,
    Run,
    load_citylearn,
    random_actions,
    run_citylearn,
    run_simulator,
    worst_errors,
)
from litgrid.site.site import Site

pytest.importorskip("citylearn", reason="CityLearn installs on Python 3.11 alone")

PUBLIC = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "citylearn_2022_phase_1"
EXACT: dict[str, Any] = {"dtype": torch.float64, "emulate_float32": True}
BOUNDS = ((EXACT, 1e-6), ({"dtype": torch.float64}, 1e-5), ({"dtype": torch.float32}, 1e-4))
EVERYTHING = {"v2g": True, "curves": True, "dead_band": True, "losses": True, "outage": True}
CASES = {
    "vehicles": Features(steps=100, buildings=3, chargers=2, v2g=True, losses=True),
    "limits": Features(steps=100, buildings=4, chargers=2, step_seconds=900, limits=True, **EVERYTHING),
    "service": Features(steps=100, buildings=4, chargers=2, service=True, **EVERYTHING),
}


class Case(NamedTuple):
    """A random district with CityLearn's names of its observations, and what CityLearn makes of random actions."""

    district: District
    env: Any
    names: list[str]
    actions: torch.Tensor
    run: Run


def load(features: Features, seed: int) -> tuple[District, Any]:
    with tempfile.TemporaryDirectory() as folder:
        schema = write_random(Path(folder) / "data", features, seed)
        return read_district(schema.parent)[0], load_citylearn(schema, observed=True)


@functools.cache
def case(name: str) -> Case:
    district, env = load(CASES[name], list(CASES).index(name))
    actions = random_actions(district, district.steps, 0)
    return Case(district, env, env.observation_names[0], actions, run_citylearn(env, district, actions))


def error(district: District, actions: torch.Tensor, theirs: Run, options: dict[str, Any], first: int = 0) -> float:
    simulator = simulation.DistrictSimulator(district, **options)
    observer = citylearn_observations.CityLearnObserver(district, dtype=simulator.dtype)
    found = worst_errors(run_simulator(simulator, actions, first, observer), theirs, district)
    return found[OBSERVATIONS]


@pytest.mark.parametrize("name", CASES)
def test_equals_citylearn(name: str) -> None:
    """Names, order and values, over random actions; CityLearn stores in float32."""
    district, _, names, actions, theirs = case(name)
    assert citylearn_observations.CityLearnObserver(district).names == names
    for options, bound in BOUNDS:
        found = error(district, actions, theirs, options)
        print(f"{name}, {len(names)} observations, {options}: {found:.0e}")
        assert found < bound


def test_the_cases_have_what_they_are_for() -> None:
    """Between them, the cases show every kind of observation, and none is constant for want of events."""
    names = {name for each in CASES for name in case(each).names}
    for piece in (
        *("hour", "predicted_3", "carbon_intensity", "electricity_pricing_predicted_1", "comfort_band", "power_outage"),
        *("cooling_delta", "without_control", "dhw_storage_soc", "electrical_storage_soc", "net_electricity"),
        *("connected_state", "departure_time", "required_soc", "_soc", "battery_capacity", "incoming_state"),
        *("estimated_arrival_time", "estimated_soc_arrival", "building_headroom", "phase_L1_headroom"),
        *("phase_phase_0_headroom", "export_headroom", "violation", "one_hot"),
    ):
        assert any(piece in name for name in names), piece
    service = case("service")
    moved = service.run[OBSERVATIONS].std(0)
    at = [column for column, name in enumerate(service.names) if name.endswith(("_headroom_kw", "_soc", "_state"))]
    assert float((moved[at] > 0).double().mean()) > 0.8


@settings(max_examples=6, deadline=None)
@given(
    features=st.builds(
        Features,
        steps=st.just(50),
        step_seconds=st.sampled_from([3600, 900]),
        buildings=st.integers(1, 4),
        chargers=st.integers(0, 3),
        **dict.fromkeys(("v2g", "curves", "losses", "limits", "service", "outage"), st.booleans()),
    ),
    seed=st.integers(0, 2**31),
    first=st.integers(0, 20),
)
def test_any_district_from_any_row(features: Features, seed: int, first: int) -> None:
    district, env = load(features, seed)
    actions = random_actions(district, district.steps - first, seed)
    theirs = run_citylearn(env, district, actions, first)
    assert citylearn_observations.CityLearnObserver(district).names == env.observation_names[0]
    assert error(district, actions, theirs, EXACT, first) < 1e-6


@pytest.mark.parametrize("name", ["limits", "service"])
def test_an_episode_that_begins_in_an_outage(name: str, plant: Any) -> None:
    """Nothing flows then, but what is left of the limits is as if it did."""
    district, env, names, actions, _ = case(name)
    homes = [district.observed.buildings[at] for at, name in enumerate(names) if name == "net_electricity_consumption"]
    first = int(district.series["outage"][:, homes[0]].nonzero()[1])
    theirs = run_citylearn(env, district, actions[:5], first)
    assert error(district, actions[:5], theirs, EXACT, first) < 1e-6
    plant(citylearn_observations, "net_kwh=base * self._connected[row]", "net_kwh=base")
    assert error(district, actions[:5], theirs, EXACT, first) > 1e-3


def test_vehicles_that_drift() -> None:
    """An arrival without a gap shows the SOC to which the vehicle drifted: with CityLearn's seed, CityLearn's."""
    district, env, _, actions, _ = case("vehicles")
    theirs = run_citylearn(env, district, actions, drift=True)
    seed = env.random_seed + env.episode_tracker.episode
    assert error(district, actions, theirs, {**EXACT, "drift_seed": seed}) < 1e-6
    assert error(district, actions, theirs, EXACT) > 0.1


def test_the_last_one_is_citylearns_former_and_our_last_row() -> None:
    """CityLearn does not move its buildings on with the last step, and shows them once more."""
    district, env = load(Features(steps=30, buildings=1, chargers=1), 0)
    env.reset()
    seen = [env.step([[0.5] * len(env.action_names[0])])[0][0] for _ in range(district.steps)]
    assert env.terminated
    assert seen[-1] == seen[-2]
    observer = citylearn_observations.CityLearnObserver(district, dtype=torch.float64)
    simulator = simulation.DistrictSimulator(district, dtype=torch.float64)
    state, flows = simulator.step(simulator.initial(torch.tensor([district.steps - 1])), torch.full((1, 2), 0.5))
    ours = observer.observe(state, flows)[0]
    column = observer.names.index("non_shiftable_load")
    assert float(ours[column]) == float(district.series["load_kwh"][-1, 0])
    assert float(ours[column]) != seen[-1][column]


def test_a_batch_is_its_districts_side_by_side() -> None:
    district, _, _, actions, _ = case("service")
    simulator = simulation.DistrictSimulator(district, dtype=torch.float64)
    observer = citylearn_observations.CityLearnObserver(district, dtype=torch.float64)
    starts = torch.tensor([0, 50, 20, 50])
    whole, parts = simulator.initial(starts), [simulator.initial(starts[b : b + 1]) for b in range(4)]
    flows: simulation.DistrictFlows | None = None
    alone: list[simulation.DistrictFlows | None] = [None] * 4
    for t in range(5):
        together = observer.observe(whole, flows)
        for b in range(4):
            torch.testing.assert_close(together[b : b + 1], observer.observe(parts[b], alone[b]))
            parts[b], alone[b] = simulator.step(parts[b], actions[starts[b] + t].unsqueeze(0))
        whole, flows = simulator.step(whole, actions[starts + t])


def test_an_exported_scenario(small_site: Site, tmp_path: Path) -> None:
    """With the few observations that an export activates."""
    schema = export(random_scenarios(small_site, 1, 100), 0, tmp_path / "data")
    district, env = read_district(schema.parent)[0], load_citylearn(schema, observed=True)
    actions = random_actions(district, 60, 0)
    theirs = run_citylearn(env, district, actions)
    assert citylearn_observations.CityLearnObserver(district).names == env.observation_names[0]
    assert error(district, actions, theirs, EXACT) < 1e-6


@pytest.mark.skipif(not PUBLIC.exists(), reason=f"{PUBLIC} is absent")
@pytest.mark.parametrize("steps", [200, pytest.param(8758, marks=pytest.mark.slow)])
def test_the_public_data_set(steps: int) -> None:
    """Five buildings of CityLearn's challenge of 2022 over the year; weather, prices and calendar are shared."""
    district, _ = read_district(PUBLIC)
    env = load_citylearn(PUBLIC / "schema.json", observed=True)
    actions = random_actions(district, steps, 0)
    theirs = run_citylearn(env, district, actions)
    names = citylearn_observations.CityLearnObserver(district).names
    assert names == env.observation_names[0]
    assert len(names) == 24 + 5 * 4
    for options, bound in BOUNDS:
        found = error(district, actions, theirs, options)
        print(f"{steps} steps, {len(names)} observations, {options}: {found:.0e}")
        assert found < bound


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> District:
    """A random district of one building with a change of its schema."""
    schema = write_random(folder, Features(steps=30, buildings=1, chargers=1), 0)
    content = json.loads(schema.read_text(encoding="utf-8"))
    change(content)
    schema.write_text(json.dumps(content), encoding="utf-8")
    return read_district(folder)[0]


def activate(name: str, building: dict[str, Any] | None = None) -> Callable[[dict[str, Any]], None]:
    def change(schema: dict[str, Any]) -> None:
        names = ("hour", "net_electricity_consumption", name)  # CityLearn can't do without the net consumption
        schema["observations"] = {each: {"active": True} for each in names}
        schema["buildings"]["building_0"] |= {"inactive_observations": []} | (building or {})

    return change


@pytest.mark.parametrize(
    ("name", "building"),
    [
        ("cooling_device_efficiency", {}),
        ("washing_machine_electricity_consumption", {}),
        ("dhw_storage_soc", {"dhw_storage": {"attributes": {"capacity": 2.0, "initial_soc": 0.5}}}),
    ],
)
def test_what_a_district_does_not_have_is_refused_where_it_is_shown(
    name: str, building: dict[str, Any], tmp_path: Path
) -> None:
    district = changed(tmp_path / "data", activate(name, building))  # it is read
    with pytest.raises(InputError, match=f"data, buildings.building_0: found the observation {name}, expected those"):
        citylearn_observations.CityLearnObserver(district)


def test_an_empty_thermal_storage_stays_empty(tmp_path: Path) -> None:
    storage = {"dhw_storage": {"type": "citylearn.energy_model.StorageTank", "attributes": {"capacity": 2.0}}}
    district = changed(tmp_path / "data", activate("dhw_storage_soc", storage))
    env = load_citylearn(tmp_path / "data" / "schema.json", observed=True)
    actions = random_actions(district, 10, 0)
    theirs = run_citylearn(env, district, actions)
    assert "dhw_storage_soc" in env.observation_names[0]
    assert error(district, actions, theirs, EXACT) < 1e-6


def test_a_building_without_prices_and_carbon_intensity_shows_zeros(tmp_path: Path) -> None:
    district = changed(tmp_path / "data", activate("electricity_pricing_predicted_2", {"pricing": None}))
    env = load_citylearn(tmp_path / "data" / "schema.json", observed=True)
    theirs = run_citylearn(env, district, random_actions(district, 10, 0))
    assert error(district, random_actions(district, 10, 0), theirs, EXACT) < 1e-6
    assert not theirs[OBSERVATIONS][:, env.observation_names[0].index("electricity_pricing_predicted_2")].any()


def test_a_blank_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write_random(folder, Features(steps=30, buildings=1, chargers=1), 0)
    path = folder / "building_0.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    at = lines[0].split(",").index("indoor_dry_bulb_temperature")
    lines[3] = ",".join("" if column == at else value for column, value in enumerate(lines[3].split(",")))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    activate("indoor_dry_bulb_temperature")(schema)
    (folder / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
    district, _ = read_district(folder)
    with pytest.raises(InputError, match="found a blank in row 2 of the observation indoor_dry_bulb_temperature, exp"):
        citylearn_observations.CityLearnObserver(district)


OBSERVED = citylearn_observations
FAULTS = {
    "index off by one": (OBSERVED, "[self._rows[row], bess", "[self._rows[(row - 1).clamp(min=0)], bess", "vehicles"),
    "SOC of batteries lags": (OBSERVED, "bess_soc=flows.bess_soc", "bess_soc=0.0 * flows.bess_soc", "vehicles"),
    "SOC of vehicles is the present one": (
        OBSERVED,
        "else self._moved(flows, row)",
        "else self._moved(flows, row)._replace(vehicle_soc=state.vehicle_soc)",
        "vehicles",
    ),
    "chargers swapped": (
        OBSERVED,
        "device), dtype).vehicle\n",
        "device), dtype).vehicle.flip(-1)\n",
        "vehicles",
    ),
    "chargers' schedules swapped": (
        OBSERVED,
        "value[:, number] for key",
        "value[:, len(district.chargers) - 1 - number] for key",
        "vehicles",
    ),
    "net of the row": (OBSERVED, "net_kwh=flows.net_kwh", "net_kwh=self._base_kwh[row]", "vehicles"),
    "nothing where it begins": (OBSERVED, "net_kwh=base * self._connected[row]", "net_kwh=zero", "vehicles"),
    "capacity for none": (OBSERVED, "ABSENT_SOC, ABSENT = -0.1, -1.0", "ABSENT_SOC, ABSENT = -0.1, 0.0", "vehicles"),
    "headroom of the row": (OBSERVED, "before = (row - 1).clamp(min=0)", "before = row", "service"),
    "headroom of discharging": (citylearn_headroom, "granted_kw.clamp(min=0.0)", "granted_kw", "limits"),
    "headroom of exports": (citylearn_headroom, "1.0 if left.export else -1.0", "-1.0", "service"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str, plant: Any) -> None:
    """Each shows at a hundred times the bound and more."""
    module, right, wrong, name = FAULTS[fault]
    district, _, _, actions, theirs = case(name)
    plant(module, right, wrong)
    assert error(district, actions, theirs, {"dtype": torch.float64}) > 1e-3


@pytest.mark.parametrize("predicted", [1, 3])
def test_a_prediction_of_the_present_row_is_found(predicted: int, tmp_path: Path) -> None:
    """The file's prediction is shown, not the value that it predicts."""
    name = f"electricity_pricing_predicted_{predicted}"
    district = changed(tmp_path / "data", activate(name))
    env = load_citylearn(tmp_path / "data" / "schema.json", observed=True)
    actions = random_actions(district, 20, 0)
    theirs = run_citylearn(env, district, actions)
    assert error(district, actions, theirs, EXACT) < 1e-6
    observed = district.observed
    column = observed.columns[observed.names.index(name)]
    observed.files[:, column] = district.series["price_per_kwh"][:, 0]
    assert error(district, actions, theirs, EXACT) > 1e-3


def test_constants_are_those_of_the_data() -> None:
    """By hand: what is left of a limit is the limit less what the building takes, in the row in which it begins."""
    district, _, names, _, theirs = case("service")
    at = names.index("charging_building_headroom_kw")
    home = district.observed.buildings[at]
    service = district.buildings[home].service
    assert service is not None
    base_kw = (district.series["load_kwh"] - district.series["pv_kwh"])[0, home] / (district.step_seconds / 3600)
    np.testing.assert_allclose(float(theirs[OBSERVATIONS][0, at]), service.import_kw - float(base_kw), rtol=1e-6)
