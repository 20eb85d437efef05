"""What CityLearn lets a building's chargers and battery ask for: ``charging_constraints``, ``electrical_service``.

Controls are the batteries and chargers of a district in the order of its actions, [B, K + N]. All limits act upon
requests, also of chargers where no vehicle is connected.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from litgrid.scenarios.district import District, Service

NO_LIMIT_KW = 1e9
"""Stands for an absent limit; an infinite one would make gradients NaN."""
SWEEPS = 8
SMALL = 1e-9


class Scope(NamedTuple):
    """A limit of every building on a part of its power."""

    share: Tensor
    """[K + N] part of each control's power that counts."""
    base_share: Tensor
    """[M] part of the base load that counts."""
    import_kw: Tensor
    """[M]"""
    export_kw: Tensor
    """[M]"""


class Phase(NamedTuple):
    """The p-th group of chargers of every building."""

    counts: Tensor
    """[K + N] 1 for chargers of the group."""
    limit_kw: Tensor
    """[M]"""


class Limits(NamedTuple):
    """Constants of a district's limits."""

    building: Tensor
    """[K + N] building of each control."""
    members: Tensor
    """[M, W] controls of each building, filled up with K + N."""
    phases: tuple[Phase, ...]
    """``charging_constraints``: of all chargers first, then of the phases in their order."""
    scopes: tuple[Scope, ...]
    """``electrical_service``: the whole building first, then its phases."""


def members(building: list[int], buildings: int, device: torch.device) -> Tensor:
    """Numbers of the assets of each building [M, W], filled up with their count."""
    found = [[asset for asset, home in enumerate(building) if home == number] for number in range(buildings)]
    width = max((len(assets) for assets in found), default=0)
    rows = [assets + [len(building)] * (width - len(assets)) for assets in found]
    return torch.tensor(rows, dtype=torch.int64, device=device).reshape(buildings, width)


def per_building(values: Tensor, members: Tensor) -> Tensor:
    """Sum [B, assets] over each building's assets: [B, M]."""
    return pad(values, (0, 1))[:, members].sum(-1)


def limits(district: District, device: torch.device, dtype: torch.dtype) -> Limits:
    """The limits of a district's buildings."""

    def tensor(values: list[float]) -> Tensor:
        return torch.tensor(values, device=device, dtype=dtype).clamp(max=NO_LIMIT_KW)

    batteries = [number for number, building in enumerate(district.buildings) if building.battery is not None]
    building = batteries + [charger.building for charger in district.chargers]
    return Limits(
        building=torch.tensor(building, dtype=torch.int64, device=device),
        members=members(building, len(district.buildings), device),
        phases=tuple(Phase(*(tensor(part) for part in phase)) for phase in _phases(district, len(batteries))),
        scopes=tuple(Scope(*(tensor(part) for part in scope)) for scope in _scopes(district, batteries)),
    )


def _phases(district: District, batteries: int) -> list[tuple[list[float], list[float]]]:
    """Groups of chargers with a limit, rank by rank."""
    sets = [building.limits for building in district.buildings]
    chargers = district.chargers
    every = [0.0] * batteries + [float(sets[charger.building] is not None) for charger in chargers]
    groups = [(every, [NO_LIMIT_KW if found is None else found.building_kw for found in sets])]
    for rank in range(max((len(found.phases) for found in sets if found is not None), default=0)):
        phases = [None if found is None or len(found.phases) <= rank else found.phases[rank] for found in sets]
        listed = {charger for phase in phases if phase is not None for charger in phase.chargers}
        counts = [0.0] * batteries + [float(charger in listed) for charger in range(len(chargers))]
        groups.append((counts, [NO_LIMIT_KW if phase is None else phase.limit_kw for phase in phases]))
    return [group for group in groups if min(group[1], default=NO_LIMIT_KW) < NO_LIMIT_KW]


def _scopes(
    district: District, batteries: list[int]
) -> list[tuple[list[float], list[float], list[float], list[float]]]:
    """The whole building and each phase, where any building has a limit there."""
    services = [building.service for building in district.buildings]
    shares = [_battery_shares(services[number]) for number in batteries]
    shares += [_shares(services[charger.building], charger.phase) for charger in district.chargers]

    def scope(phase: int | None) -> tuple[list[float], list[float], list[float], list[float]]:
        counts = [1.0 if phase is None else share[phase] for share in shares]
        found = [_limits_of(service, phase) for service in services]
        base, imports, exports = (list(part) for part in zip(*found, strict=True))
        return counts, base, imports, exports

    return [found for phase in (None, 0, 1, 2) if min(*(found := scope(phase))[2], *found[3]) < NO_LIMIT_KW]


