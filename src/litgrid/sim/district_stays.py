"""How long vehicles stay in a district, what they need when they leave, and what full power gives them until then."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from litgrid.scenarios.district import Curve
from litgrid.sim import storage
from litgrid.sim.district import DistrictSimulator
from litgrid.sim.storage import TINY, StorageParameters


class Stays(NamedTuple):
    """Rows of T; at chargers [T, N] they are 0 where the charger is free."""

    left: Tensor
    """[T, N] steps until departure, at least 1 while connected; a stay that the data cut short ends with them."""
    soc_required: Tensor
    """[T, N] SOC that the driver needs at departure, 0 for none, as the stay's last row states it."""
    gain: Tensor
    """[T, N] SOC that a step at full power gives at least, standby loss deducted; 1 where the charger is free."""
    drain: Tensor
    """[T, N] SOC that a step of full discharge takes at most; 1 where the charger is free or can't discharge."""
    capacity_kwh: Tensor
    """[T, N] of the vehicle's battery."""
    begins: Tensor
    """[T, E] bool: the vehicle's connection begins with the row."""
    set: Tensor
    """[T, E] bool: so it does, or CityLearn sets its SOC for another reason: the next charger announces it."""
    due: Tensor
    """[T, E] SOC that the vehicle needs at the end of the row, 0 unless it leaves then."""


def stays(simulator: DistrictSimulator) -> Stays:
    """The stays of a simulator's district."""
    district, dtype = simulator.district, simulator.dtype
    at = simulator.connections.vehicle.long()
    new = district.connections["new"].to(at.device)
    connected, leaves = _leaving(at, new, len(district.vehicles))
    last = _last(leaves)
    stated = district.connections["required_soc"].to(at.device, dtype).clamp(min=0.0)
    required = stated.gather(0, last) * connected
    due = _by_vehicle(at, required * leaves, simulator)
    begins = _by_vehicle(at, new & connected, simulator)
    gain, drain = _full_power(simulator, at, _by_vehicle(at, required, simulator))
    return Stays(
        left=(last - torch.arange(len(at), device=at.device).unsqueeze(-1) + 1).to(dtype) * connected,
        soc_required=required,
        gain=torch.where(connected, gain, 1.0),
        drain=torch.where(connected & (drain > 0.0), drain, 1.0),
        capacity_kwh=pad(simulator.vehicles.capacity_kwh, (0, 1))[at],
        begins=begins,
        set=begins | (simulator.connections.forced >= 0.0),
        due=due,
    )


def _leaving(at: Tensor, new: Tensor, free: int) -> tuple[Tensor, Tensor]:
    """Where a vehicle is connected, and where it leaves after the row: another one, or none, or a new connection."""
    connected = at < free
    leaves = torch.zeros_like(connected)
    leaves[:-1] = connected[:-1] & ((at[1:] != at[:-1]) | new[1:])
    return connected, leaves


def _last(leaves: Tensor) -> Tensor:
    """The next row [T, N] that a vehicle leaves after, or the last row of the data."""
    row = torch.arange(len(leaves), device=leaves.device).unsqueeze(-1)
    return torch.where(leaves, row, len(leaves) - 1).flip(0).cummin(0).values.flip(0)


def _by_vehicle(at: Tensor, values: Tensor, simulator: DistrictSimulator) -> Tensor:
    """Values at chargers [T, N] as a table of vehicles [T, E], 0 for those that are nowhere."""
    fleet = len(simulator.district.vehicles)
    return values.new_zeros(len(at), fleet + 1).scatter_(1, at, values)[:, :fleet].contiguous()


def _full_power(simulator: DistrictSimulator, at: Tensor, required: Tensor) -> tuple[Tensor, Tensor]:
    """Least SOC gained and most SOC lost [T, N] in a step at full power, whatever curves say on the way.

    With the lowest efficiencies of any power, and the lowest power of any SOC up to the required one, a share of full
    power gains at least that share: so a plan by these figures can be kept.
    """
    district, hours, vehicles = simulator.district, simulator.hours, simulator.vehicles
    chargers, rows = district.chargers, torch.arange(len(at), device=at.device).unsqueeze(-1)
    tensor = at.new_tensor
    charge, discharge = (
        tensor([min(curve[1]) for curve in curves], dtype=simulator.dtype).clamp(min=TINY)
        for curves in ([c.charge_efficiency for c in chargers], [c.discharge_efficiency for c in chargers])
    )
    curves = [vehicle.storage.power_efficiency_curve for vehicle in district.vehicles]
    one_way = pad(_lowest(vehicles, curves).sqrt(), (0, 1), value=1.0)[at]
    capacity = pad(vehicles.capacity_kwh.clamp(min=TINY), (0, 1), value=1.0)[at]
    nominal = pad(vehicles.power_kw, (0, 1))[at]
    power = nominal * pad(_lowest_share(vehicles, required), (0, 1))[rows, at]
    active = simulator.chargers.active
    taken = torch.minimum(simulator.chargers.charge.most_kw * active * charge, power) * hours
    given = simulator.chargers.discharge.most_kw * active / discharge * hours
    loss = pad(vehicles.loss, (0, 1))[at]
    return (taken * one_way / capacity - loss).clamp(min=TINY), given / one_way / capacity


def _lowest(vehicles: StorageParameters, curves: list[Curve]) -> Tensor:
    """Lowest efficiency [E] at any power: at a point of its curve, or at one of the ends to which that goes on."""
    ends = vehicles.capacity_kwh.new_tensor([[0.0], [1.0]])
    extended = storage.interpolate(vehicles.efficiency, ends).expand(2, -1).amin(0)
    return torch.minimum(extended, extended.new_tensor([min(y) for _, y in curves])).clamp(min=TINY)


def _lowest_share(vehicles: StorageParameters, required: Tensor) -> Tensor:
    """Lowest share of the nominal power [T, E] at any SOC up to the required one."""
    curve = vehicles.power
    lowest = torch.minimum(
        storage.interpolate(curve, required).expand_as(required),
        storage.interpolate(curve, torch.zeros_like(required[:1])),
    )
    for start, value in zip(curve.start, curve.value, strict=True):
        lowest = torch.where(start <= required, torch.minimum(lowest, value), lowest)
    return lowest.clamp(min=0.0)
