"""Where environments start: random windows of the years to learn from, or whole years to evaluate on."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from litgrid.errors import InputError
from litgrid.sim.physics import State
from litgrid.sim.simulator import Simulator
from litgrid.site.calendar import month_of_step

Length = float | Literal["month"] | None
"""Of windows, in hours; 0 or None are whole years."""


def month_to_date_kw(simulator: Simulator) -> Tensor:
    """Highest net load (load - PV) of the month before each row that each demand charge counts, [S (T + 1), D].

    That is the peak so far of a site whose battery is idle and whose sockets are free.
    """
    tables = simulator.tables
    scenario = torch.arange(len(simulator.scenarios), device=simulator.device).unsqueeze(-1)
    step = torch.arange(simulator.steps + 1, device=simulator.device)
    series = tables.series(scenario.expand(-1, len(step)).flatten(), step.repeat(len(scenario)))
    net_kw = (series["load_kw"] - series["pv_kw"]).clamp(min=0.0).view(len(scenario), -1, 1) * tables.counted
    starts = (tables.same_month == 0).nonzero().flatten().tolist()
    before = torch.zeros_like(net_kw)
    for start, end in zip(starts, [*starts[1:], len(step)], strict=True):
        before[:, start + 1 : end] = net_kw[:, start : end - 1].cummax(1).values
    return before.flatten(0, 1)


def month_starts(simulator: Simulator) -> Tensor:
    """First steps of the months that scenarios have, and their end, [M + 1]."""
    month = torch.as_tensor(month_of_step(simulator.site))[: simulator.steps]
    lengths = torch.unique_consecutive(month, return_counts=True)[1]
    return torch.cat([lengths.new_zeros(1), lengths.cumsum(0)]).to(simulator.device)


class Windows:
    """Draws the states at which B environments start, and the steps at which their windows end.

    Windows of a length start at random hours, with a random SOC of the battery and, within a month, a peak so far of
    0.5 to 1.0 of the net load's. Months end with the calendar's, and all but the first ones begin with it: so peaks are
    those of the policy. The first ones begin at any day, so that the environments stand all over the month. Whole years
    start on 1 January with the site's initial SOC, scenario after scenario.

    Args:
        simulator: the sites.
        envs: B.
        hours: length of a window; None or 0 for whole years.
        seed: of the draws.

    Raises:
        InputError: the window is longer than the scenarios, or no whole number of steps.
    """

    def __init__(self, simulator: Simulator, envs: int, hours: Length, seed: int) -> None:
        self.months = hours == "month"
        steps = 0.0 if hours is None or hours == "month" else hours / simulator.site.step_hours
        if not (steps.is_integer() and 0 <= steps <= simulator.steps):
            most = simulator.steps * simulator.site.step_hours
            raise InputError(
                f"window_hours: found {hours}, expected month, or whole steps, at most {most:g} h (0: the whole year)"
            )
        self.steps = int(steps) or simulator.steps
        self.generator = torch.Generator().manual_seed(seed)
        self._simulator = simulator
        self._envs = envs
        self._peak_kw = month_to_date_kw(simulator)
        self._month_starts = month_starts(simulator)

    def draw(self, *, first: bool) -> tuple[State, Tensor]:
        """States at the start of new windows, and the steps [B] at which they end.

        Args:
            first: no windows have gone before.
        """
        simulator = self._simulator
        if self.months:
            month = self._integers(len(self._month_starts) - 1)
            step, end = self._month_starts[month], self._month_starts[month + 1]
            if first:
                days = (end - step) // simulator.site.steps_per_day
                step = step + (days * self._uniform()).long() * simulator.site.steps_per_day
            return self._anyhow(step), end
        if self.steps < simulator.steps:
            step = self._integers(simulator.steps - self.steps + 1)
            return self._anyhow(step), step + self.steps
        scenario = torch.arange(self._envs, device=simulator.device) % len(simulator.scenarios)
        state = simulator.initial(scenario, torch.zeros_like(scenario))
        return state, state.step + self.steps

    def _anyhow(self, step: Tensor) -> State:
        """Any year, SOC and peak so far."""
        simulator = self._simulator
        scenario = self._integers(len(simulator.scenarios))
        least = simulator.site.battery.min_soc
        soc = least + (1.0 - least) * self._uniform()
        share = 0.5 + 0.5 * self._uniform().unsqueeze(-1)
        peak_kw = self._peak_kw[simulator.tables.rows(scenario, step)] * share
        return simulator.initial(scenario, step, soc, peak_kw)

    def _integers(self, high: int) -> Tensor:
        return torch.randint(high, (self._envs,), generator=self.generator).to(self._simulator.device)

    def _uniform(self) -> Tensor:
        return torch.rand(self._envs, generator=self.generator).to(self._simulator.device, self._simulator.dtype)
