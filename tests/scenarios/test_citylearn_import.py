"""Data sets read by CityLearn and by LitGrid resolve to the same numbers, and what is outside is refused by name."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

from litgrid.errors import InputError
from litgrid.scenarios.citylearn_folder import SERIES_COLUMNS
from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import Curve, District, Storage
from litgrid.scenarios.export import OBSERVATIONS, export
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.connections import tables
from litgrid.site.site import Site

PUBLIC = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "citylearn_2022_phase_1"
ROWS = 96
VEHICLES = ("Electric_Vehicle_1", "Electric_Vehicle_2", "Electric_Vehicle_3")
COLUMNS = ["electric_vehicle_charger_state", "electric_vehicle_id", "electric_vehicle_departure_time"]
COLUMNS += ["electric_vehicle_required_soc_departure", "electric_vehicle_estimated_arrival_time"]
COLUMNS += ["electric_vehicle_estimated_soc_arrival"]
CURVE = [[0.0, 0.83], [0.3, 0.85], [0.7, 0.9], [1.0, 0.88]]


def schedules(rng: np.random.Generator, chargers: int) -> list[pd.DataFrame]:
    """Vehicles that come, stay, leave or go on to another charger at once; SOCs announced early, late or not at all."""
    at = np.full((ROWS, chargers), -1)
    until = np.zeros(chargers, dtype=int)
    for row in range(ROWS):
        for charger in rng.permutation(chargers):
            if row < until[charger]:
                at[row, charger] = at[row - 1, charger]
        for charger in rng.permutation(chargers):
            free = [v for v in range(len(VEHICLES)) if v not in at[row]]
            if at[row, charger] < 0 and free and rng.random() < 0.4:
                at[row, charger] = rng.choice(free)
                until[charger] = row + rng.integers(1, 6)
    return [schedule(rng, at[:, charger]) for charger in range(chargers)]


def schedule(rng: np.random.Generator, at: NDArray[np.int64]) -> pd.DataFrame:
    table = pd.DataFrame({name: [""] * ROWS for name in COLUMNS}, dtype=object)
    table[COLUMNS[0]] = "3"
    for row in range(ROWS):
        if at[row] >= 0:
            here = np.flatnonzero(np.append(at[row:], -2) != at[row])[0]
            soc = round(rng.random(), 4) if rng.random() < 0.3 else ""
            table.loc[row] = ["1", VEHICLES[at[row]], here, round(rng.random(), 3), "", soc]
        elif row + 1 < ROWS and at[row + 1] >= 0 and rng.random() < 0.6:
            soc = round(rng.random(), 4) if rng.random() < 0.8 else ""
            table.loc[row] = ["2", VEHICLES[at[row + 1]], "", "", 1, soc]
    return table


def series(rng: np.random.Generator, minutes: int) -> dict[str, pd.DataFrame]:
    """Files that are not a charger's."""
    time = np.arange(ROWS) * minutes
    building: dict[str, NDArray[Any]] = {name: np.zeros(ROWS) for name in SERIES_COLUMNS["energy_simulation"]}
    building |= {"month": np.ones(ROWS, int), "hour": time // 60 % 24 + 1, "day_type": time // 1440 % 7 + 1}
    building |= {"minutes": time % 60, "indoor_dry_bulb_temperature": np.full(ROWS, np.nan)}
    building |= {"non_shiftable_load": rng.random(ROWS) * 5, "solar_generation": rng.random(ROWS) * 800}
    building |= {"power_outage": (rng.random(ROWS) < 0.1).astype(int)}
    tables = {"building": building}
    for kind in ("weather", "pricing", "carbon_intensity"):
        tables[kind] = {name: rng.random(ROWS) for name in SERIES_COLUMNS[kind]}
    return {name: pd.DataFrame(table) for name, table in tables.items()}


def charger(name: str, **attributes: Any) -> dict[str, Any]:
    kind = "citylearn.electric_vehicle_charger.Charger"
    return {"type": kind, "charger_simulation": f"{name}.csv", "autosize": False, "attributes": attributes}


def battery(**attributes: Any) -> dict[str, Any]:
    return {"type": "citylearn.energy_model.Battery", "autosize": False, "attributes": attributes}


def hand_made(folder: Path, seed: int = 0, seconds: int = 3600) -> Path:
    """Two buildings, three chargers and vehicles: curves, V2G, limits, unset attributes, an outage."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for name, table in series(rng, seconds // 60).items():
        table.to_csv(folder / f"{name}.csv", index=False)
    for number, table in enumerate(schedules(rng, 3)):
        table.to_csv(folder / f"charger_{number}.csv", index=False)
    files = {"energy_simulation": "building.csv", "weather": "weather.csv"}
    both = files | {"pricing": "pricing.csv", "carbon_intensity": "carbon_intensity.csv"}
    pv = {"type": "citylearn.energy_model.PV", "autosize": False, "attributes": {"nominal_power": 4.7}}
    first = both | {
        "electrical_storage": battery(capacity=6.4, nominal_power=5.0, efficiency=0.9, phase_connection="L2"),
        "pv": pv,
        "power_outage": {"simulate_power_outage": True},
        "chargers": {
            "charger_0": charger("charger_0", max_charging_power=7.4, min_charging_power=1.4, efficiency=0.95,
                                 phase_connection="L3"),
            "charger_1": charger("charger_1", max_charging_power=11, max_discharging_power=7,
                                 charge_efficiency_curve=CURVE, discharge_efficiency_curve=CURVE),
        },
        "electrical_service": {
            "mode": "three_phase",
            "default_split": "L1",
            "limits": {"total": {"import_kw": 20, "export_kw": None}, "per_phase": {"L3": {"import_kw": 5.5}}},
        },
    }  # fmt: skip
    absolute = pv | {"attributes": {"nominal_power": 1, "generation_mode": "kWh"}}
    limits = {"building_limit_kw": 8, "phases": [{"name": "A", "limit_kw": 4, "chargers": ["charger_2", "nobody"]}]}
    second = files | {
        "include": True,
        "electrical_storage": battery(capacity=10, nominal_power=4, depth_of_discharge=0.8, initial_soc=0.1,
                                      power_efficiency_curve=CURVE, random_seed=7),
        "pv": absolute,
        "inactive_actions": ["electrical_storage"],
        "charging_constraints": limits,
        "chargers": {"charger_2": charger("charger_2")},
    }  # fmt: skip
    vehicles = {
        VEHICLES[0]: {"include": True, "battery": battery(capacity=40, nominal_power=50, depth_of_discharge=0.9)},
        VEHICLES[1]: {"battery": battery(capacity=60, nominal_power=6, initial_soc=0.3, loss_coefficient=0.01)},
        VEHICLES[2]: {"battery": battery(capacity=30, nominal_power=10, efficiency=0.91, capacity_power_curve=CURVE)},
        "left_out": {"include": False},
    }
    schema = {
        "random_seed": 2022 + seed,
        "root_directory": None,
        "central_agent": True,
        "simulation_start_time_step": 0,
        "simulation_end_time_step": ROWS - 1,
        "seconds_per_time_step": seconds,
        "observations": {name: {"active": True, "shared_in_central_agent": False} for name in OBSERVATIONS},
        "actions": {"electrical_storage": {"active": True}, "electric_vehicle_storage": {"active": True}},
        "reward_function": {"type": "citylearn.reward_function.RewardFunction", "attributes": None},
        "electric_vehicles_def": vehicles,
        "buildings": {"first": first, "second": second, "none": {"include": False}},
    }
    write(folder, schema)
    return folder


def write(folder: Path, schema: dict[str, Any]) -> None:
    (folder / "schema.json").write_text(json.dumps(schema), encoding="utf-8")


def change(folder: Path, value: Any, *keys: str) -> None:
    """Set one key of the schema."""
    schema = json.loads((folder / "schema.json").read_text(encoding="utf-8"))
    at = schema
    for key in keys[:-1]:
        at = at.setdefault(key, {})
    at[keys[-1]] = value
    write(folder, schema)


def environment(folder: Path) -> Any:
    module = pytest.importorskip("citylearn.citylearn", reason="CityLearn is not installed")
    env = module.CityLearnEnv(str(folder / "schema.json"))
    env.reset()
    return env


def same(ours: Storage, theirs: Any) -> None:
    hours = theirs.seconds_per_time_step / 3600
    assert ours.capacity_kwh == theirs.capacity
    assert ours.power_kw == theirs.nominal_power
    assert ours.depth_of_discharge == theirs.depth_of_discharge
    assert ours.initial_soc == max(theirs.initial_soc, 1 - theirs.depth_of_discharge)
    assert ours.loss_coefficient * hours == theirs.loss_coefficient
    assert ours.capacity_loss_coefficient == theirs.capacity_loss_coefficient
    np.testing.assert_array_equal(ours.power_efficiency_curve, theirs.power_efficiency_curve)
    np.testing.assert_array_equal(ours.capacity_power_curve, theirs.capacity_power_curve)


def same_efficiency(ours: Curve, theirs: Any, charging: bool) -> None:
    for power in np.linspace(0, 1, 9):
        assert np.interp(power, *ours) == theirs.get_efficiency(power, charging)


def compare(district: District, env: Any) -> None:
    """Every number of the two, but for what the rows of the chargers mean."""
    clock = env.buildings[0].energy_simulation
    zeros = np.zeros(district.rows)
    for name, shown in (("month", clock.month), ("hour", clock.hour), ("day_type", clock.day_type)):
        np.testing.assert_array_equal(district.calendar[name], shown)
    np.testing.assert_array_equal(district.calendar["minute"], zeros if clock.minutes is None else clock.minutes)
    assert [building.name for building in district.buildings] == [building.name for building in env.buildings]
    for number, (ours, theirs) in enumerate(zip(district.buildings, env.buildings, strict=True)):
        column = {key: value[:, number].numpy() for key, value in district.series.items()}
        if ours.battery is None:
            assert theirs.electrical_storage.capacity == 0
        else:
            same(ours.battery, theirs.electrical_storage)
        assert ours.battery_active == ("electrical_storage" in theirs.active_actions)
        np.testing.assert_array_equal(column["load_kwh"], theirs.energy_simulation.non_shiftable_load)
        np.testing.assert_array_equal(-column["pv_kwh"], theirs._Building__solar_generation)
        np.testing.assert_array_equal(column["price_per_kwh"], theirs.pricing.electricity_pricing)
        np.testing.assert_array_equal(column["carbon_kg_per_kwh"], theirs.carbon_intensity.carbon_intensity)
        np.testing.assert_array_equal(column["outage"], theirs._Building__power_outage_signal.astype(bool))
    chargers = [(number, each) for number, b in enumerate(env.buildings) for each in b.electric_vehicle_chargers or []]
    for socket, (number, theirs) in zip(district.chargers, chargers, strict=True):
        assert (socket.name, socket.building) == (theirs.charger_id, number)
        assert (socket.max_charging_kw, socket.max_discharging_kw) == (
            theirs.max_charging_power,
            theirs.max_discharging_power,
        )
        assert (socket.min_charging_kw, socket.min_discharging_kw) == (
            theirs.min_charging_power,
            theirs.min_discharging_power,
        )
        same_efficiency(socket.charge_efficiency, theirs, True)
        same_efficiency(socket.discharge_efficiency, theirs, False)
        action = f"electric_vehicle_storage_{socket.name}"
        assert socket.active == (action in env.buildings[number].active_actions)
    for vehicle, theirs in zip(district.vehicles, env.electric_vehicles, strict=True):
        assert vehicle.name == theirs.name
        same(vehicle.storage, theirs.battery)


def follow(district: District, env: Any) -> int:
    """Step CityLearn with no action: who is where, with which SOC, and what is shown; gives the SOCs compared."""
    chargers = [charger for building in env.buildings for charger in building.electric_vehicle_chargers or []]
    rows = {key: value.numpy() for key, value in district.connections.items()}
    shown = {
        "state": "charger_state",
        "required_soc": "required_soc_departure",
        "departure_time": "departure_time",
        "arrival_time": "estimated_arrival_time",
        "arrival_soc": "estimated_soc_arrival",
    }
    for number, charger in enumerate(chargers):
        for ours, theirs in shown.items():
            values = getattr(charger.charger_simulation, f"electric_vehicle_{theirs}")
            np.testing.assert_array_equal(rows[ours][:, number], values)
    env._runtime_service._ev_unconnected_drift_std = lambda _: 0.0  # a vehicle that is away keeps its SOC
    actions = [[0.0] * len(names) for names in env.action_names]
    by_vehicle = tables(district, torch.device("cpu"), torch.float64)
    compared = 0
    for row in range(district.steps):
        forced = (by_vehicle.forced if row else by_vehicle.first)[row].numpy()
        for number, charger in enumerate(chargers):
            index = rows["vehicle"][row, number]
            vehicle = charger.connected_electric_vehicle
            assert (vehicle.name if vehicle else None) == (district.vehicles[index].name if index >= 0 else None)
            if index < 0:
                continue
            soc = vehicle.battery.soc
            if forced[index] >= 0:
                assert soc[row] == np.float32(forced[index]), (row, number)
                assert rows["new_soc"][row, number] in (-1, forced[index])
                compared += 1
            else:
                storage = district.vehicles[index].storage
                before = soc[row - 1] if row else storage.initial_soc
                lost = storage.loss_coefficient * district.step_seconds / 3600 if row else 0.0
                kept = max(before * (1 - lost), 1 - storage.depth_of_discharge)
                assert soc[row] == pytest.approx(kept, abs=1e-6), (row, number)
        env.step(actions)
    assert env.terminated
    return compared


@pytest.mark.skipif(not PUBLIC.is_dir(), reason=f"the public data set is not at {PUBLIC}")
def test_the_public_data_set_is_read_as_citylearn_reads_it() -> None:
    district, odd = read_district(PUBLIC)
    assert (district.rows, district.steps, district.step_seconds, len(district.buildings)) == (8760, 8759, 3600, 5)
    assert sum("drawn with CityLearn's seed" in line for line in odd) == 5
    assert any("never simulated" in line for line in odd)
    compare(district, environment(PUBLIC))


def test_an_exported_scenario_comes_back(
    small_site: Site, random_scenarios: Callable[..., ScenarioSet], tmp_path: Path
) -> None:
    scenarios = random_scenarios(small_site, scenarios=1, days=2)
    export(scenarios, 0, tmp_path / "data")
    district, odd = read_district(tmp_path / "data")
    assert district.steps == scenarios.steps
    assert not any("drawn" in line or "without a SOC" in line for line in odd)
    load = scenarios.series["load_kw"][0].double() * small_site.step_hours
    np.testing.assert_allclose(district.series["load_kwh"][:-1, 0], load, rtol=1e-6)
    env = environment(tmp_path / "data")
    compare(district, env)
    assert follow(district, env) >= int(district.connections["new"][:-1].sum())


@pytest.mark.parametrize(("seed", "seconds"), [(0, 3600), (1, 900), (2, 3600), (3, 3600)])
def test_a_hand_made_district_is_read_as_citylearn_reads_it(tmp_path: Path, seed: int, seconds: int) -> None:
    folder = hand_made(tmp_path / "data", seed, seconds)
    district, _ = read_district(folder)
    env = environment(folder)
    compare(district, env)
    assert follow(district, env) > 20


def test_limits_are_read_as_citylearn_reads_them(tmp_path: Path) -> None:
    folder = hand_made(tmp_path / "data")
    (first, second), odd = (read_district(folder)[0].buildings, read_district(folder)[1])
    service, limits = first.service, second.limits
    assert service is not None
    assert limits is not None
    assert (service.import_kw, service.export_kw) == (20, np.inf)
    assert (service.phase_import_kw, service.base_shares) == ((np.inf, np.inf, 5.5), (1, 0, 0))
    assert service.battery_shares == (0, 1, 0)
    assert service.shares("all_phases") == (1 / 3, 1 / 3, 1 / 3)
    assert (limits.building_kw, limits.phases[0].limit_kw, limits.phases[0].chargers) == (8, 4, (2,))
    assert any("no charger nobody" in line for line in odd)
    env = environment(folder)
    theirs = env.buildings[0]
    assert theirs.electrical_storage_phase_connection == "L2"
    connected = dict(theirs._charger_phase_map)
    assert connected == {charger.name: charger.phase for charger in read_district(folder)[0].chargers[:2]}
    assert env.buildings[1]._building_charger_limit_kw == limits.building_kw


def test_a_window_and_a_root_directory(tmp_path: Path) -> None:
    folder = hand_made(tmp_path / "data")
    change(folder, 24, "simulation_start_time_step")
    change(folder, 71, "simulation_end_time_step")
    files = folder / "files"
    files.mkdir()
    for path in folder.glob("*.csv"):
        shutil.move(path, files / path.name)
    change(folder, "files", "root_directory")
    district, _ = read_district(folder)
    assert district.rows == 48
    env = environment(folder)
    compare(district, env)
    follow(district, env)


def test_current_soc_sessions_and_a_padded_end(tmp_path: Path) -> None:
    folder = hand_made(tmp_path / "data", seed=5)
    rng = np.random.default_rng(5)
    for path in folder.glob("charger_*.csv"):
        table = pd.read_csv(path, dtype=str)
        table["electric_vehicle_current_soc"] = np.where(rng.random(ROWS) < 0.5, rng.random(ROWS).round(3), np.nan)
        turn = pd.Series([f"session-{number}" for number in rng.integers(0, 3, ROWS)])
        table["electric_vehicle_session_id"] = turn.where(rng.random(ROWS) < 0.8)
        table.to_csv(path, index=False)
    change(folder, ROWS, "simulation_end_time_step")
    change(folder, True, "terminal_observation_padding")
    district, _ = read_district(folder)
    assert district.rows == ROWS + 1
    env = environment(folder)
    compare(district, env)
    follow(district, env)


def test_the_v2_layout_with_percent_and_columns_and_keys_that_citylearn_skips(tmp_path: Path) -> None:
    folder = hand_made(tmp_path / "data", seed=6)
    for path in folder.glob("charger_*.csv"):
        table = pd.read_csv(path)
        for name in (COLUMNS[3], COLUMNS[5]):
            table[name] = (table[name] * 100).round(1)
        table[COLUMNS[2]] = table[COLUMNS[2]].astype(float) - 1  # ends at 0
        table.insert(2, "electric_vehicle_battery_capacity_khw", 60)
        table.insert(3, "current_soc", 40.9)
        table.to_csv(path, index=False)
    skipped = {"nominal_power": 11, "charger_type": 0, "max_charging_power": 11, "min_discharging_power": 3.7}
    change(folder, skipped, "buildings", "second", "chargers", "charger_2", "attributes")
    change(folder, "Electric_Vehicle_1.csv", "electric_vehicles_def", VEHICLES[0], "energy_simulation")
    change(folder, {"attributes": {}}, "buildings", "first", "washing_machine")
    change(folder, {"active": False}, "actions", "washing_machine")
    district, odd = read_district(folder, drop_washing_machines=True)
    assert not any("end at 1" in line for line in odd)
    env = environment(folder)
    compare(district, env)
    follow(district, env)


MACHINE = {"washing_machine_1": {"washing_machine_energy_simulation": "Washing_Machine_1.csv"}}
TANK = {"type": "citylearn.energy_model.StorageTank", "autosize": False, "attributes": {"capacity": 3}}


@pytest.mark.parametrize(
    ("value", "keys", "message"),
    [
        (MACHINE, ("buildings", "first", "washing_machines"), "washing_machines: found washing_machine_1, expected"),
        ({"a": {}}, ("buildings", "first", "washing_machine"), "washing_machine: found washing_machine, expected none"),
        ({"a": {}}, ("buildings", "first", "deferrable_appliances"), "deferrable_appliances: found a, expected none"),
        ({"a": {}}, ("buildings", "second", "escalators"), "second.escalators: found escalators, expected none"),
        ("citylearn.building.LSTMDynamicsBuilding", ("buildings", "first", "type"), "found citylearn.building.LSTM"),
        ({"type": "x"}, ("buildings", "first", "dynamics"), "dynamics: found thermal dynamics, expected none"),
        ({"type": "x"}, ("buildings", "first", "occupant"), "occupant: found an occupant model, expected none"),
        (True, ("buildings", "first", "pv", "autosize"), "pv.autosize: found true, expected false"),
        ("yes", ("buildings", "first", "electrical_storage", "autosize"), "electrical_storage.autosize: found true"),
        (True, ("buildings", "first", "power_outage", "stochastic_power_outage"), "found a stochastic model, expected"),
        (0.1, ("buildings", "first", "noise_std"), r"first.noise_std: found 0.1, expected 0"),
        (1, ("buildings", "second", "chargers", "charger_2", "noise_std"), "charger_2.noise_std: found 1, expected 0"),
        ("x.Y", ("buildings", "second", "chargers", "charger_2", "type"), "charger_2.type: found x.Y, expected cityl"),
        ("x.Y", ("electric_vehicles_def", VEHICLES[0], "type"), "Vehicle_1.type: found x.Y, expected citylearn"),
        ({"enabled": True}, ("community_market",), "community_market: found it enabled, expected none"),
        ([{"operation": "add_member"}], ("topology_events",), "topology_events: found a changing topology"),
        (2.5, ("random_seed",), "random_seed: found 2.5, expected a whole number"),
        (None, ("random_seed",), "found neither .* nor a random_seed to draw it with, expected one"),
        (1800, ("seconds_per_time_step",), "found rows of 3600 s, expected 1800 s"),
        (ROWS, ("simulation_end_time_step",), rf"found {ROWS} rows, expected {ROWS + 1}"),
        (-1, ("simulation_start_time_step",), "found -1 to 95, expected a row and a later one"),
        ("nowhere.csv", ("buildings", "first", "weather"), "nowhere.csv: found no such file, which schema.json names"),
        ("a.parquet", ("buildings", "first", "pricing"), "a.parquet: found a Parquet file, expected a CSV file"),
        (None, ("buildings", "first", "weather"), "buildings.first: found no weather, expected one"),
        (None, ("electric_vehicles_def", VEHICLES[1], "battery"), "Vehicle_2: found no battery, expected one"),
        (False, ("electric_vehicles_def", VEHICLES[1], "include"), "found 'Electric_Vehicle_2', expected a vehicle of"),
        ([], ("buildings", "first", "chargers", "charger_0", "attributes", "efficiency"), "expected one number, 1e-06"),
        (["x"], ("buildings", "first", "chargers", "charger_0", "attributes"), "a key of another form than City"),
        ("?", ("buildings", "none", "include"), "none.include: found '\\?', expected true or false"),
        ([[0, 1]], ("buildings", "first", "electrical_storage", "attributes", "capacity_power_curve"), "expected 2 or"),
        (0, ("buildings", "first", "electrical_storage", "attributes", "capacity"), "found no capacity or power"),
        (-1, ("buildings", "second", "charging_constraints", "building_limit_kw"), "found -1, expected at least 0 kW"),
        ("two", ("buildings", "first", "electrical_service", "mode"), "mode: found two, expected single_phase"),
        ("per_m2", ("buildings", "first", "pv", "attributes", "generation_mode"), "found per_m2, expected per_kw"),
    ],
)  # fmt: skip
def test_what_is_outside_is_refused_in_one_line(
    tmp_path: Path, value: Any, keys: tuple[str, ...], message: str
) -> None:
    folder = hand_made(tmp_path / "data")
    change(folder, value, *keys)
    with pytest.raises(InputError, match=message) as raised:
        read_district(folder)
    assert "\n" not in str(raised.value)
    assert str(folder) in str(raised.value)


def test_thermal_storage_needs_an_action_and_demand_to_be_refused(tmp_path: Path) -> None:
    folder = hand_made(tmp_path / "data")
    change(folder, TANK, "buildings", "first", "dhw_storage")
    assert any("dhw_storage left out" in line for line in read_district(folder)[1])
    change(folder, {"active": True}, "actions", "dhw_storage")
    with pytest.raises(InputError, match=r"first.dhw_storage: found it with an active action, expected none"):
        read_district(folder)
    change(folder, {"active": False}, "actions", "dhw_storage")
    table = pd.read_csv(folder / "building.csv")
    table.loc[70, "dhw_demand"] = 1.5
    table.to_csv(folder / "building.csv", index=False)
    with pytest.raises(InputError, match=r"building.csv, column dhw_demand: found 1.5 kWh, expected 0"):
        read_district(folder)


def test_washing_machines_are_dropped_on_request(tmp_path: Path) -> None:
    folder = hand_made(tmp_path / "data")
    change(folder, MACHINE, "buildings", "first", "washing_machines")
    _, odd = read_district(folder, drop_washing_machines=True)
    assert sum("washing_machine_1 dropped as asked" in line for line in odd) == 1


def edit(path: Path, row: int, column: str, value: str) -> None:
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.loc[row, column] = value
    table.to_csv(path, index=False)


def test_faults_of_the_files_are_refused_in_one_line(tmp_path: Path) -> None:
    def refused(change_files: Callable[[Path], None], message: str) -> None:
        folder = hand_made(tmp_path / str(len(list(tmp_path.iterdir()))))
        change_files(folder)
        with pytest.raises(InputError, match=message) as raised:
            read_district(folder)
        assert "\n" not in str(raised.value)

    def truncated(folder: Path) -> None:
        text = (folder / "building.csv").read_text(encoding="utf-8")
        (folder / "building.csv").write_text(text[: len(text) // 2], encoding="utf-8")

    def twice(folder: Path) -> None:
        shutil.copy(folder / "charger_0.csv", folder / "charger_1.csv")

    def numbered(folder: Path) -> None:
        for path in folder.glob("charger_*.csv"):
            text = path.read_text(encoding="utf-8").replace("Electric_Vehicle_", "")
            path.write_text(text, encoding="utf-8")
        for name in VEHICLES:
            change(folder, {"battery": battery(capacity=1, nominal_power=1)}, "electric_vehicles_def", name[-1])

    refused(truncated, r"building.csv(: found \d+ rows|, line \d+, column .*: found a blank)")
    refused(lambda folder: edit(folder / "pricing.csv", 3, "tariff", "1"), "found an unknown column 'tariff', expected")
    refused(lambda folder: edit(folder / "charger_0.csv", 3, COLUMNS[0], ""), "line 5, .* found a blank, expected 1")
    refused(lambda folder: edit(folder / "weather.csv", 3, "direct_solar_irradiance", "inf"), "line 5, .* 'inf', expe")
    refused(lambda folder: edit(folder / "building.csv", 3, "non_shiftable_load", "-1"), "found a value below 0, expec")
    refused(lambda folder: edit(folder / "building.csv", 3, "power_outage", ""), "power_outage: found a blank, expec")
    refused(twice, r"row \d+: found vehicle Electric_Vehicle_\d connected at charger_0 and charger_1, expected one")
    refused(numbered, "expected a name that isn't a number")


def test_oddities_are_reported_where_the_data_meets_them(tmp_path: Path) -> None:
    folder = hand_made(tmp_path / "data")
    for number in range(3):
        table = pd.DataFrame({name: [""] * ROWS for name in COLUMNS}, dtype=object)
        table[COLUMNS[0]] = "3"
        table.to_csv(folder / f"charger_{number}.csv", index=False)
    quiet = read_district(folder)[1]
    path = folder / "charger_0.csv"
    for row, values in {
        0: ["2", VEHICLES[0], "", "", "1", "0.05"],
        1: ["1", VEHICLES[0], "1", "0.9", "", ""],
        5: ["1", VEHICLES[1], "1", "90", "", ""],
    }.items():
        for column, value in zip(COLUMNS, values, strict=True):
            edit(path, row, column, value)
    odd = [line for line in read_district(folder)[1] if line not in quiet]
    expected = [
        "line 3, column electric_vehicle_required_soc_departure: found '0.9', expected percent",
        "row 1: the vehicle arrives with SOC 0.05, below 0.1",
        "row 5: the vehicle arrives without a SOC",
        "row 0: state 2",
        "departure times end at 1",
        "7.4 kW, but 1 of its vehicles take 6 kW",
    ]
    assert len(odd) == len(expected)
    for text in expected:
        assert sum(text in line for line in odd) == 1, (text, odd)
