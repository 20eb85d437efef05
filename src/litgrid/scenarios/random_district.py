"""Random CityLearn data sets in which every part of the electrical model is at work, for comparing simulators."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from litgrid.scenarios.citylearn_folder import SERIES_COLUMNS, SOC_COLUMNS, STATE, STEP_COLUMNS, VEHICLE
from litgrid.scenarios.random_observations import add_observations

CONNECTED, INCOMING, AWAY = 1, 2, 3
LONGEST_STAY, LONGEST_GAP = 12, 6
STATED_SOC = 0.85  # share of arrivals with a SOC


@dataclass(frozen=True)
class Features:
    """What a random district has.

    Attributes:
        steps: that can be simulated.
        step_seconds: length of one.
        buildings: number of them; most have a battery and PV.
        chargers: of each building.
        v2g: chargers discharge.
        curves: efficiencies and battery powers are curves; else they are constant.
        dead_band: chargers have a minimum power.
        losses: batteries lose while standing by, and degrade.
        limits: buildings have ``charging_constraints``.
        service: buildings have an ``electrical_service``, of one phase and three in turn.
        outage: there are outages.
    """

    steps: int = 200
    step_seconds: int = 3600
    buildings: int = 2
    chargers: int = 3
    v2g: bool = False
    curves: bool = False
    dead_band: bool = False
    losses: bool = False
    limits: bool = False
    service: bool = False
    outage: bool = False


def write_random(folder: Path, features: Features, seed: int) -> Path:
    """Write a random data set.

    Args:
        folder: to create.
        features: what it has.
        seed: of all that is drawn.

    Returns:
        Path of its ``schema.json``.
    """
    folder.mkdir(parents=True)
    draw = np.random.default_rng(seed)
    rows = features.steps + 1
    names = [f"charger_{number}" for number in range(features.buildings * features.chargers)]
    vehicles = [f"vehicle_{number}" for number in range(len(names) + 2)]  # more than chargers, and none has its own
    for name, table in {**_series(draw, features, rows), **_sessions(draw, names, vehicles, rows)}.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    homes = [names[number :: features.buildings] for number in range(features.buildings)]
    buildings = {f"building_{i}": _building(draw, features, i, home) for i, home in enumerate(homes)}
    schema = {
        "random_seed": int(draw.integers(1000)),
        "root_directory": None,
        "central_agent": True,
        "simulation_start_time_step": 0,
        "simulation_end_time_step": features.steps,
        "episode_time_steps": None,
        "rolling_episode_split": False,
        "random_episode_split": False,
        "seconds_per_time_step": features.step_seconds,
        "observations": {},
        "actions": {"electrical_storage": {"active": True}, "electric_vehicle_storage": {"active": True}},
        "reward_function": {"type": "citylearn.reward_function.RewardFunction", "attributes": {}},
        "electric_vehicles_def": {
            name: {"include": True, "battery": _battery(draw, features, 30.0, 11.0)} for name in vehicles
        },
        "buildings": buildings,
    }
    add_observations(folder, schema, np.random.default_rng([seed, 1]))  # apart: the rest is drawn as without them
    path = folder / "schema.json"
    path.write_text(json.dumps(schema, indent=1), encoding="utf-8")
    return path


def _series(draw: np.random.Generator, features: Features, rows: int) -> dict[str, pd.DataFrame]:
    """Files of all buildings; a step's energy is that of a house with up to 10 kW of load and PV."""
    step = np.arange(rows)
    hour = (step * features.step_seconds // 3600) % 24
    clock = {
        "month": 1 + step // 720 % 12,
        "hour": hour + 1,
        "minutes": step * features.step_seconds // 60 % 60,
        "day_type": 1 + step * features.step_seconds // 86400 % 7,
    }
    sun = np.clip(np.sin((hour - 6) / 12 * np.pi), 0.0, None)
    zeros = dict.fromkeys(("indoor_dry_bulb_temperature", "dhw_demand", "cooling_demand", "heating_demand"), 0.0)
    share = features.step_seconds / 3600
    tables = {}
    for number in range(features.buildings):
        pv = sun * draw.uniform(0.2, 1.0, rows)
        tables[f"building_{number}"] = pd.DataFrame(
            clock
            | zeros
            | {
                "non_shiftable_load": draw.uniform(0.2, 10.0, rows) * share,
                "solar_generation": pv * 10.0 * share if number % 2 else pv * 1000.0,  # kWh, or W per kW
                "power_outage": (draw.uniform(size=rows) < 0.2).astype(int),
            }
        )
    weather = {column: draw.uniform(0.0, 30.0, rows) for column in SERIES_COLUMNS["weather"]}
    pricing = {column: draw.uniform(0.05, 0.6, rows) for column in SERIES_COLUMNS["pricing"]}
    carbon = {"carbon_intensity": draw.uniform(0.1, 0.9, rows)}
    return tables | {
        name: pd.DataFrame(columns)
        for name, columns in (("weather", weather), ("pricing", pricing), ("carbon_intensity", carbon))
    }


def _sessions(
    draw: np.random.Generator, chargers: list[str], vehicles: list[str], rows: int
) -> dict[str, pd.DataFrame]:
    """Tables of the chargers: any vehicle comes to any charger, announced or not, some without a SOC."""
    free_from = dict.fromkeys(vehicles, 0)  # row from which a vehicle can connect elsewhere
    tables = {name: _empty(rows) for name in chargers}
    ready = {name: int(draw.integers(0, LONGEST_GAP)) for name in chargers}
    for _ in range(rows * len(chargers)):
        name = min(ready, key=lambda charger: ready[charger])
        start = ready[name]
        if start >= rows:
            break
        waiting = [vehicle for vehicle in vehicles if free_from[vehicle] <= start]
        stay = int(draw.integers(1, LONGEST_STAY))
        if waiting:
            vehicle = str(draw.choice(waiting))
            announced = start > 0 and bool(draw.uniform() < 0.6)
            inside = range(start, min(start + stay, rows))
            _session(draw, tables[name], vehicle, inside, announced)
            free_from[vehicle] = start + stay
        ready[name] = start + stay + int(draw.integers(0, LONGEST_GAP))
    return tables


def _empty(rows: int) -> pd.DataFrame:
    columns = {STATE: np.full(rows, AWAY), VEHICLE: np.full(rows, "", dtype=object)}
    return pd.DataFrame(columns | dict.fromkeys((*STEP_COLUMNS, *SOC_COLUMNS), np.full(rows, np.nan)))


def _session(draw: np.random.Generator, table: pd.DataFrame, vehicle: str, inside: range, announced: bool) -> None:
    start, last = inside[0], inside[-1]
    soc = float(draw.uniform(0.05, 0.7)) if draw.uniform() < STATED_SOC else np.nan
    table.loc[start:last, STATE] = CONNECTED  # the last is included
    table.loc[start:last, VEHICLE] = vehicle
    table.loc[start:last, STEP_COLUMNS[0]] = np.arange(len(inside), 0, -1)
    table.loc[start:last, SOC_COLUMNS[0]] = float(draw.uniform(0.5, 1.0))
    table.loc[start, SOC_COLUMNS[1]] = soc
    if announced and table.loc[start - 1, STATE] == AWAY:
        table.loc[start - 1, STATE] = INCOMING
        table.loc[start - 1, VEHICLE] = vehicle
        table.loc[start - 1, STEP_COLUMNS[1]] = 1
        table.loc[start - 1, SOC_COLUMNS[1]] = soc
        table.loc[start, SOC_COLUMNS[1]] = draw.choice([np.nan, 0.5])  # not used where the row before has one


def _curve(draw: np.random.Generator, low: float, high: float, last: float = 1.0) -> list[list[float]]:
    """Points of a curve over 0 to ``last``."""
    inner = np.sort(draw.choice(np.arange(1, 16), int(draw.integers(0, 4)), replace=False)) / 20
    return [[float(x), float(draw.uniform(low, high))] for x in (0.0, *inner, last)]


def _flat(value: float) -> list[list[float]]:
    return [[0.0, value], [1.0, value]]


def _battery(draw: np.random.Generator, features: Features, capacity: float, power: float) -> dict[str, Any]:
    depth = float(draw.uniform(0.6, 1.0))
    attributes = {
        "capacity": capacity * float(draw.uniform(0.5, 2.0)),
        "nominal_power": power * float(draw.uniform(0.5, 2.0)),
        "depth_of_discharge": depth,
        "initial_soc": float(draw.uniform(1.0 - depth, 1.0)),
        "efficiency": 0.9,
        "power_efficiency_curve": _curve(draw, 0.7, 0.98) if features.curves else _flat(float(draw.uniform(0.7, 1.0))),
        "capacity_power_curve": _curve(draw, 0.2, 1.0, 0.95) if features.curves else _flat(1.0),
        "loss_coefficient": 0.01 * features.losses,
        "capacity_loss_coefficient": 0.005 * features.losses,
    }
    return {"type": "citylearn.energy_model.Battery", "autosize": False, "attributes": attributes}


def _charger(draw: np.random.Generator, features: Features, name: str, phase: str | None) -> dict[str, Any]:
    most = float(draw.uniform(3.0, 22.0))
    least = float(draw.uniform(0.1, 0.5)) if features.dead_band else 0.0
    attributes: dict[str, Any] = {
        "max_charging_power": most,
        "min_charging_power": least * most,
        "max_discharging_power": 0.7 * most * features.v2g,
        "min_discharging_power": 0.5 * least * most * features.v2g,
        "efficiency": float(draw.uniform(0.85, 1.0)),
    }
    if features.curves:
        attributes["charge_efficiency_curve"] = _curve(draw, 0.8, 1.0, 0.8)
        attributes["discharge_efficiency_curve"] = _curve(draw, 0.8, 1.0, 0.8)
    if phase is not None:
        attributes["phase_connection"] = phase
    kind = "citylearn.electric_vehicle_charger.Charger"
    return {"type": kind, "charger_simulation": f"{name}.csv", "autosize": False, "attributes": attributes}


def _building(draw: np.random.Generator, features: Features, number: int, chargers: list[str]) -> dict[str, Any]:
    three = features.service and number % 2 == 1
    phases = [str(draw.choice(["L1", "L2", "L3", "all_phases"])) if three else None for _ in chargers]
    pv = {"nominal_power": float(draw.uniform(2.0, 9.0)), "generation_mode": "absolute" if number % 2 else "per_kw"}
    building: dict[str, Any] = {
        "include": True,
        "energy_simulation": f"building_{number}.csv",
        "weather": "weather.csv",
        "pricing": "pricing.csv",
        "carbon_intensity": "carbon_intensity.csv",
        "pv": {"type": "citylearn.energy_model.PV", "autosize": False, "attributes": pv},
        "chargers": {name: _charger(draw, features, name, phase) for name, phase in zip(chargers, phases, strict=True)},
    }
    if number != 1 or features.buildings == 1:  # the second has no battery
        building["electrical_storage"] = _battery(draw, features, 20.0, 8.0)
        if three:
            building["electrical_storage"]["attributes"]["phase_connection"] = "L2"
    else:
        building["inactive_actions"] = ["electrical_storage"]
    if number == 3:  # nothing of the fourth can be moved
        building["inactive_actions"] = ["electrical_storage", "electric_vehicle_storage"]
    if features.limits:
        groups = [{"name": f"phase_{i}", "limit_kw": 6.0 + i, "chargers": chargers[i::2]} for i in range(2)]
        building["charging_constraints"] = {"building_limit_kw": 12.0, "phases": groups}
    if features.service:
        building["electrical_service"] = _service(three)
    if features.outage:
        building["power_outage"] = {"simulate_power_outage": True, "stochastic_power_outage": False}
    return building


def _service(three: bool) -> dict[str, Any]:
    if not three:
        return {"mode": "single_phase", "limits": {"total": {"import_kw": 12.0, "export_kw": 5.0}}}
    per_phase = {"L1": {"import_kw": 2.0, "export_kw": 1.0}, "L2": {"import_kw": 3.0}, "L3": {"export_kw": 1.0}}
    return {
        "mode": "three_phase",
        "default_split": "balanced",
        "limits": {"total": {"import_kw": 12.0, "export_kw": 3.0}, "per_phase": per_phase},
    }
