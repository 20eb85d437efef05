"""Controllers that need no training, by name."""

from collections.abc import Callable

from litgrid.controllers.controller import Controller
from litgrid.controllers.idle import Idle
from litgrid.controllers.self_consumption import SelfConsumption
from litgrid.controllers.uncontrolled import Uncontrolled
from litgrid.errors import InputError

CONTROLLERS: dict[str, Callable[[], Controller]] = {rule.name: rule for rule in (Idle, Uncontrolled, SelfConsumption)}


def make(name: str) -> Controller:
    """Make the controller of this name.

    Raises:
        InputError: there is none.
    """
    if name not in CONTROLLERS:
        raise InputError(f"controllers: found {name!r}, expected some of: {', '.join(CONTROLLERS)}")
    return CONTROLLERS[name]()


__all__ = ["CONTROLLERS", "Controller", "make"]
