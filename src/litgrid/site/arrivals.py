"""Arrivals of vehicles: their expected number in every step of every day, and their drawing.

The expected number of arrivals is set exactly (more in the peak hours, more on busy days), whatever the sockets'
occupation, so that full sockets don't flatten the peak.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from litgrid.site.calendar import in_window
from litgrid.site.process import ar1
from litgrid.site.site import DAYS_PER_YEAR, Site

Array = NDArray[Any]

DAY_SPREAD = 0.10
"""Standard deviation of the logarithm of a day's number of vehicles."""
DAY_MEMORY = 0.5
"""Correlation of that logarithm from one day to the next."""


class Hours(NamedTuple):
    """Opening hours in steps of the day, and shortest and longest stay in steps."""

    first: int
    steps: int
    shortest: int
    longest: int

    @property
    def limit(self) -> float:
        """Most vehicles that a socket takes a day, when each stays for the shortest time only."""
        return max(0, self.steps - self.shortest + 1) / self.shortest


def opening_hours(site: Site) -> Hours:
    """The steps that lie wholly within the opening hours, and the stays in whole steps, at least one."""
    fleet, step = site.fleet, site.step_seconds
    first = math.ceil(round(fleet.open_hour * 3600) / step)
    steps = round(fleet.close_hour * 3600) // step - first
    shortest = max(1, math.ceil(round(fleet.stay_hours[0] * 3600) / step))
    longest = max(shortest, round(fleet.stay_hours[1] * 3600) // step)
    return Hours(first, steps, shortest, longest)


def rates(site: Site, hours: Hours, vehicles: float, rng: np.random.Generator) -> Array:
    """Expected arrivals at a socket in every open step of every day, [365, steps].

    They are proportional to how busy the day is, times the peak factor in the peak hours, but for a cap: vehicles that
    stay for the shortest time fill the socket.

    Args:
        site: whose fleet it is.
        hours: opening hours and stays.
        vehicles: expected at a socket in the year, at most 365 ``hours.limit``.
        rng: of how busy the days are.
    """
    steps = slice(hours.first, hours.first + hours.steps)
    shape = np.where(in_window(site, *site.fleet.peak_hours)[steps], site.fleet.peak_factor, 1.0)
    shape[hours.steps - hours.shortest + 1 :] = 0.0  # too late even for the shortest stay
    weights = np.exp(DAY_SPREAD * ar1(DAYS_PER_YEAR, DAY_MEMORY, rng))[:, None] * shape
    cap = 1.0 / hours.shortest
    low, high = 0.0, cap / weights[weights > 0].min()
    for _ in range(60):  # bisection to rounding: the sum grows with the scale
        scale = (low + high) / 2
        low, high = (scale, high) if np.minimum(cap, scale * weights).sum() < vehicles else (low, scale)
    capped: Array = np.minimum(cap, high * weights)
    return capped


def draw_arrivals(hours: Hours, expected: Array, sockets: int, rng: np.random.Generator) -> Array:
    """Draw the vehicles that come to equal sockets.

    A vehicle takes a free socket. If there is none, it takes that of the vehicle that would leave soonest, but of none
    that came within the shortest stay. Arrivals at a socket within such a span exclude each other, so the expected
    share of sockets that can be taken is 1 minus the sum of their rates; dividing by it makes the expected arrivals
    exactly those rates.

    Args:
        hours: opening hours and stays.
        expected: arrivals at a socket, as ``rates`` gives them.
        sockets: number of sockets, N.
        rng: of all draws.

    Returns:
        [365, N, steps] int32: the stay in steps that the arriving driver wishes, uniform from the shortest to the
        longest, or 0 where nobody comes.
    """
    before = np.pad(np.cumsum(expected, axis=1), ((0, 0), (hours.shortest, 0)))
    chance = expected / (1.0 - before[:, hours.shortest - 1 : -1] + before[:, : -hours.shortest])
    wishes = np.zeros((DAYS_PER_YEAR, sockets, hours.steps), dtype=np.int32)
    since, until = np.full((2, DAYS_PER_YEAR, sockets), -hours.shortest)
    for step in range(hours.steps):
        can = since <= step - hours.shortest
        wait = np.where(can, np.maximum(0, until - step) + rng.random(can.shape), np.inf)
        vehicles = rng.binomial(can.sum(axis=1), np.minimum(1.0, chance[:, step]))
        day = np.repeat(np.arange(DAYS_PER_YEAR), vehicles)
        socket = np.argsort(wait, axis=1)[np.arange(sockets) < vehicles[:, None]]
        stay = rng.integers(hours.shortest, hours.longest + 1, len(day))
        wishes[day, socket, step] = stay
        since[day, socket], until[day, socket] = step, step + stay
    return wishes
