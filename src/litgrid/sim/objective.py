"""The objective: what a step costs, in the site's currency. The reward is its negative; the optimum minimises it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from litgrid.sim.physics import Flows
from litgrid.site.site import Objective, Site


class Rates(NamedTuple):
    """What a step's energies cost."""

    price_per_kwh: Tensor
    """[B] of imported energy."""
    carbon_kg_per_kwh: Tensor
    """[B] of imported energy."""
    counted: Tensor
    """[B, D] 1 where the demand charge counts the step, else 0."""
    price_per_kw: Tensor
    """[D] of the month's highest import."""


class Costs(NamedTuple):
    """Costs of one step, [B], in the site's currency unless the name says otherwise."""

    energy: Tensor
    """Energy bill."""
    demand: Tensor
    """Demand charges on the rise of the month's peaks; over a month they add up to price x peak."""
    co2_kg: Tensor
    """Of the imported energy, and of the gasoline burnt for the unserved."""
    unserved: Tensor
    """Price of the energy that vehicles could have got and did not get."""
    wear: Tensor
    """Price of the energy that the battery discharged."""
    total: Tensor
    """The objective: bill weight x (energy + demand) + carbon weight x CO2 + unserved + wear."""


class Weights(NamedTuple):
    """What the objective adds up, as plain numbers."""

    bill: float
    carbon_per_kg: float
    unserved_per_kwh: float
    wear_per_kwh: float


def weights(objective: Objective) -> Weights:
    """The weights of an objective that states them all, as ``Objective.with_preset`` does."""
    return Weights(*(float(getattr(objective, key)) for key in Weights._fields))


def weighted(
    bill: Tensor, co2_kg: Tensor, unserved_kwh: Tensor, discharge_kwh: Tensor, weight: Weights
) -> tuple[Tensor, Tensor, Tensor]:
    """The objective of a bill, CO2, unserved energy and energy that batteries discharged, each [B].

    Returns:
        The price of what is unserved, that of wear, and the total.
    """
    unserved = unserved_kwh * weight.unserved_per_kwh
    wear = discharge_kwh * weight.wear_per_kwh
    return unserved, wear, bill * weight.bill + co2_kg * weight.carbon_per_kg + unserved + wear


def costs(flows: Flows, rates: Rates, peak_kw: Tensor, site: Site) -> tuple[Costs, Tensor]:
    """Price one step.

    Args:
        flows: of the step.
        rates: of the step.
        peak_kw: [B, D] the month's highest import before it.
        site: its objective and gasoline.

    Returns:
        The costs, and the month's highest import after the step [B, D].
    """
    import_kw = flows.grid_import / site.step_hours
    peak_after = torch.maximum(peak_kw, import_kw.unsqueeze(-1) * rates.counted)
    energy = flows.grid_import * rates.price_per_kwh
    demand = (peak_after - peak_kw) @ rates.price_per_kw
    co2_kg = flows.grid_import * rates.carbon_kg_per_kwh + flows.ev_unserved * site.carbon.gasoline_kg_per_kwh
    weight = weights(site.objective)
    unserved, wear, total = weighted(energy + demand, co2_kg, flows.ev_unserved, flows.bess_discharge, weight)
    return Costs(energy, demand, co2_kg, unserved, wear, total), peak_after
