"""Random observations of a random CityLearn data set: active or not, shared or not, and columns only for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from litgrid.scenarios.citylearn_columns import OBSERVABLE
from litgrid.scenarios.citylearn_folder import SERIES_COLUMNS
from litgrid.scenarios.citylearn_observed import CHARGER_NAMES

SHARED = ("month", "day_type", "hour", *SERIES_COLUMNS["weather"], *SERIES_COLUMNS["pricing"], "carbon_intensity")
COMPUTED = ("electrical_storage_soc", "net_electricity_consumption", "electrical_storage_electricity_consumption")
ACTIVE, SHOWN = 0.8, 0.9  # share of observations (what a step computes is always active), and of those in a building


def add_observations(folder: Path, schema: dict[str, Any], draw: np.random.Generator) -> None:
    """Make a random part of all observations active, in random order, and give buildings the columns of some.

    Args:
        folder: of the data set, whose files are there.
        schema: to complete.
        draw: random numbers.
    """
    known = dict.fromkeys((*SHARED, *OBSERVABLE, *COMPUTED, *CHARGER_NAMES))
    names = [str(name) for name in draw.permutation(list(known))]
    schema["observations"] = {
        name: {
            "active": bool(draw.uniform() < ACTIVE) or name in COMPUTED,
            "shared_in_central_agent": bool(draw.uniform() < (0.9 if name in SHARED else 0.05)),
        }
        for name in names
    }
    for building in schema["buildings"].values():
        building["inactive_observations"] = [name for name in names if draw.uniform() > SHOWN]
        _add_columns(folder / building["energy_simulation"], draw)
        for key in ("charging_constraints", "electrical_service"):
            if key in building:
                building[key]["observations"] = _of_limits(draw)


def _of_limits(draw: np.random.Generator) -> dict[str, bool]:
    names = ("headroom", "headroom_export", "violation", "phase_encoding")
    return {name: bool(draw.integers(2)) for name in names if draw.integers(2)}


def _add_columns(path: Path, draw: np.random.Generator) -> None:
    """Give a building's file columns of its climate and its people, some of them."""
    table = pd.read_csv(path, float_precision="round_trip")
    rows = len(table)
    columns = {
        "indoor_dry_bulb_temperature": draw.uniform(-100.0, 70.0, rows),  # beyond CityLearn's limits, too
        "indoor_relative_humidity": draw.uniform(-10.0, 110.0, rows),
        "indoor_dry_bulb_temperature_cooling_set_point": draw.uniform(20.0, 28.0, rows),
        "indoor_dry_bulb_temperature_heating_set_point": draw.uniform(15.0, 20.0, rows),
        "average_unmet_cooling_setpoint_difference": draw.uniform(0.0, 2.0, rows),
        "comfort_band": draw.uniform(1.0, 3.0, rows),
        "occupant_count": draw.integers(0, 6, rows),
        "daylight_savings_status": draw.integers(0, 2, rows),
        "hvac_mode": draw.integers(0, 4, rows),
        "seconds": np.zeros(rows, dtype=np.int64),
    }
    for name, values in columns.items():
        if name in table or draw.integers(2):
            table[name] = values
    table.to_csv(path, index=False)
