"""The simulator: scenarios laid out for reading one row a step, and the step that moves B sites at once."""

from __future__ import annotations

import torch
from torch import Tensor

from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim import objective, physics
from litgrid.sim.objective import Costs, Rates
from litgrid.sim.physics import Flows, Moved, Row, State
from litgrid.sim.tables import Tables
from litgrid.sim.view import View
from litgrid.site.site import Site


def parameters(site: Site, device: torch.device, dtype: torch.dtype) -> physics.Parameters:
    """The constants of the physics for a site; a battery without capacity moves nothing."""
    groups = [group for group in site.fleet.groups for _ in range(group.sockets)]

    def per_socket(values: list[float]) -> Tensor:
        return torch.tensor(values, device=device, dtype=dtype)

    battery, hours = site.battery, site.step_hours
    return physics.Parameters(
        step_hours=hours,
        bess_capacity_kwh=battery.capacity_kwh,
        bess_rate=battery.power_kw * hours / battery.capacity_kwh if battery.capacity_kwh > 0 else 0.0,
        bess_min_soc=battery.min_soc,
        bess_efficiency=battery.efficiency_one_way,
        socket_power_kw=per_socket([group.power_kw for group in groups]),
        socket_capacity_kwh=per_socket([group.battery_kwh for group in groups]),
        socket_rate=per_socket([group.power_kw * hours / group.battery_kwh for group in groups]),
        socket_efficiency=per_socket([group.efficiency_one_way for group in groups]),
        socket_lowest=per_socket([-1.0 if group.v2g else 0.0 for group in groups]),
    )


class Simulator:
    """Simulates any number of sites side by side, each somewhere in a year of a scenario set.

    It holds the scenarios and no state: ``step`` is a pure function of state and action.

    Args:
        scenarios: years of one site.
        device: where the tensors live.
        dtype: float32 or float64.

    Attributes:
        sockets: number of sockets N.
        steps: rows of a year T; a state's step runs from 0 to T.
        tables: the scenarios, row by row.
        params: the site's constants.
    """

    def __init__(
        self, scenarios: ScenarioSet, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        self.scenarios = scenarios
        self.site = scenarios.site
        self.device = torch.device(device)
        self.dtype = dtype
        self.sockets = self.site.fleet.sockets
        self.steps = scenarios.steps
        self.params = parameters(self.site, self.device, dtype)
        self.tables = Tables(scenarios, self.params, self.device, dtype)
        charges = [charge.price_per_kw for charge in self.site.tariff.demand]
        self.demand_price_per_kw = torch.tensor(charges, device=self.device, dtype=dtype)

    def initial(
        self, scenario: Tensor, step: Tensor, bess_soc: Tensor | None = None, peak_kw: Tensor | None = None
    ) -> State:
        """Start B sites at given rows.

        A vehicle that is already there has the SOC that charging at once, up to its required SOC, would have left
        it with: whatever was possible for the whole stay still is, so nothing unserved is unavoidable.

        Args:
            scenario: [B] int64.
            step: [B] int64, 0 to T.
            bess_soc: [B]; by default the site's initial SOC.
            peak_kw: [B, D] month's highest import so far; by default 0.
        """
        scenario, step = scenario.to(self.device), step.to(self.device)
        shape = (len(step), len(self.demand_price_per_kw))
        if bess_soc is None:
            bess_soc = torch.full_like(step, self.site.battery.initial_soc, dtype=self.dtype)
        if peak_kw is None:
            peak_kw = torch.zeros(shape, device=self.device, dtype=self.dtype)
        return State(
            scenario=scenario,
            step=step,
            bess_soc=bess_soc.to(self.device, self.dtype).clamp(self.site.battery.min_soc, 1.0),
            ev_soc=self.tables.sockets("soc_start", scenario, step),
            peak_kw=peak_kw.to(self.device, self.dtype),
        )

    def step(self, state: State, action: Tensor) -> tuple[State, Flows, Costs]:
        """Move B sites by one step; beyond the year's end its last row repeats, with free sockets.

        Args:
            state: at the start of the step.
            action: [B, 1 + N] physical, the battery first (``physics.move``).

        Returns:
            The state at the start of the next step, and the step's flows and costs.
        """
        after, _, flows, costs = self.advance(state, self.view(state), action[:, 0], action[:, 1:])
        return after, flows, costs

    def advance(self, state: State, view: View, bess: Tensor, sockets: Tensor) -> tuple[State, View, Flows, Costs]:
        """As ``step``, for whoever has the view of the state, and needs that of the next: nothing is read twice.

        Action: the battery's [B] and the sockets' [B, N].
        """
        tables, left = self.tables, view.left
        series = tables.series(state.scenario, state.step)
        row = Row(
            pv_kw=series["pv_kw"],
            load_kw=series["load_kw"],
            left=left,
            soc_due=physics.soc_due(view.sockets("soc_start"), view.soc_required, left, self.params),
            soc_start=tables.sockets("soc_start", state.scenario, state.step + 1),
            ev_required=series["ev_required"],
            ev_deliverable=series["ev_deliverable"],
        )
        after, flows = physics.settle(state, self.move(state, bess, sockets, row), row, self.params)
        rates = Rates(
            series["price_per_kwh"], series["carbon_kg_per_kwh"], view.demand_counted, self.demand_price_per_kw
        )
        costs, peak_kw = objective.costs(flows, rates, state.peak_kw, self.site)
        same_month = tables.same_month[after.step.clamp(max=self.steps)].unsqueeze(-1)
        after = after._replace(peak_kw=peak_kw * same_month)
        return after, View(tables, self.params, self.site, after, {"soc_start": row.soc_start}), flows, costs

    def move(self, state: State, bess: Tensor, sockets: Tensor, row: Row) -> Moved:
        """What batteries and vehicles do in a step; a subclass may ask another simulator."""
        return physics.move(state, bess, sockets, row, self.params)

    def view(self, state: State) -> View:
        """What the sites know at this moment."""
        return View(self.tables, self.params, self.site, state)
