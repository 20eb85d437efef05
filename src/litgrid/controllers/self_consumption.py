"""The self-consumption rule: PV surplus into the battery, the battery against imports. The reference for the bill."""

import torch
from torch import Tensor

from litgrid.controllers.uncontrolled import charge_at_once
from litgrid.sim.district_view import DistrictView
from litgrid.sim.view import View
from litgrid.sim.worlds import AnyView


class SelfConsumption:
    """Vehicles at once; each battery takes what its building's PV has left over and gives what it would import.

    Greedy, as most inverters ship: it looks at the present step only, so that a battery discharges as soon as PV
    no longer covers its building, mostly from late afternoon into the evening.
    """

    name = "self_consumption"
    seed = None

    def act(self, view: AnyView) -> Tensor:
        """Return the action [B, K + N]."""
        sockets = charge_at_once(view)
        batteries = _district(view, sockets) if isinstance(view, DistrictView) else _site(view, sockets)
        return torch.cat([batteries, sockets], dim=1)


def _site(view: View, sockets: Tensor) -> Tensor:
    """Action [B, 1] of a site's battery."""
    surplus_kw = view.pv_kw - view.load_kw - (sockets * view.socket_power_kw).sum(dim=1)
    power_kw = view.site.battery.power_kw
    battery = (surplus_kw / power_kw).clamp(-1.0, 1.0) if power_kw > 0 else torch.zeros_like(surplus_kw)
    return battery.unsqueeze(-1)


def _district(view: DistrictView, sockets: Tensor) -> Tensor:
    """Actions [B, K] of a district's batteries, each with its own building."""
    ev_kwh = sockets * view.charger_power_kw * view.step_hours
    surplus_kwh = (view.pv_kwh - view.load_kwh).index_add(1, view.charger_building, ev_kwh, alpha=-1.0)
    full_kwh = view.bess_power_kw * view.step_hours
    share = surplus_kwh[:, view.bess_building] / torch.where(full_kwh > 0.0, full_kwh, 1.0)
    return (share * (full_kwh > 0.0)).clamp(-1.0, 1.0)
