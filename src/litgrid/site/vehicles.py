"""Vehicles: who comes to which socket, when, for how long, and how much energy it needs.

Every socket has its own random arrivals. A vehicle stays as long as its driver wishes, at most until the next vehicle
takes the socket or the site closes.
"""

from __future__ import annotations

import math
from typing import NamedTuple, NoReturn

import numpy as np

from litgrid.errors import InputError
from litgrid.site.arrivals import Array, Hours, draw_arrivals, opening_hours, rates
from litgrid.site.site import DAYS_PER_YEAR, Fleet, Site, SocketGroup

SOC_DIGITS = 3
"""Decimals of an SOC, so that it survives CSV files and float32."""
ROOM = 1.1
"""How many times a demand row's charges have to fit the sockets; otherwise the shortest stay is cut."""
TOLERANCE = 0.02
"""Share of a demand row's energy that may be missing."""


class Sessions(NamedTuple):
    """Sessions of a year, in the order of arrival, then socket; [M] each."""

    socket: Array
    """Number of the socket, 0 to N - 1."""
    arrival: Array
    """First step in which the vehicle is connected."""
    departure: Array
    """First step in which it is gone."""
    soc_arrival: Array
    """SOC when it comes, 0..1."""
    soc_required: Array
    """SOC that the driver needs when it leaves, 0..1."""


def sessions(site: Site, rng: np.random.Generator) -> Sessions:
    """Draw the sessions of one year.

    The mean energy a day is that of the site's fleet: by the number of vehicles, or, with a demand row, which fixes
    that number too, by the SOC that they require.

    Args:
        site: whose fleet it is.
        rng: of all draws.

    Raises:
        InputError: sockets and opening hours can't give the energy; the message names the largest feasible one.
    """
    fleet, vehicles = site.fleet, _vehicles_per_day(site)
    if vehicles == 0:
        return Sessions(*(np.empty(0, dtype) for dtype in (int, int, int, float, float)))
    hours = _fitting_hours(site)
    largest = largest_energy(site, hours)
    if fleet.energy_kwh_per_day > largest:
        _refuse(site, hours, largest)
    drawn = _draw(site, hours, vehicles, rng)
    ends = np.minimum(drawn.departure, _next_arrival(site, hours, drawn))
    drawn = drawn._replace(departure=ends)
    if fleet.demand_row is not None:
        drawn = drawn._replace(soc_required=_scale_required(site, hours, drawn))
    order = np.lexsort((drawn.socket, drawn.arrival))
    return Sessions(*(values[order] for values in drawn))


def socket_values(fleet: Fleet, key: str) -> Array:
    """A figure of the socket groups (``power_kw``, ``battery_kwh``, ``soc_arrival``, ...) for each socket, [N, ...]."""
    values = [getattr(group, key) for group in fleet.groups]
    return np.repeat(np.array(values, dtype=float), [group.sockets for group in fleet.groups], axis=0)


def reachable_soc(site: Site, socket: Array, stay: Array, soc_arrival: Array) -> Array:
    """SOC that full power for the whole stay gives, 0..1.

    Args:
        site: whose sockets they are.
        socket: [M] numbers of the sockets.
        stay: [M] steps.
        soc_arrival: [M].
    """
    stored_kw = socket_values(site.fleet, "power_kw") * socket_values(site.fleet, "efficiency_one_way")
    per_step = stored_kw * site.step_hours / socket_values(site.fleet, "battery_kwh")
    reachable: Array = np.minimum(1.0, soc_arrival + stay * per_step[socket])
    return reachable


def _vehicles_per_day(site: Site) -> float:
    """Mean number of vehicles a day that the fleet's energy or its demand row asks for."""
    fleet = site.fleet
    if fleet.demand_row is not None:
        return fleet.demand_row.charges_per_day
    if fleet.sockets == 0 or fleet.energy_kwh_per_day == 0:
        return 0.0
    mean_kwh = sum(group.sockets * _mean_need(group) for group in fleet.groups) / fleet.sockets
    return fleet.energy_kwh_per_day / mean_kwh if mean_kwh > 0 else math.inf


def _mean_need(group: SocketGroup) -> float:
    """Mean energy that a vehicle of a group requires, kWh: E[max(0, required - arrival)] of uniform draws."""
    arrival, required = (np.linspace(*limits, 1001) for limits in (group.soc_arrival, group.soc_required))
    return float(np.maximum(0.0, required[:, None] - arrival).mean()) * group.battery_kwh


def _fitting_hours(site: Site) -> Hours:
    """Opening hours and stays; a demand row's charges cut the shortest stay as far as they must."""
    hours, row = opening_hours(site), site.fleet.demand_row
    while row is not None and hours.shortest > 1 and hours.limit * site.fleet.sockets < ROOM * row.charges_per_day:
        hours = hours._replace(shortest=hours.shortest - 1)
    return hours


def largest_energy(site: Site, hours: Hours) -> float:
    """Largest feasible energy in kWh a day, limited by the stays, by what vehicles take, and by the sockets' power."""
    fleet, row = site.fleet, site.fleet.demand_row
    open_hours = hours.steps * site.step_hours

    def of_group(group: SocketGroup) -> float:
        most = _mean_need(group) if row is None else group.battery_kwh * (1.0 - sum(group.soc_arrival) / 2)
        return group.sockets * min(group.power_kw * group.efficiency_one_way * open_hours, hours.limit * most)

    largest = sum(map(of_group, fleet.groups))
    if row is None:
        return largest
    return min(largest, hours.limit * fleet.sockets * row.energy_kwh_per_day / row.charges_per_day)


