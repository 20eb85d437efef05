"""What an experiment is: sites x algorithms x seeds, as a typed YAML file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jsonargparse import ArgumentError, ArgumentParser
from jsonargparse.typing import Path_fr

from litgrid.algorithms.collectors import Backend, check_backend
from litgrid.cli.compare import RULES
from litgrid.cli.experiments.space import Search
from litgrid.cli.messages import one_line
from litgrid.controllers import check_names
from litgrid.errors import InputError
from litgrid.site.explain import check_yaml

Options = dict[str, Any]
"""Options of ``fit``: dotted name -> value."""
Seeds = int | list[int]
"""How many, from 0 on, or which."""

OWNED = ("runs", "experiment", "label", "seed_everything", "ckpt_path", "config", "data.site")
"""Options of ``fit`` that an experiment sets itself."""
KEY = "experiment"  # of all keys together, for the parser
NAME = re.compile(r"\w[\w.+-]*")  # of a folder, on every system


@dataclass(frozen=True)
class Recipe:
    """How an agent is trained.

    Args:
        configs: files for ``fit --config``, later ones count.
        options: of ``fit``, which count more than the files: ``model.discount: 0.95``.
        seeds: in place of the experiment's; or name of a site -> seeds there, and it is trained on these sites alone.
    """

    configs: list[Path_fr]
    options: Options = field(default_factory=dict)
    seeds: Seeds | dict[str, Seeds] | None = None

    def on(self, site: str, default: Seeds) -> list[int]:
        """The seeds on a site; none where it is not trained there."""
        found = self.seeds.get(site, []) if isinstance(self.seeds, dict) else self.seeds
        return listed(default if found is None else found)

    def with_seeds(self, seeds: int) -> Recipe:
        """The same, with as many seeds wherever it is trained."""
        if not isinstance(self.seeds, dict):
            return dataclasses.replace(self, seeds=seeds)
        return dataclasses.replace(self, seeds=dict.fromkeys(self.seeds, seeds))


def listed(seeds: Seeds) -> list[int]:
    """The seeds themselves."""
    return list(range(seeds)) if isinstance(seeds, int) else list(seeds)


@dataclass(frozen=True)
class Final:
    """The comparison at the end.

    Args:
        controllers: beside the agents; by default those of ``compare``.
        split: whose years are compared.
        site_controllers: name of a site -> controllers there, in place of the others.
    """

    controllers: list[str] = field(default_factory=lambda: list(RULES))
    split: Literal["validation", "test"] = "test"
    site_controllers: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for names in (self.controllers, *self.site_controllers.values()):
            check_names(names)

    def on(self, site: str) -> list[str]:
        """The controllers on a site."""
        return self.site_controllers.get(site, self.controllers)


@dataclass(frozen=True)
class Transfer:
    """Agents of one site on others, unchanged.

    Args:
        algorithm: name in ``algorithms``.
        site: that they were trained on.
        to: sites, on which the same algorithm is trained as well.
    """

    algorithm: str
    site: str
    to: list[str]


@dataclass(frozen=True)
class Results:
    """What the page of results has beside every site's comparison; sites by name.

    Args:
        flexibility: sites whose flexibilities are valued by the optimum.
        transfer: agents on sites that they were not trained on.
        measured: site of generated years -> the same site with years resampled from measured files.
    """

    flexibility: list[str] = field(default_factory=list)
    transfer: list[Transfer] = field(default_factory=list)
    measured: dict[str, str] = field(default_factory=dict)

    @property
    def sites(self) -> set[str]:
        """All that are named."""
        ends = {name for transfer in self.transfer for name in (transfer.site, *transfer.to)}
        return {*self.flexibility, *ends, *self.measured, *self.measured.values()}


@dataclass(frozen=True)
class Experiment:
    """Every algorithm on every site with every seed.

    Args:
        name: of its folder, ``<runs>/<name>``.
        sites: files of sites.
        optional_sites: further ones; one whose files of data are missing is left out, and a line says so; anything
            else that is wrong with one is an error.
        algorithms: name in folders and tables -> how the agent is trained; an algorithm may be there several times.
        seeds: how many, from 0 on, or which.
        options: of ``fit``, for all algorithms.
        jobs: how many are trained at a time.
        threads: of each; results are bit for bit the same only with the same number.
        gpus: of each, which Ray sets aside; without Ray each takes what its configuration says.
        backend: processes of this machine, or tasks of a Ray cluster (extra ``ray``).
        runs: folder of all experiments, relative to where the program is started.
        comparison: at the end.
        results: what a page of all sites has beside it; without, there is no page.
        search: of settings, in place of all that; it sees validation years alone.
    """

    name: str
    sites: list[Path_fr]
    algorithms: dict[str, Recipe]
    seeds: Seeds = 3
    optional_sites: list[Path_fr] = field(default_factory=list)
    options: Options = field(default_factory=dict)
    jobs: int = 1
    threads: int = 1
    gpus: float = 0.0
    backend: Backend = "process"
    runs: Path = Path("runs")
    comparison: Final = field(default_factory=Final)
    results: Results | None = None
    search: Search | None = None

    def __post_init__(self) -> None:
        for key, name in (("name", self.name), *(("algorithms", name) for name in self.algorithms)):
            _require(NAME.fullmatch(name) is not None, key, name, "a name for a folder: letters, digits, . _ + -")
        for key, given in (("sites", self.sites), ("algorithms", self.algorithms)):
            _require(len(given) > 0, key, "none", "at least one")
        for key, seeds in self._all_seeds():
            _require_seeds(key, seeds)
        for key, least in (("jobs", 1), ("threads", 1), ("gpus", 0)):
            _require(getattr(self, key) >= least, key, getattr(self, key), f"at least {least}")
        every = [self.options, *(recipe.options for recipe in self.algorithms.values())]
        for option in (key for options in every for key in options):
            _require(option not in OWNED, "options", option, "options that the experiment does not set itself")
            altered = self.results is not None and option.startswith("data.site.")
            _require(not altered, "options", option, "with results, sites as their files have them")
        if self.search is not None:
            self._check_search(self.search)
        check_backend(self.backend)

    def _check_search(self, search: Search) -> None:
        """Refuse a search of what is no single training, or of what makes scores another quantity."""
        search.check()
        for key, given in (("sites", [*self.sites, *self.optional_sites]), ("algorithms", self.algorithms)):
            _require(len(given) == 1, key, f"{len(given)} with search", "one")
        _require(self.results is None, "results", "a page of results with search", "one of them")
        for option in search.space:
            fixed = option in OWNED or option.startswith("data.site.")
            _require(
                not fixed, "search.space", option, "options of the training, the experiment sets its site and seed"
            )

    def _all_seeds(self) -> Iterator[tuple[str, Seeds]]:
        yield "seeds", self.seeds
        for name, recipe in self.algorithms.items():
            key = f"algorithms.{name}.seeds"
            if isinstance(recipe.seeds, dict):
                yield from ((key, seeds) for seeds in recipe.seeds.values())
            elif recipe.seeds is not None:
                yield key, recipe.seeds

    def with_seeds(self, seeds: int) -> Experiment:
        """The same, with as many seeds of every algorithm."""
        recipes = {name: recipe.with_seeds(seeds) for name, recipe in self.algorithms.items()}
        return dataclasses.replace(self, seeds=seeds, algorithms=recipes)

    @property
    def folder(self) -> Path:
        """All that the experiment writes."""
        return self.runs / self.name


def _require(holds: bool, key: str, found: object, expected: str) -> None:
    if not holds:
        raise InputError(f"{key}: found {found}, expected {expected}")


def _require_seeds(key: str, seeds: Seeds) -> None:
    found = listed(seeds)
    _require(len(found) > 0, key, "none", "at least one")
    _require(min(found) >= 0, key, seeds, "none below 0")
    _require(len(set(found)) == len(found), key, seeds, "each once")


def read_experiment(path: Path, seeds: int | None = None, jobs: int | None = None) -> Experiment:
    """Read an experiment from a YAML file; names of sites and configurations in it are relative to its folder.

    Args:
        path: the file.
        seeds: how many, in place of the file's, also of those of single algorithms.
        jobs: at a time, in place of the file's.

    Raises:
        InputError: the file is missing, or a key is unknown, missing or wrong.
    """
    check_yaml(path, "an experiment", "algorithms")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Experiment, KEY)
    try:
        experiment: Experiment = parser.instantiate(parser.parse_args([f"--{KEY}={path}"]))[KEY]
        experiment = experiment if seeds is None else experiment.with_seeds(seeds)
        return experiment if jobs is None else dataclasses.replace(experiment, jobs=jobs)
    except InputError as error:
        raise InputError(f"{path}, {error}") from error
    except ArgumentError as error:
        loading = f"{KEY}: Unable to load config {str(path)!r} "
        raise InputError(f"{path}, {one_line(str(error)).replace(loading, '').replace(f'{KEY}.', '')}") from error
