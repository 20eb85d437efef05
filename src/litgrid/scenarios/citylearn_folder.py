"""Check a CityLearn 3.0.2 data set: refuse, in one line, what CityLearn would misread without a word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from litgrid.errors import InputError

_AHEAD = ("_predicted_1", "_predicted_2", "_predicted_3")
_WEATHER = (
    "outdoor_dry_bulb_temperature",
    "outdoor_relative_humidity",
    "diffuse_solar_irradiance",
    "direct_solar_irradiance",
)
# columns that CityLearn computes with or requires; it tolerates gaps in all others
SERIES_COLUMNS = {
    "energy_simulation": (
        "month",
        "hour",
        "day_type",
        "non_shiftable_load",
        "dhw_demand",
        "cooling_demand",
        "heating_demand",
        "solar_generation",
    ),
    "weather": (*_WEATHER, *(name + ahead for name in _WEATHER for ahead in _AHEAD)),
    "pricing": ("electricity_pricing", *("electricity_pricing" + ahead for ahead in _AHEAD)),
    "carbon_intensity": ("carbon_intensity",),
}
STATE, VEHICLE = "electric_vehicle_charger_state", "electric_vehicle_id"
STEP_COLUMNS = ("electric_vehicle_departure_time", "electric_vehicle_estimated_arrival_time")
SOC_COLUMNS = ("electric_vehicle_required_soc_departure", "electric_vehicle_estimated_soc_arrival")
ABSENT_SOC = -0.1  # CityLearn's own mark for "no value"


def check_folder(folder: Path) -> None:
    """Check every file that the ``schema.json`` of a CityLearn data set names.

    CityLearn reads a charger's states as text: one blank among them turns the whole column into "1.0", "3.0", ...,
    and then no vehicle ever connects, without a message. It reads a SOC above 1 as percent and any other as a
    fraction, value by value, so that "0.9" among percentages is 90 %.

    Args:
        folder: holds ``schema.json`` and the CSV files.

    Raises:
        InputError: a file or column is missing, a series is too short or has gaps, a charger's state is not 1, 2 or
            3, a SOC is outside its range, or a vehicle is not defined.
    """
    schema_path = folder / "schema.json"
    schema = _read_schema(schema_path)
    for key in ("buildings", "simulation_end_time_step"):
        if key not in schema:
            raise InputError(f"{schema_path}: found no key {key}, expected the schema of a CityLearn 3.0.2 data set")
    rows = int(schema["simulation_end_time_step"]) + 1
    vehicles = set(schema.get("electric_vehicles_def", {}))
    included = [building for building in schema["buildings"].values() if building.get("include", True)]
    for building in included:
        for kind, columns in SERIES_COLUMNS.items():
            if building.get(kind) is not None:
                path = folder / building[kind]
                _check_numbers(_read(path, columns, rows), path, columns)
        for charger in (building.get("chargers") or {}).values():
            _check_charger(folder / charger["charger_simulation"], vehicles, rows)


def _read_schema(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path}: found no such file, expected a CityLearn data set's schema.json")
    try:
        schema: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: found no valid JSON ({error}), expected a CityLearn schema") from error
    return schema


def _read(path: Path, columns: tuple[str, ...], rows: int) -> pd.DataFrame:
    """Read a CSV file as text, which is how CityLearn's misreadings become visible."""
    if not path.is_file():
        raise InputError(f"{path}: found no such file, which schema.json names")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False).fillna("")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: found no table ({' '.join(str(error).split())}), expected a CSV file") from error
    missing = [column for column in columns if column not in table]
    if missing:
        raise InputError(f"{path}: found no column {missing[0]}, expected the columns {', '.join(columns)}")
    if len(table) < rows:
        raise InputError(f"{path}: found {len(table)} rows, expected {rows} (simulation_end_time_step + 1)")
    return table


def _refuse(path: Path, column: pd.Series[str], wrong: np.ndarray[Any, np.dtype[np.bool_]], expected: str) -> None:
    """Raise an ``InputError`` for the first wrong value, by its line in the file (the header is line 1)."""
    if wrong.any():
        row = int(wrong.argmax())
        text = column.iloc[row]
        found = repr(text) if text.strip() else "a blank"
        raise InputError(f"{path}, line {row + 2}, column {column.name}: found {found}, expected {expected}")


def _numbers(column: pd.Series[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Values of a column, NaN where there is no number."""
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)


def _check_numbers(table: pd.DataFrame, path: Path, columns: tuple[str, ...]) -> None:
    for column in columns:
        _refuse(path, table[column], ~np.isfinite(_numbers(table[column])), "a finite number")


def _check_charger(path: Path, vehicles: set[str], rows: int) -> None:
    table = _read(path, (STATE, VEHICLE, *STEP_COLUMNS, *SOC_COLUMNS), rows)
    states = "1 (connected), 2 (incoming) or 3 (away)"
    _refuse(path, table[STATE], ~table[STATE].isin(["1", "2", "3"]).to_numpy(), states)
    for name in (*STEP_COLUMNS, *SOC_COLUMNS):
        blank = table[name].str.strip().eq("").to_numpy()
        _refuse(path, table[name], ~np.isfinite(_numbers(table[name])) & ~blank, "a number or a blank")
    for name in SOC_COLUMNS:
        _check_soc(path, table[name])
    _check_vehicles(path, table, vehicles)


def _check_soc(path: Path, column: pd.Series[str]) -> None:
    soc = _numbers(column)
    outside = ((soc < 0) | (soc > 100)) & (soc != ABSENT_SOC)
    _refuse(path, column, outside, f"a SOC in 0..1 or 0..100 percent, a blank or {ABSENT_SOC}")
    mixed = (soc > 0) & (soc <= 1) & bool(np.any(soc > 1))
    _refuse(path, column, mixed, "percent, as elsewhere in this column (CityLearn reads up to 1 as a fraction)")


def _check_vehicles(path: Path, table: pd.DataFrame, vehicles: set[str]) -> None:
    here = table[STATE].isin(["1", "2"]).to_numpy()
    unknown = here & ~table[VEHICLE].isin(vehicles).to_numpy()
    _refuse(path, table[VEHICLE], unknown, "a vehicle of electric_vehicles_def in schema.json")
    connected = table[STATE].eq("1").to_numpy()
    before = table[VEHICLE].shift(fill_value="")
    announced = before.ne("").to_numpy() & ~np.append([True], connected[:-1])
    other = connected & announced & before.ne(table[VEHICLE]).to_numpy()
    _refuse(path, table[VEHICLE], other, "the vehicle that the line before announces")
