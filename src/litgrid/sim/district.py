"""Any electrical CityLearn district: buildings with load, PV, battery and chargers, vehicles that move between them.

The order and the indices of a step are those of CityLearn 3.0.2. Districts stand side by side in a batch; nothing
loops over districts, buildings or assets.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from litgrid.scenarios.district import District
from litgrid.sim import chargers, connections, limits, storage
from litgrid.sim.limits import per_building

SERIES = ("load_kwh", "pv_kwh", "price_per_kwh", "carbon_kg_per_kwh", "outage")


class DistrictState(NamedTuple):
    """Where B copies of a district stand at the start of a step."""

    step: Tensor
    """[B] int64, row."""
    bess_soc: Tensor
    """[B, K] SOC of the batteries, in the order of their buildings."""
    bess_lost: Tensor
    """[B, K] share of their capacities that is lost to degradation."""
    vehicle_soc: Tensor
    """[B, E] SOC of the vehicles, wherever they are."""
    vehicle_lost: Tensor
    """[B, E]"""


class DistrictFlows(NamedTuple):
    """What happened in one step; the district's is the sum over buildings."""

    net_kwh: Tensor
    """[B, M] load + battery + chargers - PV, imported where positive; 0 in an outage."""
    load_kwh: Tensor
    """[B, M] served; in an outage, that is what PV and battery can give."""
    pv_kwh: Tensor
    """[B, M]"""
    bess_kwh: Tensor
    """[B, M] taken by the battery."""
    ev_kwh: Tensor
    """[B, M] taken by the chargers."""
    cost: Tensor
    """[B, M] price of the import; exports pay nothing."""
    co2_kg: Tensor
    """[B, M] of the import."""
    violation_kwh: Tensor
    """[B, M] by how much requests exceed the limits: what CityLearn's vehicle rewards penalise."""
    charger_kwh: Tensor
    """[B, N] taken by each charger."""
    commanded_kwh: Tensor
    """[B, N] asked of each charger within its limits, also where no vehicle is connected."""
    granted_kw: Tensor
    """[B, K + N] that batteries and chargers may ask for within the limits; dead-bands and outages come after it."""
    bess_soc: Tensor
    """[B, K] at the end of the step, before standing by."""
    vehicle_soc: Tensor
    """[B, E] likewise; before vehicles drift or arrive."""


class Row(NamedTuple):
    """What a step takes from the district's rows, [B, M]."""

    load_kwh: Tensor
    pv_kwh: Tensor
    price_per_kwh: Tensor
    carbon_kg_per_kwh: Tensor
    outage: Tensor
    """1 where there is one, else 0."""


