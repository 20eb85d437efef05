"""The scenarios laid out for the simulator: dense tables of which a step reads one contiguous row per site."""

from __future__ import annotations

import torch
from torch import Tensor

from litgrid.scenarios.scenario_set import ScenarioSet, occupancy
from litgrid.sim.physics import Parameters
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


class Tables:
    """Tables of S years of T + 1 rows; the last row is the year's end: the last values again, free sockets.

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
        sockets = _sockets(scenarios, params, device, dtype)
        booked = {key: _end(sockets.pop(key), 0.0) for key in ("ev_required", "ev_deliverable")}
        series = {key: scenarios.series[key].to(device, dtype) for key in SERIES}
        columns = {key: torch.cat([values, values[:, -1:]], 1) for key, values in series.items()} | booked
        self._column = {key: column for column, key in enumerate(columns)}
        self._series = torch.stack(list(columns.values()), -1).flatten(0, 1)
        self._sockets = {key: _end(values, 0.0).flatten(0, 1) for key, values in sockets.items()}

    def rows(self, scenario: Tensor, step: Tensor) -> Tensor:
        """Numbers of the tables' rows; beyond the year's end its last row."""
        return scenario * (self.steps + 1) + step.clamp(max=self.steps)

    def series(self, scenario: Tensor, step: Tensor) -> dict[str, Tensor]:
        """All series at the given rows: name -> [B]."""
        return dict(zip(self._column, self._series.index_select(0, self.rows(scenario, step)).unbind(-1), strict=True))

    def window(self, key: str, scenario: Tensor, step: Tensor, steps: int) -> Tensor:
        """One series from the given rows on: [B, steps]; beyond the year's end its last row repeats."""
        ahead = step.unsqueeze(-1) + torch.arange(steps, device=step.device)
        return self._series[:, self._column[key]][self.rows(scenario.unsqueeze(-1), ahead)]

    def sockets(self, key: str, scenario: Tensor, step: Tensor) -> Tensor:
        """One table of the sockets (left, soc_start, soc_due, soc_required) at the given rows: [B, N]."""
        return self._sockets[key].index_select(0, self.rows(scenario, step))


def _end(values: Tensor, fill: float) -> Tensor:
    """Append the row of the year's end: [S, T, ...] to [S, T + 1, ...]."""
    return torch.cat([values, torch.full_like(values[:, -1:], fill)], 1)


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


def _sockets(scenarios: ScenarioSet, params: Parameters, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """What the sessions mean for every row: tables [S, T, N], and the energies booked at departures [S, T]."""
    occupied = occupancy(scenarios.sessions.to(device), len(params.socket_rate), scenarios.steps)
    left, elapsed = occupied["left"].to(dtype), occupied["elapsed"].to(dtype)
    arrival, required = occupied["soc_arrival"].to(dtype), occupied["soc_required"].to(dtype)
    rate = params.socket_rate * params.socket_efficiency  # stored in a step at full power
    target = torch.minimum(required, (arrival + (elapsed + left) * rate).clamp(max=1.0))
    leaves = left == 1
    capacity = params.socket_capacity_kwh
    return {
        "left": left,
        "soc_start": torch.minimum(arrival + elapsed * rate, torch.maximum(required, arrival)),
        "soc_due": target * leaves,
        "soc_required": required,
        "ev_required": ((required - arrival).clamp(min=0.0) * leaves) @ capacity,
        "ev_deliverable": ((target - arrival).clamp(min=0.0) * leaves) @ capacity,
    }
