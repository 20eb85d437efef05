"""The numbers of the rules: what ``controllers/`` reads of a site beside what stands there. ``docs/rules.md`` has them.

They leave a site's scenarios as they are. ``litgrid tune`` finds those of water filling on the train years.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from litgrid.errors import require

Forecast = Literal["mean7", "persistence", "day_ahead"]
"""Of load and PV of the next 24 hours: mean of the seven days before, the day before, or what a forecaster says."""


def _require_share(rule: str, found: object, keys: tuple[str, ...]) -> None:
    for key in keys:
        value = getattr(found, key)
        require(0 <= value <= 1, f"rules.{rule}.{key}", value, "0 to 1")


@dataclass(frozen=True)
class TimeOfUse:
    """The time-of-use rule.

    Args:
        spread: in dear hours, give the stored energy evenly over those that are left; else as fast as the site uses it.
        grid_charge_kw: import up to which the battery may be charged from the grid before dear hours, where the price
            pays for the losses; 0 for PV alone.
        grid_charge_hours: how long before dear hours it may.
    """

    spread: bool = True
    grid_charge_kw: float = 0.0
    grid_charge_hours: float = 4.0

    def __post_init__(self) -> None:
        key, power, hours = "rules.time_of_use.grid_charge", self.grid_charge_kw, self.grid_charge_hours
        require(power >= 0, f"{key}_kw", power, "at least 0 kW")
        require(0 <= hours <= 24, f"{key}_hours", hours, "0 to 24 h")


@dataclass(frozen=True)
class WaterFilling:
    """The water-filling rule.

    Args:
        forecast: of load and PV.
        load_margin: share by which the expected load, vehicles included, is raised.
        pv_margin: share by which the expected PV is lowered.
        load_memory: what is left after an hour of the load's present relative deviation from its forecast, 0..1.
        pv_memory: the same of PV.
        peak_share: of the month's highest import so far; imports up to it are not shaved, the rest of the stored
            energy goes where energy is dearest.
        floor_kw: the same in kW, whatever the month's peak.
        precharge_share: of the level, up to which imports may charge the battery where PV won't fill it; 0 for never.
    """

    forecast: Forecast = "mean7"
    load_margin: float = 0.1
    pv_margin: float = 0.3
    load_memory: float = 0.8
    pv_memory: float = 0.8
    peak_share: float = 0.9
    floor_kw: float = 0.0
    precharge_share: float = 0.9

    def __post_init__(self) -> None:
        shares = ("pv_margin", "load_memory", "pv_memory", "peak_share", "precharge_share")
        _require_share("water_filling", self, shares)
        margin, floor = self.load_margin, self.floor_kw
        require(-1 < margin <= 10, "rules.water_filling.load_margin", margin, "above -1 and at most 10")
        require(floor >= 0, "rules.water_filling.floor_kw", floor, "at least 0 kW")


@dataclass(frozen=True)
class Rules:
    """Numbers of the rules that have any.

    Args:
        time_of_use: of the rule of that name.
        water_filling: of the rule of that name.
    """

    time_of_use: TimeOfUse = field(default_factory=TimeOfUse)
    water_filling: WaterFilling = field(default_factory=WaterFilling)
