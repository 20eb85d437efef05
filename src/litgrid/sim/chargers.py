"""CityLearn's chargers: from an action to power, through the minimum power and the efficiency, to the vehicle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from litgrid.scenarios.district import Charger
from litgrid.sim.storage import TINY, Curves, curves, interpolate


class OneWay(NamedTuple):
    """Constants of N chargers in one direction."""

    most_kw: Tensor
    """[N] at full action."""
    least_kw: Tensor
    """[N] below it nothing flows."""
    efficiency: Curves
    """Over power as a share of ``most_kw``."""
    first: Tensor
    """[N] beginning of the efficiency curve; it is constant beyond its ends."""
    last: Tensor
    """[N] its end."""


class ChargerParameters(NamedTuple):
    """Constants of N chargers."""

    charge: OneWay
    discharge: OneWay
    active: Tensor
    """[N] 1 where an action moves it, else 0."""
    has_minimum: bool
    """Any of them has a minimum power."""


def parameters(chargers: Sequence[Charger], device: torch.device, dtype: torch.dtype) -> ChargerParameters:
    """The constants of a district's chargers."""

    def per_charger(values: list[float]) -> Tensor:
        return torch.tensor(values, device=device, dtype=dtype)

    def one_way(direction: str) -> OneWay:
        points = [getattr(charger, f"{direction}_efficiency") for charger in chargers]
        name = {"charge": "charging", "discharge": "discharging"}[direction]
        most = [max(getattr(charger, f"max_{name}_kw"), 0.0) for charger in chargers]
        least = [getattr(charger, f"min_{name}_kw") for charger in chargers]
        return OneWay(
            most_kw=per_charger(most),
            least_kw=per_charger([min(low, high) for low, high in zip(least, most, strict=True)]),
            efficiency=curves(points, device, dtype),
            first=per_charger([x[0] for x, _ in points]),
            last=per_charger([x[-1] for x, _ in points]),
        )

    charge, discharge = one_way("charge"), one_way("discharge")
    active = per_charger([float(charger.active) for charger in chargers])
    has_minimum = bool(charge.least_kw.any() or discharge.least_kw.any())
    return ChargerParameters(charge, discharge, active, has_minimum)


def request(action: Tensor, params: ChargerParameters) -> Tensor:
    """Power in kW that actions [B, N] in [-1, 1] ask for, discharging negative, 0 below the minimum power."""
    share = action.clamp(-1.0, 1.0) * params.active
    charge, discharge = share.clamp(min=0.0) * params.charge.most_kw, share.clamp(max=0.0) * params.discharge.most_kw
    return dead_band(charge + discharge, params)


def dead_band(power_kw: Tensor, params: ChargerParameters) -> Tensor:
    """Power [B, N], 0 where it is below the minimum of its direction."""
    if not params.has_minimum:
        return power_kw
    least = torch.where(power_kw >= 0.0, params.charge.least_kw, params.discharge.least_kw)
    return power_kw * (power_kw.abs() >= least)


def efficiency(power_kw: Tensor, params: ChargerParameters) -> Tensor:
    """One-way efficiency [B, N] at a power, of the direction in which it flows."""

    def along(way: OneWay) -> Tensor:
        share = power_kw.abs() / way.most_kw.clamp(min=TINY)
        return interpolate(way.efficiency, torch.clamp(share, way.first, way.last))

    return torch.where(power_kw >= 0.0, along(params.charge), along(params.discharge)).clamp(min=TINY)
