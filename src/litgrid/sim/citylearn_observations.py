"""CityLearn 3.0.2's observations of a district, for a central agent: its values, in its order and under its names.

What files and schedules hold is of the row of the state. What a step computes is of the step before; where an episode
begins, it is the district as it stands. CityLearn's last observation, at the end of its data, is the one before it once
more but for limits; here it is that of the last row.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from litgrid.errors import InputError
from litgrid.scenarios.citylearn_observed import CHARGER_NAMES, VIOLATION, headrooms
from litgrid.scenarios.district import District
from litgrid.sim import citylearn_headroom
from litgrid.sim.connections import tables
from litgrid.sim.district import DistrictFlows, DistrictState

ABSENT_SOC, ABSENT = -0.1, -1.0
"""What CityLearn shows where no vehicle is: of a SOC, and of a time or a capacity."""
_SOC = CHARGER_NAMES["connected_electric_vehicle_at_charger_soc"]
Key = tuple[int, str]
"""Building and name of an observation."""


class _Before(NamedTuple):
    """What a step leaves for the next observation."""

    bess_soc: Tensor
    """[B, K]"""
    vehicle_soc: Tensor
    """[B, E]"""
    net_kwh: Tensor
    """[B, M]"""
    bess_kwh: Tensor
    """[B, M]"""
    violation_kwh: Tensor
    """[B, M]"""
    granted_kw: Tensor
    """[B, K + N]"""
    base_kw: Tensor
    """[B, M] load less PV."""


class CityLearnObserver:
    """CityLearn's observations, raw, for a batch of copies of a district.

    Args:
        district: as it was read.
        device: where the tensors live.
        dtype: of the observations.

    Attributes:
        names: [F] as in ``CityLearnEnv(central_agent=True).observation_names[0]``.

    Raises:
        InputError: the data set activates an observation that a district does not have, or that is blank.
    """

    def __init__(
        self, district: District, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        shown = list(zip(district.observed.buildings, district.observed.names, strict=True))
        given = _given(district, set(shown))
        limits = [
            (home, left)
            for home, building in enumerate(district.buildings)
            for left in headrooms(building)
            if (home, left.name) in shown
        ]
        keys = [*given, *_computed(district), *((home, left.name) for home, left in limits)]
        slots = {key: slot for slot, key in enumerate(keys)}
        _check(district, shown, slots)
        self.names = list(district.observed.names)
        self._order = torch.tensor([slots[key] for key in shown], dtype=torch.int64, device=device)
        rows = torch.stack(list(given.values()), 1) if given else torch.zeros(district.rows, 0)
        self._rows = rows.to(device, dtype)
        self._vehicle = tables(district, torch.device(device), dtype).vehicle
        series = {key: value.to(device, dtype) for key, value in district.series.items()}
        self._base_kwh = series["load_kwh"] - series["pv_kwh"]
        self._connected = 1.0 - series["outage"]
        self._hours = district.step_seconds / 3600
        batteries = [building.battery is not None for building in district.buildings]
        slot = [sum(batteries[:at]) if there else sum(batteries) for at, there in enumerate(batteries)]
        self._battery = torch.tensor(slot, dtype=torch.int64, device=device)  # of each building; K for none
        self._left = citylearn_headroom.limits(district, limits, device, dtype) if limits else None

    def observe(self, state: DistrictState, flows: DistrictFlows | None) -> Tensor:
        """What CityLearn shows before a step.

        Args:
            state: before the step.
            flows: of the step before; None where episodes begin.

        Returns:
            [B, F]
        """
        row = state.step.clamp(max=len(self._rows) - 1)
        before = self._begun(state, row) if flows is None else self._moved(flows, row)
        soc = pad(before.vehicle_soc, (0, 1), value=ABSENT_SOC).gather(1, self._vehicle[row].long())
        bess_soc = pad(before.bess_soc, (0, 1))[:, self._battery]
        parts = [self._rows[row], bess_soc, before.net_kwh, before.bess_kwh, before.violation_kwh, soc]
        if self._left is not None:
            parts.append(citylearn_headroom.remaining(before.granted_kw, before.base_kw, self._left))
        return torch.cat(parts, 1).index_select(1, self._order)

    def _begun(self, state: DistrictState, row: Tensor) -> _Before:
        """As if a step had moved nothing in the row with which the episode begins."""
        base, zero = self._base_kwh[row], torch.zeros_like(self._base_kwh[row])
        return _Before(
            bess_soc=state.bess_soc,
            vehicle_soc=state.vehicle_soc,
            net_kwh=base * self._connected[row],
            bess_kwh=zero,
            violation_kwh=zero,
            granted_kw=zero.new_zeros(len(row), state.bess_soc.shape[1] + self._vehicle.shape[1]),
            base_kw=base / self._hours,
        )

    def _moved(self, flows: DistrictFlows, row: Tensor) -> _Before:
        before = (row - 1).clamp(min=0)
        return _Before(
            bess_soc=flows.bess_soc,
            vehicle_soc=flows.vehicle_soc,
            net_kwh=flows.net_kwh,
            bess_kwh=flows.bess_kwh,
            violation_kwh=flows.violation_kwh,
            granted_kw=flows.granted_kw,
            base_kw=self._base_kwh[before] * self._connected[before] / self._hours,
        )


def _given(district: District, shown: set[Key]) -> dict[Key, Tensor]:
    """[T] values of what files and schedules hold."""
    observed = district.observed
    entries = zip(observed.buildings, observed.names, observed.columns, strict=True)
    found = {(home, name): observed.files[:, column] for home, name, column in entries if column is not None}
    for number, charger in enumerate(district.chargers):
        values = _schedule(district, number).items()
        found |= {(charger.building, name): value for name, value in values if (charger.building, name) in shown}
    return found


def _schedule(district: District, number: int) -> dict[str, Tensor]:
    """[T] what is shown of a charger, but for the SOC."""
    rows = {key: value[:, number] for key, value in district.connections.items()}
    here, comes = rows["vehicle"] >= 0, rows["incoming"] >= 0
    capacity = torch.tensor([*(vehicle.storage.capacity_kwh for vehicle in district.vehicles), ABSENT]).double()
    values = {
        "electric_vehicle_charger_connected_state": here.double(),
        "connected_electric_vehicle_at_charger_departure_time": torch.where(here, rows["departure_time"], ABSENT),
        "connected_electric_vehicle_at_charger_required_soc_departure": torch.where(
            here, rows["required_soc"], ABSENT_SOC
        ),
        "connected_electric_vehicle_at_charger_battery_capacity": capacity[rows["vehicle"].long()],  # -1 is the last
        "electric_vehicle_charger_incoming_state": comes.double(),
        "incoming_electric_vehicle_at_charger_estimated_arrival_time": torch.where(comes, rows["arrival_time"], ABSENT),
        "incoming_electric_vehicle_at_charger_estimated_soc_arrival": torch.where(
            comes, rows["arrival_soc"], ABSENT_SOC
        ),
    }
    return {CHARGER_NAMES[name].format(district.chargers[number].name): value for name, value in values.items()}


def _computed(district: District) -> list[Key]:
    """What ``observe`` computes, in its order, but for what is left of limits."""
    homes = range(len(district.buildings))
    names = (
        "electrical_storage_soc",
        "net_electricity_consumption",
        "electrical_storage_electricity_consumption",
        VIOLATION,
    )
    sockets = [(charger.building, _SOC.format(charger.name)) for charger in district.chargers]
    return [*((home, name) for name in names for home in homes), *sockets]


def _check(district: District, shown: list[Key], slots: dict[Key, int]) -> None:
    """Refuse, by name, what can't be shown."""
    observed = district.observed
    for key, column in zip(shown, observed.columns, strict=True):
        place = f"{district.name}, buildings.{district.buildings[key[0]].name}"
        if key not in slots:
            raise InputError(f"{place}: found the observation {key[1]}, expected those of an electrical district")
        if column is not None and observed.files[:, column].isnan().any():
            row = int(observed.files[:, column].isnan().nonzero()[0])
            raise InputError(f"{place}: found a blank in row {row} of the observation {key[1]}, expected numbers")
