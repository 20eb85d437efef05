"""Nothing is done: the battery rests and no vehicle is charged."""

import torch
from torch import Tensor

from litgrid.sim.view import View


class Idle:
    """The lower end of every scale: all energy that vehicles need stays unserved."""

    name = "idle"
    seed = None

    def act(self, view: View) -> Tensor:
        """Return zeros [B, 1 + N]."""
        return torch.cat([torch.zeros_like(view.pv_kw)[:, None], torch.zeros_like(view.ev_soc)], dim=1)
