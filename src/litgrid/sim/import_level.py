"""One action for all sockets: the level up to which vehicles raise the site's import, which it otherwise stays below.

It is for the sockets what a band is for the battery. Who charges below the level is decided by least laxity: first the
vehicle that can wait for the fewest steps. So the action has one dimension, and the same meaning, whatever the number
of sockets and the size of the site.
"""

from __future__ import annotations

import torch
from torch import Tensor

from litgrid.sim.actions import least_share, need_share
from litgrid.sim.view import View


def free_import_kw(view: View) -> Tensor:
    """Import [B] that raises no peak of the month: the lowest one that a demand charge counts now.

    0 where none counts this step.
    """
    if not view.demand_counted.shape[-1]:
        return torch.zeros_like(view.load_kw)
    counted = view.demand_counted > 0.0
    lowest = torch.where(counted, view.peak_kw, torch.inf).amin(-1)
    return torch.where(counted.any(-1), lowest, 0.0)


def expected_peak_kw(view: View) -> Tensor:
    """Highest load less PV, [B], of the next 24 hours' day-ahead forecast; 0 where PV covers all of them."""
    steps = view.site.steps_per_day
    net = view.forecast("load_day_ahead_kw", steps) - view.forecast("pv_day_ahead_kw", steps)
    return net.amax(-1).clamp(min=0.0)


def level_kw(view: View, action: Tensor) -> Tensor:
    """The level [B] of an action [B] in [-1, 1].

    Actions of -1, 0 and 1 are no import, ``expected_peak_kw``, and that with all sockets at full power; straight lines
    lie between. Below ``free_import_kw``, where waiting saves nothing, the level never is.
    """
    expected = expected_peak_kw(view)
    up, down = action.clamp(0.0, 1.0), action.clamp(-1.0, 0.0)
    return torch.maximum(expected * (1.0 + down) + view.socket_power_kw.sum() * up, free_import_kw(view))


def share_out(least: Tensor, most: Tensor, laxity: Tensor, power_kw: Tensor, total_kw: Tensor) -> Tensor:
    """Shares of their power [B, N] with which the sockets take a total together, as far as their limits let them.

    What is left of the total above ``least`` goes to the vehicles in the order of their laxity.

    Args:
        least: [B, N] lowest shares.
        most: [B, N] highest shares.
        laxity: [B, N] steps that each vehicle could wait.
        power_kw: [N] of the sockets.
        total_kw: [B].
    """
    order = laxity.argsort(dim=-1, stable=True)
    room = ((most - least) * power_kw).gather(-1, order)
    spare = (total_kw - least @ power_kw).unsqueeze(-1) - (room.cumsum(-1) - room)
    given = torch.minimum(spare.clamp(min=0.0), room)
    return least + torch.zeros_like(given).scatter(-1, order, given) / power_kw


def up_to(view: View, import_kw: Tensor | float, least: Tensor) -> Tensor:
    """Charge vehicles, in the order of their laxity, as long as the site's import stays below a level.

    Args:
        view: the present.
        import_kw: [B], or the same for all; without what the battery does.
        least: [B, N] shares of their power that the sockets take above the level too.
    """
    laxity = view.left - (view.soc_required - view.ev_soc) / (view.socket_rate * view.socket_efficiency)
    total_kw = import_kw - (view.load_kw - view.pv_kw)
    return share_out(least, torch.maximum(need_share(view), least), laxity, view.socket_power_kw, total_kw)


def needed_share(view: View) -> Tensor:
    """The lowest shares [B, N] of their power with which vehicles charge so that service is all that is possible."""
    return least_share(view).clamp(min=0.0) * view.left.clamp(max=1.0)


def _said(view: View, sockets: Tensor) -> Tensor:
    """The level [B] of an agent; its action is that of the first socket, which all have alike."""
    lowest = view.socket_lowest[:1]
    return level_kw(view, 2.0 * (sockets[:, 0] - lowest) / (1.0 - lowest) - 1.0)  # from the sockets' range to [-1, 1]


def level(view: View, sockets: Tensor) -> Tensor:
    """Charge up to the level, and above it what keeps the required SOCs within reach: service is all that is possible.

    Args:
        view: the present.
        sockets: [B, N] the agent's action, in every column.
    """
    return up_to(view, _said(view, sockets), needed_share(view))


def raw_level(view: View, sockets: Tensor) -> Tensor:
    """Charge up to the level and no further, arguments as for ``level``: what vehicles miss is left to its price."""
    return up_to(view, _said(view, sockets), torch.zeros_like(view.ev_soc))
