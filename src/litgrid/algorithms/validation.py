"""A cheap yardstick during training: the validation years, their months side by side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from litgrid.controllers.controller import Controller
from litgrid.sim.simulator import Simulator
from litgrid.site.calendar import month_of_step


@dataclass(frozen=True)
class Validation:
    """Means over the years.

    Attributes:
        objective: of a year, in the site's currency.
        ev_service: energy delivered to vehicles over the energy that could have been, in 0..1.
    """

    objective: float
    ev_service: float


@torch.no_grad()
def validate(simulator: Simulator, controller: Controller) -> Validation:
    """Run every month of every year side by side, each from its first hour and the battery's initial SOC.

    Demand charges are monthly, so a month that starts on its own is charged exactly; what differs from a year in one
    piece is the SOC in which months begin, and vehicles that stay over the turn of a month. Twelve times fewer steps
    make it cheap enough for every epoch; the evaluation at the end of ``fit`` runs whole years.

    Args:
        simulator: of the validation years.
        controller: decides every step.
    """
    month = month_of_step(simulator.site)
    length = torch.as_tensor(np.bincount(month, minlength=12), device=simulator.device)
    start = length.cumsum(0) - length
    years = len(simulator.scenarios)
    year = torch.arange(years, device=simulator.device).repeat_interleave(12)
    state = simulator.initial(year, start.repeat(years))
    objective = torch.zeros(years * 12, dtype=simulator.dtype, device=simulator.device)
    unserved, deliverable = torch.zeros_like(objective), torch.zeros_like(objective)
    for step in range(int(length.max())):
        inside = (step < length).repeat(years)
        state, flows, costs = simulator.step(state, controller.act(simulator.view(state)))
        objective += costs.total * inside
        unserved += flows.ev_unserved * inside
        deliverable += flows.ev_deliverable * inside
    service = 1.0 - float(unserved.sum() / deliverable.sum()) if deliverable.sum() > 0 else 1.0
    return Validation(objective=float(objective.sum()) / years, ev_service=service)
