"""SOC at departure: what drivers found in their batteries, beside what they needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from litgrid.evaluation.comparison import Entry
from litgrid.evaluation.rollout import Rollout
from litgrid.sim.simulator import parameters

Array = NDArray[Any]

WIDTH = 0.05
"""Of a bin, as a share of the vehicle's capacity; bins are centred on its multiples, so that 0 is amid one."""
ENOUGH = -0.005
"""A vehicle that lacks less than half a percent of its capacity has what its driver required, but for rounding."""


@dataclass(frozen=True)
class Departures:
    """SOC at departure less the SOC required, over all stays of the seeds and years of a controller.

    Attributes:
        controller: its name.
        bins: centre, -1 to 1, and share of the stays, in 0..1; the shares add up to 1.
        stays: number of vehicles that left.
        enough: share of the stays that ended with what was required.
        lowest: the worst stay: SOC less what was required.
    """

    controller: str
    bins: list[tuple[float, float]]
    stays: int
    enough: float
    lowest: float


def departures(entry: Entry) -> Departures | None:
    """Count the stays of a controller by what their vehicles left with; None where nobody came."""
    surplus = np.concatenate([_surplus(run) for run in entry.rollouts])
    if len(surplus) == 0:
        return None
    centres = np.arange(-20, 21) * WIDTH
    edges = np.append(centres - WIDTH / 2, centres[-1] + WIDTH / 2)
    counts = np.histogram(surplus, edges)[0]
    return Departures(
        controller=entry.name,
        bins=list(zip(centres.tolist(), (counts / len(surplus)).tolist(), strict=True)),
        stays=len(surplus),
        enough=float((surplus >= ENOUGH).mean()),
        lowest=float(surplus.min()),
    )


def _surplus(run: Rollout) -> Array:
    sessions = run.scenarios.sessions
    came = (sessions["departure"] > sessions["arrival"]).numpy()
    surplus: Array = (soc_at_departure(run) - sessions["soc_required"].double().numpy())[came]
    return surplus


def soc_at_departure(run: Rollout) -> Array:
    """SOC of each session's vehicle when it leaves, [S, M]; padded sessions have their SOC at arrival.

    A vehicle stores what its socket takes times the one-way efficiency, and loses what it gives divided by it
    (``sim.physics.storage``).
    """
    sessions = run.scenarios.sessions
    site = parameters(run.scenarios.site, run.flows.ev_sockets.device, run.flows.ev_sockets.dtype)
    taken = run.flows.ev_sockets
    stored = torch.minimum(taken * site.socket_efficiency, taken / site.socket_efficiency) / site.socket_capacity_kwh
    until = torch.nn.functional.pad(stored.cumsum(1), (0, 0, 1, 0)).cpu()  # [S, T + 1, N] before each step
    year = torch.arange(len(run.scenarios)).unsqueeze(-1)
    socket, arrival, departure = (sessions[key].long() for key in ("socket", "arrival", "departure"))
    gained = until[year, departure, socket] - until[year, arrival, socket]
    soc: Array = (sessions["soc_arrival"].to(gained) + gained).numpy()
    return soc
