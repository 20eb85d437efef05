"""What a site expects of its next 24 hours, the present step first: net load, prices, and what demand charges count."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from litgrid.sim.objective import weights
from litgrid.sim.view import View
from litgrid.site.arrivals import opening_hours, rates
from litgrid.site.calendar import month_of_step
from litgrid.site.rules import Forecast
from litgrid.site.site import Site
from litgrid.site.tariff import demand_mask

Number = float | Tensor
"""A number of a rule: the same for all sites, or a column [B, 1]."""


class Expectation(NamedTuple):
    """How the next 24 hours are expected; fields as in ``site.rules.WaterFilling``."""

    load_margin: Number
    pv_margin: Number
    load_memory: Number
    pv_memory: Number


class ComingDay:
    """Looks a day ahead; H is the number of steps in a day.

    Args:
        site: whose day it is.
        forecast: of load and PV.
    """

    def __init__(self, site: Site, forecast: Forecast) -> None:
        self.steps = site.steps_per_day
        self._forecast = forecast
        weight = weights(site.objective)
        self._bill, self._carbon = weight.bill, weight.carbon_per_kg
        charged = [charge.price_per_kw * weight.bill > 0 for charge in site.tariff.demand]
        mask = demand_mask(site)[:, : self.steps] & np.array(charged, dtype=bool)[:, None]
        self._counted = torch.as_tensor(np.tile(mask, 2))  # [D, 2 H]: a day ahead from any step of the day
        month = month_of_step(site)
        self._turns = torch.as_tensor(month != np.roll(month, -1))[
            self.steps - 1 :: self.steps
        ]  # [365] last of a month
        self._arrivals_kw = torch.as_tensor(np.tile(arrivals_kw(site), 2))  # [2 H]
        self._longest = _longest_charge(site)
        self._step = torch.arange(self.steps)

    def worth(self, view: View) -> Tensor:
        """What an imported kWh costs in the objective, demand charges aside, [B, H]."""
        price = view.forecast("price_per_kwh", self.steps)
        return price * self._bill + view.forecast("carbon_kg_per_kwh", self.steps) * self._carbon

    def net_kw(self, view: View, vehicles_kw: Tensor, expected: Expectation) -> Tensor:
        """Load and vehicles less PV, [B, H]: the present step as it is, later ones as expected and with margins.

        Args:
            view: the present.
            vehicles_kw: [B] what the sockets take in this step.
            expected: margins, and how long deviations from the forecast last.
        """
        load = self._corrected(view, "load", view.load_kw, expected.load_memory) + self.vehicles_kw(view)
        pv = self._corrected(view, "pv", view.pv_kw, expected.pv_memory)
        net = load * (1.0 + expected.load_margin) - pv * (1.0 - expected.pv_margin)
        return torch.cat([(view.load_kw + vehicles_kw - view.pv_kw).unsqueeze(-1), net[:, 1:]], dim=1)

    def _corrected(self, view: View, series: str, now: Tensor, memory: Number) -> Tensor:
        """A forecast [B, H], whose present relative error (at most all of it) fades over the hours to come."""
        forecast = view.forecast(f"{series}_{self._forecast}_kw", self.steps)
        expected = forecast[:, :1]
        error = torch.where(expected > 0.0, now.unsqueeze(-1) / expected.clamp(min=1e-6) - 1.0, 0.0).clamp(-1.0, 1.0)
        hours = self._step.to(forecast) * view.site.step_hours
        return forecast * (1.0 + error * memory**hours)

    def vehicles_kw(self, view: View) -> Tensor:
        """Power that vehicles take if they are charged at once, [B, H].

        Those that are there, until the SOC that their drivers need; those to come as the site's statistics have it.
        """
        full = view.socket_rate * view.socket_efficiency  # stored in a step at full power, share of the capacity
        steps = (view.soc_required - view.ev_soc).clamp(min=0.0) / full
        rows = torch.arange(min(self._longest, self.steps), device=steps.device)
        there = torch.stack([(steps - row).clamp(0.0, 1.0) @ view.socket_power_kw for row in rows.tolist()], dim=1)
        coming = self._arrivals_kw.to(there)[self._of_day(view)]
        coming[:, 0] = 0.0
        coming[:, : len(rows)] += there
        return coming

    def hold_kw(self, view: View, peak_share: Number, floor_kw: Number) -> Tensor:
        """Import that costs no demand charge, or nothing that matters, [B, H]; infinite where no charge counts a step.

        Args:
            view: the present.
            peak_share: of the month's highest import so far.
            floor_kw: import that each charge will count anyhow.
        """
        day = view.day_of_year
        this_month = ~(self._turns.to(day.device)[day].unsqueeze(-1) & (self._of_day(view) >= self.steps))
        free = torch.full(this_month.shape, math.inf, dtype=view.load_kw.dtype, device=day.device)
        counted = self._counted.to(day.device)
        for charge, peak in zip(counted, view.peak_kw.unbind(-1), strict=True):
            hold = torch.clamp(peak.unsqueeze(-1) * this_month * peak_share, min=0.0)
            hold = torch.maximum(hold, torch.as_tensor(floor_kw).to(hold))
            free = torch.where(charge[self._of_day(view)], torch.minimum(free, hold), free)
        return free

    def _of_day(self, view: View) -> Tensor:
        """Steps since the present day's midnight, [B, H], below 2 H."""
        now = torch.round(view.hour / view.site.step_hours).long()
        return now.unsqueeze(-1) + self._step.to(now.device)


def arrivals_kw(site: Site) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Power that vehicles take in each step of a mean day if each is charged in the step in which it comes, [H]."""
    profile, fleet = np.zeros(site.steps_per_day), site.fleet
    hours = opening_hours(site)
    if fleet.sockets == 0 or fleet.energy_kwh_per_day == 0 or hours.limit == 0:
        return profile
    one = rates(site, hours, 1.0, np.random.default_rng(0)).mean(axis=0)  # so few vehicles that no socket is full
    taken = sum(group.sockets * group.battery_kwh / group.efficiency_one_way for group in fleet.groups)
    stored = sum(group.sockets * group.battery_kwh for group in fleet.groups)
    energy = fleet.energy_kwh_per_day * taken / stored
    profile[hours.first : hours.first + hours.steps] = one / one.sum() * energy / site.step_hours
    return profile


def _longest_charge(site: Site) -> int:
    """Steps that the longest charge at full power takes, at least one."""
    charges = [g.battery_kwh / (g.power_kw * g.efficiency_one_way * site.step_hours) for g in site.fleet.groups]
    return max(1, math.ceil(max(charges, default=0.0)))
