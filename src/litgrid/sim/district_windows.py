"""Where environments of a district start: random windows of a split's blocks, or every block once."""

from __future__ import annotations

import torch
from torch import Tensor

from litgrid.errors import InputError
from litgrid.sim.district_world import DistrictWorld, WorldState


class DistrictWindows:
    """Draws the states at which B environments start, and the rows at which their windows end.

    Windows of a length start at any row from which they stay in their block, each row as likely, with random SOCs of
    the batteries. Whole blocks start at their first row with the data's initial SOCs, block after block.

    Args:
        world: the district, its blocks.
        envs: B.
        hours: length of a window; None or 0 for whole blocks.
        seed: of the draws.

    Raises:
        InputError: the window is longer than the shortest block, or no whole number of steps.
    """

    def __init__(self, world: DistrictWorld, envs: int, hours: float | None, seed: int) -> None:
        blocks, step_hours = world.scenarios.blocks, world.simulator.hours
        self.steps = round((hours or 0) / step_hours)
        shortest = min(end - first for first, end in blocks)
        if not 0 <= self.steps <= shortest or abs(self.steps * step_hours - (hours or 0)) > 1e-9:
            raise InputError(
                f"window_hours: found {hours}, expected a whole number of steps of {step_hours:g} h and at most "
                f"{shortest * step_hours:g} h, the shortest block of {world.scenarios.split} rows (0: whole blocks)"
            )
        self.generator = torch.Generator().manual_seed(seed)
        self._world, self._envs = world, envs
        self._blocks = torch.tensor(blocks, device=world.device)
        starts = [torch.arange(first, end - self.steps + 1) for first, end in blocks]
        self._starts = torch.cat(starts).to(world.device)

    def draw(self, *, first: bool) -> tuple[WorldState, Tensor]:  # noqa: ARG002 (a site's months make a difference)
        """States at the start of new windows, and the rows [B] at which they end."""
        world = self._world
        if not self.steps:
            block = self._blocks[torch.arange(self._envs, device=world.device) % len(self._blocks)]
            return world.initial(block[:, 0]), block[:, 1]
        chosen = torch.randint(len(self._starts), (self._envs,), generator=self.generator)
        step = self._starts[chosen.to(world.device)]
        least = world.simulator.batteries.min_soc
        drawn = torch.rand(self._envs, len(least), generator=self.generator).to(world.device, world.dtype)
        return world.initial(step, least + (1.0 - least) * drawn), step + self.steps
