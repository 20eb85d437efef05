"""Water filling: the lowest level at which a battery can hold a site's import, and the energy to keep for it.

Energies are those stored in the battery above its lowest SOC; powers are at the site's side. Levels may carry leading
dimensions: everything broadcasts over [..., B, H].
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from litgrid.controllers.coming_day import Number
from litgrid.site.site import Site

PARTS, ROUNDS = 4, 5  # each round cuts the range of the level into so many parts: to 1/1024 of the highest net load


class Storage(NamedTuple):
    """A battery."""

    power_kw: float
    usable_kwh: float
    """Between its lowest SOC and full."""
    efficiency: float
    """One way."""
    step_hours: float


def storage_of(site: Site) -> Storage:
    """The battery of a site; without capacity it has no power."""
    battery = site.battery
    power = battery.power_kw if battery.capacity_kwh > 0 else 0.0
    usable = battery.capacity_kwh * battery.depth_of_discharge
    return Storage(power, usable, battery.efficiency_one_way, site.step_hours)


def discharge_kw(net_kw: Tensor, target_kw: Tensor, battery: Storage) -> Tensor:
    """Discharge that keeps imports at the target, as far as the battery's power goes."""
    return torch.clamp(net_kw - target_kw, 0.0, battery.power_kw)


def charge_kw(net_kw: Tensor, limit_kw: Tensor, battery: Storage) -> Tensor:
    """Charge that PV surplus and imports up to the limit allow."""
    return torch.clamp(limit_kw - net_kw, 0.0, battery.power_kw)


def drawn_kwh(discharge: Tensor, charge: Tensor, battery: Storage) -> Tensor:
    """Energy that steps take from the stored one, from the powers in each; negative where they add to it."""
    return (discharge / battery.efficiency - charge * battery.efficiency) * battery.step_hours


def reserve_kwh(drawn: Tensor) -> Tensor:
    """Energy to be stored at the end of the first step so that all later ones can be served, [B].

    Going backwards, what is needed before a step is max(0, what is needed after it + what it draws): the largest sum
    of the first k of the later steps, or 0.

    Args:
        drawn: [B, H] as in ``drawn_kwh``.
    """
    if drawn.shape[-1] == 1:
        return torch.zeros_like(drawn[:, 0])
    return drawn[:, 1:].cumsum(-1).amax(-1).clamp(min=0.0)


def lowest_level_kw(
    net_kw: Tensor, hold_kw: Tensor, stored_kwh: Tensor, precharge_share: Number, battery: Storage
) -> Tensor:
    """The lowest level to which the battery can cut the site's expected imports, [B].

    In a step the target is the higher of the level and ``hold_kw``; what is above it is discharged, PV surplus is
    charged, and so are imports below a share of the target. A level can be held if the stored energy covers every sum
    of first steps, the full battery every sum of steps from anywhere, and the power every single step.

    Args:
        net_kw: [B, H] expected load less PV.
        hold_kw: [B, H] import that is not cut.
        stored_kwh: [B] now.
        precharge_share: of the target, below which imports may charge the battery.
        battery: the battery.
    """
    width = net_kw.amax(-1).clamp(min=0.0)  # a level at which nothing has to be discharged: it can be held
    low = torch.zeros_like(width)
    parts = torch.arange(1, PARTS, device=width.device, dtype=width.dtype)[:, None] / PARTS
    for _ in range(ROUNDS):
        levels = low + parts * width  # [PARTS - 1, B]; low + width can be held
        target = torch.maximum(levels.unsqueeze(-1), hold_kw)
        failed = (~_can_hold(net_kw, target, stored_kwh, precharge_share, battery)).sum(0)
        width = width / PARTS
        low = low + failed * width
    level = low + width
    if not torch.is_grad_enabled():
        return level
    level = level.detach()

    # Where the stored energy is what limits the level, it solves "what the worst sum of first steps draws = stored".
    # The implicit function theorem says how it moves with what these depend on; cutting a range into parts does not.
    target = torch.maximum(level.unsqueeze(-1), hold_kw)
    discharge = discharge_kw(net_kw, target, battery)
    charge = charge_kw(net_kw, precharge_limit_kw(target, precharge_share), battery)
    drawn = drawn_kwh(discharge, charge, battery).cumsum(-1)
    last = drawn.argmax(-1, keepdim=True)
    missing = drawn.gather(-1, last).squeeze(-1) - stored_kwh
    with torch.no_grad():
        follows = (level.unsqueeze(-1) > hold_kw).to(net_kw)  # steps whose target is the level
        less = follows * ((discharge > 0) & (discharge < battery.power_kw))
        more = follows * ((charge > 0) & (charge < battery.power_kw)) * precharge_share
        slope = drawn_kwh(less, -more, battery).cumsum(-1).gather(-1, last).squeeze(-1)  # kWh less for each kW
        limits = (slope > 0) & (missing.abs() <= width * slope + 1e-6 * (1.0 + battery.usable_kwh))
    change = torch.where(limits, missing / torch.where(limits, slope, 1.0), 0.0)
    return level + (change - change.detach())


def _can_hold(net: Tensor, target: Tensor, stored: Tensor, precharge: Number, battery: Storage) -> Tensor:
    discharge = discharge_kw(net, target, battery)
    charge = charge_kw(net, precharge_limit_kw(target, precharge), battery)
    drawn = drawn_kwh(discharge, charge, battery).cumsum(-1)
    slack = 1e-6 * (1.0 + battery.usable_kwh)  # rounding
    enough = drawn.amax(-1) <= stored + slack
    room = (drawn - drawn.cummin(-1).values).amax(-1) <= battery.usable_kwh + slack
    power = ((net - target).amax(-1)) <= battery.power_kw
    return enough & room & power


def precharge_limit_kw(target: Tensor, share: Number) -> Tensor:
    """Import up to which the battery may be charged: a share of the target, which has no limit where nothing counts."""
    return torch.where(torch.as_tensor(share).to(target) > 0, target * share, 0.0)
