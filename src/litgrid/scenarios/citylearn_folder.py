"""Read and check the files of a CityLearn 3.0.2 data set: in one line, what CityLearn would misread without a word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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
# what a building's file may have besides; CityLearn fails at a column that it doesn't know, without naming the file
COUNTS = ("minutes", "seconds", "daylight_savings_status", "hvac_mode", "power_outage")
_CLOCK = ("month", "day_type", "hour", "minutes")
_OPTIONAL = (
    *("indoor_dry_bulb_temperature", "average_unmet_cooling_setpoint_difference", "indoor_relative_humidity"),
    *("occupant_count", "indoor_dry_bulb_temperature_cooling_set_point"),
    *("indoor_dry_bulb_temperature_heating_set_point", "comfort_band", *COUNTS),
)
STATE, VEHICLE = "electric_vehicle_charger_state", "electric_vehicle_id"
STEP_COLUMNS = ("electric_vehicle_departure_time", "electric_vehicle_estimated_arrival_time")
SOC_COLUMNS = ("electric_vehicle_required_soc_departure", "electric_vehicle_estimated_soc_arrival")
CURRENT_SOC = "electric_vehicle_current_soc"  # of some v3 data sets
ABSENT_SOC = -0.1  # CityLearn's own mark for "no value"
Schema = dict[str, Any]


def check_folder(folder: Path) -> None:
    """Check every file that the ``schema.json`` of a CityLearn data set names.

    CityLearn reads a charger's states as text: one blank among them turns the whole column into "1.0", "3.0", ...,
    and then no vehicle ever connects, without a message. It reads a SOC above 1 as percent and any other as a
    fraction, value by value, so that "0.9" among percentages is 90 %.

    Args:
        folder: holds ``schema.json`` and the CSV files.

    Raises:
        InputError: a file or column is missing or unknown, a series is too short or has gaps, a charger's state is
            not 1, 2 or 3, a SOC is outside its range or in percent and fractions, or a vehicle is not defined.
    """
    for misreading in check_files(folder, read_schema(folder)):
        raise InputError(misreading)


def check_files(folder: Path, schema: Schema) -> list[str]:
    """Check the simulated rows of every file, and refuse what can't be read.

    Args:
        folder: holds ``schema.json``.
        schema: as ``read_schema`` gives it.

    Returns:
        One line for every column that can be read but hardly means what CityLearn reads.

    Raises:
        InputError: as ``check_folder``, but for SOCs in percent and fractions.
    """
    vehicles = {name for name, vehicle in parts(schema, "electric_vehicles_def") if included(vehicle)}
    found = []
    for building in included_buildings(schema).values():
        for kind, columns in SERIES_COLUMNS.items():
            if building.get(kind) is not None:
                path = data_folder(folder, schema) / building[kind]
                table = _read(path, columns, schema)
                _check_numbers(table, path, columns, _OPTIONAL if kind == "energy_simulation" else ())
        for _, charger in parts(building, "chargers"):
            path = data_folder(folder, schema) / charger["charger_simulation"]
            found += _check_charger(path, vehicles, schema)
    return found


def read_schema(folder: Path) -> Schema:
    """Read ``schema.json``, with all keys that CityLearn demands of it.

    Raises:
        InputError: there is none, or it isn't the schema of a CityLearn data set.
    """
    path = folder / "schema.json"
    if not path.is_file():
        raise InputError(f"{path}: found no such file, expected a CityLearn data set's schema.json")
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: found no valid JSON ({error}), expected a CityLearn schema") from error
    if not isinstance(schema, dict):
        raise InputError(f"{path}: found a {type(schema).__name__}, expected the schema of a CityLearn 3.0.2 data set")
    for key in ("buildings", "simulation_end_time_step"):
        if key not in schema:
            raise InputError(f"{path}: found no key {key}, expected the schema of a CityLearn 3.0.2 data set")
    _check_shape(path, schema)
    return schema


def _check_shape(path: Path, schema: Schema) -> None:
    start, end = schema.get("simulation_start_time_step", 0), schema["simulation_end_time_step"]
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end):
        raise InputError(f"{path}, simulation_end_time_step: found {start} to {end}, expected a row and a later one")
    seconds = schema.get("seconds_per_time_step", 3600)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= 86400:
        raise InputError(f"{path}, seconds_per_time_step: found {seconds!r}, expected 1 to 86400")
    _check_parts(path, schema, "buildings", ("energy_simulation", "weather"))
    _check_parts(path, schema, "electric_vehicles_def", ("battery",))
    for name, building in included_buildings(schema).items():
        _check_parts(path, building, "chargers", ("charger_simulation", "type"), f"buildings.{name}.")


def _check_parts(path: Path, holder: Schema, key: str, needed: tuple[str, ...], prefix: str = "") -> None:
    """Refuse a key that doesn't map names to mappings with what each of them needs."""
    value = holder.get(key) or {}
    if not isinstance(value, dict) or not all(isinstance(part, dict) for part in value.values()):
        raise InputError(f"{path}, {prefix}{key}: found no mapping of names to mappings, expected one")
    for name, part in value.items():
        place = f"{path}, {prefix}{key}.{name}"
        if flag(part.get("include"), True, f"{place}.include"):
            missing = [need for need in needed if not part.get(need)]
            if missing:
                raise InputError(f"{place}: found no {missing[0]}, expected one")


