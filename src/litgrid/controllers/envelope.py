"""Many vehicles as one: the least and the most energy that they may have taken at each moment ahead."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from litgrid.controllers.program import Values
from litgrid.sim.view import View

Integers = NDArray[np.int64]


class Vehicles(NamedTuple):
    """Vehicles that are there or will come, [..., M]; energies are kWh at the socket."""

    arrival: Integers
    """Steps until it comes, 0 where it is there."""
    departure: Integers
    """Steps until it is gone, 0 where there is no vehicle."""
    need_kwh: Values
    """What it lacks, as far as full power for the whole stay can give it."""
    full_kwh: Values
    """Of a step at full power."""

    def seen_from(self, step: int) -> Vehicles:
        """The same vehicles, from some steps later on."""
        return self._replace(arrival=self.arrival - step, departure=self.departure - step)

    def only(self, chosen: slice | NDArray[np.bool_]) -> Vehicles:
        """Some of M vehicles."""
        return Vehicles(self.arrival[chosen], self.departure[chosen], self.need_kwh[chosen], self.full_kwh[chosen])


class Envelope(NamedTuple):
    """What vehicles together may take over H steps from now on, [..., H], kWh at the sockets.

    Every one of them gets what it needs only if their total stays between ``least`` and ``most``. The reverse holds as
    far as they are alike: a total within the envelope may ask of some vehicle what another one could give.
    """

    least: Values
    """Taken by the end of a step when every vehicle waits as long as it can (least laxity)."""
    most: Values
    """The same when every vehicle charges at once."""
    limit: Values
    """Highest energy within a step."""

    def __add__(self, other: Envelope) -> Envelope:  # type: ignore[override]
        """Those of both."""
        return Envelope(self.least + other.least, self.most + other.most, self.limit + other.limit)


def envelope(vehicles: Vehicles, steps: int) -> Envelope:
    """Add up what vehicles may take within some steps from now on."""
    arrival, departure, need, full = (values[..., None] for values in vehicles)
    begin, end = np.arange(steps), np.arange(1, steps + 1)
    there = (arrival <= begin) & (begin < departure)
    least = np.maximum(need - np.maximum(departure - end, 0) * full, 0.0).sum(-2)
    most = np.minimum(need, np.maximum(end - arrival, 0) * full).sum(-2)
    limit = (np.minimum(full, need) * there).sum(-2)
    return Envelope(np.minimum(least, most), most, limit)  # what is barely possible could differ by rounding


def connected(view: View) -> Vehicles:
    """The vehicles at the sockets, [B, N]; those that could be discharged (V2G) are only charged."""
    left, soc, required = (values.double().cpu().numpy() for values in (view.left, view.ev_soc, view.soc_required))
    capacity, rate, efficiency = (
        values.double().cpu().numpy() for values in (view.socket_capacity_kwh, view.socket_rate, view.socket_efficiency)
    )
    full = np.broadcast_to(rate * capacity, left.shape)
    need = np.clip((required - soc) * capacity / efficiency, 0.0, left * full)
    return Vehicles(np.zeros(left.shape, dtype=np.int64), left.astype(np.int64), need, full)


def by_laxity(vehicles: Vehicles, taken_kwh: Values) -> Values:
    """Share what connected vehicles take in this step among them, [B, N].

    Each gets what it can't do without (least laxity); what is left goes to the vehicles in the order of their laxity,
    the steps that they could still wait. So service is all that is possible, whatever the plan was made of.

    Args:
        vehicles: connected, [B, N].
        taken_kwh: [B].
    """
    first = np.minimum(vehicles.need_kwh, vehicles.full_kwh)
    least = np.maximum(vehicles.need_kwh - np.maximum(vehicles.departure - 1, 0) * vehicles.full_kwh, 0.0)
    order = np.argsort(vehicles.departure - vehicles.need_kwh / vehicles.full_kwh, axis=-1, kind="stable")
    room = np.take_along_axis(first - least, order, -1)
    spare = (taken_kwh - least.sum(-1))[:, None]
    given = np.clip(spare - (np.cumsum(room, -1) - room), 0.0, room)
    taken: Values = least.copy()
    np.put_along_axis(taken, order, np.take_along_axis(least, order, -1) + given, -1)
    return taken
