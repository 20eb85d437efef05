"""The numbers of the rules are checked when a site is made, and leave its scenarios as they are."""

from typing import Any

import pytest

from litgrid.errors import InputError
from litgrid.scenarios import store
from litgrid.site.rules import Rules, TimeOfUse, WaterFilling
from litgrid.site.site import Site, replace


@pytest.mark.parametrize(
    ("rule", "changes", "message"),
    [
        (WaterFilling, {"pv_margin": 1.5}, "rules.water_filling.pv_margin: found 1.5, expected 0 to 1"),
        (WaterFilling, {"peak_share": -0.1}, "rules.water_filling.peak_share: found -0.1, expected 0 to 1"),
        (WaterFilling, {"load_margin": float("nan")}, "load_margin: found nan, expected above -1 and at most 10"),
        (WaterFilling, {"floor_kw": float("inf")}, "floor_kw: found inf, expected at least 0 kW"),
        (TimeOfUse, {"grid_charge_kw": -1.0}, "rules.time_of_use.grid_charge_kw: found -1.0, expected at least 0"),
        (TimeOfUse, {"grid_charge_hours": 25.0}, "grid_charge_hours: found 25.0, expected 0 to 24 h"),
    ],
)
def test_what_makes_no_sense_is_refused(rule: type, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rule(**changes)


def test_they_are_no_part_of_the_scenarios_key(small_site: Site) -> None:
    other = replace(small_site, rules=Rules(water_filling=WaterFilling(load_margin=0.4)))
    assert store.key(other) == store.key(small_site)
