"""A district with its objective and service: the step that environments, rollouts and rules share."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from litgrid.scenarios.district_split import DistrictScenarios
from litgrid.sim import chargers, district_objective, storage
from litgrid.sim.district import DistrictFlows, DistrictSimulator, DistrictState
from litgrid.sim.district_objective import DistrictCosts, Service
from litgrid.sim.district_view import DistrictView, tables
from litgrid.sim.objective import weights


class WorldState(NamedTuple):
    """Where B copies of a district stand at the start of a step; the first fields are those of ``DistrictState``."""

    step: Tensor
    """[B] int64, row."""
    bess_soc: Tensor
    """[B, K]"""
    bess_lost: Tensor
    """[B, K]"""
    vehicle_soc: Tensor
    """[B, E]"""
    vehicle_lost: Tensor
    """[B, E]"""
    reachable_soc: Tensor
    """[B, E] that full power since arrival would have given; of no meaning for vehicles that are away."""
    arrival_soc: Tensor
    """[B, E] at arrival, or where the episode began; likewise."""
    before_soc: Tensor
    """[B, E] at the end of the step before, as CityLearn's rewards read it: initial SOCs where an episode begins."""

    @property
    def district(self) -> DistrictState:
        """What the district simulator knows of it."""
        return DistrictState(*self[: len(DistrictState._fields)])


class DistrictWorld:
    """Simulates any number of copies of a district side by side, and prices what they do.

    It holds the scenarios and no state: ``step`` is a pure function of state and action.

    Args:
        scenarios: a district, its objective, the rows to live in.
        device: where the tensors live.
        dtype: float32 or float64.

    Attributes:
        scenarios: as given.
        district: theirs.
        simulator: of the district.
        steps: rows that can be simulated.
        device: as given.
        dtype: as given.
    """

    def __init__(
        self, scenarios: DistrictScenarios, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        self.scenarios = scenarios
        self.district = scenarios.district
        self.simulator = DistrictSimulator(scenarios.district, device, dtype)
        self.steps = self.simulator.steps
        self.device, self.dtype = self.simulator.device, dtype
        self._tables = tables(self.simulator)
        self._weights = weights(scenarios.objective)
        params = self.simulator.chargers
        full_kw = params.charge.most_kw * params.active
        self._full_kwh = full_kw * chargers.efficiency(full_kw, params) * self.simulator.hours

    def initial(self, step: Tensor, bess_soc: Tensor | None = None) -> WorldState:
        """Begin episodes at the given rows [B], as CityLearn begins one there.

        Vehicles that are connected count as arrived with the SOC that they begin with.

        Args:
            step: [B] int64, 0 to T.
            bess_soc: [B, K], at least the lowest SOC; by default the data's initial ones.
        """
        state = self.simulator.initial(step)
        if bess_soc is not None:
            soc = torch.maximum(bess_soc.to(self.device, self.dtype), self.simulator.batteries.min_soc)
            state = state._replace(bess_soc=soc.clamp(max=1.0))
        before = self.simulator.vehicles.initial_soc.expand_as(state.vehicle_soc)
        fields = (*state, state.vehicle_soc, state.vehicle_soc, before)
        # each with memory of its own: a compiled step has one layout, and takes a tensor that is there twice for one
        return WorldState(*(field.clone(memory_format=torch.contiguous_format) for field in fields))

    def step(self, state: WorldState, action: Tensor) -> tuple[WorldState, DistrictFlows, DistrictCosts]:
        """Move B districts by one step.

        Args:
            state: at the start of the step.
            action: [B, K + N] physical: batteries, then chargers, in [-1, 1] as shares of their power.

        Returns:
            The state at the start of the next step, and the step's flows and costs.
        """
        after, flows = self.simulator.step(state.district, action)
        reachable, served = self._serve(state, flows)
        row = after.step.clamp(max=self.steps)
        begins, anew = self._tables.stays.begins[row], self._tables.stays.set[row]
        following = WorldState(
            *after,
            reachable_soc=torch.where(anew, after.vehicle_soc, storage.stand_by(reachable, self.simulator.vehicles)),
            arrival_soc=torch.where(begins, after.vehicle_soc, state.arrival_soc),
            before_soc=flows.vehicle_soc,
        )
        return following, flows, district_objective.costs(flows, served, self._weights)

    def view(self, state: WorldState) -> DistrictView:
        """What the districts know at this moment."""
        return DistrictView(self.simulator, self._tables, state.district)

    def _serve(self, state: WorldState, flows: DistrictFlows) -> tuple[Tensor, Service]:
        """SOC that full power reaches with this step [B, E], and the account of the vehicles that leave after it."""
        vehicles, at = self.simulator.vehicles, state.step.clamp(max=self.steps)
        charger = self.simulator.connections.charger[at].long()
        request = pad(self._full_kwh, (0, 1))[charger]
        full = storage.charge(state.reachable_soc, state.vehicle_lost, request, vehicles, self.simulator.hours)
        reachable = torch.where(charger < len(self._full_kwh), full.soc, state.reachable_soc)
        due, capacity = self._tables.stays.due[at], vehicles.capacity_kwh
        return reachable, district_objective.service(flows.vehicle_soc, reachable, state.arrival_soc, due, capacity)
