"""Which parts of a district are not linear, so that its bound takes them at their best or leaves them out."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from litgrid.controllers.district_needs import least_soc
from litgrid.controllers.district_storages import best_efficiency
from litgrid.scenarios.district import Curve
from litgrid.scenarios.district_split import DistrictScenarios
from litgrid.sim.district import DistrictSimulator
from litgrid.sim.district_stays import stays


def relaxed(scenarios: DistrictScenarios) -> list[str]:
    """Name what is relaxed for a data set; nothing is where the bound is what the best schedule costs."""
    district = scenarios.district
    simulator = DistrictSimulator(district, dtype=torch.float64)
    batteries = [building.battery for building in district.buildings if building.battery]
    vehicles = [vehicle.storage for vehicle in district.vehicles]
    storages, groups = batteries + vehicles, (simulator.batteries, simulator.vehicles)
    ways = [way for charger in district.chargers for way in (charger.charge_efficiency, charger.discharge_efficiency)]
    begins = stays(simulator).begins
    unknown = [begins[first:end] & ~least_soc(simulator, first, end)[1] for first, end in scenarios.blocks]
    found = {
        "efficiency curves: highest efficiency": _bent(part.power_efficiency_curve for part in storages),
        "efficiencies above 1: energy from nothing": any(bool((best_efficiency(part) > 1.0).any()) for part in groups),
        "power curves: highest power": _bent(part.capacity_power_curve for part in storages),
        "efficiency curves of chargers: highest efficiency": _bent(ways),
        "minimum power of chargers: none": simulator.chargers.has_minimum,
        "degradation: none": any(part.capacity_loss_coefficient > 0.0 for part in storages),
        "standby losses: at most their chord above the lowest SOC": any(
            part.loss_coefficient > 0.0 and part.depth_of_discharge < 1.0 for part in batteries
        )
        or any(part.loss_coefficient > 0.0 for part in vehicles),
        "limits of buildings: none": bool(simulator.limits.phases or simulator.limits.scopes),
        "outages: chargers and battery may each have all that PV leaves over": bool(district.chargers)
        and bool(district.series["outage"].any()),
        "arrivals without a SOC: need as from the lowest SOC": any(bool(block.any()) for block in unknown),
        "imports that pay: at most full power": any(
            bool((district.series[key] < 0.0).any()) for key in ("price_per_kwh", "carbon_kg_per_kwh")
        ),
    }
    return [name for name, applies in found.items() if applies]


def _bent(curves: Iterable[Curve]) -> bool:
    """Any of them is not constant."""
    return any(max(y) > min(y) for _, y in curves)
