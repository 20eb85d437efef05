"""What batteries and vehicles of a district can do at best, in lines: the relaxation of ``sim.storage`` and chargers.

A storage holds x, the energy above its lowest SOC. Whatever curves say, a step that moves m at the terminals changes it
by at most m x the highest efficiency, or takes at least m / that; a capacity that has not degraded holds at least as
much; and standing by, max((1 - loss) SOC, lowest) lies below the chord that keeps a fixed share of x. So what the
simulator does is one of the things that these storages can do.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litgrid.controllers.program import Values
from litgrid.sim import storage
from litgrid.sim.chargers import OneWay
from litgrid.sim.district import DistrictSimulator
from litgrid.sim.storage import TINY, Curves, StorageParameters


class Legs(NamedTuple):
    """K steps of storages, those of a storage one after the other; energies are kWh at its terminals."""

    storage: NDArray[np.int64]
    """[K]"""
    row: NDArray[np.int64]
    """[K] row of the district."""
    building: NDArray[np.int64]
    """[K]"""
    follows: NDArray[np.bool_]
    """[K] whether the step goes on from the one before it."""
    kept: Values
    """[K] share of what was held that is left of it since then."""
    held: Values
    """[K] with what it begins where it does not follow."""
    room: Values
    """[K] most that is held."""
    charge: Values
    """[K] most that is taken in the step."""
    discharge: Values
    """[K] most that is given."""
    efficiency: Values
    """[K] one way."""
    bought: Values
    """[K] kWh that the building gives for one taken."""
    sold: Values
    """[K] kWh that the building gets for one given."""


def batteries(simulator: DistrictSimulator, first: int, end: int) -> Legs:
    """Batteries of the buildings in the rows [first, end), from their initial SOCs. In outages they serve the load."""
    params, steps = simulator.batteries, end - first
    count = len(params.capacity_kwh)
    home = simulator.limits.building[:count]
    active = [float(building.battery_active) for building in simulator.district.buildings if building.battery]
    full = most_kwh(simulator, params) * params.power_kw.new_tensor(active)
    series = simulator.given(torch.arange(first, end))
    spare = (series.pv_kwh - series.load_kwh)[:, home]
    out = series.outage[:, home] > 0.0
    charge, discharge = (
        torch.where(out, full.minimum(way.clamp(min=0.0)), full).T.flatten().numpy() for way in (spare, -spare)
    )
    asset = torch.arange(count).repeat_interleave(steps)
    row = torch.arange(first, end).repeat(count)
    initial = simulator.initial(torch.tensor([first])).bess_soc[0]
    ones = np.ones(count * steps)
    return Legs(
        storage=asset.numpy(),
        row=row.numpy(),
        building=home[asset].numpy(),
        follows=(row > first).numpy(),
        kept=kept(params)[asset].numpy(),
        held=above(initial, params)[asset].numpy() * (row == first).numpy(),
        room=above(torch.ones(count), params)[asset].numpy(),
        charge=charge,
        discharge=discharge,
        efficiency=best_efficiency(params)[asset].numpy(),
        bought=ones,
        sold=ones,
    )


def vehicles(simulator: DistrictSimulator, first: int, end: int) -> Legs:
    """Vehicles at chargers that can be moved, in the rows [first, end); what they hold goes with them between these."""
    params, chargers = simulator.vehicles, simulator.chargers
    at = simulator.connections.charger[first:end].long()
    vehicle, step = at.T.lt(len(simulator.district.chargers)).nonzero(as_tuple=True)
    charger = at[step, vehicle]
    building = simulator.limits.building[len(simulator.batteries.min_soc) :][charger]
    series = simulator.given(first + step)
    surplus = (series.pv_kwh - series.load_kwh).clamp(min=0.0).gather(1, building.unsqueeze(1))[:, 0]
    out = series.outage.gather(1, building.unsqueeze(1))[:, 0] > 0.0
    most, active = most_kwh(simulator, params)[vehicle], chargers.active[charger] * simulator.hours
    ways = [best_of(way)[charger] for way in (chargers.charge, chargers.discharge)]
    asked = chargers.charge.most_kw[charger] * active
    given = torch.where(out, 0.0, chargers.discharge.most_kw[charger] * active)
    follows, left, held = _carried(simulator, first, end, vehicle, step)
    return Legs(
        storage=vehicle.numpy(),
        row=(first + step).numpy(),
        building=building.numpy(),
        follows=follows.numpy(),
        kept=left.numpy(),
        held=held.numpy(),
        room=above(torch.ones(len(params.min_soc)), params)[vehicle].numpy(),
        charge=most.minimum(torch.where(out, asked.minimum(surplus), asked) * ways[0]).numpy(),
        discharge=most.minimum(given / ways[1]).numpy(),
        efficiency=best_efficiency(params)[vehicle].numpy(),
        bought=(1.0 / ways[0]).numpy(),
        sold=ways[1].numpy(),
    )


def _carried(
    simulator: DistrictSimulator, first: int, end: int, vehicle: Tensor, step: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """For each leg: whether it follows the one before it, the share kept since then, the energy where it does not."""
    begin, soc = settings(simulator, first, end)
    stood = simulator.connections.stands[first:end].long().cumsum(0)
    begin_at, before = begin[step, vehicle], step.roll(1)
    follows = (vehicle == vehicle.roll(1)) & (begin_at <= before) & (before < step)
    since = torch.where(follows, before, begin_at)
    left = kept(simulator.vehicles)[vehicle] ** (stood[step, vehicle] - stood[since, vehicle])
    held = above(soc, simulator.vehicles)[begin_at, vehicle]
    return follows, left, torch.where(follows, 0.0, held * left)


def settings(simulator: DistrictSimulator, first: int, end: int) -> tuple[Tensor, Tensor]:
    """Where SOCs of vehicles are set, in the rows [first, end): the last such row so far, and the SOC; both [H, E].

    Rows are counted from the first, in which every vehicle has the SOC with which an episode begins there.
    """
    soc = simulator.connections.forced[first:end].clone()
    soc[0] = simulator.initial(torch.tensor([first])).vehicle_soc[0]
    row = torch.arange(end - first).unsqueeze(1)
    return torch.where(soc >= 0.0, row, 0).cummax(0).values, soc


def above(soc: Tensor, params: StorageParameters) -> Tensor:
    """Energy above the lowest SOC [..., K]; a SOC below it is lifted for nothing, as in the simulator."""
    return (soc - params.min_soc).clamp(min=0.0) * params.capacity_kwh


def kept(params: StorageParameters) -> Tensor:
    """Share [K] of the energy above the lowest SOC that standing by leaves at most: the chord of what it leaves."""
    room = (1.0 - params.min_soc).clamp(min=TINY)
    full = torch.maximum(1.0 - params.loss, params.min_soc)
    return (full - params.min_soc) / room


def best_efficiency(params: StorageParameters) -> Tensor:
    """Highest one-way efficiency [K] of any power."""
    return highest(params.efficiency).sqrt()


def best_of(way: OneWay) -> Tensor:
    """Highest efficiency [N] of chargers; their curves don't go on beyond their ends."""
    return highest(way.efficiency, torch.stack([way.first, way.last])).clamp(min=TINY)


def highest(curve: Curves, ends: Tensor | None = None) -> Tensor:
    """Highest value [K] at the points of the curve and at two ends [2, K], by default 0 and 1, to which it goes on."""
    at = curve.value.new_tensor([[0.0], [1.0]]) if ends is None else ends
    return torch.maximum(curve.value.amax(0), storage.interpolate(curve, at).expand(2, -1).amax(0))


def most_kwh(simulator: DistrictSimulator, params: StorageParameters) -> Tensor:
    """Highest energy of a step [K] at any SOC."""
    return params.power_kw * highest(params.power).clamp(min=0.0) * simulator.hours
