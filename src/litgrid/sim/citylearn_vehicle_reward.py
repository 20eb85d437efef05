"""CityLearn 3.0.2's ``Electric_Vehicles_Reward_Function``, of the flows of ``DistrictSimulator``.

It is a sum of steps: a small change of an energy or a SOC can change it by a whole weight. It has no term for energy
or its price; CityLearn's ``MARL`` reward only scales it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from litgrid.scenarios.citylearn_observed import VIOLATION
from litgrid.scenarios.district import District
from litgrid.sim.citylearn_rewards import marl
from litgrid.sim.district import DistrictFlows

IDLE_KWH = 0.1
"""Up to here, a charger without a vehicle may be asked for energy."""
CLOSE_SOC, FAR_SOC = 0.10, 0.25
"""Difference to the required SOC at departure that is rewarded, and the one that is penalised most."""


class Weights(NamedTuple):
    """CityLearn's, by its names."""

    no_car_charging: float = -5.0
    battery_limits: float = -2.0
    soc_impossible: float = -10.0
    soc_under: float = -5.0
    close_soc: float = 10.0
    self_ev_consumption: float = 5.0
    extra_self_production: float = 5.0


class VehicleData(NamedTuple):
    """What the reward takes from a district."""

    vehicle: Tensor
    """[T, N] index of the vehicle at a charger, E where it is free."""
    required_soc: Tensor
    """[T, N]"""
    hours_left: Tensor
    """[T, N] until departure."""
    power_kw: Tensor
    """[N] highest of charging."""
    discharge_kw: Tensor
    """[N] highest of discharging."""
    capacity_kwh: Tensor
    """[E + 1] of the vehicles, and 1 where there is none."""
    min_soc: Tensor
    """[E + 1]"""
    initial_soc: Tensor
    """[E] what CityLearn takes for the SOC before an episode's first step."""
    homes: Tensor
    """[N] buildings of the chargers."""
    penalised: Tensor
    """[M] 1 where exceeding the limits is penalised; 0 where the data set hides the violation, as in CityLearn."""


class _Sockets(NamedTuple):
    """One step at the chargers, [B, N]."""

    commanded_kwh: Tensor
    net_kwh: Tensor
    """Of the charger's building."""
    before: Tensor
    """SOC."""
    soc: Tensor
    capacity_kwh: Tensor
    min_soc: Tensor
    required_soc: Tensor
    hours_left: Tensor
    reach_kwh: Tensor
    """That can be charged until departure."""
    drain_kwh: Tensor
    """That can be discharged until then."""


