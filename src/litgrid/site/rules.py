"""Settings of the controllers that need no training: how they control a site, not what stands there."""

from __future__ import annotations

from dataclasses import dataclass

from litgrid.errors import InputError


def _require(holds: bool, key: str, found: object, expected: str) -> None:
    if not holds:
        raise InputError(f"site, rules.{key}: found {found}, expected {expected}")


@dataclass(frozen=True)
class Mpc:
    """Settings of model-predictive control (``controllers/mpc.py``, docs/mpc.md).

    Args:
        horizon_hours: how far each plan goes; forecasts reach 24 hours, later ones repeat them.
        load_margin: share by which a forecast import (load + vehicles - PV, where positive) is raised.
        load_memory: share of the present relative error of the load forecast that is left an hour later.
        pv_memory: the same of the PV forecast.
        peak_floor_kw: imports up to here raise no demand charge in the plan: the month will reach it anyway.
        hold_per_kwh: what an hour with a kWh more in battery or vehicles is worth, in the currency. Between plans
            that cost the same it chooses the one that charges early and discharges late; forecasts may fail.
        terminal_value_per_kwh: worth of a kWh in the battery at the plan's end, in the site's currency; by default
            what it saves at the mean cost of an import within the horizon.
    """

    horizon_hours: float = 24.0
    load_margin: float = 0.02
    load_memory: float = 0.95
    pv_memory: float = 0.7
    peak_floor_kw: float = 0.0
    hold_per_kwh: float = 1e-3
    terminal_value_per_kwh: float | None = None

    def __post_init__(self) -> None:
        _require(1 <= self.horizon_hours <= 48, "mpc.horizon_hours", self.horizon_hours, "1 to 48 h")
        _require(0 <= self.load_margin <= 2, "mpc.load_margin", self.load_margin, "0 to 2")
        for key in ("load_memory", "pv_memory"):
            _require(0 <= getattr(self, key) <= 1, f"mpc.{key}", getattr(self, key), "0 to 1")
        for key, most in (("peak_floor_kw", 1e6), ("hold_per_kwh", 1.0), ("terminal_value_per_kwh", 1e3)):
            value = getattr(self, key)
            _require(value is None or 0 <= value <= most, f"mpc.{key}", value, f"0 to {most:g}")
