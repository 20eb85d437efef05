"""CityLearn's ``Battery`` with everything that it has: curves, depth of discharge, standby loss, degradation.

``physics.storage`` is the fast case of a constant efficiency and nothing else of these; a test holds that both agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from litgrid.scenarios.district import Curve, Storage

TINY = 1e-6  # CityLearn divides by at least this


class Curves(NamedTuple):
    """Piecewise linear curves of K assets as straight lines, each [segments, K], the first segment first."""

    start: Tensor
    """Abscissa from which a line holds; filled up with the largest number where an asset has fewer segments."""
    value: Tensor
    """At the start."""
    slope: Tensor
    constant: bool
    """All of them are, and of one segment."""


class StorageParameters(NamedTuple):
    """Constants of K batteries."""

    capacity_kwh: Tensor
    """[K] nominal: what a SOC is a share of."""
    power_kw: Tensor
    """[K] nominal."""
    min_soc: Tensor
    """[K] 1 - depth of discharge."""
    initial_soc: Tensor
    """[K]"""
    loss: Tensor
    """[K] share of the stored energy that is lost in a step."""
    degradation: Tensor
    """[K] share of the capacity lost in a full cycle."""
    efficiency: Curves
    """Round trip, over power as a share of the nominal."""
    power: Curves
    """Highest power as a share of the nominal, over SOC."""


class Charged(NamedTuple):
    """Batteries after a step, [B, K]."""

    soc: Tensor
    lost: Tensor
    """Share of the nominal capacity that is lost; it is small, so that float32 keeps what a step adds to it."""
    kwh: Tensor
    """Taken at the terminals, negative when giving."""


def curves(points: Sequence[Curve], device: torch.device, dtype: torch.dtype) -> Curves:
    """Lay curves of any numbers of points side by side; a curve of one point is constant."""
    segments = max([len(x) - 1 for x, _ in points] + [1])
    lines = torch.zeros(3, segments, len(points), dtype=torch.float64)
    lines[0] = torch.finfo(dtype).max
    for asset, (x, y) in enumerate(points):
        starts, values = torch.tensor(x, dtype=torch.float64), torch.tensor(y, dtype=torch.float64)
        lines[:2, 0, asset] = torch.stack([starts[0], values[0]])
        lines[:, : len(x) - 1, asset] = torch.stack([starts[:-1], values[:-1], values.diff() / starts.diff()])
    start, value, slope = lines.to(device, dtype)
    return Curves(start, value, slope, constant=segments == 1 and not bool(slope.any()))


def interpolate(curve: Curves, x: Tensor) -> Tensor:
    """The curves at x [B, K]; the first and last lines go on beyond the ends, as CityLearn's do.

    Constant ones are given as [K].
    """
    if curve.constant:
        return curve.value[0]
    found = curve.value[0] + (x - curve.start[0]) * curve.slope[0]
    for start, value, slope in zip(curve.start[1:], curve.value[1:], curve.slope[1:], strict=True):
        found = torch.where(x > start, value + (x - start) * slope, found)
    return found


def parameters(
    batteries: Sequence[Storage], step_hours: float, device: torch.device, dtype: torch.dtype
) -> StorageParameters:
    """The constants of K batteries for steps of a given length."""

    def per_battery(values: list[float]) -> Tensor:
        return torch.tensor(values, device=device, dtype=dtype)

    return StorageParameters(
        capacity_kwh=per_battery([battery.capacity_kwh for battery in batteries]),
        power_kw=per_battery([battery.power_kw for battery in batteries]),
        min_soc=per_battery([1.0 - battery.depth_of_discharge for battery in batteries]),
        initial_soc=per_battery([battery.initial_soc for battery in batteries]),
        loss=per_battery([battery.loss_coefficient * step_hours for battery in batteries]),
        degradation=per_battery([battery.capacity_loss_coefficient for battery in batteries]),
        efficiency=curves([battery.power_efficiency_curve for battery in batteries], device, dtype),
        power=curves([battery.capacity_power_curve for battery in batteries], device, dtype),
    )


def charge(soc: Tensor, lost: Tensor, request_kwh: Tensor, params: StorageParameters, step_hours: float) -> Charged:
    """Charge (request > 0) or discharge (request < 0) batteries over one step: CityLearn's ``Battery.charge``.

    The energy moved is the least of the request, what the power at the SOC allows, and what the battery can take or
    give at the efficiency. The efficiency depends on it in turn, and CityLearn goes round that twice. Energies are
    shares of the capacity here.

    Args:
        soc: [B, K] before; one below ``min_soc`` is lifted to it without energy, as in CityLearn.
        lost: [B, K] share of the capacity that is lost so far.
        request_kwh: [B, K] at the terminals.
        params: of the K batteries.
        step_hours: length of the step.
    """
    nominal = params.capacity_kwh.clamp(min=TINY)
    rate = params.power_kw.clamp(min=TINY) * step_hours / nominal
    before, request = torch.maximum(soc, params.min_soc), request_kwh / nominal
    most = rate * interpolate(params.power, before).clamp(min=0.0)
    room, stock = ((1.0 - before) - lost).clamp(min=0.0), before - params.min_soc
    moved = torch.clamp(request, -most, most)
    for _ in range(1 if params.efficiency.constant else 2):
        one_way = interpolate(params.efficiency, (moved.abs() / rate).clamp(max=1.0)).sqrt()
        moved = torch.clamp(
            request, -torch.minimum(most, stock * one_way), torch.minimum(most, room / one_way.clamp(min=TINY))
        )
    stored = torch.minimum(moved * one_way, moved / one_way)  # the loss has the same sign both ways
    after = torch.clamp(torch.maximum(before + stored, params.min_soc), max=1.0)  # against rounding alone
    worn = params.degradation * moved.abs() / (2.0 * (1.0 - lost).clamp(min=TINY))
    return Charged(after, (lost + worn).clamp(max=1.0), moved * params.capacity_kwh)


def stand_by(soc: Tensor, params: StorageParameters) -> Tensor:
    """SOC with which the next step begins: less the standby loss, and not below ``min_soc``."""
    return torch.clamp(torch.maximum(soc * (1.0 - params.loss), params.min_soc), max=1.0)
