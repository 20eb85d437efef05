"""The objective: what a step costs, in the site's currency. The reward is its negative; the optimum minimises it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from litgrid.sim.physics import Flows
from litgrid.site.site import Site


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


def weights(site: Site) -> Weights:
    """The weights of a site's objective, those of its preset included."""
    return Weights(*(float(getattr(site.objective, key)) for key in Weights._fields))


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
    weight = weights(site)
    unserved = flows.ev_unserved * weight.unserved_per_kwh
    wear = flows.bess_discharge * weight.wear_per_kwh
    total = (energy + demand) * weight.bill + co2_kg * weight.carbon_per_kg + unserved + wear
    return Costs(energy, demand, co2_kg, unserved, wear, total), peak_after
