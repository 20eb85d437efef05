"""The objective of a district: what a step costs, in the currency of its data."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from litgrid.sim.district import DistrictFlows
from litgrid.sim.objective import Weights, weighted
from litgrid.site.site import Carbon

GASOLINE_KG_PER_KWH = Carbon().gasoline_kg_per_kwh
"""CO2 of the gasoline that a vehicle burns for a kWh that it did not get; CityLearn's data know none."""


class Service(NamedTuple):
    """Energy of the vehicles that leave after a step, [B], kWh in their batteries."""

    required: Tensor
    """max(0, required - SOC at arrival) C."""
    deliverable: Tensor
    """max(0, min(required, reachable) - SOC at arrival) C."""
    unserved: Tensor
    """max(0, min(required, reachable) - SOC at departure) C."""


class DistrictCosts(NamedTuple):
    """Costs of one step, [B], in the currency of the data unless the name says otherwise."""

    energy: Tensor
    """Bills of all buildings: each one's import times its price."""
    co2_kg: Tensor
    """Of the imported energy, and of the gasoline burnt for the unserved."""
    unserved: Tensor
    """Price of the energy that vehicles could have got and did not get."""
    wear: Tensor
    """Price of the energy that the batteries discharged."""
    total: Tensor
    """The objective: bill weight x energy + carbon weight x CO2 + unserved + wear."""
    ev_required: Tensor
    """kWh, booked in the step after which the vehicle leaves; as in ``Service``."""
    ev_deliverable: Tensor
    """kWh, likewise."""
    ev_unserved: Tensor
    """kWh, likewise."""


def service(soc: Tensor, reachable: Tensor, arrival: Tensor, due: Tensor, capacity_kwh: Tensor) -> Service:
    """Book the vehicles that leave.

    Args:
        soc: [B, E] at the end of the step.
        reachable: [B, E] that full power since arrival would have given.
        arrival: [B, E] SOC at arrival.
        due: [B, E] required SOC, 0 for vehicles that don't leave.
        capacity_kwh: [E]
    """
    target = due.minimum(reachable)
    return Service(
        required=(due - arrival).clamp(min=0.0) @ capacity_kwh,
        deliverable=(target - arrival).clamp(min=0.0) @ capacity_kwh,
        unserved=(target - soc).clamp(min=0.0) @ capacity_kwh,
    )


def costs(flows: DistrictFlows, served: Service, weight: Weights) -> DistrictCosts:
    """Price one step."""
    energy = flows.cost.sum(-1)
    co2_kg = flows.co2_kg.sum(-1) + served.unserved * GASOLINE_KG_PER_KWH
    discharge_kwh = -flows.bess_kwh.clamp(max=0.0).sum(-1)
    unserved, wear, total = weighted(energy, co2_kg, served.unserved, discharge_kwh, weight)
    return DistrictCosts(energy, co2_kg, unserved, wear, total, *served)
