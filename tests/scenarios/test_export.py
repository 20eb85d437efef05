"""The exported data set, value by value."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tensordict import TensorDict

from litgrid.errors import InputError
from litgrid.scenarios import export as module
from litgrid.scenarios.export import export
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.site.site import Site

RandomScenarios = Callable[..., ScenarioSet]


def with_sessions(scenarios: ScenarioSet, rows: list[tuple[int, int, int, float, float]]) -> ScenarioSet:
    """Replace the sessions: (socket, arrival, departure, SOC at arrival, SOC required)."""
    columns = list(zip(*rows, strict=True))
    keys = ("socket", "arrival", "departure", "soc_arrival", "soc_required")
    dtypes = (torch.int16, torch.int32, torch.int32, torch.float32, torch.float32)
    tensors = {k: torch.tensor([c], dtype=d) for k, c, d in zip(keys, columns, dtypes, strict=True)}
    return replace(scenarios, sessions=TensorDict(tensors, batch_size=(1, len(rows))))


def test_sessions_are_written_as_citylearn_reads_them(
    small_site: Site, random_scenarios: RandomScenarios, tmp_path: Path
) -> None:
    """At t = 0, of one step, back to back, after a gap, and up to the last step."""
    scenarios = random_scenarios(small_site, scenarios=1, days=1)
    rows = [(1, 0, 1, 0.25, 0.75), (1, 1, 3, 0.5, 1.0), (1, 5, 24, 1.0, 0.5)]
    export(with_sessions(scenarios, rows), 0, tmp_path / "data")
    lines = (tmp_path / "data" / "charger_001.csv").read_text(encoding="utf-8").splitlines()
    a, b = "charger_001_vehicle_a", "charger_001_vehicle_b"
    assert lines[1:9] == [
        f"1,{a},1,0.75,,0.25",
        f"1,{b},2,1.0,,0.5",
        f"1,{b},1,1.0,,0.5",
        "3,,,,,",
        f"2,{a},,,1,1.0",
        f"1,{a},19,0.5,,1.0",
        f"1,{a},18,0.5,,1.0",
        f"1,{a},17,0.5,,1.0",
    ]
    assert lines[24:] == [f"1,{a},1,0.5,,1.0", "3,,,,,"]
    assert len(lines) == 1 + 24 + 1
    free = (tmp_path / "data" / "charger_000.csv").read_text(encoding="utf-8").splitlines()
    assert free[1:] == ["3,,,,,"] * 25


@pytest.mark.parametrize("step_seconds", [3600, 900])
def test_series_come_back_exactly(
    small_site: Site, random_scenarios: RandomScenarios, tmp_path: Path, step_seconds: int
) -> None:
    site = replace(small_site, step_seconds=step_seconds, first_weekday="sunday")
    scenarios = random_scenarios(site, scenarios=2, days=3)
    path = export(scenarios, 1, tmp_path / "data")
    assert path == tmp_path / "data" / "schema.json"
    hours = step_seconds / 3600
    for name, column, key, factor in (
        ("building", "non_shiftable_load", "load_kw", hours),
        ("building", "solar_generation", "pv_kw", hours),
        ("pricing", "electricity_pricing", "price_per_kwh", 1.0),
        ("carbon_intensity", "carbon_intensity", "carbon_kg_per_kwh", 1.0),
    ):
        read = pd.read_csv(tmp_path / "data" / f"{name}.csv")[column].to_numpy(dtype=np.float32)
        expected = scenarios.series[key][1].numpy() * np.float32(factor)
        np.testing.assert_array_equal(read[:-1], expected)
        assert read[-1] == expected[-1]
        assert len(read) == scenarios.steps + 1


def test_the_calendar_and_the_price_ahead(small_site: Site, random_scenarios: RandomScenarios, tmp_path: Path) -> None:
    site = replace(small_site, step_seconds=900, first_weekday="sunday")
    scenarios = random_scenarios(site, scenarios=1, days=2)
    export(scenarios, 0, tmp_path / "data")
    building = pd.read_csv(tmp_path / "data" / "building.csv")
    assert building["hour"].tolist()[:5] == [1, 1, 1, 1, 2]
    assert building["minutes"].tolist()[:5] == [0, 15, 30, 45, 0]
    assert building["seconds"].eq(0).all()
    assert building["day_type"].tolist()[::96] == [7, 1, 2]
    assert building["month"].eq(1).all()
    price = pd.read_csv(tmp_path / "data" / "pricing.csv")
    ahead, now = price["electricity_pricing_predicted_1"], price["electricity_pricing"]
    np.testing.assert_array_equal(ahead[:-24], now[24:])
    assert ahead[len(ahead) - 24 :].eq(now.iloc[-1]).all()


def test_the_schema_pins_the_site(small_site: Site, random_scenarios: RandomScenarios, tmp_path: Path) -> None:
    groups = [replace(small_site.fleet.groups[0]), replace(small_site.fleet.groups[1], v2g=True)]
    site = replace(small_site, fleet=replace(small_site.fleet, groups=groups))
    path = export(random_scenarios(site, scenarios=1, days=2), 0, tmp_path / "data")
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert schema["simulation_end_time_step"] == 48
    assert schema["seconds_per_time_step"] == 3600
    building = schema["buildings"]["site"]
    battery = building["electrical_storage"]["attributes"]
    assert battery["capacity"] == 40.0
    assert battery["nominal_power"] == 15.0
    assert battery["depth_of_discharge"] == 0.8
    assert battery["power_efficiency_curve"] == [[0.0, 0.95**2], [1.0, 0.95**2]]
    assert battery["capacity_power_curve"] == [[0.0, 1.0], [1.0, 1.0]]
    assert battery["loss_coefficient"] == battery["capacity_loss_coefficient"] == 0.0
    assert list(building["chargers"]) == [f"charger_00{i}" for i in range(5)]
    discharge = [c["attributes"]["max_discharging_power"] for c in building["chargers"].values()]
    assert discharge == [0.0, 0.0, 0.0, 7.0, 7.0]
    assert len(schema["electric_vehicles_def"]) == 10
    vehicle = schema["electric_vehicles_def"]["charger_004_vehicle_b"]["battery"]["attributes"]
    assert vehicle["capacity"] == 30.0
    assert vehicle["nominal_power"] == 7.0
    assert vehicle["efficiency"] == 0.9**2
    assert vehicle["depth_of_discharge"] == 1.0


def test_a_folder_with_files_is_refused(small_site: Site, random_scenarios: RandomScenarios, tmp_path: Path) -> None:
    scenarios = random_scenarios(small_site, scenarios=1, days=1)
    folder = tmp_path / "data"
    folder.mkdir()
    export(scenarios, 0, folder)  # empty: taken
    before = (folder / "schema.json").read_bytes()
    with pytest.raises(InputError, match="found files there, expected a new or an empty folder"):
        export(scenarios, 0, folder)
    assert (folder / "schema.json").read_bytes() == before
    with pytest.raises(InputError, match="expected a new or an empty folder"):
        export(scenarios, 0, folder / "schema.json")
    with pytest.raises(InputError, match="export, index: found 1, expected 0 to 0"):
        export(scenarios, 1, tmp_path / "other")
    assert list(tmp_path.iterdir()) == [folder]


def test_nothing_is_left_of_a_failed_export(
    small_site: Site, random_scenarios: RandomScenarios, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> None:
        raise OSError(f"no space left in {folder}")

    monkeypatch.setattr(module, "check_folder", fail)
    with pytest.raises(OSError, match="no space left"):
        export(random_scenarios(small_site, scenarios=1, days=1), 0, tmp_path / "data")
    assert list(tmp_path.iterdir()) == []
