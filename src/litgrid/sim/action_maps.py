"""What an agent's action means: the battery's power itself, a change of what a rule does, or limits of the import.

A map turns the agent's action [B, A], battery first, into the physical one. All are differentiable wherever the physics
is. docs/actions.md has the table.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from litgrid.errors import InputError
from litgrid.sim import physics
from litgrid.sim.actions import AROUND, MAPPINGS, Mapping
from litgrid.sim.import_level import level, raw_level
from litgrid.sim.view import View
from litgrid.site.site import Site

Battery = Literal["raw", "residual", "band"]
RuleName = Literal["idle", "uncontrolled", "self_consumption", "time_of_use", "water_filling", "water_filling_waiting"]
"""Rules that decide for all sites of a batch at once."""
SOCKETS = MAPPINGS | {"raw_level": raw_level, "level": level}
"""From the agent's to the physical actions of the sockets, [B, N] both; levels are for one action of all sockets."""
MOST_TOLD = 3.0
"""Highest absolute value of what an agent is told of a rule's plan."""


class Advice(NamedTuple):
    """What a rule would do, and why."""

    action: Tensor
    """[B, 1 + N] physical."""
    plan: Tensor
    """[B, P] numbers of order 1 that it rests on; P may be 0."""


Rule = Callable[[View], Advice]
"""From what the site knows to what shall be done."""


def plain(act: Callable[[View], Tensor]) -> Rule:
    """Make a rule of what decides without telling why."""
    return partial(_advise, act)


def _advise(act: Callable[[View], Tensor], view: View) -> Advice:
    return Advice(act(view), view.load_kw.new_empty(len(view.step), 0))


class Physical(NamedTuple):
    """What battery and sockets shall do."""

    bess: Tensor
    """[B] in [-1, 1], share of the battery's power."""
    sockets: Tensor
    """[B, N] shares of their power."""


class ActionMap(Protocol):
    """From the agent's action to the physical one."""

    def told(self, view: View) -> list[Tensor]:  # noqa: ARG002 (a residual tells)
        """Site features [B, F] beyond those that all agents observe, in [-``MOST_TOLD``, ``MOST_TOLD``]."""
        return []

    def lowest(self, sockets: Tensor) -> Tensor:
        """The agent's lowest actions [A], from the lowest physical ones of the sockets [N]; the highest are 1."""

    def __call__(self, view: View, action: Tensor) -> Physical:
        """The physical action for the agent's [B, A]; what lies beyond the agent's range is clipped."""


class Raw(ActionMap):
    """The battery's power is the agent's, A = 1 + N.

    Args:
        sockets: how the sockets' actions are mapped.
    """

    def __init__(self, sockets: Mapping) -> None:
        self._sockets = SOCKETS[sockets]

    def lowest(self, sockets: Tensor) -> Tensor:
        """-1 for the battery, and what the sockets can."""
        return torch.cat([sockets.new_full((1,), -1.0), sockets])

    def __call__(self, view: View, action: Tensor) -> Physical:
        """Leave the battery's action as it is."""
        return Physical(action[:, 0], self._sockets(view, action[:, 1:]))


class Residual(ActionMap):
    """A rule acts, and the agent changes what it does; A = 1 + N, all in [-1, 1], and 0 leaves it as it is.

    Residual policy learning (Silver et al. 2018, arXiv:1812.06298; Johannink et al. 2019, arXiv:1812.03201), around a
    rule that need not be differentiable: gradients with respect to the agent's action never need it to be.

    Args:
        sockets: where the sockets' actions may go (``actions.AROUND``).
        rule: that acts.
        span: of the battery's power, by which an action of 1 raises what the rule has it charge.
    """

    def __init__(self, sockets: Mapping, rule: Rule, span: float) -> None:
        self._around, self._rule, self._span = AROUND[sockets], rule, span
        self._advice, self._plan = f"advice {id(rule)}", f"plan {id(rule)}"  # views may be shared with other rules

    def told(self, view: View) -> list[Tensor]:
        """What the rule would do with the battery, and its plan: [B, 1 + P]."""
        action, plan = self._advise(view)
        return [action[:, :1], torch.clamp(plan, -MOST_TOLD, MOST_TOLD)]

    def _advise(self, view: View) -> Advice:
        """Ask the rule once for each view: first to tell the agent, then to act."""
        if self._advice not in view.known:
            view.known[self._advice], view.known[self._plan] = self._rule(view)
        return Advice(view.known[self._advice], view.known[self._plan])

    def lowest(self, sockets: Tensor) -> Tensor:
        """-1 for all: less than the rule."""
        return -torch.ones_like(torch.cat([sockets.new_empty(1), sockets]))

    def __call__(self, view: View, action: Tensor) -> Physical:
        """Change the rule's action."""
        rule, change = self._advise(view).action, torch.clamp(action, -1.0, 1.0)
        bess = torch.clamp(rule[:, 0] + self._span * change[:, 0], -1.0, 1.0)
        return Physical(bess, self._around(view, rule[:, 1:], change[:, 1:]))


