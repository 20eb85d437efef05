"""The time-of-use rule: the battery is filled by PV and keeps its energy for the hours in which energy is dear."""

from __future__ import annotations

import torch
from torch import Tensor

from litgrid.controllers.uncontrolled import charge_at_once
from litgrid.controllers.water_level import storage_of
from litgrid.sim.view import View
from litgrid.sim.worlds import AnyView
from litgrid.site.rules import TimeOfUse as Settings
from litgrid.site.site import Site


class TimeOfUse:
    """Vehicles at once; the battery discharges in dear hours alone, those above the lowest price of the next 24 hours.

    Where all hours cost the same it discharges whenever PV does not cover the site, as self-consumption does.

    Args:
        site: that it controls.
    """

    name = "time_of_use"
    seed = None

    def __init__(self, site: Site) -> None:
        self.settings: Settings = site.rules.time_of_use
        self.battery = storage_of(site)
        self.lowest_soc, self.capacity_kwh = site.battery.min_soc, site.battery.capacity_kwh

    def act(self, view: AnyView) -> Tensor:
        """Return the action [B, 1 + N]."""
        assert isinstance(view, View)
        sockets = charge_at_once(view)
        if self.battery.power_kw == 0.0:
            return torch.cat([torch.zeros_like(view.bess_soc).unsqueeze(-1), sockets], dim=1)
        price = view.forecast("price_per_kwh", view.site.steps_per_day)
        net_kw = view.load_kw - view.pv_kw + sockets @ view.socket_power_kw
        charge, discharge = self._charge_kw(price, net_kw), self._discharge_kw(view, price, net_kw)
        share = (charge - discharge) / self.battery.power_kw
        return torch.cat([share.unsqueeze(-1), sockets], dim=1)

    def _discharge_kw(self, view: View, price: Tensor, net_kw: Tensor) -> Tensor:
        """Discharge [B]: as much as the site uses, in dear hours at most an even share of what is stored."""
        dear = is_dear(price)
        wanted = net_kw.clamp(0.0, self.battery.power_kw)
        if self.settings.spread:
            stored = (view.bess_soc - self.lowest_soc).clamp(min=0.0) * self.capacity_kwh
            steps = dear.long().cumprod(-1).sum(-1)  # from now until energy is cheap again
            even = stored * self.battery.efficiency / (steps.clamp(min=1) * self.battery.step_hours)
            wanted = torch.where(dear[:, 0], torch.minimum(wanted, even), wanted)
        return torch.where(dear[:, 0] | ~dear.any(-1), wanted, 0.0)

    def _charge_kw(self, price: Tensor, net_kw: Tensor) -> Tensor:
        """Charge [B]: the PV surplus; before dear hours also from the grid, where the price pays for the losses."""
        limit = torch.where(self._pays(price), self.settings.grid_charge_kw, 0.0)
        return (limit - net_kw).clamp(0.0, self.battery.power_kw)

    def _pays(self, price: Tensor) -> Tensor:
        """Whether dear hours begin soon, at a price for which energy may be bought now, [B]."""
        dear, battery = is_dear(price), self.battery
        first = dear.long().argmax(-1, keepdim=True)
        soon = dear.any(-1) & (first[:, 0] * battery.step_hours <= self.settings.grid_charge_hours)
        worth = price.gather(1, first)[:, 0] * battery.efficiency**2
        return soon & ~dear[:, 0] & (price[:, 0] < worth)


def is_dear(price: Tensor) -> Tensor:
    """Whether each of the next hours costs more than the cheapest of them, [B, H]."""
    return price > price.amin(-1, keepdim=True)
