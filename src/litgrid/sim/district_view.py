"""What a district knows at a moment: the only door through which controllers and agents see the simulation."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from litgrid.sim.citylearn_rewards import battery_homes
from litgrid.sim.district import DistrictSimulator, DistrictState, Row
from litgrid.sim.district_features import Scales, features, scales
from litgrid.sim.district_stays import Stays, stays
from litgrid.sim.storage import TINY


class DistrictTables(NamedTuple):
    """What views read, computed once for a simulator."""

    stays: Stays
    features: Tensor
    """[T, F] of ``district_features``."""
    scales: Scales
    longest_stay: Tensor
    """Steps, at least 1."""
    clock: dict[str, Tensor]
    """[T] int64: ``month``, ``hour``, ``minute``, ``day_type`` of ``District.calendar``."""
    bess_power_kw: Tensor
    """[K]"""
    bess_building: Tensor
    """[K] int64"""
    charger_power_kw: Tensor
    """[N]"""
    charger_minimum: Tensor
    """[N]"""
    charger_lowest: Tensor
    """[N]"""
    charger_building: Tensor
    """[N] int64"""


def tables(simulator: DistrictSimulator) -> DistrictTables:
    """The tables of a simulator's district."""
    district, device, chargers = simulator.district, simulator.device, simulator.chargers
    batteries = [building for building in district.buildings if building.battery is not None]
    active = torch.tensor([float(building.battery_active) for building in batteries], device=device)
    discharges = (chargers.discharge.most_kw * chargers.active) > 0.0
    least = chargers.charge.least_kw / chargers.charge.most_kw.clamp(min=TINY)
    found = stays(simulator)
    return DistrictTables(
        stays=found,
        features=features(simulator),
        scales=scales(district, device, simulator.dtype),
        longest_stay=pad(found.left.flatten(), (0, 1), value=1.0).amax(),
        clock={key: value.to(device) for key, value in district.calendar.items()},
        bess_power_kw=simulator.batteries.power_kw * active.to(simulator.dtype),
        bess_building=battery_homes(district, device),
        charger_power_kw=chargers.charge.most_kw * chargers.active,
        charger_minimum=least,
        charger_lowest=-discharges.to(simulator.dtype),
        charger_building=torch.tensor([c.building for c in district.chargers], dtype=torch.int64, device=device),
    )


class DistrictView:
    """The present of B copies of a district of M buildings, K batteries and N chargers.

    Fields are read when they are asked for. What belongs to a free charger is 0 unless it says otherwise.

    Attributes:
        district: the district.
        step: [B] int64, row.
        step_hours: length of a step.
        bess_soc: [B, K] SOC of the batteries.
        bess_capacity_kwh: [K] nominal.
        scales: largest values of the data set.
        longest_stay: of the data set, in steps.
        bess_power_kw: [K] nominal, 0 where no action moves the battery.
        bess_min_soc: [K] lowest SOC.
        bess_building: [K] int64, building of each battery.
        charger_power_kw: [N] highest charging power, 0 where no action moves the charger.
        charger_minimum: [N] lowest action that charges; below it nothing flows.
        charger_lowest: [N] lowest action: -1 where the charger can discharge vehicles, else 0.
        charger_building: [N] int64, building of each charger.
    """

    def __init__(self, simulator: DistrictSimulator, tables: DistrictTables, state: DistrictState) -> None:
        self._simulator, self._tables = simulator, tables
        self._row = state.step.clamp(max=simulator.steps)
        self._vehicle_soc = state.vehicle_soc
        self.district = simulator.district
        self.step = state.step
        self.step_hours = simulator.hours
        self.bess_soc = state.bess_soc
        self.bess_capacity_kwh = simulator.batteries.capacity_kwh
        self.bess_min_soc = simulator.batteries.min_soc
        self.scales, self.longest_stay = tables.scales, tables.longest_stay
        self.bess_power_kw, self.bess_building = tables.bess_power_kw, tables.bess_building
        self.charger_power_kw, self.charger_building = tables.charger_power_kw, tables.charger_building
        self.charger_minimum, self.charger_lowest = tables.charger_minimum, tables.charger_lowest

    @cached_property
    def _given(self) -> Row:
        return self._simulator.given(self._row)

    @cached_property
    def _vehicle(self) -> Tensor:
        return self._simulator.connections.vehicle[self._row].long()

    @property
    def features(self) -> Tensor:
        """[B, F] what agents observe of the row that no action changes, forecasts included."""
        return self._tables.features[self._row]

    @property
    def load_kwh(self) -> Tensor:
        """[B, M] load in this step, without vehicles."""
        return self._given.load_kwh

    @property
    def pv_kwh(self) -> Tensor:
        """[B, M] PV generation in this step."""
        return self._given.pv_kwh

    @property
    def price_per_kwh(self) -> Tensor:
        """[B, M] price of imported energy."""
        return self._given.price_per_kwh

    @property
    def carbon_kg_per_kwh(self) -> Tensor:
        """[B, M] carbon intensity of imported energy."""
        return self._given.carbon_kg_per_kwh

    @property
    def outage(self) -> Tensor:
        """[B, M] bool."""
        return self._given.outage > 0.0

    @property
    def month(self) -> Tensor:
        """[B] int64, 1 to 12."""
        return self._tables.clock["month"][self._row]

    @property
    def hour(self) -> Tensor:
        """[B] int64, as in the data: 1 to 24 or 0 to 23."""
        return self._tables.clock["hour"][self._row]

    @property
    def minute(self) -> Tensor:
        """[B] int64, 0 where the data have none."""
        return self._tables.clock["minute"][self._row]

    @property
    def day_type(self) -> Tensor:
        """[B] int64, 1 Monday to 7 Sunday, 8 for special days."""
        return self._tables.clock["day_type"][self._row]

    @cached_property
    def connected(self) -> Tensor:
        """[B, N] bool."""
        return self._vehicle < len(self.district.vehicles)

    @cached_property
    def ev_soc(self) -> Tensor:
        """[B, N] SOC of the connected vehicles."""
        return pad(self._vehicle_soc, (0, 1)).gather(1, self._vehicle)

    @cached_property
    def left(self) -> Tensor:
        """[B, N] steps until departure, at least 1 while connected."""
        return self._tables.stays.left[self._row]

    @cached_property
    def soc_required(self) -> Tensor:
        """[B, N] SOC that the driver needs at departure."""
        return self._tables.stays.soc_required[self._row]

    @cached_property
    def vehicle_capacity_kwh(self) -> Tensor:
        """[B, N] of the connected vehicles' batteries."""
        return self._tables.stays.capacity_kwh[self._row]

    @cached_property
    def ev_gain(self) -> Tensor:
        """[B, N] SOC that a step at full power gives at least; 1 at a free charger."""
        return self._tables.stays.gain[self._row]

    @cached_property
    def ev_drain(self) -> Tensor:
        """[B, N] SOC that a step of full discharge takes at most; 1 where the charger is free or can't discharge."""
        return self._tables.stays.drain[self._row]
