"""What vehicles of a district need at least when they leave, whatever a controller did before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litgrid.controllers.district_storages import best_efficiency, most_kwh, settings
from litgrid.controllers.program import Values
from litgrid.sim.district import DistrictSimulator
from litgrid.sim.district_stays import Stays
from litgrid.sim.storage import TINY


class Needs(NamedTuple):
    """D departures."""

    vehicle: NDArray[np.int64]
    """[D]"""
    row: NDArray[np.int64]
    """[D] after which it leaves."""
    above_kwh: Values
    """[D] above its lowest SOC: what is missing of it is unserved."""


def needs(simulator: DistrictSimulator, stays: Stays, first: int, end: int) -> Needs:
    """Departures after the rows [first, end) from chargers that can be moved; others leave nothing unserved.

    Unserved is what a vehicle has less than min(required, reachable). The objective's ``reachable`` depends on curves,
    on the degradation so far, and on the SOC at arrival where the data state none. Here it is the least that it can
    be: ``Stays.gain`` in every step, from ``least_soc``, up to what degradation leaves of the capacity.
    """
    params = simulator.vehicles
    charger = simulator.connections.charger[first:end].long()
    moved = charger < len(simulator.district.chargers)
    step, vehicle = ((stays.due[first:end] > 0.0) & moved).nonzero(as_tuple=True)
    begin, start = _start(simulator, stays, first, end)
    gain = stays.gain[first + step, charger[step, vehicle]]
    reachable = start[step, vehicle] + (step - begin[step, vehicle] + 1) * gain
    target = torch.minimum(stays.due[first + step, vehicle], reachable)
    target = target.minimum(_left(simulator, moved)[step, vehicle])
    known = (gain > TINY) & (best_efficiency(params)[vehicle] <= 1.0)  # else ``gain`` is no bound
    energy = ((target - params.min_soc[vehicle]) * params.capacity_kwh[vehicle]).clamp(min=0.0) * known
    some = energy > 0.0
    return Needs(vehicle[some].numpy(), (first + step[some]).numpy(), energy[some].numpy())


def _start(simulator: DistrictSimulator, stays: Stays, first: int, end: int) -> tuple[Tensor, Tensor]:
    """For each row and vehicle, the step since which ``reachable`` counts, and the least SOC that it had then."""
    anew = stays.set[first:end].clone()
    anew[0] = True
    begin = torch.where(anew, torch.arange(end - first).unsqueeze(1), 0).cummax(0).values
    return begin, least_soc(simulator, first, end)[0].gather(0, begin)


def least_soc(simulator: DistrictSimulator, first: int, end: int) -> tuple[Tensor, Tensor]:
    """Least SOC of every vehicle as a row of [first, end) begins, [H, E]; and whether no controller can change it.

    From where its SOC is set, a vehicle stands by; once a charger could have moved it, it has the lowest at least.
    """
    params = simulator.vehicles
    begin, soc = settings(simulator, first, end)
    moved = simulator.connections.charger[first:end] < len(simulator.district.chargers)
    stood = simulator.connections.stands[first:end].long().cumsum(0)
    could = moved.long().cumsum(0) - moved.long()
    known = could == could.gather(0, begin)
    left = soc.gather(0, begin) * (1.0 - params.loss) ** (stood - stood.gather(0, begin))
    return torch.maximum(left * known, params.min_soc), known


def _left(simulator: DistrictSimulator, moved: Tensor) -> Tensor:
    """Least share of the capacity [H, E] that degradation leaves after steps of highest power wherever it is connected.

    A step that moves a share m of the capacity adds d m / (2 left) to what is lost, so that left^2 falls by at most
    d m.
    """
    params = simulator.vehicles
    most = most_kwh(simulator, params) / params.capacity_kwh.clamp(min=TINY)
    return (1.0 - moved.cumsum(0) * params.degradation * most).clamp(min=0.0).sqrt()
