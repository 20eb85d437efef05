"""The vehicles that will come: as the site's statistics expect them, or as they will."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from litgrid.controllers.envelope import Envelope, Vehicles, envelope
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.view import View
from litgrid.site.arrivals import opening_hours, rates
from litgrid.site.site import Fleet, Site
from litgrid.site.vehicles import socket_values


class Arrivals(Protocol):
    """What is known of the vehicles to come."""

    def ahead(self, view: View) -> Envelope:
        """What those that come after this step may take, [B, H]."""


class ExpectedArrivals:
    """The site's statistics: how many vehicles a day expects, when, for how long and with what need.

    Every day expects the same. A vehicle to come counts as its expected share of every arrival time and length of stay,
    with the mean need and power of all sockets.

    Args:
        site: whose fleet it is.
        steps: of the horizon, H.
    """

    def __init__(self, site: Site, steps: int) -> None:
        self._day = site.steps_per_day
        expected = _expected(site)
        days = range(1 + (steps - 1) // self._day + 1)
        table = [envelope(_after(step, expected, days, self._day), steps) for step in range(self._day)]
        self._table = Envelope(*(np.stack(part) for part in zip(*table, strict=True)))

    def ahead(self, view: View) -> Envelope:
        """What those that come after this step may take, [B, H]."""
        step = view.step.cpu().numpy() % self._day
        return Envelope(*(part[step] for part in self._table))


def _expected(site: Site) -> Vehicles:
    """Shares of the vehicles of a day, from its midnight on: one for each arrival time and stay, [M]."""
    fleet, hours = site.fleet, opening_hours(site)
    stored = _mean_need(fleet)
    if fleet.energy_kwh_per_day == 0 or stored == 0 or hours.limit == 0:
        return Vehicles(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
    often = rates(site, hours, 1.0, np.random.default_rng(0)).mean(axis=0)  # so few vehicles that no socket is full
    stays = np.arange(hours.shortest, hours.longest + 1)
    share = np.repeat(often / often.sum() * fleet.energy_kwh_per_day / stored / len(stays), len(stays))
    arrival = np.repeat(hours.first + np.arange(hours.steps), len(stays))
    departure = np.minimum(arrival + np.tile(stays, hours.steps), hours.first + hours.steps)
    full = float(socket_values(fleet, "power_kw").mean()) * site.step_hours
    need = stored / float(socket_values(fleet, "efficiency_one_way").mean())
    return Vehicles(arrival, departure, share * np.minimum(need, (departure - arrival) * full), share * full)


def _mean_need(fleet: Fleet) -> float:
    """Mean energy that a vehicle lacks when it comes, in its battery, kWh."""
    needs = [g.sockets * g.battery_kwh * (sum(g.soc_required) - sum(g.soc_arrival)) / 2 for g in fleet.groups]
    return max(0.0, sum(needs)) / max(1, fleet.sockets)


def _after(step: int, expected: Vehicles, days: range, day: int) -> Vehicles:
    """The vehicles of some days that come after a step of the first one, seen from there."""
    each = [expected.seen_from(step - number * day) for number in days]
    seen = Vehicles(*(np.concatenate(parts) for parts in zip(*each, strict=True)))
    return seen.only(seen.arrival > 0)


class KnownArrivals:
    """The sessions of the scenarios themselves: perfect foresight.

    Args:
        scenarios: that are controlled.
        steps: of the horizon, H.
    """

    def __init__(self, scenarios: ScenarioSet, steps: int) -> None:
        self._steps = steps
        self._sessions = [_sessions(scenarios, year) for year in range(len(scenarios))]

    def ahead(self, view: View) -> Envelope:
        """What those that come after this step may take, [B, H]."""
        found = zip(view.scenario.tolist(), view.step.tolist(), strict=True)
        envelopes = [self._of(self._sessions[year], step) for year, step in found]
        return Envelope(*(np.stack(part) for part in zip(*envelopes, strict=True)))

    def _of(self, sessions: Vehicles, step: int) -> Envelope:
        first, last = np.searchsorted(sessions.arrival, [step + 1, step + self._steps])
        return envelope(sessions.only(slice(first, last)).seen_from(step), self._steps)


def _sessions(scenarios: ScenarioSet, year: int) -> Vehicles:
    """The vehicles of a year in the order of arrival, [M], from its first step on."""
    table = {key: values.numpy() for key, values in scenarios.sessions[year].items()}
    socket, site = table["socket"].astype(np.int64), scenarios.site
    arrival, departure = (table[key].astype(np.int64) for key in ("arrival", "departure"))
    capacity, power, efficiency = (
        socket_values(site.fleet, key)[socket] for key in ("battery_kwh", "power_kw", "efficiency_one_way")
    )
    rise = table["soc_required"].astype(np.float64) - table["soc_arrival"]
    full = power * site.step_hours
    return Vehicles(arrival, departure, np.clip(rise * capacity / efficiency, 0.0, (departure - arrival) * full), full)
