"""Who is connected where, as tables by vehicle, so that a vehicle can move between chargers.

CityLearn's rules, in its order: when a row begins, vehicles that are not connected and do not come with the next row
have drifted; those that come with the next row are set to the SOC of their arrival; those whose connection is new are
set again. Everybody else has stood by.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litgrid.scenarios.district import District

CONNECTED = 1  # charger state


class Connections(NamedTuple):
    """Rows of T."""

    vehicle: Tensor
    """[T, N] int16 index of the vehicle at a charger, E where it is free."""
    charger: Tensor
    """[T, E] int16 index of the charger that moves a vehicle, N where there is none."""
    stands: Tensor
    """[T, E] bool: with the row, the vehicle loses what it lost by standing; else it drifts."""
    forced: Tensor
    """[T, E] SOC upon which the vehicle is set with the row, -1 for none."""
    first: Tensor
    """[T, E] SOC of the vehicle where an episode begins with the row, -1 for its initial SOC."""


def tables(district: District, device: torch.device, dtype: torch.dtype) -> Connections:
    """The connections of a district, laid out by vehicle."""
    read = {key: district.connections[key].numpy() for key in ("vehicle", "incoming", "state", "arrival_soc")}
    new, first = (district.connections[key].double().numpy() for key in ("new_soc", "first_soc"))
    vehicle, fleet = read["vehicle"].astype(np.int64), len(district.vehicles)
    comes, connected = _events(read, fleet)
    active = np.array([charger.active for charger in district.chargers], dtype=bool)
    shape = (len(vehicle), fleet)
    charger = _by_vehicle(vehicle, np.where(active, np.arange(len(active)), len(active)), np.full(shape, len(active)))
    forced = _by_vehicle(np.where(new >= 0.0, vehicle, -1), new, comes)
    begins = _by_vehicle(np.where(first >= 0.0, vehicle, -1), first, np.full(shape, -1.0))
    return Connections(
        vehicle=torch.from_numpy(np.where(vehicle >= 0, vehicle, fleet).astype(np.int16)).to(device),
        charger=torch.from_numpy(charger.astype(np.int16)).to(device),
        stands=torch.from_numpy(connected).to(device),
        forced=torch.from_numpy(forced).to(device, dtype),
        first=torch.from_numpy(begins).to(device, dtype),
    )


def _by_vehicle(
    vehicle: NDArray[np.int64], value: NDArray[np.generic], table: NDArray[np.generic]
) -> NDArray[np.generic]:
    """Write values of chargers [T, N] into a table of vehicles [T, E] wherever a charger has one."""
    row, charger = np.nonzero(vehicle >= 0)
    table[row, vehicle[row, charger]] = np.broadcast_to(value, vehicle.shape)[row, charger]
    return table


def _events(read: dict[str, NDArray[np.generic]], fleet: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """SOC set because a vehicle comes with the next row [T, E], -1 for none; whether it is connected or comes.

    Where a vehicle is at one charger and comes to another, the charger that is listed first decides.
    """
    vehicle, state = read["vehicle"].astype(np.int64), read["state"]
    arrival = read["arrival_soc"].astype(np.float64)
    after = np.vstack([vehicle[1:], np.full_like(vehicle[:1], -1)])
    later = np.vstack([arrival[1:], np.full_like(arrival[:1], -1.0)])
    soc = np.where(read["incoming"] == after, arrival, later)
    valid = np.where((soc >= 0.0) & (soc <= 1.0), soc, -1.0)
    arriving = np.where((after >= 0) & (state != CONNECTED), after, -1)
    comes, known = np.full((len(vehicle), fleet), -1.0), np.zeros((len(vehicle), fleet), dtype=bool)
    for charger in reversed(range(vehicle.shape[1])):
        for who, value in ((arriving[:, charger], valid[:, charger]), (vehicle[:, charger], -1.0)):
            rows = np.nonzero(who >= 0)[0]
            comes[rows, who[rows]] = np.broadcast_to(value, who.shape)[rows]
            known[rows, who[rows]] = True
    comes[0] = -1.0  # nobody is set before an episode begins
    known[-1:] = True  # CityLearn stops before
    return comes, known
