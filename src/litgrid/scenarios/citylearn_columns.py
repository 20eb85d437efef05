"""Values that CityLearn shows of a data set's files, besides what a step computes with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tensordict import TensorDict

from litgrid.scenarios.citylearn_folder import SERIES_COLUMNS, Schema, read_table

Floats = NDArray[np.float64]
_CALENDAR = {"month": "month", "hour": "hour", "minute": "minutes", "day_type": "day_type"}
_WHOLE = (*_CALENDAR.values(), "seconds", "daylight_savings_status", "hvac_mode")
_DEFAULT = {"comfort_band": 2.0, "hvac_mode": 1.0}  # of columns that the file may leave out; the others' is 0
_LIMITED = {"indoor_dry_bulb_temperature": (-90.0, 57.0), "indoor_relative_humidity": (0.0, 100.0)}
_SET_POINTS = {way: f"indoor_dry_bulb_temperature_{way}_set_point" for way in ("cooling", "heating")}
_COPIED = (*_LIMITED, "non_shiftable_load", *_SET_POINTS.values())
_COPY = "_without_control"
_OF_BUILDING = (*_COPIED, *_WHOLE, "average_unmet_cooling_setpoint_difference", "occupant_count", "comfort_band")
_DELTAS = {f"indoor_dry_bulb_temperature_{way}_delta": name for way, name in _SET_POINTS.items()}
_THERMAL = ("cooling", "heating", "dhw")
_ZERO = {  # without heat and cold to be supplied, and without a storage for them that an action moves
    *(f"{thermal}_demand" for thermal in _THERMAL),
    *(f"{thermal}_demand{_COPY}" for thermal in _THERMAL),
    *(f"{thermal}_electricity_consumption" for thermal in _THERMAL),
    *(f"{thermal}_storage_electricity_consumption" for thermal in _THERMAL),
}

OBSERVABLE = (
    *dict.fromkeys((*_OF_BUILDING, *_DELTAS, *(f"{name}{_COPY}" for name in _COPIED), *sorted(_ZERO))),
    *(*(f"{thermal}_storage_soc" for thermal in _THERMAL), "solar_generation", "power_outage"),
)
"""Names of buildings' observations that no action changes."""


class Tables:
    """Files of a data set, each read once.

    Args:
        schema: of the data set.
        folder: of its files.
    """

    def __init__(self, schema: Schema, folder: Path) -> None:
        self.schema, self._folder = schema, folder
        self._read: dict[str, pd.DataFrame] = {}

    def __call__(self, building: Schema, kind: str) -> pd.DataFrame | None:
        """A building's file, None where its schema names none."""
        name = building.get(kind)
        if name is not None and name not in self._read:
            self._read[name] = read_table(self._folder / name, self.schema)
        return None if name is None else self._read[name]


def calendar(table: pd.DataFrame) -> TensorDict:
    """The calendar of a building's file.

    Args:
        table: of ``energy_simulation``, T rows.

    Returns:
        ``calendar`` of a district, [T] int64.
    """
    zeros = pd.Series(np.zeros(len(table)))
    columns = {ours: table.get(theirs, zeros).to_numpy(dtype=np.int64) for ours, theirs in _CALENDAR.items()}
    return TensorDict({name: torch.from_numpy(column.copy()) for name, column in columns.items()}, [len(table)])


def column(name: str, building: Schema, series: TensorDict, tables: Tables) -> Floats | None:
    """An observation that no action changes, as CityLearn keeps it.

    Args:
        name: of the observation.
        building: its schema.
        series: of the district, for this building, [T].
        tables: files of the data set.

    Returns:
        [T], NaN where the file has a blank; None if a step computes it, or if it is nothing electrical.
    """
    if name in ("solar_generation", "power_outage"):
        values: Floats = series["pv_kwh" if name == "solar_generation" else "outage"].double().abs().numpy()
        return values
    storage = name.removesuffix("_soc")
    empty = storage in [f"{each}_storage" for each in _THERMAL] and not _attributes(building, storage)
    if name in _ZERO or empty:
        return np.zeros(len(series))
    for kind in ("weather", "pricing", "carbon_intensity"):
        if name in SERIES_COLUMNS[kind]:
            table = tables(building, kind)
            return np.zeros(len(series)) if table is None else _single(table[name])
    return _of_building(name, building, tables)


def _attributes(building: Schema, storage: str) -> bool:
    """Whether a thermal storage, which nothing charges, begins an episode with something in it."""
    return bool(((building.get(storage) or {}).get("attributes") or {}).get("initial_soc"))


def _of_building(name: str, building: Schema, tables: Tables) -> Floats | None:
    """Values of the building's own file."""
    table = tables(building, "energy_simulation")
    plain = name.removesuffix(_COPY)
    if table is None or plain not in (_COPIED if plain != name else (*_OF_BUILDING, *_DELTAS)):
        return None
    if name in _DELTAS:
        indoor, wanted = (_kept(each, table).astype(np.float32) for each in (_COPIED[0], _DELTAS[name]))
        return (indoor - wanted).astype(np.float64)
    return _kept(plain, table)


def _kept(name: str, table: pd.DataFrame) -> Floats:
    if name not in table:
        return np.full(len(table), _DEFAULT.get(name, 0.0))
    values = _single(table[name])
    if name in _WHOLE:
        return values.astype(np.int32).astype(np.float64)
    return values.clip(*_LIMITED[name]) if name in _LIMITED else values


def _single(values: pd.Series[float]) -> Floats:
    return values.to_numpy(dtype=np.float32).astype(np.float64)
