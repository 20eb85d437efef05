"""The site without control: vehicles charge at once, batteries rest. The reference for CO2."""

import torch
from torch import Tensor

from litgrid.controllers.idle import rest
from litgrid.sim.district_view import DistrictView
from litgrid.sim.worlds import AnyView

NUDGE = 1e-5
"""Relative, so that a charger's minimum power is reached also where it is rounded."""


def charge_at_once(view: AnyView) -> Tensor:
    """Socket actions [B, N] that charge at full power until the SOC that the driver needs is reached.

    A plain charger would go on to SOC 1. Controllers are compared at equal service, and energy beyond what is
    required earns nothing, so that all of them stop where the driver's need ends; otherwise smart charging would
    seem to save energy that it merely did not deliver.
    """
    needed = view.soc_required - view.ev_soc
    if isinstance(view, DistrictView):
        share = (needed / view.ev_gain).clamp(0.0, 1.0)
        least = (view.charger_minimum * (1.0 + NUDGE)).clamp(max=1.0)
        return torch.where(share > 0.0, torch.maximum(share, least), share)
    full = view.socket_rate * view.socket_efficiency  # stored in a step at full power, share of the capacity
    return (needed / full).clamp(0.0, 1.0)


class Uncontrolled:
    """Vehicles at full power from arrival until the required SOC; batteries idle."""

    name = "uncontrolled"
    seed = None

    def act(self, view: AnyView) -> Tensor:
        """Return the action [B, K + N]."""
        return torch.cat([rest(view), charge_at_once(view)], dim=1)
