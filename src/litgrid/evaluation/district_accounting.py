"""The accounts of a district: what its buildings imported, paid, emitted, and its vehicles got.

Energies are kWh, powers kW, CO2 kg, money the currency of the data, shares 0..1. Bills, imports and exports are those
of each building, added up; the peak is that of the district, whose buildings share a connection.
"""

from __future__ import annotations

from torch import Tensor

from litgrid.evaluation.accounting import Figures
from litgrid.evaluation.district_rollout import DistrictRollout
from litgrid.sim.objective import weights

TOLERANCE = 1e-9
"""Of sums of a rollout in float64, relative."""


def account(rollout: DistrictRollout) -> tuple[Figures, list[Figures]]:
    """Account for a rollout in float64.

    Returns:
        Figures of all blocks together, and those of each block.

    Raises:
        ArithmeticError: energies or costs don't add up.
    """
    check(rollout)
    sums, peak_kw = _sums(rollout), _peak(rollout)
    each = [
        _with_shares({name: float(values[block]) for name, values in sums.items()}, float(peak_kw[block]))
        for block in range(len(rollout.length))
    ]
    whole = {name: float(values.sum()) for name, values in sums.items()}
    return _with_shares(whole, float(peak_kw.max())), each


def surplus(rollout: DistrictRollout) -> Tensor:
    """PV [T, S, M] that the building has no use for: exported, or curtailed in an outage."""
    flows = rollout.flows
    return (flows.pv_kwh - flows.load_kwh - flows.bess_kwh - flows.ev_kwh).clamp(min=0.0)


def _sums(rollout: DistrictRollout) -> dict[str, Tensor]:
    """Figures that add up, [S]."""
    flows, costs = rollout.flows, rollout.costs
    by_building = {
        "import_kwh": flows.net_kwh.clamp(min=0.0),
        "export_kwh": -flows.net_kwh.clamp(max=0.0),
        "load_kwh": flows.load_kwh,
        "pv_kwh": flows.pv_kwh,
        "pv_used_kwh": flows.pv_kwh - flows.pv_kwh.minimum(surplus(rollout)),
        "ev_kwh": flows.ev_kwh,
        "bess_charge_kwh": flows.bess_kwh.clamp(min=0.0),
        "bess_discharge_kwh": -flows.bess_kwh.clamp(max=0.0),
    }
    whole = {
        "bill": costs.energy,
        "co2_kg": costs.co2_kg,
        "unserved_cost": costs.unserved,
        "wear_cost": costs.wear,
        "objective": costs.total,
        "ev_required_kwh": costs.ev_required,
        "ev_deliverable_kwh": costs.ev_deliverable,
        "ev_unserved_kwh": costs.ev_unserved,
    }
    steps = {name: values.sum(-1) for name, values in by_building.items()} | whole
    return {name: (values * rollout.inside).sum(0) for name, values in steps.items()} | {
        "bess_gain_kwh": _gain(rollout)
    }


def _gain(rollout: DistrictRollout) -> Tensor:
    """Energy [S] that the batteries hold more when a block ends than when it begins."""
    soc, capacity = (
        rollout.bess_soc,
        [b.battery.capacity_kwh for b in rollout.scenarios.district.buildings if b.battery],
    )
    last = rollout.length.view(1, -1, 1).expand(1, -1, soc.shape[-1])
    return (soc.gather(0, last)[0] - soc[0]) @ soc.new_tensor(capacity)


def _peak(rollout: DistrictRollout) -> Tensor:
    """Highest import [S] of the district, mean power of a step."""
    district_kwh = rollout.flows.net_kwh.sum(-1) * rollout.inside
    return district_kwh.amax(0).clamp(min=0.0) / (rollout.scenarios.district.step_seconds / 3600)


def _with_shares(sums: Figures, peak_kw: float) -> Figures:
    """Add what does not add up."""
    pv, deliverable = sums["pv_kwh"], sums["ev_deliverable_kwh"]
    return sums | {
        "peak_kw": peak_kw,
        "self_consumption": sums["pv_used_kwh"] / pv if pv > 0 else 0.0,
        "ev_service": 1.0 - (sums["ev_unserved_kwh"] / deliverable if deliverable > 0 else 0.0),
    }


def check(rollout: DistrictRollout) -> None:
    """Check that each building's energies balance in every step outside outages, and that costs add up.

    Raises:
        ArithmeticError: they don't, beyond rounding.
    """
    flows, costs, weight = rollout.flows, rollout.costs, weights(rollout.scenarios.objective)
    uses = flows.load_kwh + flows.bess_kwh + flows.ev_kwh - flows.pv_kwh
    balance = (flows.net_kwh - uses) * (flows.net_kwh != 0.0)
    money = costs.energy * weight.bill + costs.co2_kg * weight.carbon_per_kg + costs.unserved + costs.wear
    for what, error, scale in (
        ("energies of a building", balance, uses),
        ("objective and its parts", costs.total - money, money),
        ("bill of the district and its buildings'", costs.energy - flows.cost.sum(-1), costs.energy),
    ):
        if bool((error.abs() > TOLERANCE * (1.0 + scale.abs())).any()):
            raise ArithmeticError(f"{rollout.controller}: {what} differ by up to {float(error.abs().max()):g}")
