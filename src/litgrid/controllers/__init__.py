"""Controllers that need no training, by name."""

from collections.abc import Callable, Iterable

from litgrid.controllers.controller import Controller
from litgrid.controllers.idle import Idle
from litgrid.controllers.mpc import perfect, predictive
from litgrid.controllers.optimum import Optimum, ServedOptimum
from litgrid.controllers.outlook import Forecast
from litgrid.controllers.self_consumption import SelfConsumption
from litgrid.controllers.time_of_use import TimeOfUse
from litgrid.controllers.uncontrolled import Uncontrolled
from litgrid.controllers.water_filling import WaitingWaterFilling, WaterFilling
from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.action_maps import Rule, plain
from litgrid.sim.worlds import Scenarios
from litgrid.site.site import Site


def _years(name: str, scenarios: Scenarios) -> ScenarioSet:
    """Scenarios that are years of a site, for a controller that needs one.

    Raises:
        InputError: they are those of a CityLearn data set.
    """
    if not isinstance(scenarios, ScenarioSet):
        raise InputError(
            f"controllers: found {name} for a CityLearn data set, expected a site; only these have forecasts"
        )
    return scenarios


def _site(name: str, scenarios: Scenarios) -> Site:
    """Their site; errors as ``_years``."""
    return _years(name, scenarios).site


def _predictive(name: str, forecast: Forecast) -> Callable[[Scenarios], Controller]:
    """What makes model-predictive control with a forecast."""
    return lambda scenarios: predictive(name, _site(name, scenarios), forecast)


CONTROLLERS: dict[str, Callable[[Scenarios], Controller]] = {
    "idle": lambda _: Idle(),
    "uncontrolled": lambda _: Uncontrolled(),
    "self_consumption": lambda _: SelfConsumption(),
    "time_of_use": lambda scenarios: TimeOfUse(_site("time_of_use", scenarios)),
    "water_filling": lambda scenarios: WaterFilling(_site("water_filling", scenarios)),
    "water_filling_waiting": lambda scenarios: WaitingWaterFilling(_site("water_filling_waiting", scenarios)),
    "mpc": _predictive("mpc", "day_ahead"),
    "mpc_mean7": _predictive("mpc_mean7", "mean7"),
    "mpc_persistence": _predictive("mpc_persistence", "persistence"),
    "mpc_perfect": lambda scenarios: perfect("mpc_perfect", _years("mpc_perfect", scenarios)),
    "optimum": Optimum,
    "optimum_served": ServedOptimum,
}
"""Name -> what makes the controller for scenarios: it may read their site, and only bounds look at the scenarios."""


def check_names(names: Iterable[str]) -> None:
    """Refuse names that no controller has.

    Raises:
        InputError: naming the first of them.
    """
    for name in names:
        if name not in CONTROLLERS:
            raise InputError(f"controllers: found {name!r}, expected some of: {', '.join(CONTROLLERS)}")


def make(name: str, scenarios: Scenarios) -> Controller:
    """Make the controller of this name for what it shall control.

    Raises:
        InputError: there is none.
    """
    check_names([name])
    return CONTROLLERS[name](scenarios)


def rule(name: str, scenarios: Scenarios) -> Rule:
    """Make the rule of this name for agents to change, who are told what it plans."""
    controller = make(name, scenarios)
    return controller.advise if isinstance(controller, WaterFilling) else plain(controller.act)


__all__ = ["CONTROLLERS", "Controller", "check_names", "make", "rule"]
