"""Controllers that need no training, by name."""

from collections.abc import Callable, Iterable

from litgrid.controllers.controller import Controller
from litgrid.controllers.idle import Idle
from litgrid.controllers.optimum import Optimum, ServedOptimum
from litgrid.controllers.self_consumption import SelfConsumption
from litgrid.controllers.time_of_use import TimeOfUse
from litgrid.controllers.uncontrolled import Uncontrolled
from litgrid.controllers.water_filling import WaterFilling
from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.worlds import Scenarios
from litgrid.site.site import Site


def _site(name: str, scenarios: Scenarios) -> Site:
    """The site of scenarios, for a controller that needs one.

    Raises:
        InputError: they are those of a CityLearn data set.
    """
    if not isinstance(scenarios, ScenarioSet):
        raise InputError(
            f"controllers: found {name} for a CityLearn data set, expected a site; only these have forecasts"
        )
    return scenarios.site


CONTROLLERS: dict[str, Callable[[Scenarios], Controller]] = {
    "idle": lambda _: Idle(),
    "uncontrolled": lambda _: Uncontrolled(),
    "self_consumption": lambda _: SelfConsumption(),
    "time_of_use": lambda scenarios: TimeOfUse(_site("time_of_use", scenarios)),
    "water_filling": lambda scenarios: WaterFilling(_site("water_filling", scenarios)),
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


__all__ = ["CONTROLLERS", "Controller", "check_names", "make"]
