"""Model-predictive control: in each step, plan the next day or two as a linear program, and do the plan's first step.

The plan minimises the site's objective as if the forecasts were right (Rawlings, Mayne and Diehl, Model Predictive
Control, 2nd ed. 2017, chapter 1); docs/mpc.md has the program, and what the settings do about forecasts that are not.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from litgrid.controllers.arrivals import Arrivals, ExpectedArrivals, KnownArrivals
from litgrid.controllers.envelope import Envelope, by_laxity, connected, envelope
from litgrid.controllers.horizon_program import Horizon, HorizonProgram, Plan
from litgrid.controllers.outlook import Forecast, Forecaster, Outlook, PerfectForecasts, SiteForecasts
from litgrid.controllers.program import Values
from litgrid.controllers.site_program import import_cost, marginal
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.view import View
from litgrid.sim.worlds import AnyView
from litgrid.site.calendar import month_of_step
from litgrid.site.rules import Mpc
from litgrid.site.site import Site, replace
from litgrid.site.tariff import demand_mask


class PredictiveControl:
    """Plans every step anew, for each of B sites after the other.

    Vehicles are planned for together, within their envelope, and what they take is shared out by least laxity, so that
    all get what is possible for them; none is discharged. Of plans that cost the same, which one is chosen depends on
    the plan before.

    Args:
        name: in tables.
        site: that is controlled.
        settings: of the plans.
        forecaster: says what load, PV, prices and carbon intensity will be.
        arrivals: says what is known of the vehicles to come.
    """

    seed = None

    def __init__(self, name: str, site: Site, settings: Mpc, forecaster: Forecaster, arrivals: Arrivals) -> None:
        self.name = name
        self._site, self._settings = site, settings
        self._forecaster, self._arrivals = forecaster, arrivals
        self._steps = horizon_steps(site)
        self._month, self._counted = month_of_step(site), demand_mask(site)
        self._programs: list[HorizonProgram] = []

    def act(self, view: AnyView) -> Tensor:
        """Return the action [B, 1 + N]."""
        assert isinstance(view, View)
        vehicles = connected(view)
        ahead = envelope(vehicles, self._steps) + self._arrivals.ahead(view)
        plans = self._plan(view, self._forecaster.ahead(view), ahead)
        sockets = by_laxity(vehicles, np.array([plan.vehicles_kwh for plan in plans])) / vehicles.full_kwh
        full = self._site.battery.power_kw * self._site.step_hours
        battery = np.array([plan.battery_kwh / full if full > 0 else 0.0 for plan in plans])
        return torch.from_numpy(np.concatenate([battery[:, None], sockets], 1)).to(view.ev_soc)

    def _plan(self, view: View, outlook: Outlook, vehicles: Envelope) -> list[Plan]:
        while len(self._programs) < len(outlook.load_kw):
            self._programs.append(HorizonProgram(self._site, self._steps))
        peaks, socs = (values.double().cpu().numpy() for values in (view.peak_kw, view.bess_soc))
        rows = zip(view.step.tolist(), socs.tolist(), peaks, zip(*outlook, strict=True), strict=True)
        horizons = [
            self._horizon(step, soc, peak, Outlook(*series), Envelope(*(part[row] for part in vehicles)))
            for row, (step, soc, peak, series) in enumerate(rows)
        ]
        return [program.solve(horizon) for program, horizon in zip(self._programs, horizons, strict=False)]

    def _horizon(self, step: int, soc: float, peak_kw: Values, outlook: Outlook, vehicles: Envelope) -> Horizon:
        """What the plan of one site rests on; the outlook's series are [H] here.

        A month that begins within the horizon is taken to reach the present month's peak. If it began at 0, the few of
        its hours that the plan sees would be levelled at the cost of the old month's last evening.
        """
        settings, site, hours = self._settings, self._site, self._site.step_hours
        rows = (step + np.arange(self._steps)) % len(self._month)
        this_month = self._month[rows] == self._month[rows[0]]
        cost = import_cost(site, outlook.price_per_kwh, outlook.carbon_kg_per_kwh)
        return Horizon(
            step=step,
            net_kwh=self._with_margin((outlook.load_kw - outlook.pv_kw) * hours),
            import_cost=cost,
            hold_per_kwh=settings.hold_per_kwh * hours,
            terminal_per_kwh=self._terminal_per_kwh(float(cost.mean())),
            stored_kwh=soc * site.battery.capacity_kwh,
            vehicles=vehicles,
            free_kw=np.tile(peak_kw, (2, 1)),
            counted=self._counted[:, rows] & np.stack([this_month, ~this_month])[:, None],
        )

    def _with_margin(self, net_kwh: Values) -> Values:
        """Raise the load that PV is expected to leave over; the present step is known."""
        raised = net_kwh + self._settings.load_margin * np.maximum(net_kwh, 0.0)
        raised[0] = net_kwh[0]
        return raised

    def _terminal_per_kwh(self, import_cost: float) -> float:
        """Worth of a kWh in the battery at the plan's end."""
        if self._settings.terminal_value_per_kwh is not None:
            return self._settings.terminal_value_per_kwh
        saved = import_cost - marginal(self._site).discharge
        return max(0.0, saved) * self._site.battery.efficiency_one_way


def horizon_steps(site: Site) -> int:
    """Steps of the horizon, H."""
    return math.ceil(site.rules.mpc.horizon_hours / site.step_hours)


def predictive(name: str, site: Site, forecast: Forecast) -> PredictiveControl:
    """Make the controller that plans with a forecast of load and PV."""
    settings, steps = site.rules.mpc, horizon_steps(site)
    return PredictiveControl(
        name, site, settings, SiteForecasts(forecast, site, settings, steps), ExpectedArrivals(site, steps)
    )


def perfect(name: str, scenarios: ScenarioSet) -> PredictiveControl:
    """Make the controller that plans with the scenarios themselves, and needs no margin."""
    site, steps = scenarios.site, horizon_steps(scenarios.site)
    settings = replace(site.rules.mpc, load_margin=0.0)
    return PredictiveControl(name, site, settings, PerfectForecasts(scenarios, steps), KnownArrivals(scenarios, steps))
