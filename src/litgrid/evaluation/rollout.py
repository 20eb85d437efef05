"""A controller's year: every scenario of a set, side by side, from 1 January on, with every step on record."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from litgrid.controllers import Controller
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.objective import Costs
from litgrid.sim.physics import Flows
from litgrid.sim.simulator import Simulator

SITE_FLOWS = tuple(name for name in Flows._fields if name != "ev_sockets")


@dataclass(frozen=True)
class Rollout:
    """What a controller did in S years of T steps, with N sockets and D demand charges.

    Attributes:
        controller: its name.
        seed: of its training, ``None`` for rules.
        scenarios: the years.
        flows: kWh a step, each [S, T] (``ev_sockets`` [S, T, N]).
        costs: currency and kg a step, each [S, T].
        bess_soc: [S, T + 1], SOC at the start of every step and at the year's end.
        peak_kw: [S, T + 1, D], the month's highest import so far, at the start of every step and at the year's end.
        decision_seconds: mean processor time of a decision for one site.
    """

    controller: str
    seed: int | None
    scenarios: ScenarioSet
    flows: Flows
    costs: Costs
    bess_soc: Tensor
    peak_kw: Tensor
    decision_seconds: float


def label(controller: str, seed: int | None) -> str:
    """Name a controller in tables and plots."""
    return controller if seed is None else f"{controller} (seed {seed})"


@torch.no_grad()
def rollout(simulator: Simulator, controller: Controller) -> Rollout:
    """Run a controller through every whole year of the simulator's scenarios.

    Args:
        simulator: of the scenarios; the records have its dtype and device.
        controller: decides every step.
    """
    year = torch.arange(len(simulator.scenarios), device=simulator.device)
    state = simulator.initial(year, torch.zeros_like(year))
    steps, years = simulator.steps, len(year)
    site = state.bess_soc.new_empty(steps, len(SITE_FLOWS) + len(Costs._fields), years)
    sockets = site.new_empty(steps, years, simulator.sockets)
    soc, peak = site.new_empty(steps + 1, years), site.new_empty(steps + 1, *state.peak_kw.shape)
    soc[0], peak[0] = state.bess_soc, state.peak_kw
    deciding = 0.0
    for step in range(steps):
        started = time.process_time()
        action = controller.act(simulator.view(state))
        deciding += time.process_time() - started
        state, flows, costs = simulator.step(state, action)
        site[step] = torch.stack([*(getattr(flows, name) for name in SITE_FLOWS), *costs])
        sockets[step] = flows.ev_sockets
        soc[step + 1], peak[step + 1] = state.bess_soc, state.peak_kw
    columns = site.permute(1, 2, 0).contiguous().unbind()
    return Rollout(
        controller=controller.name,
        seed=controller.seed,
        scenarios=simulator.scenarios,
        flows=Flows(
            **dict(zip(SITE_FLOWS, columns[: len(SITE_FLOWS)], strict=True)), ev_sockets=sockets.transpose(0, 1)
        ),
        costs=Costs(*columns[len(SITE_FLOWS) :]),
        bess_soc=soc.T,
        peak_kw=peak.transpose(0, 1),
        decision_seconds=deciding / (steps * years),
    )
