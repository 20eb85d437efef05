"""What an experiment is: sites x algorithms x seeds, as a typed YAML file."""

from __future__ import annotations

import dataclasses
import re
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
    """

    configs: list[Path_fr]
    options: Options = field(default_factory=dict)


@dataclass(frozen=True)
class Final:
    """The comparison at the end.

    Args:
        controllers: beside the agents; by default those of ``compare``.
        split: whose years are compared.
    """

    controllers: list[str] = field(default_factory=lambda: list(RULES))
    split: Literal["validation", "test"] = "test"

    def __post_init__(self) -> None:
        check_names(self.controllers)


@dataclass(frozen=True)
class Experiment:
    """Every algorithm on every site with every seed.

    Args:
        name: of its folder, ``<runs>/<name>``.
        sites: files of sites.
        algorithms: name in folders and tables -> how the agent is trained; an algorithm may be there several times.
        seeds: how many, from 0 on, or which.
        options: of ``fit``, for all algorithms.
        jobs: how many are trained at a time.
        threads: of each; results are bit for bit the same only with the same number.
        gpus: of each, which Ray sets aside; without Ray each takes what its configuration says.
        backend: processes of this machine, or tasks of a Ray cluster (extra ``ray``).
        runs: folder of all experiments, relative to where the program is started.
        comparison: at the end.
        search: of settings, in place of all that; it sees validation years alone.
    """

    name: str
    sites: list[Path_fr]
    algorithms: dict[str, Recipe]
    seeds: int | list[int] = 3
    options: Options = field(default_factory=dict)
    jobs: int = 1
    threads: int = 1
    gpus: float = 0.0
    backend: Backend = "process"
    runs: Path = Path("runs")
    comparison: Final = field(default_factory=Final)
    search: Search | None = None

    def __post_init__(self) -> None:
        for key, name in (("name", self.name), *(("algorithms", name) for name in self.algorithms)):
            _require(NAME.fullmatch(name) is not None, key, name, "a name for a folder: letters, digits, . _ + -")
        for key, given in (("sites", self.sites), ("algorithms", self.algorithms), ("seeds", self.seed_list)):
            _require(len(given) > 0, key, "none", "at least one")
        _require(min(self.seed_list) >= 0, "seeds", self.seeds, "none below 0")
        _require(len(set(self.seed_list)) == len(self.seed_list), "seeds", self.seeds, "each once")
        for key, least in (("jobs", 1), ("threads", 1), ("gpus", 0)):
            _require(getattr(self, key) >= least, key, getattr(self, key), f"at least {least}")
        searched = {} if self.search is None else self.search.space
        for key, given in (("sites", self.sites), ("algorithms", self.algorithms)):
            _require(self.search is None or len(given) == 1, key, f"{len(given)} with search", "one")
        for options in (self.options, *(recipe.options for recipe in self.algorithms.values()), searched):
            for option in options:
                _require(option not in OWNED, "options", option, "options that the experiment does not set itself")
        check_backend(self.backend)

    @property
    def seed_list(self) -> list[int]:
        """The seeds."""
        return list(range(self.seeds)) if isinstance(self.seeds, int) else list(self.seeds)

    @property
    def folder(self) -> Path:
        """All that the experiment writes."""
        return self.runs / self.name


def _require(holds: bool, key: str, found: object, expected: str) -> None:
    if not holds:
        raise InputError(f"{key}: found {found}, expected {expected}")


def read_experiment(path: Path, seeds: int | None = None, jobs: int | None = None) -> Experiment:
    """Read an experiment from a YAML file; names of sites and configurations in it are relative to its folder.

    Args:
        path: the file.
        seeds: how many, in place of the file's.
        jobs: at a time, in place of the file's.

    Raises:
        InputError: the file is missing, or a key is unknown, missing or wrong.
    """
    check_yaml(path, "an experiment", "algorithms")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Experiment, KEY)
    try:
        experiment: Experiment = parser.instantiate(parser.parse_args([f"--{KEY}={path}"]))[KEY]
        changes = {"seeds": seeds, "jobs": jobs}
        return dataclasses.replace(experiment, **{key: to for key, to in changes.items() if to is not None})  # type: ignore[arg-type]
    except InputError as error:
        raise InputError(f"{path}, {error}") from error
    except ArgumentError as error:
        loading = f"{KEY}: Unable to load config {str(path)!r} "
        raise InputError(f"{path}, {one_line(str(error)).replace(loading, '').replace(f'{KEY}.', '')}") from error
