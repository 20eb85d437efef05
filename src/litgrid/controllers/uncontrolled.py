"""The site without control: vehicles charge at once, the battery rests. The reference for CO2."""

import torch
from torch import Tensor

from litgrid.sim.view import View


def charge_at_once(view: View) -> Tensor:
    """Socket actions [B, N] that charge at full power until the SOC that the driver needs is reached.

    A plain charger would go on to SOC 1. Controllers are compared at equal service, and energy beyond what is
    required earns nothing, so that all of them stop where the driver's need ends; otherwise smart charging would
    seem to save energy that it merely did not deliver.
    """
    full = view.socket_rate * view.socket_efficiency  # stored in a step at full power, share of the capacity
    return ((view.soc_required - view.ev_soc) / full).clamp(0.0, 1.0)


class Uncontrolled:
    """Vehicles at full power from arrival until the required SOC; battery idle."""

    name = "uncontrolled"
    seed = None

    def act(self, view: View) -> Tensor:
        """Return the action [B, 1 + N]."""
        return torch.cat([torch.zeros_like(view.pv_kw)[:, None], charge_at_once(view)], dim=1)
