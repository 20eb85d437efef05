"""What a controller is: anything that turns what the site knows now into an action."""

from typing import Protocol

from torch import Tensor

from litgrid.sim.view import View


class Controller(Protocol):
    """Decides for one step, for B sites side by side.

    Attributes:
        name: as in the tables and the JSON outputs (``uncontrolled``, ``sac``, ...).
        seed: that a learned controller was trained with; ``None`` for rules.
    """

    @property
    def name(self) -> str:
        """Name in tables and JSON outputs."""

    @property
    def seed(self) -> int | None:
        """Seed of the training, ``None`` for rules."""

    def act(self, view: View) -> Tensor:
        """Choose the physical action of the present step.

        Args:
            view: what the site knows now: the present, the past and forecasts.

        Returns:
            [B, 1 + N]: the battery in [-1, 1] (share of its power, positive charges), then the N sockets in [0, 1]
            ([-1, 1] where a site allows V2G). The physics keeps every battery within its limits.
        """
