"""CityLearn 3.0.2's KPIs, those of its ``evaluate()``, of a recorded run of ``DistrictSimulator``.

Each is a ratio to a baseline that is no run of its own: the same run without the energies of batteries and chargers.
CityLearn's rows on comfort and thermal resilience are left out: they judge indoor temperatures, which are in the data
of an electrical district and change with no action.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from litgrid.scenarios.district import District
from litgrid.sim.district import DistrictFlows

ZERO = 1e-6
"""What CityLearn divides by no more."""
DAY_SECONDS, MONTH_SECONDS = 24 * 3600, 730 * 3600
GIVEN = ("load_kwh", "price_per_kwh", "carbon_kg_per_kwh", "outage")


class Series(NamedTuple):
    """What the KPIs are computed from, [T, B, M], float64."""

    net_kwh: Tensor
    cost: Tensor
    co2_kg: Tensor


class Kpis(NamedTuple):
    """Ratios by the names of ``evaluate()``; NaN where the baseline is 0 and the run is not."""

    buildings: dict[str, Tensor]
    """[B, M]"""
    district: dict[str, Tensor]
    """[B]; those of the buildings are means, as in CityLearn."""


def evaluate(district: District, record: Sequence[DistrictFlows], first: Tensor) -> Kpis:
    """CityLearn's ``evaluate()`` at the end of an episode.

    CityLearn evaluates a run that is not at its end with the load, but not the energies, of the row that comes next;
    such a run has no KPIs here.

    Args:
        district: that was simulated.
        record: flows of T steps.
        first: [B] rows with which the episodes began.

    Raises:
        ValueError: a record that does not reach the end of the district's rows.
    """
    steps = len(record)
    if bool((first + steps != district.steps).any()):
        raise ValueError(f"{steps} steps from rows {first.tolist()}: expected records up to row {district.steps}")
    flows = DistrictFlows(*(torch.stack(parts).double() for parts in zip(*record, strict=True)))
    rows = first.to(flows.net_kwh.device) + torch.arange(steps, device=flows.net_kwh.device).unsqueeze(-1)
    given = {key: district.series[key].to(rows.device)[rows].double() for key in GIVEN}
    run = Series(flows.net_kwh, flows.cost, flows.co2_kg)
    base = baseline(flows, given["price_per_kwh"], given["carbon_kg_per_kwh"])
    buildings = _of_buildings(run, base) | {
        "annual_normalized_unserved_energy_total": unserved(given["load_kwh"], flows.load_kwh),
        "power_outage_normalized_unserved_energy_total": unserved(
            given["load_kwh"] * given["outage"], flows.load_kwh * given["outage"]
        ),
    }
    whole = _of_district(run.net_kwh.sum(-1), base.net_kwh.sum(-1), district.step_seconds)
    return Kpis(buildings, whole | {key: value.nanmean(-1) for key, value in buildings.items()})


def baseline(flows: DistrictFlows, price_per_kwh: Tensor, carbon_kg_per_kwh: Tensor) -> Series:
    """CityLearn's "without storage": net energy less what batteries and chargers took, at the same prices.

    In an outage that is less than nothing where they took anything, since net energy is 0 then.
    """
    net = flows.net_kwh - flows.bess_kwh - flows.ev_kwh
    return Series(net, net.clamp(min=0.0) * price_per_kwh, (net * carbon_kg_per_kwh).clamp(min=0.0))


def ratio(run: Tensor, base: Tensor) -> Tensor:
    """CityLearn's division: what isn't finite counts as 0, 0 by 0 is 1, all else by 0 is NaN."""
    run, base = (torch.where(value.isfinite(), value, 0.0) for value in (run, base))
    by_zero = torch.where(run.abs() <= ZERO, 1.0, torch.nan).to(run.dtype)
    nothing = base.abs() <= ZERO
    return torch.where(nothing, by_zero, run / torch.where(nothing, 1.0, base))


def ramping(net: Tensor) -> Tensor:
    """Sum of the rises from step to step, of [T, ...]."""
    return net.diff(dim=0).clamp(min=0.0).sum(0)


def mean_peak(net: Tensor, window: int) -> Tensor:
    """Mean over windows of the highest step, of [T, ...]; the last window may be short."""
    return torch.stack([part.amax(0) for part in torch.split(net, window)]).mean(0)


def one_minus_load_factor(net: Tensor, window: int) -> Tensor:
    """Mean over windows of 1 - mean / peak, of [T, ...]; windows of nothing but 0 do not count."""
    return torch.stack([1.0 - part.mean(0) / part.amax(0) for part in torch.split(net, window)]).nanmean(0)


def unserved(expected_kwh: Tensor, served_kwh: Tensor) -> Tensor:
    """Share of the load [T, ...] that was not served, 0 without any."""
    expected, served = expected_kwh.clamp(min=0.0), served_kwh.clamp(min=0.0)
    total = expected.sum(0)
    missing = (expected - served).clamp(min=0.0).sum(0)
    return torch.where(total > 0.0, missing / torch.where(total > 0.0, total, 1.0), 0.0)


def _of_buildings(run: Series, base: Series) -> dict[str, Tensor]:
    """Ratios of the energies, bill and CO2 of each building [B, M]."""

    def imported(series: Series) -> Tensor:
        return series.net_kwh.clamp(min=0.0).sum(0)

    return {
        "electricity_consumption_total": ratio(imported(run), imported(base)),
        "zero_net_energy": ratio(run.net_kwh.sum(0), base.net_kwh.sum(0)),
        "carbon_emissions_total": ratio(run.co2_kg.clamp(min=0.0).sum(0), base.co2_kg.clamp(min=0.0).sum(0)),
        "cost_total": ratio(run.cost.clamp(min=0.0).sum(0), base.cost.clamp(min=0.0).sum(0)),
    }


def _of_district(run: Tensor, base: Tensor, step_seconds: int) -> dict[str, Tensor]:
    """Ratios of the shape of the district's net energy [T, B]."""
    day, month = (max(1, round(seconds / step_seconds)) for seconds in (DAY_SECONDS, MONTH_SECONDS))
    return {
        "ramping_average": ratio(ramping(run), ramping(base)),
        "daily_one_minus_load_factor_average": ratio(one_minus_load_factor(run, day), one_minus_load_factor(base, day)),
        "monthly_one_minus_load_factor_average": ratio(
            one_minus_load_factor(run, month), one_minus_load_factor(base, month)
        ),
        "daily_peak_average": ratio(mean_peak(run, day), mean_peak(base, day)),
        "all_time_peak_average": ratio(run.amax(0), base.amax(0)),
    }
