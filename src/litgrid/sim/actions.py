"""From an agent's action to the physical one. Both are [B, 1 + N]: battery first, then every socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from litgrid.sim.view import View

Mapping = Literal["raw", "floor"]


def raw(view: View, sockets: Tensor) -> Tensor:  # noqa: ARG001 (mappings share their arguments)
    """The agent's action is the physical one."""
    return sockets


def least_share(view: View) -> Tensor:
    """The lowest socket actions [B, N] that leave the required SOC, or all that is reachable of it, within reach.

    Least laxity: with ``left - 1`` further steps at full power, a vehicle's slack is its SOC then less the required
    one. What is missing has to be charged now; what is to spare may be discharged where the socket can.
    """
    full = view.socket_rate * view.socket_efficiency  # stored in a step at full power, share of the capacity
    slack = view.ev_soc + (view.left - 1.0) * full - view.soc_required
    missing, spare = slack * (1.0 / full), slack * (view.socket_efficiency / view.socket_rate)
    return torch.clamp(torch.maximum(-torch.minimum(missing, spare), view.socket_lowest), max=1.0)


def floor(view: View, sockets: Tensor) -> Tensor:
    """Map each socket's range onto [``least_share``, 1]: whatever the agent does, service is all that is possible."""
    least = least_share(view)
    given = torch.clamp(torch.maximum(sockets, view.socket_lowest), max=1.0)
    share = (given - view.socket_lowest) * (1.0 / (1.0 - view.socket_lowest))
    return torch.lerp(least, torch.ones_like(least), share)


MAPPINGS: dict[Mapping, Callable[[View, Tensor], Tensor]] = {"raw": raw, "floor": floor}
"""From the agent's to the physical actions of the sockets, [B, N] both."""


def physical(mapping: Mapping, view: View, action: Tensor) -> Tensor:
    """The physical action; the battery's part is the agent's."""
    return torch.cat([action[:, :1], MAPPINGS[mapping](view, action[:, 1:])], -1)
