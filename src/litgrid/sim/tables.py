"""The scenarios laid out for the simulator: dense tables of which a step reads one contiguous row per site.

A step costs what its rows cost to fetch, all over tables that no cache holds: what the sockets' parts of a row tell
(``physics.soc_due``) is no part of its own, and the parts lie side by side.
"""

from __future__ import annotations

import torch
from torch import Tensor

from litgrid.scenarios.scenario_set import ScenarioSet, occupancy
from litgrid.sim import physics
from litgrid.sim.physics import Parameters
from litgrid.site.calendar import hour_of_step, month_of_step, weekday_of_step
from litgrid.site.site import Site
from litgrid.site.tariff import demand_mask

FORECASTS = (
    "load_persistence_kw",
    "load_mean7_kw",
    "pv_persistence_kw",
    "pv_mean7_kw",
    "load_day_ahead_kw",
    "pv_day_ahead_kw",
    "price_per_kwh",
    "carbon_kg_per_kwh",
)
FORECAST_ERRORS = ("today", "lately")
"""Spans until the present step, it included, over which the day-ahead forecasts' errors are averaged."""
LATELY_HOURS = 3
GIVEN = ("pv_kw", "load_kw", *FORECASTS)
"""Series that scenarios have."""
SERIES = (*GIVEN, *(f"{what}_error_{span}_kw" for what in ("load", "pv") for span in FORECAST_ERRORS))
BOOKED = ("ev_required", "ev_deliverable")
"""Energies of the vehicles that leave after the row."""
SOCKETS = ("left", "soc_required", "soc_start")
"""Steps until departure (0 where the socket is free), SOC required, SOC of a vehicle that is charged at once."""


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
        self._column = {key: column for column, key in enumerate((*SERIES, *BOOKED))}
        years, rows = len(scenarios), self.steps + 1
        self._series = torch.empty(years, rows, len(self._column), device=device, dtype=dtype)
        self._sockets = torch.empty(years, rows, len(SOCKETS), len(params.socket_rate), device=device, dtype=dtype)
        for year in range(years):  # one after the other: what is computed on the way takes more than what stays
            _fill(self._series[year], self._sockets[year], scenarios, year, params)
        self._series, self._sockets = self._series.flatten(0, 1), self._sockets.flatten(0, 2)

    @property
    def bytes(self) -> int:
        """Memory that the tables take."""
        return self._series.nbytes + self._sockets.nbytes

    def rows(self, scenario: Tensor, step: Tensor) -> Tensor:
        """Numbers of the rows; beyond the year's end its last row."""
        return scenario * (self.steps + 1) + step.clamp(max=self.steps)

    def series(self, scenario: Tensor, step: Tensor) -> dict[str, Tensor]:
        """All series at the given rows: name -> [B]."""
        return dict(zip(self._column, self._series.index_select(0, self.rows(scenario, step)).unbind(-1), strict=True))

    def sockets(self, key: str, scenario: Tensor, step: Tensor) -> Tensor:
        """One of ``SOCKETS`` at the given rows: [B, N]."""
        return self._sockets.index_select(0, self.rows(scenario, step) * len(SOCKETS) + SOCKETS.index(key))

    def window(self, key: str, scenario: Tensor, step: Tensor, steps: int) -> Tensor:
        """One series from the given rows on: [B, steps]; beyond the year's end its last row repeats."""
        ahead = step.unsqueeze(-1) + torch.arange(steps, device=step.device)
        return self._series[:, self._column[key]][self.rows(scenario.unsqueeze(-1), ahead)]


def _fill(series: Tensor, sockets: Tensor, scenarios: ScenarioSet, year: int, params: Parameters) -> None:
    """Write one year into its tables [T + 1, ...]; the last row is its end."""
    now = slice(scenarios.steps)
    for column, key in enumerate(GIVEN):
        series[now, column] = scenarios.series[key][year].to(series)
    errors = [forecast_errors(scenarios, year, what) for what in ("load", "pv")]
    series[now, len(GIVEN) : len(SERIES)] = torch.cat(errors, -1).to(series)
    occupied = occupancy(scenarios.sessions[year : year + 1].to(series.device), sockets.shape[-1], scenarios.steps)[0]
    left, elapsed = occupied["left"].to(series), occupied["elapsed"].to(series)
    arrival, required = occupied["soc_arrival"].to(series), occupied["soc_required"].to(series)
    rate = params.socket_rate * params.socket_efficiency  # stored in a step at full power
    start = torch.minimum(arrival + elapsed * rate, torch.maximum(required, arrival))
    for part, values in enumerate((left, required, start)):
        sockets[now, part] = values
    due = physics.soc_due(start, required, left, params)
    for column, soc in enumerate((required, due), len(SERIES)):
        series[now, column] = ((soc - arrival).clamp(min=0.0) * (left == 1)) @ params.socket_capacity_kwh
    series[-1, : len(SERIES)] = series[-2, : len(SERIES)]
    series[-1, len(SERIES) :], sockets[-1] = 0.0, 0.0


def forecast_errors(scenarios: ScenarioSet, year: int, what: str) -> Tensor:
    """What PV or load have been above their day-ahead forecast, means over ``FORECAST_ERRORS``, [T, 2]."""
    site = scenarios.site
    actual, forecast = (scenarios.series[f"{what}{kind}_kw"][year].double() for kind in ("", "_day_ahead"))
    sums = torch.cat([actual.new_zeros(1), (actual - forecast).cumsum(0)])
    row = torch.arange(len(actual), device=actual.device)
    lately = round(LATELY_HOURS / site.step_hours)
    spans = (row % site.steps_per_day + 1, (row + 1).clamp(max=lately))  # steps, the present one included
    return torch.stack([(sums[row + 1] - sums[row + 1 - span]) / span for span in spans], -1)


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
