"""The self-consumption rule: PV surplus into the battery, the battery against imports. The reference for the bill."""

import torch
from torch import Tensor

from litgrid.controllers.uncontrolled import charge_at_once
from litgrid.sim.view import View


class SelfConsumption:
    """Vehicles at once; the battery takes what PV has left over and gives whatever the site would import.

    Greedy, as most inverters ship: it looks at the present step only, so that the battery discharges as soon as PV
    no longer covers the site, mostly from late afternoon into the evening.
    """

    name = "self_consumption"
    seed = None

    def act(self, view: View) -> Tensor:
        """Return the action [B, 1 + N]."""
        sockets = charge_at_once(view)
        surplus_kw = view.pv_kw - view.load_kw - (sockets * view.socket_power_kw).sum(dim=1)
        power_kw = view.site.battery.power_kw
        battery = (surplus_kw / power_kw).clamp(-1.0, 1.0) if power_kw > 0 else torch.zeros_like(surplus_kw)
        return torch.cat([battery[:, None], sockets], dim=1)