def _refuse(site: Site, hours: Hours, largest: float) -> NoReturn:
    fleet, row = site.fleet, site.fleet.demand_row
    key = "fleet.energy_kwh_per_day" if row is None else f"fleet.demand_row, scenario {row.scenario} of {row.table}"
    charges = "" if row is None else f" in {row.charges_per_day:g} charges"
    raise InputError(
        f"site, {key}: found {fleet.energy_kwh_per_day:g} kWh a day{charges}, expected at most {largest:.1f} kWh: "
        f"{fleet.sockets} sockets are open {hours.steps * site.step_hours:g} h a day, and no stay is shorter than "
        f"{hours.shortest * site.step_hours:g} h"
    )


def _draw(site: Site, hours: Hours, vehicles: float, rng: np.random.Generator) -> Sessions:
    """Draw the wanted number of vehicles or energy; departures are those that the drivers wish."""
    fleet, total = site.fleet, vehicles * DAYS_PER_YEAR
    spare = 4.0 * math.sqrt(total)  # four standard deviations of a Poisson number; what is too much is thinned out
    most = DAYS_PER_YEAR * fleet.sockets * hours.limit
    expected = rates(site, hours, min(total + spare, most) / fleet.sockets, rng)
    wishes = np.concatenate([draw_arrivals(hours, expected, group.sockets, rng) for group in fleet.groups], axis=1)
    day, socket, step = np.nonzero(wishes)
    arrival, required = (_draw_soc(fleet, key, socket, rng) for key in ("soc_arrival", "soc_required"))
    start = day * site.steps_per_day + hours.first + step
    drawn = Sessions(socket, start, start + wishes[wishes > 0], arrival, required)
    if fleet.demand_row is None:
        kept = _thin(required_kwh(site, drawn), fleet.energy_kwh_per_day * DAYS_PER_YEAR, rng)
    else:
        kept = _thin(np.ones(len(socket)), total, rng)
    return Sessions(*(values[kept] for values in drawn))


def _draw_soc(fleet: Fleet, key: str, socket: Array, rng: np.random.Generator) -> Array:
    """SOCs at the given sockets, uniform within the limits of their groups, [M]."""
    low, high = socket_values(fleet, key)[socket].T
    socs: Array = np.round(rng.uniform(low, high), SOC_DIGITS)
    return socs


def required_kwh(site: Site, drawn: Sessions) -> Array:
    """Energy that each vehicle requires, stored in its battery, [M]."""
    capacity = socket_values(site.fleet, "battery_kwh")[drawn.socket]
    needs: Array = np.maximum(0.0, drawn.soc_required - drawn.soc_arrival) * capacity
    return needs


def _thin(amounts: Array, total: float, rng: np.random.Generator) -> Array:
    """Choose at random which entries stay, so that their amounts add up to the total, to within one entry, [M] bool."""
    order = rng.permutation(len(amounts))
    kept = np.zeros(len(amounts), dtype=bool)
    kept[order[: np.searchsorted(np.cumsum(amounts[order]), total, side="right")]] = True
    return kept


def _next_arrival(site: Site, hours: Hours, drawn: Sessions) -> Array:
    """Step in which the next vehicle takes the socket or the site closes, [M]."""
    order = np.lexsort((drawn.arrival, drawn.socket))
    socket, arrival = drawn.socket[order], drawn.arrival[order]
    ends: Array = arrival // site.steps_per_day * site.steps_per_day + hours.first + hours.steps
    follows = socket[1:] == socket[:-1]
    ends[:-1][follows] = np.minimum(ends[:-1], arrival[1:])[follows]
    return ends[np.argsort(order)]


def _scale_required(site: Site, hours: Hours, drawn: Sessions) -> Array:
    """Scale what vehicles require to the demand row's energy, as far as each stay can give it: SOCs, [M]."""
    total, grain = site.fleet.energy_kwh_per_day * DAYS_PER_YEAR, 10.0**-SOC_DIGITS
    reachable = reachable_soc(site, drawn.socket, drawn.departure - drawn.arrival, drawn.soc_arrival)
    most = np.floor(reachable / grain + 1e-6) * grain
    rise = np.maximum(drawn.soc_required - drawn.soc_arrival, grain)

    def scaled(scale: float) -> Sessions:
        required = np.round(np.minimum(drawn.soc_arrival + scale * rise, most), SOC_DIGITS)
        return drawn._replace(soc_required=required)

    low, high = 0.0, 1.0 / grain
    largest = float(required_kwh(site, scaled(high)).sum())
    if largest < (1.0 - TOLERANCE) * total:
        _refuse(site, hours, largest / DAYS_PER_YEAR)
    for _ in range(40):  # bisection to rounding: the energy grows with the scale
        scale = (low + high) / 2
        low, high = (scale, high) if required_kwh(site, scaled(scale)).sum() < total else (low, scale)
    return scaled(high).soc_required
