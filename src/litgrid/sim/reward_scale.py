"""The scale that makes rewards of order 1, whatever the size and the currency of a site or a district."""

from __future__ import annotations

import torch
from torch import Tensor

from litgrid.errors import InputError
from litgrid.scenarios.district_split import DistrictScenarios
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.objective import weights

RATES = ("price_per_kwh", "carbon_kg_per_kwh")


def natural_scale(scenarios: ScenarioSet | DistrictScenarios) -> float:
    """One over the mean cost of a step with load and PV alone: no battery moves, no vehicle is charged.

    Raises:
        InputError: such steps cost nothing.
    """
    if isinstance(scenarios, DistrictScenarios):
        weight, (net_kwh, price, carbon) = weights(scenarios.objective), _of_district(scenarios)
    else:
        weight, (net_kwh, price, carbon) = weights(scenarios.site.objective), _of_site(scenarios)
    cost = (net_kwh.clamp(min=0.0) * (price * weight.bill + carbon * weight.carbon_per_kg)).double().sum(-1).mean()
    if cost <= 0.0:
        raise InputError("reward_scale: found 0, but load and PV alone cost nothing here; expected a factor")
    return 1.0 / float(cost)


def _of_district(scenarios: DistrictScenarios) -> tuple[Tensor, ...]:
    """Load less PV, price and carbon intensity of the rows of a split, each [rows, M]."""
    series = scenarios.district.series[torch.cat([torch.arange(first, end) for first, end in scenarios.blocks])]
    return series["load_kwh"] - series["pv_kwh"], *(series[key] for key in RATES)


def _of_site(scenarios: ScenarioSet) -> tuple[Tensor, ...]:
    """The same of all years, each [S, T, 1]."""
    series = scenarios.series
    net_kwh = (series["load_kw"] - series["pv_kw"]) * scenarios.site.step_hours
    return tuple(values.unsqueeze(-1) for values in (net_kwh, *(series[key] for key in RATES)))
