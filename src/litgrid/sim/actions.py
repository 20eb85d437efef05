"""From an agent's socket actions to the physical ones, [B, N] both; ``action_maps`` has the battery's."""

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


def onto(least: Tensor, action: Tensor, lowest: Tensor) -> Tensor:
    """Map actions [B, N] from the range [lowest, 1] of each socket onto [least, 1]."""
    share = (torch.clamp(torch.maximum(action, lowest), max=1.0) - lowest) * (1.0 / (1.0 - lowest))
    return torch.lerp(least, torch.ones_like(least), share)


def least_share(view: View) -> Tensor:
    """The lowest socket actions [B, N] that leave the required SOC, or all that is reachable of it, within reach."""
    full = view.socket_rate * view.socket_efficiency  # stored in a step at full power, share of the capacity
    slack = view.ev_soc + (view.left - 1.0) * full - view.soc_required
    return least_laxity(slack, full, view.socket_rate / view.socket_efficiency, view.socket_lowest)


def floor(view: View, sockets: Tensor) -> Tensor:
    """Map each socket's range onto [``least_share``, 1]: whatever the agent does, service is all that is possible."""
    return onto(least_share(view), sockets, view.socket_lowest)


MAPPINGS: dict[Mapping, Callable[[View, Tensor], Tensor]] = {"raw": raw, "floor": floor}
"""From the agent's to the physical actions of the sockets, [B, N] both."""


def around(view: View, rule: Tensor, change: Tensor) -> Tensor:  # noqa: ARG001 (mappings share their arguments)
    """What the rule does plus the change; the physics clips it."""
    return rule + change


def around_above_floor(view: View, rule: Tensor, change: Tensor) -> Tensor:
    """Map changes [-1, 0, 1] onto [``least_share``, what the rule does, 1]: service is all that is possible.

    A rule that does less than is needed is raised to it.
    """
    least = least_share(view)
    rule = torch.maximum(rule, least)
    return rule + torch.clamp(change, -1.0, 0.0) * (rule - least) + torch.clamp(change, 0.0, 1.0) * (1.0 - rule)


AROUND: dict[Mapping, Callable[[View, Tensor, Tensor], Tensor]] = {"raw": around, "floor": around_above_floor}
"""From what a rule does with the sockets and how the agent changes it to their physical actions, [B, N] all."""
