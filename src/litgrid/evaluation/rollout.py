"""Controllers' years: every scenario of a set, side by side, from 1 January on, with every step on record."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from litgrid.algorithms.policy import AgentController, Team
from litgrid.controllers import Controller
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.objective import Costs
from litgrid.sim.physics import Flows
from litgrid.sim.simulator import Simulator
from litgrid.sim.view import View

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


class _Records(NamedTuple):
    """Of K controllers with S years each: B = K S rows."""

    columns: Tensor
    """[SITE_FLOWS and costs, B, T]"""
    ev_sockets: Tensor
    """[B, T, N]"""
    bess_soc: Tensor
    """[B, T + 1]"""
    peak_kw: Tensor
    """[B, T + 1, D]"""
    decision_seconds: float


def rollout(simulator: Simulator, controller: Controller) -> Rollout:
    """Run a controller through every whole year of the simulator's scenarios.

    Args:
        simulator: of the scenarios; the records have its dtype and device.
        controller: decides every step.
    """
    return next(_split(simulator, [controller], _run(simulator, controller, 1)))


def rollouts(
    simulator: Simulator, controllers: Sequence[Controller], done: Callable[[int], object] = int
) -> list[Rollout]:
    """Run several: agents that are alike side by side, since many years take hardly longer than one.

    Args:
        simulator: as for ``rollout``.
        controllers: in whose order the rollouts are.
        done: is told how many more are done.
    """
    found: dict[int, Rollout] = {}
    for alike in _teams(controllers):
        agents = [controller for controller in alike if isinstance(controller, AgentController)]
        records = _run(simulator, Team(agents) if agents else alike[0], len(alike))
        found |= zip(map(id, alike), _split(simulator, alike, records), strict=True)
        done(len(alike))
    return [found[id(controller)] for controller in controllers]


def _teams(controllers: Sequence[Controller]) -> list[list[Controller]]:
    """Those that can go side by side, together."""
    teams: list[list[Controller]] = []
    for controller in controllers:
        team = next((team for team in teams if _alike(team[0], controller)), None)
        if team is None:
            teams.append([controller])
        else:
            team.append(controller)
    return teams


def _alike(one: Controller, other: Controller) -> bool:
    return isinstance(one, AgentController) and isinstance(other, AgentController) and one.like(other)


class _Decides(Protocol):
    def act(self, view: View) -> Tensor:
        """Physical actions [B, 1 + N]."""


@torch.no_grad()
def _run(simulator: Simulator, decides: _Decides, copies: int) -> _Records:
    """Run all years, several times side by side; ``decides`` does so for all of these rows."""
    year = torch.arange(len(simulator.scenarios), device=simulator.device).repeat(copies)
    state = simulator.initial(year, torch.zeros_like(year))
    steps, rows = simulator.steps, len(year)
    site = state.bess_soc.new_empty(steps, len(SITE_FLOWS) + len(Costs._fields), rows)
    sockets = site.new_empty(steps, rows, simulator.sockets)
    soc, peak = site.new_empty(steps + 1, rows), site.new_empty(steps + 1, *state.peak_kw.shape)
    soc[0], peak[0] = state.bess_soc, state.peak_kw
    deciding = 0.0
    for step in range(steps):
        started = time.process_time()
        action = decides.act(simulator.view(state))
        deciding += time.process_time() - started
        state, flows, costs = simulator.step(state, action)
        site[step] = torch.stack([*(getattr(flows, name) for name in SITE_FLOWS), *costs])
        sockets[step] = flows.ev_sockets
        soc[step + 1], peak[step + 1] = state.bess_soc, state.peak_kw
    columns = site.permute(1, 2, 0).contiguous()
    return _Records(columns, sockets.transpose(0, 1), soc.T, peak.transpose(0, 1), deciding / (steps * rows))


def _split(simulator: Simulator, controllers: Sequence[Controller], records: _Records) -> Iterator[Rollout]:
    """Tell the rows of controllers apart."""
    years = len(simulator.scenarios)
    for number, controller in enumerate(controllers):
        own = slice(number * years, (number + 1) * years)
        columns = records.columns[:, own].unbind()
        flows = dict(zip(SITE_FLOWS, columns[: len(SITE_FLOWS)], strict=True))
        yield Rollout(
            controller=controller.name,
            seed=controller.seed,
            scenarios=simulator.scenarios,
            flows=Flows(**flows, ev_sockets=records.ev_sockets[own]),
            costs=Costs(*columns[len(SITE_FLOWS) :]),
            bess_soc=records.bess_soc[own],
            peak_kw=records.peak_kw[own],
            decision_seconds=records.decision_seconds,
        )