def vehicle_data(
    district: District, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> VehicleData:
    """The tables of a district that ``vehicle_reward`` needs."""
    storages = [vehicle.storage for vehicle in district.vehicles]
    shown = set(zip(district.observed.buildings, district.observed.names, strict=True))
    vehicle = district.connections["vehicle"].long()

    def tensor(values: list[float]) -> Tensor:
        return torch.tensor(values, device=device, dtype=dtype)

    return VehicleData(
        vehicle=torch.where(vehicle >= 0, vehicle, len(storages)).to(device),
        required_soc=district.connections["required_soc"].to(device, dtype),
        hours_left=(district.connections["departure_time"].clamp(min=0.0) * (district.step_seconds / 3600)).to(
            device, dtype
        ),
        power_kw=tensor([charger.max_charging_kw for charger in district.chargers]),
        discharge_kw=tensor([charger.max_discharging_kw for charger in district.chargers]),
        capacity_kwh=tensor([*(storage.capacity_kwh for storage in storages), 1.0]),
        min_soc=tensor([*(1.0 - storage.depth_of_discharge for storage in storages), 0.0]),
        initial_soc=tensor([storage.initial_soc for storage in storages]),
        homes=torch.tensor([charger.building for charger in district.chargers], dtype=torch.int64, device=device),
        penalised=tensor([float((home, VIOLATION) in shown) for home in range(len(district.buildings))]),
    )


def vehicle_reward(
    flows: DistrictFlows,
    previous_soc: Tensor,
    step: Tensor,
    data: VehicleData,
    *,
    weights: Weights | None = None,
    penalty: float = 1.0,
    central: bool = False,
) -> Tensor:
    """CityLearn's ``Electric_Vehicles_Reward_Function``.

    Args:
        flows: of a step.
        previous_soc: [B, E] ``vehicle_soc`` of the step before; ``VehicleData.initial_soc`` in an episode's first.
        step: [B] row, as in the state in which the step began.
        data: of ``vehicle_data``.
        weights: CityLearn's if not given.
        penalty: of a kWh by which requests exceed the limits.
        central: as for a central agent: the whole district's ``MARL`` reward scales, not the building's own.

    Returns:
        [B, M]; for a central agent, the reward is the sum.
    """
    weights = weights or Weights()
    base = marl(flows)
    if central:
        base = base.sum(-1, keepdim=True).expand_as(base)
    vehicle = data.vehicle[step]
    sockets = _sockets(flows, previous_soc, step, vehicle, data)
    connected = vehicle < len(data.initial_soc)
    idle = weights.no_car_charging * (flows.commanded_kwh.abs() > IDLE_KWH)
    terms = torch.where(connected, _of_vehicles(sockets, weights), idle)
    found = torch.zeros_like(base).index_add(1, data.homes, terms.to(base.dtype))
    return found / (1.0 + base.abs()) - penalty * flows.violation_kwh * data.penalised


def _sockets(flows: DistrictFlows, previous_soc: Tensor, step: Tensor, vehicle: Tensor, data: VehicleData) -> _Sockets:
    hours = data.hours_left[step]
    return _Sockets(
        commanded_kwh=flows.commanded_kwh,
        net_kwh=flows.net_kwh[:, data.homes],
        before=pad(previous_soc.expand_as(flows.vehicle_soc), (0, 1)).gather(1, vehicle),
        soc=pad(flows.vehicle_soc, (0, 1)).gather(1, vehicle),
        capacity_kwh=data.capacity_kwh[vehicle],
        min_soc=data.min_soc[vehicle],
        required_soc=data.required_soc[step],
        hours_left=hours,
        reach_kwh=data.power_kw.clamp(min=0.0) * hours,
        drain_kwh=data.discharge_kw.clamp(min=0.0) * hours,
    )


def _of_vehicles(at: _Sockets, weights: Weights) -> Tensor:
    """The terms of chargers with a vehicle, before they are scaled."""
    energy = at.before * at.capacity_kwh + at.commanded_kwh
    beyond = (energy > at.capacity_kwh) | (energy < at.min_soc * at.capacity_kwh)
    excess = at.soc - at.required_soc
    impossible = (-excess).clamp(min=0.0) * at.capacity_kwh > at.reach_kwh
    within = excess.abs() * at.capacity_kwh <= torch.maximum(at.reach_kwh, at.drain_kwh)
    return (
        weights.battery_limits * beyond
        + weights.soc_impossible * impossible
        + torch.where(at.hours_left == 0.0, _at_departure(excess, weights), 0.0)
        + weights.close_soc * within / (at.hours_left + 0.1)
        + _self_supply(at, weights)
    )


def _at_departure(excess: Tensor, weights: Weights) -> Tensor:
    """Of the SOC above the required one; CityLearn squares the weight, so that a SOC far too low is rewarded."""
    far = weights.soc_under**2 * (excess <= -FAR_SOC)
    low = 2.0 * weights.soc_under * ((excess > -FAR_SOC) & (excess <= -CLOSE_SOC))
    return far + low + weights.close_soc * ((excess > -CLOSE_SOC) & (excess <= CLOSE_SOC))


def _self_supply(at: _Sockets, weights: Weights) -> Tensor:
    """Charging in an exporting building and discharging in an importing one; half as bad the other way round."""
    with_grid = at.commanded_kwh.sign() * at.net_kwh.sign()
    weight = torch.where(at.net_kwh < 0.0, weights.extra_self_production, weights.self_ev_consumption)
    return weight * ((with_grid < 0.0).to(weight.dtype) - 0.5 * (with_grid > 0.0))