def parts(holder: Schema, key: str) -> Iterator[tuple[str, Schema]]:
    """Names and mappings under a key that may be absent or null."""
    yield from (holder.get(key) or {}).items()


def included(part: Schema) -> bool:
    """Whether CityLearn includes a building or vehicle; it is by default."""
    return flag(part.get("include"), True, "include")


def included_buildings(schema: Schema) -> dict[str, Schema]:
    """Buildings that CityLearn includes, in its order."""
    return {name: building for name, building in parts(schema, "buildings") if included(building)}


def flag(value: Any, default: bool, where: str) -> bool:
    """A truth value as CityLearn spells it: true, 1, "yes", "on" and their opposites; null is the default."""
    if value is None:
        return default
    text = str(value).strip().lower()
    if text in ("true", "1", "1.0", "yes", "on"):
        return True
    if text in ("false", "0", "0.0", "no", "off"):
        return False
    raise InputError(f"{where}: found {value!r}, expected true or false")


def data_folder(folder: Path, schema: Schema) -> Path:
    """Where the files are: beside the schema, or in its ``root_directory``."""
    return folder / (schema.get("root_directory") or "")


def window(schema: Schema) -> tuple[int, int]:
    """First simulated row and the number of rows that CityLearn reads."""
    start = int(schema.get("simulation_start_time_step", 0))
    return start, int(schema["simulation_end_time_step"]) - start + 1


def read_table(path: Path, schema: Schema) -> pd.DataFrame:
    """The simulated rows of a checked file, numbers read as CityLearn reads them."""
    start, rows = window(schema)
    table = pd.read_csv(path, skiprows=range(1, start + 1), nrows=rows)
    if len(table) < rows:
        return pd.concat([table, _terminal(table, schema)], ignore_index=True)
    return table


def _terminal(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """The row that CityLearn adds on request, which is never simulated: the last again, its vehicle gone if due."""
    row = table.iloc[[-1]].copy()
    if set(_CLOCK) <= set(row):
        clock = row[list(_CLOCK)].to_numpy(dtype=np.int64)[0]
        row[list(_CLOCK)] = _next_time(clock, round(schema.get("seconds_per_time_step", 3600) / 60))
    if STATE in row and row[STATE].iloc[0] == 1 and row[STEP_COLUMNS[0]].iloc[0] <= 1:
        row[STATE] = 3
        row[[STEP_COLUMNS[0], SOC_COLUMNS[0], *({CURRENT_SOC} & set(row))]] = np.nan
    return row


def _next_time(clock: NDArray[np.int64], step_minutes: int) -> tuple[int, ...]:
    """The calendar one step later, as CityLearn counts: days from hour 0, and no month but December ends."""
    month, day_type, hour, minutes = (int(value) for value in clock)
    hours, minutes = divmod(minutes + step_minutes, 60)
    days, hour = divmod(hour + hours, 24)
    if not days:
        return month, day_type, hour, minutes
    return 1 if month == 12 else month, day_type % 7 + 1, hour, minutes


def _read(path: Path, columns: tuple[str, ...], schema: Schema) -> pd.DataFrame:
    """Read a CSV file's window as text, which is how CityLearn's misreadings become visible."""
    if path.suffix.lower() in (".parquet", ".pq", ".parq"):
        raise InputError(f"{path}: found a Parquet file, expected a CSV file")
    if not path.is_file():
        raise InputError(f"{path}: found no such file, which schema.json names")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False).fillna("")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: found no table ({' '.join(str(error).split())}), expected a CSV file") from error
    missing = [column for column in columns if column not in table]
    if missing:
        raise InputError(f"{path}: found no column {missing[0]}, expected the columns {', '.join(columns)}")
    start, rows = window(schema)
    padded = flag(schema.get("terminal_observation_padding"), False, "terminal_observation_padding")
    if len(table) < start + rows - padded:
        raise InputError(f"{path}: found {len(table)} rows, expected {start + rows} (simulation_end_time_step + 1)")
    return table.iloc[start : start + rows]


