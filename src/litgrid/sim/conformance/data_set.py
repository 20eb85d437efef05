"""Data sets of one building that are small enough to be computed by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from litgrid.scenarios.citylearn_folder import SOC_COLUMNS, STATE, STEP_COLUMNS, VEHICLE
from litgrid.scenarios.random_district import AWAY, CONNECTED, INCOMING, Features, write_random

Numbers = tuple[float, ...]
BATTERY = {
    "capacity": 10.0,
    "nominal_power": 5.0,
    "depth_of_discharge": 0.8,
    "initial_soc": 0.5,
    "power_efficiency_curve": [[0.0, 0.81], [1.0, 0.81]],
    "capacity_power_curve": [[0.0, 1.0], [1.0, 1.0]],
    "loss_coefficient": 0.0,
    "capacity_loss_coefficient": 0.0,
}
"""10 kWh, 5 kW, SOC 0.2 to 1, 0.9 one way."""
CAR = BATTERY | {"capacity": 20.0, "nominal_power": 10.0, "depth_of_discharge": 1.0}
"""20 kWh, 10 kW, SOC 0 to 1, 0.9 one way."""
CHARGER = {
    "max_charging_power": 8.0,
    "min_charging_power": 0.0,
    "max_discharging_power": 0.0,
    "min_discharging_power": 0.0,
    "efficiency": 1.0,
}
"""8 kW without loss and V2G."""
PRICE, CARBON = 0.5, 0.4


class Stay(NamedTuple):
    """A vehicle at a charger."""

    charger: int
    vehicle: int
    first: int
    """Row with which it is connected."""
    end: int
    """Row with which it is away."""
    soc: float = np.nan
    """At arrival; not stated where it is NaN."""
    announced: bool = False
    """The row before says that it comes, and with which SOC."""


@dataclass(frozen=True)
class Case:
    """A district of one building, what is asked of it, and what has to come out.

    Attributes:
        name: what the case is about.
        actions: [steps][1 + N], the battery first.
        expected: (quantity, asset) -> its value after every step; None where it is of no interest.
        first: row with which the episode begins.
        step_seconds: length of a row.
        load: kWh of each row from row 0 on.
        pv: likewise.
        outage: 1 in rows without the grid.
        battery: what differs from ``BATTERY``.
        car: what differs from ``CAR``, for all vehicles.
        chargers: what differs from ``CHARGER``, one for each.
        stays: of the vehicles.
        building: further keys of the building's schema.
    """

    name: str
    actions: tuple[Numbers, ...]
    expected: dict[tuple[str, int], tuple[float | None, ...]]
    first: int = 0
    step_seconds: int = 3600
    load: Numbers = (1.0,)
    pv: Numbers = (0.0,)
    outage: Numbers = (0.0,)
    battery: dict[str, Any] = field(default_factory=dict)
    car: dict[str, Any] = field(default_factory=dict)
    chargers: tuple[dict[str, Any], ...] = ()
    stays: tuple[Stay, ...] = ()
    building: dict[str, Any] = field(default_factory=dict)


def write(folder: Path, case: Case) -> None:
    """Write a case: a random data set of which everything that matters to a step is replaced.

    Args:
        folder: to create.
        case: with its numbers; the last value of a series repeats.
    """
    steps = case.first + len(case.actions)
    features = Features(steps=steps, step_seconds=case.step_seconds, buildings=1, chargers=len(case.chargers))
    path = write_random(folder, features, 0)
    schema = json.loads(path.read_text(encoding="utf-8"))
    building = schema["buildings"]["building_0"]
    building["pv"]["attributes"] = {"nominal_power": 1.0, "generation_mode": "absolute"}
    building["electrical_storage"]["attributes"] |= BATTERY | case.battery
    for vehicle in schema["electric_vehicles_def"].values():
        vehicle["battery"]["attributes"] |= CAR | case.car
    for number, attributes in enumerate(case.chargers):
        building["chargers"][f"charger_{number}"]["attributes"] = CHARGER | attributes
        stays = [stay for stay in case.stays if stay.charger == number]
        _connections(stays, steps + 1).to_csv(folder / f"charger_{number}.csv", index=False)
    if any(case.outage):
        building["power_outage"] = {"simulate_power_outage": True, "stochastic_power_outage": False}
    building |= case.building
    path.write_text(json.dumps(schema), encoding="utf-8")
    series = {"non_shiftable_load": case.load, "solar_generation": case.pv, "power_outage": case.outage}
    _replace(folder / "building_0.csv", {key: _rows(values, steps + 1) for key, values in series.items()})
    _replace(folder / "pricing.csv", {"electricity_pricing": _rows((PRICE,), steps + 1)})
    _replace(folder / "carbon_intensity.csv", {"carbon_intensity": _rows((CARBON,), steps + 1)})


def _rows(values: Numbers, rows: int) -> NDArray[np.float64]:
    return np.pad(np.array(values, dtype=np.float64), (0, max(rows - len(values), 0)), mode="edge")[:rows]


def _replace(path: Path, columns: dict[str, NDArray[np.float64]]) -> None:
    pd.read_csv(path).assign(**columns).to_csv(path, index=False)


def _connections(stays: list[Stay], rows: int) -> pd.DataFrame:
    """The table of one charger."""
    states = {STATE: np.full(rows, AWAY), VEHICLE: np.full(rows, "", dtype=object)}
    table = pd.DataFrame(states | dict.fromkeys((*STEP_COLUMNS, *SOC_COLUMNS), np.full(rows, np.nan)))
    for stay in stays:
        end = min(stay.end, rows)
        vehicle = f"vehicle_{stay.vehicle}"
        inside = slice(stay.first, end - 1)  # the last is included
        if stay.announced:
            table.loc[stay.first - 1, STATE] = INCOMING
            table.loc[stay.first - 1, VEHICLE] = vehicle
            table.loc[stay.first - 1, STEP_COLUMNS[1]] = 1
            table.loc[stay.first - 1, SOC_COLUMNS[1]] = stay.soc
        table.loc[inside, STATE] = CONNECTED
        table.loc[inside, VEHICLE] = vehicle
        table.loc[inside, STEP_COLUMNS[0]] = np.arange(end - stay.first, 0, -1)
        table.loc[inside, SOC_COLUMNS[0]] = 1.0
        table.loc[stay.first, SOC_COLUMNS[1]] = np.nan if stay.announced else stay.soc
    return table
