"""Where scenarios come from: a site, whose years are built, or a CityLearn data set, whose days are shared out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from jsonargparse.typing import path_type

from litgrid.errors import InputError
from litgrid.scenarios import store
from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.district import District, figures
from litgrid.scenarios.district_split import Part, split_district
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import SPLITS
from litgrid.sim.worlds import Scenarios
from litgrid.site.site import Objective, Site

Folder = path_type("dr", docstring="path to a folder that exists and can be read")
"""In a configuration, relative to its file."""


@dataclass(frozen=True)
class CityLearnData:
    """A CityLearn data set to train on.

    Args:
        path: folder of its schema.json.
        objective: what controllers minimise there, in the currency of its prices.
        drop_washing_machines: leave washing machines and deferrable appliances out, instead of refusing the data set.
    """

    path: Folder  # type: ignore[valid-type]
    objective: Objective = Objective()  # noqa: RUF009 (frozen)
    drop_washing_machines: bool = False


class Source(Protocol):
    """Scenarios by split, and what to say about them."""

    @property
    def name(self) -> str:
        """Of the site or the data set."""

    @property
    def about(self) -> str:
        """Name, and how much an agent acts on: "small with 12 sockets"."""

    @property
    def details(self) -> str:
        """What stands there and what is minimised."""

    @property
    def warnings(self) -> list[str]:
        """Lines that whoever uses the scenarios should read."""

    def load(self, split: Part) -> Scenarios:
        """The scenarios of a split; raises ``InputError`` where there is no such split."""

    def sample(self) -> Scenarios:
        """Scenarios of the same shape as all others, at little cost."""


@dataclass(frozen=True)
class SiteYears:
    """Years of a site, kept in a folder.

    Attributes:
        site: what stands there.
        folder: where scenario sets are kept.
    """

    site: Site
    folder: Path = store.FOLDER

    @property
    def name(self) -> str:
        """Of the site."""
        return self.site.name

    @property
    def about(self) -> str:
        """Name and number of sockets: what an agent has to fit."""
        return f"{self.site.name} with {self.site.fleet.sockets} sockets"

    @property
    def details(self) -> str:
        """PV, battery, sockets, objective."""
        site = self.site
        return (
            f"{site.name}: {site.pv.dc_kwp:,.0f} kWp of PV, a battery of {site.battery.capacity_kwh:,.0f} kWh, "
            f"{site.fleet.sockets} sockets; objective {site.objective.preset}"
        )

    @property
    def warnings(self) -> list[str]:
        """None."""
        return []

    def load(self, split: Part) -> Scenarios:
        """The years of a split; they are built if they are missing."""
        if split == "all":
            raise InputError(f"split: found all, which a CityLearn data set has, expected one of {', '.join(SPLITS)}")
        return store.load(self.site, split, self.folder)

    def sample(self) -> Scenarios:
        """A random day."""
        return random_scenarios(self.site, scenarios=1, steps=self.site.steps_per_day)


@dataclass(frozen=True)
class CityLearnRows:
    """Rows of a CityLearn data set.

    Attributes:
        folder: of its schema.json, absolute.
        objective: of its controllers.
        drop_washing_machines: instead of refusing the data set.
    """

    folder: Path
    objective: Objective
    drop_washing_machines: bool

    @classmethod
    def of(cls, data: CityLearnData) -> CityLearnRows:
        """Those of a configured data set."""
        folder = Path(data.path.absolute)  # type: ignore[attr-defined]
        return cls(folder.resolve(), data.objective.with_preset(), data.drop_washing_machines)

    @property
    def name(self) -> str:
        """Of the folder."""
        return self.folder.name

    @property
    def about(self) -> str:
        """Name, batteries and chargers."""
        count = figures(self._read[0])
        return f"{self.name} with {count['batteries']} batteries and {count['chargers']} chargers"

    @property
    def details(self) -> str:
        """Buildings, batteries, chargers, objective."""
        count = figures(self._read[0])
        return (
            f"{self.name}: {count['buildings']} buildings, {count['batteries']} batteries "
            f"({count['battery_kwh']:,.0f} kWh), {count['chargers']} chargers; objective {self.objective.preset}"
        )

    @property
    def warnings(self) -> list[str]:
        """CityLearn's oddities that the data meets."""
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[District, list[str]]:
        return read_district(self.folder, self.drop_washing_machines)

    def load(self, split: Part) -> Scenarios:
        """The days of a split."""
        return split_district(self._read[0], split, self.objective)

    def sample(self) -> Scenarios:
        """All rows."""
        return self.load("all")


def source_of(site: Site | None, citylearn: CityLearnData | None, folder: Path) -> Source:
    """The data set where one is given, else the site.

    Raises:
        InputError: neither is given.
    """
    if citylearn is not None:
        return CityLearnRows.of(citylearn)
    if site is not None:
        return SiteYears(site, folder)
    raise InputError("data: found neither site nor citylearn.path, expected one of them")
