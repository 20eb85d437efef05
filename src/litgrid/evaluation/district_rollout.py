"""A controller's days in a district: every block of rows of a split, side by side, with every step on record."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from litgrid.algorithms.validation import blocks
from litgrid.controllers import Controller
from litgrid.scenarios.district_split import DistrictScenarios
from litgrid.sim.district import DistrictFlows
from litgrid.sim.district_objective import DistrictCosts
from litgrid.sim.district_world import DistrictWorld


@dataclass(frozen=True)
class DistrictRollout:
    """What a controller did in S blocks of rows, of up to T steps, in M buildings with K batteries.

    Attributes:
        controller: its name.
        seed: of its training, ``None`` for rules.
        scenarios: the district and its blocks.
        length: [S] steps of each block; what later steps hold is of no meaning.
        flows: kWh a step, each [T, S, ...].
        costs: each [T, S].
        bess_soc: [T + 1, S, K], SOC at the start of every step and after the last.
    """

    controller: str
    seed: int | None
    scenarios: DistrictScenarios
    length: Tensor
    flows: DistrictFlows
    costs: DistrictCosts
    bess_soc: Tensor

    @property
    def inside(self) -> Tensor:
        """[T, S] bool: the step belongs to the block."""
        return torch.arange(len(self.costs.total), device=self.length.device).unsqueeze(-1) < self.length


@torch.no_grad()
def district_rollout(world: DistrictWorld, controller: Controller) -> DistrictRollout:
    """Run a controller through every block of the world's scenarios, each from initial SOCs.

    Args:
        world: of the scenarios; the records have its dtype and device.
        controller: decides every step.
    """
    state, length = blocks(world)
    soc, flows, costs = [state.bess_soc], [], []
    for _ in range(int(length.max())):
        state, flow, cost = world.step(state, controller.act(world.view(state)))
        soc.append(state.bess_soc)
        flows.append(flow)
        costs.append(cost)
    return DistrictRollout(
        controller=controller.name,
        seed=controller.seed,
        scenarios=world.scenarios,
        length=length,
        flows=DistrictFlows(*map(torch.stack, zip(*flows, strict=True))),
        costs=DistrictCosts(*map(torch.stack, zip(*costs, strict=True))),
        bess_soc=torch.stack(soc),
    )
