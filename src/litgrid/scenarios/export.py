"""Write a scenario as a CityLearn 3.0.2 data set, with everything pinned that CityLearn would draw at random."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from litgrid.errors import InputError
from litgrid.scenarios.citylearn_folder import SERIES_COLUMNS, SOC_COLUMNS, STATE, STEP_COLUMNS, VEHICLE, check_folder
from litgrid.scenarios.scenario_set import ScenarioSet, occupancy
from litgrid.site.calendar import hour_of_step, month_of_step, weekday_of_step
from litgrid.site.site import Battery, Site, SocketGroup

CONNECTED, INCOMING, AWAY = 1, 2, 3
PRICE_AHEAD_HOURS = (6, 12, 24)  # CityLearn's predicted_1, _2 and _3, as in its public data sets
OBSERVATIONS = (
    *("month", "day_type", "hour", "minutes", "electricity_pricing", "carbon_intensity"),
    *("non_shiftable_load", "solar_generation", "electrical_storage_soc", "net_electricity_consumption"),
    "electric_vehicle_charger_connected_state",
    "connected_electric_vehicle_at_charger_departure_time",
    "connected_electric_vehicle_at_charger_required_soc_departure",
    "connected_electric_vehicle_at_charger_soc",
    "electric_vehicle_charger_incoming_state",
    "incoming_electric_vehicle_at_charger_estimated_arrival_time",
    "incoming_electric_vehicle_at_charger_estimated_soc_arrival",
)


def export(scenarios: ScenarioSet, index: int, folder: Path) -> Path:
    """Write one scenario as a CityLearn data set that simulates as many steps as the scenario has.

    CityLearn simulates one row less than it reads, so every file has one more row than the scenario.

    Args:
        scenarios: the scenario set.
        index: number of the scenario in it.
        folder: to write; it may exist if it is empty. It is written whole or not at all.

    Returns:
        Path of ``schema.json``.

    Raises:
        InputError: there is no such scenario, or the folder is not empty.
    """
    if not 0 <= index < len(scenarios):
        raise InputError(f"export, index: found {index}, expected 0 to {len(scenarios) - 1}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: found files there, expected a new or an empty folder to export to")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.part-") as part:
        written = Path(part) / "data"
        _write(scenarios, index, written)
        check_folder(written)
        if folder.exists():
            folder.rmdir()  # empty, as checked; Windows doesn't rename onto a folder
        written.rename(folder)
    return folder / "schema.json"


def charger_names(site: Site) -> list[str]:
    """Names of the sockets in the data set, in the order of the sockets."""
    return [f"charger_{socket:03d}" for socket in range(site.fleet.sockets)]


def vehicle_names(charger: str) -> tuple[str, str]:
    """Names of the two vehicles that take turns at a socket, so that every session is a new connection."""
    return f"{charger}_vehicle_a", f"{charger}_vehicle_b"


def _write(scenarios: ScenarioSet, index: int, folder: Path) -> None:
    folder.mkdir()
    for name, table in _series(scenarios, index).items():
        table.to_csv(folder / f"{name}.csv", index=False)
    for name, table in _chargers(scenarios, index).items():
        table.to_csv(folder / f"{name}.csv", index=False)
    text = json.dumps(_schema(scenarios.site, scenarios.steps), indent=1)
    (folder / "schema.json").write_text(text, encoding="utf-8")


def _series(scenarios: ScenarioSet, index: int) -> dict[str, pd.DataFrame]:
    """The files that are not a charger's; the last row repeats the one before, and is not simulated."""
    site, rows = scenarios.site, scenarios.steps + 1
    last = scenarios.steps - 1

    def values(key: str, ahead: int = 0) -> NDArray[np.float64]:
        year = scenarios.series[key][index].double().cpu().numpy()
        return np.asarray(year[np.minimum(np.arange(rows) + ahead, last)], dtype=np.float64)

    step = np.arange(rows)
    hour = hour_of_step(site)[step % site.steps_per_year]
    zeros = np.zeros(rows)
    building = {
        "month": month_of_step(site)[step % site.steps_per_year] + 1,
        "hour": hour.astype(int) + 1,  # CityLearn counts 1 to 24
        "minutes": (hour * 60).round(6).astype(int) % 60,
        "seconds": (hour * 3600).round().astype(int) % 60,
        "day_type": (weekday_of_step(site)[0] + step // site.steps_per_day) % 7 + 1,
        "indoor_dry_bulb_temperature": zeros,  # not modelled: CityLearn's default set points, so no discomfort
        "non_shiftable_load": values("load_kw") * site.step_hours,
        "dhw_demand": zeros,
        "cooling_demand": zeros,
        "heating_demand": zeros,
        "solar_generation": values("pv_kw") * site.step_hours,
    }
    # CityLearn demands weather but computes nothing with it here. A scenario has GHI alone, which stands under
    # diffuse with nothing direct; no humidity; and no forecast, which is the present value.
    measured = {"outdoor_dry_bulb_temperature": "temp_air_c", "diffuse_solar_irradiance": "ghi_w_per_m2"}
    sources = {column: measured.get(column.split("_predicted_")[0]) for column in SERIES_COLUMNS["weather"]}
    weather = {column: zeros if key is None else values(key) for column, key in sources.items()}
    ahead = (0, *(hours * 3600 // site.step_seconds for hours in PRICE_AHEAD_HOURS))
    pricing = {c: values("price_per_kwh", n) for c, n in zip(SERIES_COLUMNS["pricing"], ahead, strict=True)}
    tables = {"building": building, "weather": weather, "pricing": pricing}
    tables["carbon_intensity"] = {"carbon_intensity": values("carbon_kg_per_kwh")}
    return {name: pd.DataFrame(table) for name, table in tables.items()}


def _chargers(scenarios: ScenarioSet, index: int) -> dict[str, pd.DataFrame]:
    """One table per socket: who is connected, who comes with the next row, and with which SOC."""
    names = charger_names(scenarios.site)
    dense = occupancy(scenarios.sessions[index : index + 1], len(names), scenarios.steps)[0].cpu()
    away = np.zeros((1, len(names)))
    left, elapsed, soc, required = (
        np.concatenate([dense[key].double().numpy(), away])
        for key in ("left", "elapsed", "soc_arrival", "soc_required")
    )
    connected = left > 0
    arrives = connected & (elapsed == 0)
    turn = (np.cumsum(arrives, axis=0) - 1) % 2
    incoming = ~connected & np.concatenate([arrives[1:], away > 0])

    def table(i: int) -> pd.DataFrame:
        here, comes = connected[:, i], incoming[:, i]
        vehicles = np.array(vehicle_names(names[i]), dtype=object)
        next_turn, next_soc = np.roll(turn[:, i], -1), np.roll(soc[:, i], -1)
        columns = {
            STATE: np.select([here, comes], [CONNECTED, INCOMING], AWAY),
            VEHICLE: np.select([here, comes], [vehicles[turn[:, i]], vehicles[next_turn]], ""),
            STEP_COLUMNS[0]: pd.Series(left[:, i]).astype("Int64").where(here),
            SOC_COLUMNS[0]: pd.Series(required[:, i]).where(here),
            STEP_COLUMNS[1]: pd.Series(np.ones(len(here))).astype("Int64").where(comes),
            SOC_COLUMNS[1]: np.select([here, comes], [soc[:, i], next_soc], np.nan),
        }
        return pd.DataFrame(columns)

    return {name: table(i) for i, name in enumerate(names)}


def _battery(capacity_kwh: float, power_kw: float, dod: float, one_way: float, initial_soc: float) -> dict[str, Any]:
    """A CityLearn battery of constant efficiency, without a standby loss or degradation."""
    round_trip = one_way**2  # CityLearn takes the root for each way
    attributes = {
        "capacity": capacity_kwh,
        "nominal_power": power_kw,
        "depth_of_discharge": dod,
        "initial_soc": initial_soc,
        "efficiency": round_trip,
        "power_efficiency_curve": [[0.0, round_trip], [1.0, round_trip]],
        "capacity_power_curve": [[0.0, 1.0], [1.0, 1.0]],
        "loss_coefficient": 0.0,
        "capacity_loss_coefficient": 0.0,
    }
    return {"type": "citylearn.energy_model.Battery", "autosize": False, "attributes": attributes}


def _site_battery(battery: Battery) -> dict[str, Any]:
    return _battery(
        battery.capacity_kwh,
        battery.power_kw,
        battery.depth_of_discharge,
        battery.efficiency_one_way,
        battery.initial_soc,
    )


def _charger(name: str, group: SocketGroup) -> dict[str, Any]:
    attributes = {
        "max_charging_power": group.power_kw,
        "min_charging_power": 0.0,
        "max_discharging_power": group.power_kw if group.v2g else 0.0,
        "min_discharging_power": 0.0,
        "efficiency": 1.0,
    }
    kind = "citylearn.electric_vehicle_charger.Charger"
    return {"type": kind, "charger_simulation": f"{name}.csv", "autosize": False, "attributes": attributes}


def _schema(site: Site, steps: int) -> dict[str, Any]:
    groups = [group for group in site.fleet.groups for _ in range(group.sockets)]
    sockets = dict(zip(charger_names(site), groups, strict=True))
    vehicles = {
        vehicle: {
            "include": True,
            "battery": _battery(group.battery_kwh, group.power_kw, 1.0, group.efficiency_one_way, 0.0),
        }
        for name, group in sockets.items()
        for vehicle in vehicle_names(name)
    }
    pv = {"nominal_power": site.pv.dc_kwp, "generation_mode": "absolute"}  # kWh a step, as they are
    building = {
        "include": True,
        "energy_simulation": "building.csv",
        "weather": "weather.csv",
        "pricing": "pricing.csv",
        "carbon_intensity": "carbon_intensity.csv",
        "electrical_storage": _site_battery(site.battery),
        "pv": {"type": "citylearn.energy_model.PV", "autosize": False, "attributes": pv},
        "chargers": {name: _charger(name, group) for name, group in sockets.items()},
    }
    return {
        "random_seed": 0,
        "root_directory": None,
        "central_agent": True,
        "simulation_start_time_step": 0,
        "simulation_end_time_step": steps,
        "episode_time_steps": None,
        "rolling_episode_split": False,
        "random_episode_split": False,
        "seconds_per_time_step": site.step_seconds,
        "observations": {name: {"active": True, "shared_in_central_agent": False} for name in OBSERVATIONS},
        "actions": {
            "electrical_storage": {"active": site.battery.capacity_kwh > 0 and site.battery.power_kw > 0},
            "electric_vehicle_storage": {"active": True},
        },
        "reward_function": {"type": "citylearn.reward_function.RewardFunction", "attributes": {}},
        "electric_vehicles_def": vehicles,
        "buildings": {"site": building},
    }