def _limits_of(service: Service | None, phase: int | None) -> tuple[float, float, float]:
    """Share of the base load, import and export limits of a building in a scope."""
    if service is None or (phase is not None and phase >= len(service.phases)):
        return 0.0, NO_LIMIT_KW, NO_LIMIT_KW
    if phase is None:
        return 1.0, service.import_kw, service.export_kw
    return service.base_shares[phase], service.phase_import_kw[phase], service.phase_export_kw[phase]


def _shares(service: Service | None, phase: str | None) -> tuple[float, ...]:
    return (0.0, 0.0, 0.0) if service is None else (*service.shares(phase), 0.0, 0.0)[:3]


def _battery_shares(service: Service | None) -> tuple[float, ...]:
    return (0.0, 0.0, 0.0) if service is None else (*service.battery_shares, 0.0, 0.0)[:3]


def charging(power_kw: Tensor, params: Limits) -> tuple[Tensor, Tensor]:
    """``charging_constraints``: scale down, in proportion, what chargers ask for.

    Args:
        power_kw: [B, K + N] that controls ask for.
        params: of the district.

    Returns:
        The power that is granted, and by how much the limits were exceeded [B, M].
    """
    violation_kw = power_kw.new_zeros(len(power_kw), len(params.members))
    for counts, limit_kw in params.phases:
        asked = per_building(power_kw.clamp(min=0.0) * counts, params.members)
        over = asked > limit_kw
        scale = torch.where(over, limit_kw / asked.clamp(min=SMALL), 1.0)[:, params.building]
        power_kw = torch.where((power_kw > 0.0) & (counts > 0.0), power_kw * scale, power_kw)
        violation_kw = violation_kw + (asked - limit_kw) * over
    return power_kw, violation_kw


def service(power_kw: Tensor, base_kw: Tensor, params: Limits) -> tuple[Tensor, Tensor]:
    """``electrical_service``: scale down what battery and chargers ask for until import and export are within limits.

    Args:
        power_kw: [B, K + N] that controls ask for.
        base_kw: [B, M] load less PV.
        params: of the district.

    Returns:
        The power that is granted, and by how much the limits are exceeded, before or after, whichever is more [B, M].
    """
    scale = torch.ones_like(power_kw)
    before = _violation(power_kw, base_kw, params)
    for _ in range(SWEEPS):
        now = [_current(power_kw * scale, base_kw, scope, params) for scope in params.scopes]  # once for a sweep
        for scope, current in zip(params.scopes, now, strict=True):
            part = power_kw * scope.share
            scale = _scale(scale, part, current, scope.import_kw, params)
            scale = _scale(scale, -part, -current, scope.export_kw, params)
    granted = power_kw * scale
    return granted, torch.maximum(before, _violation(granted, base_kw, params))


def _current(power_kw: Tensor, base_kw: Tensor, scope: Scope, params: Limits) -> Tensor:
    return base_kw * scope.base_share + per_building(power_kw * scope.share, params.members)


def _violation(power_kw: Tensor, base_kw: Tensor, params: Limits) -> Tensor:
    over = torch.zeros_like(base_kw)
    for scope in params.scopes:
        current = _current(power_kw, base_kw, scope, params)
        over = over + (current - scope.import_kw).clamp(min=0.0) + (-current - scope.export_kw).clamp(min=0.0)
    return over


def _scale(scale: Tensor, part_kw: Tensor, current_kw: Tensor, limit_kw: Tensor, params: Limits) -> Tensor:
    """Scale the controls that add to a power down, if it is above its limit."""
    adds = (part_kw > 0.0) & (scale > 0.0)
    amount = per_building(scale * part_kw * adds, params.members)
    factor = (limit_kw - current_kw + amount).clamp(min=0.0) / amount.clamp(min=SMALL)
    applies = (current_kw > limit_kw + SMALL) & (amount > SMALL) & (factor < 1.0 - SMALL)
    factor = torch.where(applies, factor, 1.0)[:, params.building]
    return torch.where(adds, scale * factor, scale)
