"""Peak shaving by water filling: the battery keeps what the coming day's peak needs, and spends the rest where it pays.

The name is that of filling vessels to one level (Cover and Thomas, Elements of Information Theory, 2006, 9.4): the
energy in the battery is spread over the hours so that the import that is left stands at one level.
"""

from __future__ import annotations

import torch
from torch import Tensor

from litgrid.controllers.coming_day import ComingDay, Expectation, Number
from litgrid.controllers.uncontrolled import charge_at_once
from litgrid.controllers.water_level import (
    charge_kw,
    discharge_kw,
    drawn_kwh,
    lowest_level_kw,
    precharge_limit_kw,
    reserve_kwh,
    storage_of,
)
from litgrid.sim.action_maps import Advice
from litgrid.sim.import_level import needed_share, up_to
from litgrid.sim.view import View
from litgrid.sim.worlds import AnyView
from litgrid.site.site import Site

TUNED = ("load_margin", "pv_margin", "load_memory", "pv_memory", "peak_share", "floor_kw", "precharge_share")
"""Numbers of the rule that may differ between the sites of a batch."""


class WaterFilling:
    """Vehicles at once; the battery holds the import at the lowest level that it can reach over the next 24 hours.

    Args:
        site: that it controls.
        numbers: those of ``TUNED`` that differ between the B sites, [B] each; the site's rules have the others.
    """

    name = "water_filling"
    seed = None

    def __init__(self, site: Site, numbers: dict[str, Tensor] | None = None) -> None:
        settings = site.rules.water_filling
        self.battery = storage_of(site)
        self.lowest_soc, self.capacity_kwh = site.battery.min_soc, site.battery.capacity_kwh
        self.day = ComingDay(site, settings.forecast)
        own: dict[str, Number] = {key: getattr(settings, key) for key in TUNED}
        own |= {key: values.unsqueeze(-1) for key, values in (numbers or {}).items()}
        self.expectation = Expectation(*(own[key] for key in Expectation._fields))
        self.peak_share, self.floor_kw, self.precharge = (own[key] for key in TUNED[-3:])

    def act(self, view: AnyView) -> Tensor:
        """Return the action [B, 1 + N]."""
        return self.advise(view).action

    def advise(self, view: AnyView) -> Advice:
        """Return the action, and as its plan the level, the import to be held now, and what the net load is above the
        level, over the load's typical peak.
        """
        assert isinstance(view, View)
        sockets = self.sockets(view)
        net = self.day.net_kw(view, sockets @ view.socket_power_kw, self.expectation)
        hold = self.day.hold_kw(view, self.peak_share, self.floor_kw)
        stored = (view.bess_soc - self.lowest_soc).clamp(min=0.0) * self.capacity_kwh
        level = lowest_level_kw(net, hold, stored, self.precharge, self.battery)
        target = torch.maximum(level.unsqueeze(-1), hold)
        battery = self.battery_kw(net, target, stored, self.day.worth(view))
        power = self.battery.power_kw
        share = battery / power if power > 0 else torch.zeros_like(battery)
        plan = torch.stack([level, target[:, 0], net[:, 0] - level], dim=1) / (view.site.load.peak_kw or 1.0)
        return Advice(torch.cat([share.unsqueeze(-1), sockets], dim=1), plan)

    def sockets(self, view: View) -> Tensor:
        """Shares of their power that the sockets take, [B, N]."""
        return charge_at_once(view)

    def battery_kw(self, net: Tensor, target: Tensor, stored: Tensor, worth: Tensor) -> Tensor:
        """Power of the battery now, [B], positive charges.

        What is above the target is discharged in any case. More is discharged where the site uses it and energy is left
        over after all that later steps need above their targets, and all that they import where energy is dearer than
        now. The battery is charged by PV surplus in any case, and by imports (up to a share of the target) where what
        later steps need is not there, and neither PV nor equally cheap imports of later hours will bring it in time.

        Args:
            net: [B, H] expected load less PV, the present first.
            target: [B, H] import to be held.
            stored: [B] energy in the battery.
            worth: [B, H] what an imported kWh costs.
        """
        battery, now = self.battery, worth[:, :1]
        above, all_net = discharge_kw(net, target, battery), discharge_kw(net, torch.zeros_like(net), battery)
        surplus = charge_kw(net, torch.zeros_like(net), battery)
        room = charge_kw(net, precharge_limit_kw(target, self.precharge), battery)

        keep = torch.where(worth > now, all_net, above)
        spare = (stored - reserve_kwh(drawn_kwh(keep, surplus, battery))) * battery.efficiency / battery.step_hours
        discharge = torch.clamp(spare, above[:, 0], all_net[:, 0])

        losses = battery.efficiency**2
        need = torch.where(worth * losses > now, all_net, above)
        refill = torch.where(worth <= now, room, surplus)
        missing = reserve_kwh(drawn_kwh(need, refill, battery)) - stored
        charge = torch.clamp(missing / battery.efficiency / battery.step_hours, surplus[:, 0], room[:, 0])
        return charge - discharge


class WaitingWaterFilling(WaterFilling):
    """The same with vehicles that wait for PV surplus; without it they charge as late as their stays allow.

    The battery's plan still expects them to charge at once.
    """

    name = "water_filling_waiting"

    def sockets(self, view: View) -> Tensor:
        """Shares of their power that the sockets take, [B, N]."""
        return up_to(view, 0.0, needed_share(view))
