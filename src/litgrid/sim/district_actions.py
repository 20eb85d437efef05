"""From an agent's action to the physical one of a district. Both are [B, K + N]: batteries first, then chargers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from litgrid.sim.actions import Mapping, least_laxity, onto
from litgrid.sim.district_view import DistrictView

NUDGE = 1e-5
"""Relative, so that a charger's minimum power is reached also where it is rounded."""


def raw(view: DistrictView, action: Tensor) -> Tensor:  # noqa: ARG001 (mappings share their arguments)
    """The agent's action is the physical one."""
    return action


def least_share(view: DistrictView) -> Tensor:
    """The lowest charger actions [B, N] that leave the required SOC, or all that is reachable of it, within reach.

    Least laxity at the gain that a step of full power has at least, so that curves and standby losses are covered; a
    charger with a minimum power is not asked for less. Limits of buildings and outages are not foreseen.
    """
    slack = view.ev_soc + (view.left - 1.0) * view.ev_gain - view.soc_required
    least = least_laxity(slack, view.ev_gain, torch.maximum(view.ev_drain, view.ev_gain), view.charger_lowest)
    return above_minimum(view, least)


def above_minimum(view: DistrictView, share: Tensor) -> Tensor:
    """Actions [B, N] with those that charge raised to the charger's minimum power, below which nothing flows."""
    return torch.where(share > 0.0, torch.maximum(share, view.charger_minimum * (1.0 + NUDGE)).clamp(max=1.0), share)


def floor(view: DistrictView, action: Tensor) -> Tensor:
    """Map each charger's range onto [``least_share``, 1], and free chargers to 0: limits count what those ask for.

    A vehicle of a district comes back with the SOC that it left with: what it takes beyond its need is not lost.
    """
    batteries, least = view.bess_soc.shape[-1], least_share(view)
    mapped = onto(least, torch.ones_like(least), action[:, batteries:], view.charger_lowest)
    return torch.cat([action[:, :batteries], mapped * view.connected], -1)


MAPPINGS: dict[Mapping, Callable[[DistrictView, Tensor], Tensor]] = {"raw": raw, "floor": floor}
