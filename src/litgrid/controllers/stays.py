"""The stays of vehicles in a year, read from the simulator's own tables, and in groups that a linear program needs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from litgrid.sim import physics
from litgrid.sim.simulator import Simulator

Integers = NDArray[np.int64]
Values = NDArray[np.float64]


class Stays(NamedTuple):
    """M stays; energies are kWh, in the vehicle's battery unless said otherwise."""

    socket: Integers
    arrival: Integers
    """First step."""
    departure: Integers
    """First step in which it is gone."""
    start_kwh: Values
    """Held at arrival."""
    due_kwh: Values
    """min(required, reachable) SOC x capacity: what is missing of it at departure is unserved."""
    capacity_kwh: Values
    full_kwh: Values
    """Of a step at full power, at the socket."""
    efficiency: Values
    """One way."""

    @property
    def need_kwh(self) -> Values:
        """What is missing at arrival, at the socket."""
        return np.maximum(self.due_kwh - self.start_kwh, 0.0) / self.efficiency

    def only(self, chosen: NDArray[np.bool_]) -> Stays:
        """Those that are chosen [M]."""
        return Stays._make(values[chosen] for values in self)


def stays(simulator: Simulator, year: int) -> tuple[Stays, Stays]:
    """All stays of a year in a float64 simulator on the CPU.

    Returns:
        Those at sockets that only charge, and those at sockets that can discharge (V2G).
    """
    params, step = simulator.params, torch.arange(simulator.steps)
    scenario = torch.full_like(step, year)
    left, required, start = (
        simulator.tables.sockets(key, scenario, step) for key in ("left", "soc_required", "soc_start")
    )
    due = physics.soc_due(start, required, left, params)
    last, socket = (left.T == 1).nonzero().flip(1).T  # socket by socket, each in the order of time
    before = torch.roll(left, 1, 0) <= 1
    before[0] = True
    arrival = ((left.T > 0) & before.T).nonzero()[:, 1]
    capacity = params.socket_capacity_kwh[socket]
    found = Stays(
        socket=socket.numpy(),
        arrival=arrival.numpy(),
        departure=last.numpy() + 1,
        start_kwh=(start[arrival, socket] * capacity).numpy(),
        due_kwh=(due[last, socket] * capacity).numpy(),
        capacity_kwh=capacity.numpy(),
        full_kwh=(params.socket_rate[socket] * capacity).numpy(),
        efficiency=params.socket_efficiency[socket].numpy(),
    )
    v2g = (params.socket_lowest[socket] < 0.0).numpy()
    return found.only(~v2g), found.only(v2g)


class Groups(NamedTuple):
    """G groups of stays that a linear program can't tell apart (``group``), M stays in all."""

    member: Integers
    """[M] group of each stay."""
    arrival: Integers
    """[G]"""
    departure: Integers
    """[G]"""
    need_kwh: Values
    """[G] of all its stays, at the sockets."""
    most_kwh: Values
    """[G] highest energy of a step of all its stays, at the sockets."""
    efficiency: Values
    """[G] one way."""


def group(found: Stays) -> Groups:
    """Put stays together whose energies can be added up without loss.

    A stay of L steps that takes x_t <= p of its need n, with q p <= n < (q + 1) p, has the rank function
    min(p k, n) of k steps. Those of S stays with the same steps, p and q add up to min(S p k, sum of n): that of one
    stay of S p and the sum of n. Polymatroids add up as their rank functions do (Edmonds 1970), so that the stays
    can do together exactly what that one can. Where q = 0, p is no limit and may differ.
    """
    whole = np.floor(found.need_kwh / found.full_kwh + 1e-9)
    limit = np.where(whole > 0, found.full_kwh, 0.0)
    member, first = _alike(np.stack([found.arrival, found.departure, found.efficiency, whole, limit]))
    count = len(first)
    return Groups(
        member=member,
        arrival=found.arrival[first],
        departure=found.departure[first],
        need_kwh=sums(member, found.need_kwh, count),
        most_kwh=sums(member, np.minimum(found.full_kwh, found.need_kwh), count),
        efficiency=found.efficiency[first],
    )


def pool(found: Stays) -> Stays:
    """V2G stays of the same steps as those of one large vehicle: a relaxation, which can do all that they can."""
    member, first = _alike(np.stack([found.arrival, found.departure, found.efficiency]))
    return Stays(
        socket=found.socket[first],
        arrival=found.arrival[first],
        departure=found.departure[first],
        start_kwh=sums(member, found.start_kwh, len(first)),
        due_kwh=sums(member, found.due_kwh, len(first)),
        capacity_kwh=sums(member, found.capacity_kwh, len(first)),
        full_kwh=sums(member, found.full_kwh, len(first)),
        efficiency=found.efficiency[first],
    )


def _alike(keys: Values) -> tuple[Integers, Integers]:
    """Number the groups of equal columns [K, M]: the group [M] of each, and the first [G] of each group."""
    order = np.lexsort(keys)
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (keys[:, order[1:]] != keys[:, order[:-1]]).any(0)
    member = np.empty(len(order), dtype=np.int64)
    member[order] = np.cumsum(new) - 1
    return member, order[new]


def sums(member: Integers, values: Values, count: int) -> Values:
    """Add values [M] up by their groups: [count]."""
    return np.bincount(member, values, count).astype(np.float64)


class Cells(NamedTuple):
    """Pairs of a span of steps and one of its steps, K in all, span after span."""

    span: Integers
    """[K]"""
    step: Integers
    """[K]"""


def cells(arrival: Integers, departure: Integers) -> Cells:
    """The steps of spans [G]."""
    length = departure - arrival
    span = np.repeat(np.arange(len(length)), length)
    elapsed = np.arange(len(span)) - (np.cumsum(length) - length)[span]
    return Cells(span, arrival[span] + elapsed)