def _faults(path: Path, column: pd.Series[str], wrong: np.ndarray[Any, np.dtype[np.bool_]], expected: str) -> list[str]:
    """The first wrong value, by its line in the file (the header is line 1); nothing if there is none."""
    if not wrong.any():
        return []
    row = int(wrong.argmax())
    text = column.iloc[row]
    found = repr(text) if text.strip() else "a blank"
    line = int(column.index[row]) + 2
    return [f"{path}, line {line}, column {column.name}: found {found}, expected {expected}"]


def _refuse(path: Path, column: pd.Series[str], wrong: np.ndarray[Any, np.dtype[np.bool_]], expected: str) -> None:
    for fault in _faults(path, column, wrong, expected):
        raise InputError(fault)


def _numbers(column: pd.Series[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Values of a column, NaN where there is no number."""
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)


def _check_numbers(table: pd.DataFrame, path: Path, columns: tuple[str, ...], optional: tuple[str, ...]) -> None:
    unknown = [str(column) for column in table if column not in (*columns, *optional)]
    if unknown:
        raise InputError(f"{path}: found an unknown column {unknown[0]!r}, expected {', '.join((*columns, *optional))}")
    if optional and optional[0] not in table:
        raise InputError(f"{path}: found no column {optional[0]}, which CityLearn demands; it may be blank")
    for column in (*columns, *(name for name in COUNTS if name in table)):
        _refuse(path, table[column], ~np.isfinite(_numbers(table[column])), "a finite number")


def _check_charger(path: Path, vehicles: set[str], schema: Schema) -> list[str]:
    table = _read(path, (STATE, VEHICLE, *STEP_COLUMNS, *SOC_COLUMNS), schema)
    states = "1 (connected), 2 (incoming) or 3 (away)"
    _refuse(path, table[STATE], ~table[STATE].isin(["1", "2", "3"]).to_numpy(), states)
    socs = [name for name in (*SOC_COLUMNS, CURRENT_SOC) if name in table]
    for name in (*STEP_COLUMNS, *socs):
        blank = table[name].str.strip().eq("").to_numpy()
        _refuse(path, table[name], ~np.isfinite(_numbers(table[name])) & ~blank, "a number or a blank")
    mixed = [line for name in socs for line in _check_soc(path, table[name])]
    _check_vehicles(path, table, vehicles)
    return mixed


def _check_soc(path: Path, column: pd.Series[str]) -> list[str]:
    soc = _numbers(column)
    outside = ((soc < 0) | (soc > 100)) & (soc != ABSENT_SOC)
    _refuse(path, column, outside, f"a SOC in 0..1 or 0..100 percent, a blank or {ABSENT_SOC}")
    mixed = (soc > 0) & (soc <= 1) & bool(np.any(soc > 1))
    percent = "percent, as elsewhere in this column (CityLearn reads up to 1 as a fraction)"
    return _faults(path, column, mixed, percent)


def _check_vehicles(path: Path, table: pd.DataFrame, vehicles: set[str]) -> None:
    here = table[STATE].isin(["1", "2"]).to_numpy()
    unknown = here & ~table[VEHICLE].isin(vehicles).to_numpy()
    _refuse(path, table[VEHICLE], unknown, "a vehicle of electric_vehicles_def in schema.json")
    digits = pd.to_numeric(table[VEHICLE][here], errors="coerce").notna().to_numpy()
    expected = "a name that isn't a number (CityLearn would read numbers, and connect no vehicle)"
    _refuse(path, table[VEHICLE][here], digits & bool(digits.all()), expected)
    connected = table[STATE].eq("1").to_numpy()
    before = table[VEHICLE].shift(fill_value="")
    announced = before.ne("").to_numpy() & ~np.append([True], connected[:-1])
    other = connected & announced & before.ne(table[VEHICLE]).to_numpy()
    _refuse(path, table[VEHICLE], other, "the vehicle that the line before announces")
