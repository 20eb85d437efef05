"""From an agent's socket actions to the physical ones, [B, N] both; ``action_maps`` has the battery's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from litgrid.sim.view import View

Mapping = Literal["raw", "floor", "raw_level", "level"]


def raw(view: View, sockets: Tensor) -> Tensor:  # noqa: ARG001 (mappings share their arguments)
    """The agent's action is the physical one."""
    return sockets


def least_laxity(slack: Tensor, gain: Tensor, drain: Tensor, lowest: Tensor) -> Tensor:
    """The lowest actions [B, N] that keep what is needed within reach.

    Args:
        slack: [B, N] SOC that full power in all steps after this one would leave above the required one. What is
            missing has to be charged now; what is to spare may be discharged where the socket can.
        gain: SOC that a step at full power gives.
        drain: SOC that a step of full discharge takes, at least the gain: so the smaller quotient is that of the gain
            where something is missing, and that of the drain where something is to spare.
        lowest: [N] lowest action of each socket.
    """
    spare = torch.minimum(slack * (1.0 / gain), slack * (1.0 / drain))  # faster than torch.where
    return torch.clamp(torch.maximum(-spare, lowest), max=1.0)


def onto(least: Tensor, most: Tensor, action: Tensor, lowest: Tensor) -> Tensor:
    """Map actions [B, N] from the range [lowest, 1] of each socket onto [least, most]."""
    share = (torch.clamp(torch.maximum(action, lowest), max=1.0) - lowest) * (1.0 / (1.0 - lowest))
    return torch.lerp(least, most, share)


def least_share(view: View) -> Tensor:
    """The lowest socket actions [B, N] that leave the required SOC, or all that is reachable of it, within reach."""
    full = view.socket_rate * view.socket_efficiency  # stored in a step at full power, share of the capacity
    slack = view.ev_soc + (view.left - 1.0) * full - view.soc_required
    return least_laxity(slack, full, view.socket_rate / view.socket_efficiency, view.socket_lowest)


def need_share(view: View) -> Tensor:
    """Share of full power [B, N] that gives in this step what is missing to the required SOC, at most 1."""
    full = view.socket_rate * view.socket_efficiency
    return ((view.soc_required - view.ev_soc) / full).clamp(0.0, 1.0)


def most_share(view: View) -> Tensor:
    """The highest socket actions [B, N] that can pay.

    What a vehicle takes beyond its need leaves with it, and earns nothing; where the socket can take it back (V2G),
    full power can pay.
    """
    return torch.maximum(need_share(view), -view.socket_lowest)


def floor(view: View, sockets: Tensor) -> Tensor:
    """Map each socket's range onto [``least_share``, ``most_share``].

    Whatever the agent does, service is all that is possible.
    """
    return onto(least_share(view), most_share(view), sockets, view.socket_lowest)


MAPPINGS: dict[Mapping, Callable[[View, Tensor], Tensor]] = {"raw": raw, "floor": floor}
"""From the agent's to the physical actions of the sockets, [B, N] both."""


def around(view: View, rule: Tensor, change: Tensor) -> Tensor:  # noqa: ARG001 (mappings share their arguments)
    """What the rule does plus the change; the physics clips it."""
    return rule + change


def around_above_floor(view: View, rule: Tensor, change: Tensor) -> Tensor:
    """Map changes [-1, 0, 1] onto [``least_share``, what the rule does, ``most_share``].

    Service is all that is possible: a rule that does less than is needed is raised to it. One that does more than can
    pay is left its way.
    """
    least = least_share(view)
    rule = torch.maximum(rule, least)
    most = torch.maximum(rule, most_share(view))
    return rule + torch.clamp(change, -1.0, 0.0) * (rule - least) + torch.clamp(change, 0.0, 1.0) * (most - rule)


AROUND: dict[Mapping, Callable[[View, Tensor, Tensor], Tensor]] = {"raw": around, "floor": around_above_floor}
"""From what a rule does with the sockets and how the agent changes it to their physical actions, [B, N] all."""
