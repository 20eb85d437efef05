"""Which vehicle is at which charger in every row, and which SOC CityLearn forces upon it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from tensordict import TensorDict

from litgrid.errors import InputError
from litgrid.scenarios.citylearn_folder import ABSENT_SOC, CURRENT_SOC, SOC_COLUMNS, STATE, STEP_COLUMNS, VEHICLE
from litgrid.scenarios.district import Charger, Vehicle

NONE = -1
CONNECTED, INCOMING = 1, 2
SESSION = "electric_vehicle_session_id"
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def connections(
    tables: Sequence[pd.DataFrame], chargers: Sequence[Charger], vehicles: Sequence[Vehicle], rows: int, where: str
) -> TensorDict:
    """Resolve the tables of all chargers.

    In the row in which a vehicle connects, CityLearn sets its SOC to the current SOC of that row, else to the estimate
    of the row before if the charger was free there, else to that of the row. (It sets it a first time in the row
    before, which is what remains if there is none of these: ``litgrid.sim.connections``.)

    Args:
        tables: one per charger, as CityLearn reads them, ``rows`` long.
        chargers: N of them.
        vehicles: E of them.
        rows: T.
        where: the schema's path, for messages.

    Returns:
        ``connections`` of a district, [T, N].

    Raises:
        InputError: a vehicle is at two chargers at once.
    """
    index = {vehicle.name: number for number, vehicle in enumerate(vehicles)}
    columns = _stack([_columns(table, index) for table in tables], rows)
    vehicle = np.where(columns["state"] == CONNECTED, columns["named"], NONE)
    _check_once(vehicle, chargers, vehicles, where)
    new = _new_connections(vehicle, columns)
    forced = np.where(new, _forced(columns), float(NONE))
    first = np.where(columns["current"] >= 0, columns["current"], columns["arrival_soc"])
    arrays: dict[str, NDArray[Any]] = {
        "vehicle": vehicle.astype(np.int16),
        "incoming": np.where(columns["state"] == INCOMING, columns["named"], NONE).astype(np.int16),
        "new": new,
        "new_soc": forced,
        "first_soc": np.where((vehicle >= 0) & (first >= 0), first, float(NONE)),
        "state": columns["state"].astype(np.int8),
        **{key: columns[key] for key in ("required_soc", "departure_time", "arrival_time", "arrival_soc")},
    }
    tensors = {key: torch.from_numpy(np.ascontiguousarray(array)) for key, array in arrays.items()}
    return TensorDict(tensors, batch_size=(rows, len(chargers)))


def normalised(values: pd.Series[Any]) -> Floats:
    """SOCs as CityLearn reads them: above 1 in percent, else fractions, in float32; ``ABSENT_SOC`` for none."""
    raw = pd.to_numeric(values).to_numpy(dtype=np.float32)
    absent = ~(raw >= 0)
    soc = np.clip(np.where(raw > 1, raw / np.float32(100), raw), 0, 1)
    return np.where(absent, np.float32(ABSENT_SOC), soc).astype(np.float64)


def _columns(table: pd.DataFrame, index: dict[str, int]) -> dict[str, NDArray[Any]]:
    def steps(name: str) -> Floats:
        return table[name].astype(np.float32).fillna(-1).astype(np.int32).to_numpy(dtype=np.float64)

    absent = pd.Series(np.full(len(table), np.nan))
    sessions = table[SESSION] if SESSION in table else absent.astype(object)
    return {
        "state": table[STATE].to_numpy(dtype=np.int64),
        "named": np.array([index.get(name, NONE) for name in table[VEHICLE]]),
        "departure_time": steps(STEP_COLUMNS[0]),
        "arrival_time": steps(STEP_COLUMNS[1]),
        "required_soc": normalised(table[SOC_COLUMNS[0]]),
        "arrival_soc": normalised(table[SOC_COLUMNS[1]]),
        "current": normalised(table.get(CURRENT_SOC, absent)),
        "session": np.array([name.strip() if isinstance(name, str) else "" for name in sessions], dtype=object),
    }


def _stack(columns: list[dict[str, NDArray[Any]]], rows: int) -> dict[str, NDArray[Any]]:
    """[T, N] of every column; also without a charger."""
    if not columns:
        keys = ("state", "named", "departure_time", "arrival_time", "required_soc", "arrival_soc", "current", "session")
        return {key: np.zeros((rows, 0), dtype=object if key == "session" else np.float64) for key in keys}
    return {key: np.stack([column[key] for column in columns], axis=1) for key in columns[0]}


def _check_once(
    vehicle: NDArray[np.int64], chargers: Sequence[Charger], vehicles: Sequence[Vehicle], where: str
) -> None:
    """Refuse a vehicle at two chargers in one row; CityLearn would charge it at both."""
    order = np.sort(vehicle, axis=1)
    twice = (order[:, 1:] == order[:, :-1]) & (order[:, 1:] >= 0)
    if twice.any():
        row = int(twice.any(axis=1).argmax())
        number = order[row, 1:][twice[row]][0]
        at = " and ".join(chargers[i].name for i in np.flatnonzero(vehicle[row] == number))
        raise InputError(
            f"{where}, row {row}: found vehicle {vehicles[number].name} connected at {at}, expected one charger"
        )


def _before(values: NDArray[Any], first: object) -> NDArray[Any]:
    """Values of the row before; ``first`` in row 0."""
    shifted = np.roll(values, 1, axis=0)
    shifted[:1] = first
    return shifted


def _new_connections(vehicle: NDArray[np.int64], columns: dict[str, NDArray[Any]]) -> Bools:
    """Rows in which another vehicle connects, or the same begins another session."""
    session, left = columns["session"], columns["departure_time"]
    previous, left_before = _before(session, ""), _before(left, 0)
    named = session != ""
    renamed = named & (previous != "") & (session != previous)
    counted = ~named & (left_before <= 1) & (left > left_before)
    counted[:1] = False
    return np.asarray((vehicle >= 0) & ((vehicle != _before(vehicle, NONE)) | renamed | counted), dtype=bool)


def _forced(columns: dict[str, NDArray[Any]]) -> Floats:
    """SOC that a new connection in each row is given; -1 for none."""
    arrival = columns["arrival_soc"]
    free_before = np.isin(_before(columns["state"], CONNECTED), (2, 3))
    estimate = np.where(free_before, _before(arrival, ABSENT_SOC), arrival)
    soc = np.where(columns["current"] >= 0, columns["current"], estimate)
    return np.where(soc >= 0, soc, float(NONE))
