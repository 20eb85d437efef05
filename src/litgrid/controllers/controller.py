"""What a controller is: anything that turns what the site knows now into an action."""

from typing import Protocol

from torch import Tensor

from litgrid.sim.worlds import AnyView


class Controller(Protocol):
    """Decides for one step, for B sites or districts side by side.

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

    def act(self, view: AnyView) -> Tensor:
        """Choose the physical action of the present step.

        Args:
            view: what the site knows now: the present, the past and forecasts.

        Returns:
            [B, K + N]: the K batteries in [-1, 1] (share of their power, positive charges; a site has one), then the
            N sockets in [0, 1] ([-1, 1] where a site allows V2G). The physics keeps every battery within its limits.
        """
