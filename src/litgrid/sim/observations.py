"""What an agent observes, from the view alone. Every feature is of order 1, scaled by physical constants of the site.

Site features come in blocks of one or more columns (``SITE_FEATURES``); blocks of forecasts start with the present
step and cover 24 hours. Socket features are 0 where the socket is free.
"""

from __future__ import annotations

import math

import torch
from tensordict import TensorDict
from torch import Tensor

from litgrid.sim.actions import need_share
from litgrid.sim.physics import State
from litgrid.sim.simulator import Simulator
from litgrid.sim.tables import FORECAST_ERRORS
from litgrid.sim.view import View
from litgrid.site.site import DAYS_PER_YEAR, HOURS_PER_DAY, Site

EXOGENOUS = {
    "hour_sin": "hour of the day",
    "hour_cos": "",
    "weekday_sin": "day of the week",
    "weekday_cos": "",
    "season_sin": "day of the year",
    "season_cos": "",
    "month_elapsed": "share of the month that is over",
    "pv": "PV power / AC power of the plant",
    "load": "load / the site's typical peak",
    "net": "(load - PV) / the larger of the two scales",
    "demand_counted": "1 where the demand charge counts this step, a column for each charge",
    "price": "energy price / the tariff's highest, each hour",
    "carbon": "carbon intensity / the site's constant, 3-hour means",
    "load_mean7": "seven-day mean of the load, each hour",
    "pv_mean7": "seven-day mean of PV, each hour",
    "load_day_ahead": "day-ahead forecast of the load, each hour",
    "pv_day_ahead": "day-ahead forecast of PV, each hour",
    "load_error": "load less its day-ahead forecast, today's mean and that of three hours / a tenth of the scale",
    "pv_error": "the same of PV",
    "load_persistence": "yesterday's load, 3-hour means",
    "pv_persistence": "yesterday's PV, 3-hour means",
}
"""Site features that no action changes."""
ENDOGENOUS = {
    "bess_soc": "SOC of the battery",
    "vehicles": "what vehicles would take in this step if they charged at once / the power of all sockets",
    "peak": "highest import of the month so far / the site's typical peak load, a column for each demand charge",
}
"""Site features that actions change."""
SITE_FEATURES = EXOGENOUS | ENDOGENOUS
PER_CHARGE = ("demand_counted", "peak")
"""Site features with a column for each demand charge."""
ERRORS = {"load_error": "load", "pv_error": "pv"}
"""Site features that tell how wrong the day-ahead forecasts have been: of what, and its scale."""
ERROR_SHARE = 0.1
"""Of the scale, over which errors are of order 1."""
FORECASTS = {
    "price": ("price_per_kwh", "price", HOURS_PER_DAY),
    "carbon": ("carbon_kg_per_kwh", "carbon", 8),
    "load_mean7": ("load_mean7_kw", "load", HOURS_PER_DAY),
    "pv_mean7": ("pv_mean7_kw", "pv", HOURS_PER_DAY),
    "load_day_ahead": ("load_day_ahead_kw", "load", HOURS_PER_DAY),
    "pv_day_ahead": ("pv_day_ahead_kw", "pv", HOURS_PER_DAY),
    "load_persistence": ("load_persistence_kw", "load", 8),
    "pv_persistence": ("pv_persistence_kw", "pv", 8),
}
"""Site features that are forecasts: what is forecast, its scale, and columns for the 24 hours."""
SOCKET_FEATURES = {
    "connected": "1 where a vehicle is connected",
    "soc": "its SOC",
    "soc_required": "SOC that it needs at departure",
    "hours_left": "until departure / the fleet's longest stay",
    "energy_needed": "to take from the socket until the required SOC / the site's largest vehicle battery",
    "laxity": "share of the time left that is not needed for charging at full power, -1 to 1",
    "power": "of the socket / the site's strongest",
}


def site_columns(site: Site) -> list[str]:
    """Name of every column of the site features; blocks of several columns are numbered."""
    widths = {key: columns for key, (_, _, columns) in FORECASTS.items()}
    widths |= dict.fromkeys(PER_CHARGE, len(site.tariff.demand)) | dict.fromkeys(ERRORS, len(FORECAST_ERRORS))
    names = []
    for key in SITE_FEATURES:
        names += [f"{key}_{i}" for i in range(widths[key])] if key in widths else [key]
    return names


def scales(site: Site) -> dict[str, float]:
    """Physical constants that bring the site's quantities to order 1; what is absent (0) is scaled by 1."""
    price = max([site.tariff.price_per_kwh] + [window.price_per_kwh for window in site.tariff.windows])
    constants = {"pv": site.pv.ac_kw, "load": site.load.peak_kw, "price": price, "carbon": site.carbon.grid_kg_per_kwh}
    return {key: value if value > 0 else 1.0 for key, value in constants.items()}


def circle(phase: Tensor) -> tuple[Tensor, Tensor]:
    """Sine and cosine [B, 1] of a phase in turns [B]."""
    angle = 2.0 * math.pi * phase.unsqueeze(-1)
    return angle.sin(), angle.cos()


