"""The scenarios laid out for the simulator: one table, of which a step reads one contiguous row per site.

A step costs what its rows cost to fetch: they lie all over a table that no cache holds, so that each site's is one
piece of memory, and what two columns tell (``physics.soc_due``) has no third.
"""

from __future__ import annotations

import torch
from tensordict import TensorDict
from torch import Tensor

from litgrid.scenarios.scenario_set import ScenarioSet, occupancy
from litgrid.sim.physics import Parameters, soc_due
from litgrid.site.calendar import hour_of_step, month_of_step, weekday_of_step
from litgrid.site.site import Site
from litgrid.site.tariff import demand_mask

FORECASTS = (
    "load_persistence_kw",
    "load_mean7_kw",
    "pv_persistence_kw",
    "pv_mean7_kw",
    "price_per_kwh",
    "carbon_kg_per_kwh",
)
SERIES = ("pv_kw", "load_kw", *FORECASTS)
BOOKED = ("ev_required", "ev_deliverable")
"""Energies of the vehicles that leave after the row."""
SOCKETS = ("left", "soc_required", "soc_start")
"""Steps until departure (0 where the socket is free), SOC required, and the SOC of a vehicle that was charged at once."""


class Tables:
    """S years of T + 1 rows; the last row is the year's end: the last values again, free sockets.

    Args:
        scenarios: years of one site.
        params: its constants.
        device: where the tables live.
        dtype: of all floating-point tables.

    Attributes:
        counted: [T + 1, D] 1 where the demand charge counts the step, else 0.
        same_month: [T + 1] 0 in the first row of a month, else 1.
        clock: name -> [T + 1] hour (of day, float), weekday (0 is Monday), month (0 to 11), day_of_year (from 0),
            month_elapsed (0..1).
    """

    def __init__(self, scenarios: ScenarioSet, params: Parameters, device: torch.device, dtype: torch.dtype) -> None:
        self.steps = scenarios.steps
        self.clock = _clock(scenarios.site, scenarios.steps, device, dtype)
        month = self.clock["month"]
        self.same_month = (month == month.roll(1)).to(dtype)
        self.same_month[0] = 0.0
        counted = torch.as_tensor(demand_mask(scenarios.site)).to(device, dtype).T
        self.counted = counted[torch.arange(self.steps + 1) % len(counted)].contiguous()
        columns = (*SERIES, *BOOKED)
        self._column = {key: column for column, key in enumerate(columns)}
        first, count = len(columns), len(params.socket_rate)
        self._sockets = {key: slice(first + i * count, first + (i + 1) * count) for i, key in enumerate(SOCKETS)}
        width = first + len(SOCKETS) * count
        self._rows = torch.empty(len(scenarios), self.steps + 1, width, device=device, dtype=dtype)
        for year in range(len(scenarios)):
            self._rows[year] = _year(scenarios, year, params, device, dtype)
        self._rows = self._rows.flatten(0, 1)

    @property
    def bytes(self) -> int:
        """Memory that the rows take."""
        return self._rows.nbytes

    def rows(self, scenario: Tensor, step: Tensor) -> Tensor:
        """Numbers of the rows; beyond the year's end its last row."""
        return scenario * (self.steps + 1) + step.clamp(max=self.steps)

    def read(self, scenario: Tensor, step: Tensor) -> Tensor:
        """The given rows, [B, W], of which ``series`` and ``sockets`` are parts."""
        return self._rows.index_select(0, self.rows(scenario, step))

    def series(self, row: Tensor, key: str) -> Tensor:
        """One of ``SERIES`` or ``BOOKED`` of rows that were read: [B]."""
        return row[:, self._column[key]]

    def sockets(self, row: Tensor, key: str) -> Tensor:
        """One of ``SOCKETS`` of rows that were read: [B, N]."""
        return row[:, self._sockets[key]]

    def window(self, key: str, scenario: Tensor, step: Tensor, steps: int) -> Tensor:
        """One series from the given rows on: [B, steps]; beyond the year's end its last row repeats."""
        ahead = step.unsqueeze(-1) + torch.arange(steps, device=step.device)
        return self._rows[:, self._column[key]][self.rows(scenario.unsqueeze(-1), ahead)]


def _year(scenarios: ScenarioSet, year: int, params: Parameters, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The rows of one year, [T + 1, W]; the last is its end."""
    sockets, booked = _sockets(scenarios.sessions[year : year + 1].to(device), scenarios.steps, params, dtype)
    series = torch.stack([scenarios.series[year, :][key].to(device, dtype) for key in SERIES], -1)
    end = torch.cat([series[-1], torch.zeros_like(booked[0]), torch.zeros_like(sockets[0])])
    return torch.cat([torch.cat([series, booked, sockets], -1), end.unsqueeze(0)])


def _clock(site: Site, steps: int, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    row = torch.arange(steps + 1) % site.steps_per_year
    month = torch.as_tensor(month_of_step(site)).long()
    first = torch.searchsorted(month, month)  # first row of each row's month
    length = torch.bincount(month)[month]
    clock = {
        "hour": torch.as_tensor(hour_of_step(site)).to(dtype),
        "weekday": torch.as_tensor(weekday_of_step(site)).long(),
        "month": month,
        "day_of_year": torch.arange(site.steps_per_year) // site.steps_per_day,
        "month_elapsed": ((torch.arange(site.steps_per_year) - first) / length).to(dtype),
    }
    return {key: values[row].to(device) for key, values in clock.items()}


def _sockets(sessions: TensorDict, steps: int, params: Parameters, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """What a year's sessions mean for every row: the parts of ``SOCKETS`` [T, 3 N], and ``BOOKED`` [T, 2]."""
    occupied = occupancy(sessions, len(params.socket_rate), steps)[0]
    left, elapsed = occupied["left"].to(dtype), occupied["elapsed"].to(dtype)
    arrival, required = occupied["soc_arrival"].to(dtype), occupied["soc_required"].to(dtype)
    rate = params.socket_rate * params.socket_efficiency  # stored in a step at full power
    start = torch.minimum(arrival + elapsed * rate, torch.maximum(required, arrival))
    due = soc_due(start, required, left, params)
    booked = [((soc - arrival).clamp(min=0.0) * (left == 1)) @ params.socket_capacity_kwh for soc in (required, due)]
    return torch.cat([left, required, start], -1), torch.stack(booked, -1)