class Band(ActionMap):
    """The battery keeps the import within a band whose limits are the agent's, A = 2 + N.

    It discharges what is above the upper limit and charges what is missing to the lower one, as far as its power and
    SOC go. The first action says the upper limit, from 0 to ``highest_import_kw``, the second, where it is above 0, the
    lower one, up to the upper. So they can't cross, PV surplus is charged in any case, the battery never causes
    exports, and it is charged by imports only where the agent asks for that.

    Args:
        sockets: how the sockets' actions are mapped.
    """

    def __init__(self, sockets: Mapping) -> None:
        self._sockets = SOCKETS[sockets]

    def lowest(self, sockets: Tensor) -> Tensor:
        """-1 for both limits, and what the sockets can."""
        return torch.cat([sockets.new_full((2,), -1.0), sockets])

    def __call__(self, view: View, action: Tensor) -> Physical:
        """Let the battery do what keeps the import of this step, vehicles included, within the band."""
        sockets = self._sockets(view, action[:, 2:])
        upper = (torch.clamp(action[:, 0], -1.0, 1.0) + 1.0) * (0.5 * highest_import_kw(view.site))
        lower = torch.clamp(action[:, 1], 0.0, 1.0) * upper
        _, ev_kwh = physics.charge_vehicles(view.ev_soc, sockets, view.left, view.params)
        net_kw = view.load_kw - view.pv_kw + ev_kwh.sum(-1) * (1.0 / view.site.step_hours)
        battery_kw = torch.clamp(lower - net_kw, min=0.0) - torch.clamp(net_kw - upper, min=0.0)
        power_kw = view.site.battery.power_kw
        inverse = 1.0 / power_kw if power_kw > 0.0 else 0.0
        return Physical(torch.clamp(battery_kw * inverse, -1.0, 1.0), sockets)


class Together(ActionMap):
    """As another map, but one action for all sockets, the agent's last: A is 2, or 3 with a band.

    An agent that explores by noise explores two or three dimensions instead of one for each socket.

    Args:
        each: the map, with an action for each socket.
    """

    def __init__(self, each: ActionMap) -> None:
        self._each = each

    def told(self, view: View) -> list[Tensor]:
        """As the map's own."""
        return self._each.told(view)

    def lowest(self, sockets: Tensor) -> Tensor:
        """As the map's own, where that of all sockets is the lowest of theirs."""
        if not len(sockets):
            raise InputError("socket_actions: found one on a site without sockets, expected each")
        lowest = self._each.lowest(sockets)
        site, each = lowest[: -len(sockets)], lowest[-len(sockets) :]
        return torch.cat([site, each.amin(0, keepdim=True)])

    def __call__(self, view: View, action: Tensor) -> Physical:
        """Give every socket the last action."""
        sockets = action[:, -1:].expand(-1, view.ev_soc.shape[-1])
        return self._each(view, torch.cat([action[:, :-1], sockets], -1))


class Left(ActionMap):
    """As another map, but the agent has no action for sockets: A is 1, or 2 with a band.

    Args:
        each: the map, with an action for each socket.
        action: that every socket gets: 1 for as much as it needs at once, 0 for what the rule of a residual does.
    """

    def __init__(self, each: ActionMap, action: float) -> None:
        self._each, self._action = each, action

    def told(self, view: View) -> list[Tensor]:
        """As the map's own."""
        return self._each.told(view)

    def lowest(self, sockets: Tensor) -> Tensor:
        """As the map's own, without the sockets."""
        lowest = self._each.lowest(sockets)
        return lowest[: len(lowest) - len(sockets)]

    def __call__(self, view: View, action: Tensor) -> Physical:
        """Give every socket its action."""
        return self._each(view, torch.cat([action, torch.full_like(view.ev_soc, self._action)], -1))


def highest_import_kw(site: Site) -> float:
    """The load's typical peak with all vehicles at full power: the scale of a band's limits."""
    return site.load.peak_kw + sum(group.sockets * group.power_kw for group in site.fleet.groups)


def physical(action_map: ActionMap, view: View, action: Tensor) -> Tensor:
    """The physical action [B, 1 + N] in one tensor."""
    bess, sockets = action_map(view, action)
    return torch.cat([bess.unsqueeze(-1), sockets], -1)
