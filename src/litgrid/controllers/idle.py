"""Nothing is done: batteries rest and no vehicle is charged."""

import torch
from torch import Tensor

from litgrid.sim.worlds import AnyView


def rest(view: AnyView) -> Tensor:
    """Actions [B, K] of batteries that rest."""
    soc = view.bess_soc  # [B] of a site's one battery
    return torch.zeros_like(soc if soc.ndim == 2 else soc.unsqueeze(-1))


class Idle:
    """The lower end of every scale: all energy that vehicles need stays unserved."""

    name = "idle"
    seed = None

    def act(self, view: AnyView) -> Tensor:
        """Return zeros [B, K + N]."""
        return torch.cat([rest(view), torch.zeros_like(view.ev_soc)], dim=1)
