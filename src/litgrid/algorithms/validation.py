"""A cheap yardstick during training: the validation years, their months side by side, or a district's days."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from litgrid.controllers.controller import Controller
from litgrid.sim.district_world import DistrictWorld, WorldState
from litgrid.sim.physics import State
from litgrid.sim.simulator import Simulator
from litgrid.sim.worlds import Stepped, World
from litgrid.site.calendar import month_of_step

StateT = TypeVar("StateT")


@dataclass(frozen=True)
class Validation:
    """What a controller achieves.

    Attributes:
        objective: of a year (mean over the years), or of all validation days of a district, in its currency.
        co2_kg: of the same.
        ev_service: energy delivered to vehicles over the energy that could have been, in 0..1.
    """

    objective: float
    co2_kg: float
    ev_service: float


class Episodes(NamedTuple):
    """What a controller achieves in each of S episodes, [S]."""

    objective: Tensor
    co2_kg: Tensor
    unserved_kwh: Tensor
    deliverable_kwh: Tensor


def validate(world: World, controller: Controller) -> Validation:
    """Run a controller through the validation scenarios, cheaply enough for every epoch.

    Args:
        world: of the validation scenarios.
        controller: decides every step.
    """
    if isinstance(world, DistrictWorld):
        return _sum(measure(world, *blocks(world), controller, lambda _, costs: costs), 1)
    return _sum(measure(world, *months(world), controller, lambda flows, _: flows), len(world.scenarios))


def blocks(world: DistrictWorld) -> tuple[WorldState, Tensor]:
    """Start every block of a district's rows; returns the states and the blocks' lengths in steps [S]."""
    first, end = torch.tensor(world.scenarios.blocks, device=world.device).unbind(1)
    return world.initial(first), end - first


def months(simulator: Simulator) -> tuple[State, Tensor]:
    """Start every month of every year, each from its first hour and the battery's initial SOC; and their lengths.

    Demand charges are monthly, so a month that starts on its own is charged exactly; what differs from a year in one
    piece is the SOC in which months begin, and vehicles that stay over the turn of a month. Twelve times fewer steps
    make it cheap; the evaluation at the end of ``fit`` runs whole years.
    """
    month = month_of_step(simulator.site)
    length = torch.as_tensor(np.bincount(month, minlength=12), device=simulator.device)
    start = length.cumsum(0) - length
    years = len(simulator.scenarios)
    year = torch.arange(years, device=simulator.device).repeat_interleave(12)
    return simulator.initial(year, start.repeat(years)), length.repeat(years)


@torch.no_grad()
def measure(
    world: Stepped[StateT],
    state: StateT,
    length: Tensor,
    controller: Controller,
    vehicles: Callable[[Any, Any], Any],
) -> Episodes:
    """Add up what each of the episodes side by side costs.

    Args:
        world: in which they are.
        state: in which they begin.
        length: [S] steps of each.
        controller: decides every step.
        vehicles: where vehicles are booked, of a step's flows and costs.
    """
    objective = torch.zeros(len(length), dtype=world.dtype, device=world.device)
    co2_kg, unserved, deliverable = (torch.zeros_like(objective) for _ in range(3))
    for step in range(int(length.max())):
        inside = step < length
        state, flows, costs = world.step(state, controller.act(world.view(state)))
        booked = vehicles(flows, costs)
        objective += costs.total * inside
        co2_kg += costs.co2_kg * inside
        unserved += booked.ev_unserved * inside
        deliverable += booked.ev_deliverable * inside
    return Episodes(objective, co2_kg, unserved, deliverable)


def _sum(episodes: Episodes, years: int) -> Validation:
    """What they cost in all, a year."""
    unserved, deliverable = episodes.unserved_kwh.sum(), episodes.deliverable_kwh.sum()
    service = 1.0 - float(unserved / deliverable) if deliverable > 0 else 1.0
    return Validation(float(episodes.objective.sum()) / years, float(episodes.co2_kg.sum()) / years, service)
