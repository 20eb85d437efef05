"""What is left of the limits of buildings and their phases, as CityLearn shows it after a step."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from litgrid.scenarios.citylearn_observed import Headroom
from litgrid.scenarios.district import Building, District


class Limits(NamedTuple):
    """H limits, each of one building; shares are negative where power uses the limit up, positive for exports."""

    limit_kw: Tensor
    """[H]"""
    granted: Tensor
    """[K + N, H] share of what each battery and charger was granted."""
    base: Tensor
    """[M, H] share of load less PV."""
    charging: Tensor
    """[K + N] bool: only charging counts, as in ``charging_constraints``."""


def limits(
    district: District, shown: list[tuple[int, Headroom]], device: torch.device | str, dtype: torch.dtype
) -> Limits:
    """Constants of the limits.

    Args:
        district: as it was read.
        shown: building and limit, H of them.
        device: where the tensors live.
        dtype: float32 or float64.
    """
    batteries = [home for home, building in enumerate(district.buildings) if building.battery is not None]
    controls: list[tuple[int, int | None]] = [(home, None) for home in batteries]
    controls += [(charger.building, number) for number, charger in enumerate(district.chargers)]
    granted, base = (
        torch.zeros(count, len(shown), dtype=torch.float64) for count in (len(controls), len(district.buildings))
    )
    for column, (home, left) in enumerate(shown):
        sign = 1.0 if left.export else -1.0
        base[home, column] = sign * _base_share(district.buildings[home], left)
        for control, (at, charger) in enumerate(controls):
            if at == home:
                granted[control, column] = sign * _share(district, home, left, charger)
    return Limits(
        limit_kw=torch.tensor([left.limit_kw for _, left in shown], device=device, dtype=dtype),
        granted=granted.to(device, dtype),
        base=base.to(device, dtype),
        charging=torch.tensor([district.buildings[home].limits is not None for home, _ in controls], device=device),
    )


def _base_share(building: Building, left: Headroom) -> float:
    if building.service is None:
        return 0.0
    return 1.0 if left.phase is None else building.service.base_shares[left.phase]


def _share(district: District, home: int, left: Headroom, charger: int | None) -> float:
    """Of a charger of the building, or of its battery."""
    service, charging = district.buildings[home].service, district.buildings[home].limits
    if service is not None:
        if left.phase is None:
            return 1.0
        shares = service.battery_shares if charger is None else service.shares(district.chargers[charger].phase)
        return shares[left.phase]
    if charger is None or charging is None:
        return 0.0
    return float(left.phase is None or charger in charging.phases[left.phase].chargers)


def remaining(granted_kw: Tensor, base_kw: Tensor, params: Limits) -> Tensor:
    """Power that is left.

    Args:
        granted_kw: [B, K + N] that batteries and chargers may ask for.
        base_kw: [B, M] load less PV.
        params: the limits.

    Returns:
        [B, H]
    """
    counted = torch.where(params.charging, granted_kw.clamp(min=0.0), granted_kw)
    return params.limit_kw + counted @ params.granted + base_kw @ params.base