class DistrictSimulator:
    """Simulates any number of copies of a district side by side, each somewhere in its rows.

    It holds the district and no state: ``step`` is a pure function of state and action.

    Args:
        district: as read by ``scenarios.citylearn_import``.
        device: where the tensors live.
        dtype: float32 or float64.
        emulate_float32: round SOCs and energies to float32 wherever CityLearn stores them.
        drift_seed: let vehicles that are away drift at random, as CityLearn does with this random seed in episodes
            from the first row (its ``random_seed`` + the number of the episode); None, the default: they keep their
            SOC. Nobody sees it, and it matters only for arrivals that state no SOC.

    Attributes:
        steps: rows that can be simulated; beyond them the last one repeats.
    """

    def __init__(
        self,
        district: District,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        emulate_float32: bool = False,
        drift_seed: int | None = None,
    ) -> None:
        self.district = district
        self.device, self.dtype = torch.device(device), dtype
        self.steps = district.steps
        self.hours = district.step_seconds / 3600
        self._emulate_float32 = emulate_float32
        at = (self.device, dtype)
        batteries = {i: building.battery for i, building in enumerate(district.buildings) if building.battery}
        active = [float(district.buildings[i].battery_active) for i in batteries]
        self.batteries = storage.parameters(list(batteries.values()), self.hours, *at)
        self.vehicles = storage.parameters([vehicle.storage for vehicle in district.vehicles], self.hours, *at)
        self.chargers = chargers.parameters(district.chargers, *at)
        self.limits = limits.limits(district, *at)
        self.connections = connections.tables(district, *at)
        self._bess_active = torch.tensor(active, device=self.device, dtype=dtype)
        buildings = len(district.buildings)
        self._bess_members = limits.members(list(batteries), buildings, self.device)
        self._charger_members = limits.members([c.building for c in district.chargers], buildings, self.device)
        self._series = torch.stack([district.series[key].to(*at) for key in SERIES], 1)
        self._outages = bool(district.series["outage"].any())
        drift = np.ones(self.connections.stands.shape) if drift_seed is None else self._drift(drift_seed)
        self._drift_factor = None if drift_seed is None else torch.from_numpy(drift).to(*at)

    def initial(self, step: Tensor) -> DistrictState:
        """Begin episodes at the given rows [B], as CityLearn begins one there.

        Vehicles that are connected have the SOC that their data state for it, all else its initial SOC.
        """
        step = step.to(self.device)
        bess, vehicles = (
            torch.maximum(params.initial_soc, params.min_soc).expand(len(step), -1)
            for params in (self.batteries, self.vehicles)
        )
        first = self.connections.first[step.clamp(max=self.steps)]
        return DistrictState(
            step=step,
            bess_soc=self._stored(bess),
            bess_lost=torch.zeros_like(bess),
            vehicle_soc=self._stored(torch.where(first >= 0.0, first, vehicles)),
            vehicle_lost=torch.zeros_like(vehicles),
        )

    def given(self, step: Tensor) -> Row:
        """What no action changes, at rows [B]."""
        at = step.clamp(max=self.steps)
        return Row(*self._series[at].unbind(1))

    def step(self, state: DistrictState, action: Tensor) -> tuple[DistrictState, DistrictFlows]:
        """Move B districts by one step.

        Args:
            state: at the start of the step.
            action: [B, K + N] of the batteries, then the chargers, in [-1, 1] as shares of their power, charging
                positive; values beyond are clipped, actions of assets that are not active are not used.

        Returns:
            The state at the start of the next step, and what happened.
        """
        at = state.step.clamp(max=self.steps)
        row = self.given(state.step)
        granted_kw, violation_kw = self._granted(action, row)
        count = len(self._bess_active)
        bess_kw, charger_kw = granted_kw[:, :count], chargers.dead_band(granted_kw[:, count:], self.chargers)
        bess = self._move_batteries(state, bess_kw * self.hours, row)
        bess_kwh = per_building(bess.kwh, self._bess_members)
        load = row.load_kwh
        if self._outages:
            load, charger_kw = self._islanded(charger_kw, bess_kwh, row)
        efficiency = chargers.efficiency(charger_kw, self.chargers)
        fleet, charger_kwh = self._move_vehicles(state, charger_kw, efficiency, at)
        ev_kwh = per_building(charger_kwh, self._charger_members)
        net = self._stored((load + bess_kwh + ev_kwh - row.pv_kwh) * (1.0 - row.outage))
        flows = DistrictFlows(
            net_kwh=net,
            load_kwh=load,
            pv_kwh=row.pv_kwh,
            bess_kwh=bess_kwh,
            ev_kwh=ev_kwh,
            cost=net.clamp(min=0.0) * row.price_per_kwh,
            co2_kg=(net * row.carbon_kg_per_kwh).clamp(min=0.0),
            violation_kwh=violation_kw * self.hours,
            charger_kwh=charger_kwh,
            commanded_kwh=charger_kw * self.hours,
            granted_kw=granted_kw,
            bess_soc=bess.soc,
            vehicle_soc=fleet.soc,
        )
        after = DistrictState(
            step=state.step + 1,
            bess_soc=self._stored(storage.stand_by(bess.soc, self.batteries)),
            bess_lost=bess.lost,
            vehicle_soc=self._arrive(fleet.soc, (at + 1).clamp(max=self.steps)),
            vehicle_lost=fleet.lost,
        )
        return after, flows

    def _granted(self, action: Tensor, row: Row) -> tuple[Tensor, Tensor]:
        """Power that batteries and chargers ask for, within the limits of their buildings; and the violation [B, M]."""
        count = len(self._bess_active)
        bess_kw = action[:, :count].clamp(-1.0, 1.0) * self._bess_active * self.batteries.power_kw
        power_kw = torch.cat([bess_kw, chargers.request(action[:, count:], self.chargers)], -1)
        violation_kw = torch.zeros_like(row.load_kwh)
        if self.limits.phases:
            power_kw, violation_kw = limits.charging(power_kw, self.limits)
        if self.limits.scopes:
            base_kw = (row.load_kwh - row.pv_kwh) * (1.0 - row.outage) / self.hours
            power_kw, over_kw = limits.service(power_kw, base_kw, self.limits)
            violation_kw = violation_kw + over_kw
        return power_kw, violation_kw

    def _move_batteries(self, state: DistrictState, request_kwh: Tensor, row: Row) -> storage.Charged:
        if self._outages:
            home = self.limits.building[: len(self._bess_active)]
            spare = (row.pv_kwh - row.load_kwh)[:, home]  # load comes first where the battery charges
            islanded = torch.clamp(request_kwh, spare.clamp(max=0.0), spare.clamp(min=0.0))
            request_kwh = torch.where(row.outage[:, home] > 0.0, islanded, request_kwh)
        moved = storage.charge(state.bess_soc, state.bess_lost, request_kwh, self.batteries, self.hours)
        return moved._replace(soc=self._stored(moved.soc), kwh=self._stored(moved.kwh))

    def _islanded(self, charger_kw: Tensor, bess_kwh: Tensor, row: Row) -> tuple[Tensor, Tensor]:
        """Load and charging power that an outage leaves; chargers know nothing of each other, as in CityLearn."""
        out = row.outage > 0.0
        supply = row.pv_kwh - bess_kwh.clamp(max=0.0)  # a battery that charges has left the load its share
        load = torch.where(out, torch.minimum(row.load_kwh, supply), row.load_kwh)
        home = self.limits.building[len(self._bess_active) :]
        spare_kw = ((row.pv_kwh - load - bess_kwh) / self.hours).clamp(min=0.0)[:, home]
        islanded = chargers.dead_band(torch.minimum(charger_kw.clamp(min=0.0), spare_kw), self.chargers)
        return load, torch.where(out[:, home], islanded, charger_kw)

    def _move_vehicles(
        self, state: DistrictState, charger_kw: Tensor, efficiency: Tensor, at: Tensor
    ) -> tuple[storage.Charged, Tensor]:
        """Charge vehicles where they are connected; and what each charger takes [B, N]."""
        charger, vehicle = self.connections.charger[at].long(), self.connections.vehicle[at].long()
        given = charger_kw.clamp(min=0.0) * efficiency + charger_kw.clamp(max=0.0) / efficiency
        request = pad(given * self.hours, (0, 1)).gather(1, charger)
        moved = storage.charge(state.vehicle_soc, state.vehicle_lost, request, self.vehicles, self.hours)
        soc = torch.where(charger < charger_kw.shape[1], self._stored(moved.soc), state.vehicle_soc)
        taken = pad(self._stored(moved.kwh), (0, 1)).gather(1, vehicle)
        charger_kwh = taken.clamp(min=0.0) / efficiency + taken.clamp(max=0.0) * efficiency
        return moved._replace(soc=soc), self._stored(charger_kwh)

    def _arrive(self, soc: Tensor, row: Tensor) -> Tensor:
        """SOC of vehicles when the given rows begin: stood by, drifted, or set upon arrival."""
        drifted = soc if self._drift_factor is None else (soc * self._drift_factor[row]).clamp(0.0, 1.0)
        soc = torch.where(self.connections.stands[row], storage.stand_by(soc, self.vehicles), drifted)
        forced = self.connections.forced[row]
        return self._stored(torch.where(forced >= 0.0, forced, soc))

    def _stored(self, values: Tensor) -> Tensor:
        """As CityLearn stores them."""
        return values.float().to(self.dtype) if self._emulate_float32 else values

    def _drift(self, seed: int) -> NDArray[np.float64]:
        """Factors [T, E] that CityLearn draws: row by row, in the order of the vehicles, for those that drift."""
        away = ~self.connections.stands.cpu().numpy()
        away[0] = False
        draws = np.random.RandomState(seed).normal(1.0, 0.2 * self.hours**0.5, int(away.sum()))
        factors = np.ones(away.shape)
        factors[away] = np.clip(draws, 0.6, 1.4)
        return factors