def _forecast(view: View, key: str, scale: float, columns: int) -> Tensor:
    """Means [B, columns] of a day's forecast."""
    steps = view.site.steps_per_day
    return view.forecast(key, steps).reshape(-1, columns, steps // columns).mean(-1) / scale


def exogenous(view: View) -> Tensor:
    """The features of ``EXOGENOUS``, [B, Fe]."""
    scale = scales(view.site)
    dtype = view.bess_soc.dtype
    hour, weekday = circle(view.hour / HOURS_PER_DAY), circle(view.weekday.to(dtype) / 7.0)
    season = circle(view.day_of_year.to(dtype) / DAYS_PER_YEAR)
    pv, load = view.pv_kw.unsqueeze(-1), view.load_kw.unsqueeze(-1)
    columns = {
        "hour_sin": hour[0],
        "hour_cos": hour[1],
        "weekday_sin": weekday[0],
        "weekday_cos": weekday[1],
        "season_sin": season[0],
        "season_cos": season[1],
        "month_elapsed": view.month_elapsed.unsqueeze(-1),
        "pv": pv / scale["pv"],
        "load": load / scale["load"],
        "net": (load - pv) / max(scale["load"], scale["pv"]),
        "demand_counted": view.demand_counted,
    }
    columns |= {key: _forecast(view, what, scale[unit], count) for key, (what, unit, count) in FORECASTS.items()}
    columns |= {key: view.forecast_error(what) / (scale[what] * ERROR_SHARE) for key, what in ERRORS.items()}
    return torch.cat([columns[key] for key in EXOGENOUS], -1)


def endogenous(view: View) -> list[Tensor]:
    """The features of ``ENDOGENOUS``, [B, 1], [B, 1] and [B, D]."""
    share = view.socket_power_kw / view.socket_power_kw.sum().clamp(min=1e-6)
    vehicles = (need_share(view) @ share).unsqueeze(-1)
    return [view.bess_soc.unsqueeze(-1), vehicles, view.peak_kw * (1.0 / scales(view.site)["load"])]


def sockets(view: View) -> list[Tensor]:
    """The features of ``SOCKET_FEATURES``, each [B, N]."""
    connected = view.left.clamp(max=1.0)
    missing = (view.soc_required - view.ev_soc).clamp(min=0.0)
    needed_kwh = view.socket_capacity_kwh / view.socket_efficiency  # for the whole capacity, at the socket
    needed_steps = needed_kwh / (view.socket_power_kw * view.site.step_hours)
    columns = {
        "connected": connected,
        "soc": view.ev_soc,
        "soc_required": view.soc_required,
        "hours_left": view.left * (view.site.step_hours / view.site.fleet.stay_hours[1]),
        "energy_needed": missing * (needed_kwh / view.socket_capacity_kwh.max()),
        "laxity": (connected - missing * needed_steps / view.left.clamp(min=1.0)).clamp(min=-1.0),
        "power": connected * (view.socket_power_kw / view.socket_power_kw.max()),
    }
    return [columns[key] for key in SOCKET_FEATURES]


def _entity(view: View, *site: Tensor) -> TensorDict:
    by_socket = torch.stack(sockets(view), 1).transpose(1, 2)  # a strided view, three times faster than its copy
    features = {"site": torch.cat(site, -1), "sockets": by_socket, "mask": view.connected}
    return TensorDict(features, batch_size=[len(view.ev_soc)])


def _flat(view: View, *site: Tensor) -> Tensor:
    return torch.cat([*site, *sockets(view)], -1)


def entity(view: View, *told: Tensor) -> TensorDict:
    """Site features [B, F], socket features [B, N, G] and the mask of connected vehicles [B, N].

    Args:
        view: the present.
        told: further site features (``ActionMap.told``).
    """
    return _entity(view, exogenous(view), *endogenous(view), *told)


def flat(view: View, *told: Tensor) -> Tensor:
    """All features in one vector [B, F + G N]: the site's, then every socket feature for all sockets; as ``entity``."""
    return _flat(view, exogenous(view), *endogenous(view), *told)


class Observer:
    """The same observations, with the exogenous features of every row computed once, so that a step reads one row.

    Args:
        simulator: whose rows are observed.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        years = torch.arange(len(simulator.scenarios), device=simulator.device)
        self._exogenous = torch.cat([self._year(year) for year in years])

    @property
    def bytes(self) -> int:
        """Memory that the features take."""
        return self._exogenous.nbytes

    def _year(self, scenario: Tensor) -> Tensor:
        step = torch.arange(self._simulator.steps + 1, device=scenario.device)
        return exogenous(self._simulator.view(self._simulator.initial(scenario.expand_as(step), step)))

    def _site(self, state: State, view: View) -> list[Tensor]:
        known = self._exogenous.index_select(0, self._simulator.tables.rows(state.scenario, state.step))
        return [known, *endogenous(view)]

    def entity(self, state: State, view: View, *told: Tensor) -> TensorDict:
        """As ``entity(view, *told)`` of that state's view."""
        return _entity(view, *self._site(state, view), *told)

    def flat(self, state: State, view: View, *told: Tensor) -> Tensor:
        """As ``flat(view, *told)`` of that state's view."""
        return _flat(view, *self._site(state, view), *told)
