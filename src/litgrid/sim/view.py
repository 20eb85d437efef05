"""What a site knows at a moment: the only door through which controllers and agents see the simulation."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from litgrid.sim.physics import Parameters, State
from litgrid.sim.tables import FORECAST_ERRORS, FORECASTS, Tables
from litgrid.site.site import Site


class View:
    """The present of B sites, and the forecasts that a site would have. Fields are read when they are asked for.

    Args:
        tables: the scenarios.
        params: the site's constants.
        site: the site.
        state: where the B sites stand.
        known: those of ``tables.SOCKETS`` that were read for this state already, [B, N] each.

    Attributes:
        known: those of ``tables.SOCKETS`` that were read, and what else was found out for this state, by name. (Not
            cached properties: TorchDynamo can't trace those of Python 3.11.)
        site: the site.
        params: its constants.
        scenario: [B] int64 which of the scenarios each site is in.
        step: [B] int64 row of the year. Both tell something only to who holds the scenarios: bounds, and nobody else.
        bess_soc: [B] SOC of the battery.
        ev_soc: [B, N] SOC of the connected vehicles, 0 where the socket is free.
        peak_kw: [B, D] highest import of the month so far that each demand charge counts.
        socket_power_kw: [N] highest charging power.
        socket_rate: [N] share of the vehicle's capacity that full power takes from the socket in a step.
        socket_capacity_kwh: [N] of the vehicles' batteries.
        socket_efficiency: [N] one way.
        socket_lowest: [N] lowest action: -1 where the socket can discharge vehicles, else 0.
    """

    def __init__(
        self, tables: Tables, params: Parameters, site: Site, state: State, known: dict[str, Tensor] | None = None
    ) -> None:
        self._tables = tables
        self._state = state
        self.site = site
        self.params = params
        self.scenario = state.scenario
        self.step = state.step
        self.bess_soc = state.bess_soc
        self.ev_soc = state.ev_soc
        self.peak_kw = state.peak_kw
        self.socket_power_kw = params.socket_power_kw
        self.socket_rate = params.socket_rate
        self.socket_capacity_kwh = params.socket_capacity_kwh
        self.socket_efficiency = params.socket_efficiency
        self.socket_lowest = params.socket_lowest
        self.known = {} if known is None else known

    @cached_property
    def _series(self) -> dict[str, Tensor]:
        return self._tables.series(self._state.scenario, self._state.step)

    def sockets(self, key: str) -> Tensor:
        """[B, N] one of ``tables.SOCKETS``, read once."""
        if key not in self.known:
            self.known[key] = self._tables.sockets(key, self._state.scenario, self._state.step)
        return self.known[key]

    def _clock(self, key: str) -> Tensor:
        return self._tables.clock[key][self._state.step.clamp(max=self._tables.steps)]

    @property
    def pv_kw(self) -> Tensor:
        """[B] PV power in this step."""
        return self._series["pv_kw"]

    @property
    def load_kw(self) -> Tensor:
        """[B] load in this step, without vehicles."""
        return self._series["load_kw"]

    @property
    def price_per_kwh(self) -> Tensor:
        """[B] price of imported energy."""
        return self._series["price_per_kwh"]

    @property
    def carbon_kg_per_kwh(self) -> Tensor:
        """[B] carbon intensity of imported energy."""
        return self._series["carbon_kg_per_kwh"]

    @property
    def hour(self) -> Tensor:
        """[B] hour of the day at the start of the step (18.25 is 18:15)."""
        return self._clock("hour")

    @property
    def weekday(self) -> Tensor:
        """[B] int64, 0 is Monday."""
        return self._clock("weekday")

    @property
    def month(self) -> Tensor:
        """[B] int64, 0 to 11."""
        return self._clock("month")

    @property
    def day_of_year(self) -> Tensor:
        """[B] int64, 0 to 364."""
        return self._clock("day_of_year")

    @property
    def month_elapsed(self) -> Tensor:
        """[B] share of the month that is over, 0..1."""
        return self._clock("month_elapsed")

    @property
    def demand_counted(self) -> Tensor:
        """[B, D] 1 where the demand charge counts this step, else 0."""
        return self._tables.counted[self._state.step.clamp(max=self._tables.steps)]

    @property
    def left(self) -> Tensor:
        """[B, N] steps until departure, at least 1 while connected, 0 where the socket is free."""
        return self.sockets("left")

    @cached_property
    def connected(self) -> Tensor:
        """[B, N] bool."""
        return self.left > 0

    @property
    def soc_required(self) -> Tensor:
        """[B, N] SOC that the driver needs at departure, 0 where the socket is free."""
        return self.sockets("soc_required")

    def forecast_error(self, what: str) -> Tensor:
        """What ``load`` or ``pv`` have been above their day-ahead forecast, [B, 2] in kW: means of today so far, and of
        the last three hours, the present step included in both.
        """
        return torch.stack([self._series[f"{what}_error_{span}_kw"] for span in FORECAST_ERRORS], -1)

    def forecast(self, key: str, steps: int) -> Tensor:
        """A forecast from the present row on.

        Args:
            key: one of ``FORECASTS``.
            steps: how many rows, at most those of a day (later ones would use what is not known yet).

        Returns:
            [B, steps]; beyond the year's end the last row repeats.

        Raises:
            ValueError: another key, or more steps.
        """
        if key not in FORECASTS or not 0 < steps <= self.site.steps_per_day:
            raise ValueError(
                f"forecast({key!r}, {steps}): expected 1 to {self.site.steps_per_day} steps of {FORECASTS}"
            )
        return self._tables.window(key, self._state.scenario, self._state.step, steps)
