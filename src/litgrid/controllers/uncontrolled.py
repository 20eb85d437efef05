"""The site without control: vehicles charge at once, batteries rest. The reference for CO2."""

import torch
from torch import Tensor

from litgrid.controllers.idle import rest
from litgrid.sim.actions import need_share
from litgrid.sim.district_actions import above_minimum
from litgrid.sim.district_view import DistrictView
from litgrid.sim.worlds import AnyView


def charge_at_once(view: AnyView) -> Tensor:
    """Socket actions [B, N] that charge at full power until the SOC that the driver needs is reached.

    A plain charger would go on to SOC 1. Controllers are compared at equal service, and energy beyond what is
    required earns nothing, so that all of them stop where the driver's need ends; otherwise smart charging would
    seem to save energy that it merely did not deliver. In a district, full power gives at least ``ev_gain``: a
    vehicle with curves, or a charger with a minimum power, may give a little more in the last step.
    """
    if isinstance(view, DistrictView):
        needed = view.soc_required - view.ev_soc
        return above_minimum(view, (needed / view.ev_gain).clamp(0.0, 1.0))
    return need_share(view)


class Uncontrolled:
    """Vehicles at full power from arrival until the required SOC; batteries idle."""

    name = "uncontrolled"
    seed = None

    def act(self, view: AnyView) -> Tensor:
        """Return the action [B, K + N]."""
        return torch.cat([rest(view), charge_at_once(view)], dim=1)
