"""The accounts of a year: what a rollout imported, paid, emitted and delivered. ``docs/accounting.md`` explains each.

Energies are kWh, powers kW, CO2 kg, money the site's currency, shares 0..1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from litgrid.evaluation.rollout import Rollout
from litgrid.sim.objective import weights

Figures = dict[str, float]


def yearly(rollout: Rollout) -> list[Figures]:
    """Account for every year of a rollout.

    Returns:
        For each year, name -> figure.

    Raises:
        ArithmeticError: energies or costs don't add up.
    """
    check(rollout)
    columns = {**_energy(rollout), **_money(rollout), **_vehicles(rollout), **_battery(rollout)}
    columns["objective_corrected"] = columns["objective"] + columns["soc_correction_objective"]
    return [{name: float(values[year]) for name, values in columns.items()} for year in range(len(rollout.scenarios))]


def mean(years: list[Figures]) -> Figures:
    """Average each figure over the years."""
    return {name: sum(year[name] for year in years) / len(years) for name in years[0]}


def _share(part: Tensor, whole: Tensor, of_nothing: float) -> Tensor:
    """Part of the whole, [S]; ``of_nothing`` where the whole is 0."""
    return torch.where(whole > 0, part / whole.clamp(min=torch.finfo(whole.dtype).tiny), of_nothing)


def _energy(rollout: Rollout) -> dict[str, Tensor]:
    flows = rollout.flows
    imported, consumed = flows.grid_import.sum(1), (flows.load + flows.ev).sum(1)
    pv_used = flows.pv - torch.minimum(flows.pv, flows.grid_export)
    return {
        "import_kwh": imported,
        "export_kwh": flows.grid_export.sum(1),
        "load_kwh": flows.load.sum(1),
        "pv_kwh": flows.pv.sum(1),
        "pv_used_kwh": pv_used.sum(1),
        "self_consumption": _share(pv_used.sum(1), flows.pv.sum(1), 0.0),
        "self_sufficiency": 1.0 - _share(imported, consumed, 0.0),
        "peak_kw": flows.grid_import.amax(1) / rollout.scenarios.site.step_hours,
    }


def _money(rollout: Rollout) -> dict[str, Tensor]:
    costs = rollout.costs
    energy, demand = costs.energy.sum(1), costs.demand.sum(1)
    return {
        "energy_bill": energy,
        "demand_bill": demand,
        "bill": energy + demand,
        "co2_kg": costs.co2_kg.sum(1),
        "unserved_cost": costs.unserved.sum(1),
        "wear_cost": costs.wear.sum(1),
        "objective": costs.total.sum(1),
    }


def _vehicles(rollout: Rollout) -> dict[str, Tensor]:
    flows = rollout.flows
    deliverable, unserved = flows.ev_deliverable.sum(1), flows.ev_unserved.sum(1)
    return {
        "ev_kwh": flows.ev.sum(1),
        "ev_delivered_kwh": flows.ev_stored.sum(1),
        "ev_required_kwh": flows.ev_required.sum(1),
        "ev_deliverable_kwh": deliverable,
        "ev_unserved_kwh": unserved,
        "ev_impossible_kwh": flows.ev_impossible.sum(1),
        "ev_service": 1.0 - _share(unserved, deliverable, 0.0),
    }


def _battery(rollout: Rollout) -> dict[str, Tensor]:
    """Cycles, and what to add to bill, CO2 and objective for what the battery holds less at the end than at first."""
    site, series = rollout.scenarios.site, rollout.scenarios.series
    battery, weight = site.battery, weights(site.objective)
    drawn = rollout.flows.bess_discharge.sum(1) / battery.efficiency_one_way
    owed = (rollout.bess_soc[:, 0] - rollout.bess_soc[:, -1]) * battery.capacity_kwh / battery.efficiency_one_way
    bill = owed * series["price_per_kwh"].to(owed).mean(1)
    co2_kg = owed * series["carbon_kg_per_kwh"].to(owed).mean(1)
    return {
        "battery_cycles": drawn / battery.capacity_kwh if battery.capacity_kwh > 0 else torch.zeros_like(drawn),
        "soc_correction_kwh": owed,
        "soc_correction_bill": bill,
        "soc_correction_co2_kg": co2_kg,
        "soc_correction_objective": bill * weight.bill + co2_kg * weight.carbon_per_kg,
    }


def check(rollout: Rollout) -> None:
    """Check that a year's energies balance, at the grid connection and in the battery, and that its costs add up.

    Raises:
        ArithmeticError: they don't, beyond rounding.
    """
    flows, costs, site = rollout.flows, rollout.costs, rollout.scenarios.site
    eta, weight = site.battery.efficiency_one_way, weights(site.objective)
    sources = (flows.pv + flows.grid_import + flows.bess_discharge).sum(1)
    uses = (flows.load + flows.ev + flows.bess_charge + flows.grid_export).sum(1)
    held = (rollout.bess_soc[:, -1] - rollout.bess_soc[:, 0]) * site.battery.capacity_kwh
    stored = (flows.bess_charge * eta - flows.bess_discharge / eta).sum(1)
    parts = (costs.energy + costs.demand) * weight.bill + costs.co2_kg * weight.carbon_per_kg
    money = (parts + costs.unserved + costs.wear).sum(1)
    _equal("energy into and out of the site", sources, uses, sources, rollout)
    _equal("energy stored in the battery and its change of SOC", stored, held, sources, rollout)
    _equal("objective and its parts", costs.total.sum(1), money, money, rollout)


def _equal(what: str, left: Tensor, right: Tensor, scale: Tensor, rollout: Rollout) -> None:
    tolerance = (1e-9 if left.dtype == torch.float64 else 1e-3) * (1.0 + scale.abs())
    if not bool(((left - right).abs() <= tolerance).all()):
        raise ArithmeticError(f"{rollout.controller}: {what} differ: {left.tolist()} and {right.tolist()}")
