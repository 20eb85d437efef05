"""The parts of an experiment, a run each: where they lie, how they are called, and how far they are."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml
from jsonargparse.typing import Path_fr

from litgrid.algorithms.files import sha256_of, write_whole
from litgrid.algorithms.saved import BEST, LAST
from litgrid.cli.experiments.config import NAME, Experiment, Options
from litgrid.errors import InputError, MissingFile
from litgrid.scenarios import store
from litgrid.site.rules import Rules
from litgrid.site.site import Site, read_site

State = Literal["new", "unfinished", "changed", "done"]
"""Not begun; to go on with; made with other settings than those of now; nothing left to do."""

REPLACED, COMPARISON = "replaced", "comparison"
"""Folders of an experiment beside those of its sites."""


@dataclass(frozen=True)
class Part:
    """One run of an experiment.

    Attributes:
        root: folder of the experiment.
        site: name of the site.
        algorithm: name of the agent.
        seed: of the training.
        options: of ``fit``, all but where to go on.
        settings: hash of all that the run is made from.
        rules: the site's file, with the present numbers of its rules; None where options change the site.
    """

    root: Path
    site: str
    algorithm: str
    seed: int
    options: tuple[str, ...]
    settings: str
    rules: Path | None

    @property
    def name(self) -> str:
        """In what is said."""
        return f"{self.site}/{self.algorithm}/seed-{self.seed}"

    @property
    def folder(self) -> Path:
        """Of the run."""
        return self.root / self.site / self.algorithm / f"seed-{self.seed}"

    @property
    def log(self) -> Path:
        """What the run says, in the order of its attempts."""
        return self.folder.with_suffix(".log")

    @property
    def record(self) -> Path:
        """What the run is made from."""
        return self.folder.with_suffix(".json")

    @property
    def lock(self) -> Path:
        """Held by the run's process."""
        return self.folder.with_name(f".{self.folder.name}.lock")

    @property
    def command(self) -> list[str]:
        """Arguments of the program, to begin or to go on."""
        going_on = ["--ckpt_path", str(self.folder / "checkpoints" / LAST)] if self.state() == "unfinished" else []
        return ["fit", *self.options, *going_on]

    def state(self) -> State:
        """How far it is, from its files."""
        if not self.folder.is_dir():
            return "new"
        if not self.record.is_file() or json.loads(self.record.read_bytes())["settings"] != self.settings:
            return "changed"
        if (self.folder / "evaluation.json").is_file() and (self.folder / "checkpoints" / BEST).is_file():
            return "done"
        return "unfinished" if any(self.folder.glob("checkpoints/last*.ckpt")) else "new"

    def prepare(self, machine: str | None = None) -> Path | None:
        """Make room for the run, and note what it is made from.

        Args:
            machine: on which it is about to be trained, in words, where that is known.

        Returns:
            Where a run with other settings went, or None if there was none.
        """
        state, moved = self.state(), None
        if state == "changed":
            moved = self._set_aside()
        elif state == "new" and self.folder.is_dir():  # it ended before its first checkpoint
            shutil.rmtree(self.folder)
        earlier = self.machines() if state == "unfinished" else []
        machines = list(dict.fromkeys([*earlier, *([] if machine is None else [machine])]))
        made_from = {"settings": self.settings, "options": self.options, "machines": machines}
        write_whole(self.record, (json.dumps(made_from, indent=2) + "\n").encode())
        return moved

    def machines(self) -> list[str]:
        """On which it was trained, in words, the first attempt's first; none where nobody noted them."""
        known = json.loads(self.record.read_bytes()) if self.record.is_file() else {}
        found: list[str] = known.get("machines", [])
        return found

    def _set_aside(self) -> Path:
        own = self.folder.parent.relative_to(self.root)
        folders = (self.root / REPLACED / str(number) / own for number in itertools.count(1))
        target = next(folder for folder in folders if not (folder / self.folder.name).exists())
        target.mkdir(parents=True, exist_ok=True)
        for path in (self.log, self.record, self.folder):  # the folder last: it says that there is something to move
            if path.exists():
                path.replace(target / path.name)
        return target / self.folder.name


def parts(experiment: Experiment) -> list[Part]:
    """Return the parts in the order in which they are trained: the first seeds of all come first.

    Raises:
        InputError: a site or a configuration is wrong.
    """
    sites = sites_of(experiment).present
    seeds = {
        (site.name, algorithm): recipe.on(site.name, experiment.seeds)
        for _, site in sites
        for algorithm, recipe in experiment.algorithms.items()
    }
    return [
        _part(experiment, algorithm, site, path, seeds[site.name, algorithm][number])
        for number in range(max(map(len, seeds.values())))
        for path, site in sites
        for algorithm in experiment.algorithms
        if number < len(seeds[site.name, algorithm])
    ]


class Sites(NamedTuple):
    """The sites of an experiment.

    Attributes:
        present: file and site.
        left_out: name of an optional site, a file of whose data is missing -> which one.
    """

    present: list[tuple[str, Site]]
    left_out: dict[str, str]


def sites_of(experiment: Experiment) -> Sites:
    """Read the sites.

    Raises:
        InputError: one of them is wrong, two have the same name, or the experiment names one that is not there.
    """
    found = Sites([], {})
    optional = [_path(file) for file in experiment.optional_sites]
    for path in [*map(_path, experiment.sites), *optional]:
        try:
            found.present.append((path, _with_its_files(path)))
        except MissingFile as error:
            if path not in optional:
                raise
            found.left_out[str(yaml.safe_load(Path(path).read_bytes()).get("name", Path(path).stem))] = str(error)
    _check_names([*(site.name for _, site in found.present), *found.left_out])
    _check_references(experiment, [*(site.name for _, site in found.present), *found.left_out])
    return found


def _with_its_files(path: str) -> Site:
    """Read a site, and all files that its years are built from."""
    site = read_site(path)
    store.key(site)
    return site


def _path(file: Path_fr) -> str:
    return str(Path(file.absolute).resolve())


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1 or name in (REPLACED, COMPARISON) or not NAME.fullmatch(name):
            raise InputError(f"sites: found the name {name!r}, expected one of its own that a folder can have")


def _check_references(experiment: Experiment, sites: Sequence[str]) -> None:
    """Refuse names of sites that are none of the experiment's, and a transfer of what is not trained there."""
    recipes, results = experiment.algorithms, experiment.results
    for key, recipe in recipes.items():
        _check_known(f"algorithms.{key}.seeds", recipe.seeds if isinstance(recipe.seeds, dict) else (), sites)
    _check_known("comparison.site_controllers", experiment.comparison.site_controllers, sites)
    if results is None:
        return
    _check_known("results", results.sites, sites)
    for transfer in results.transfer:
        for site in (transfer.site, *transfer.to):
            if transfer.algorithm not in recipes or not recipes[transfer.algorithm].on(site, experiment.seeds):
                raise InputError(f"results.transfer: found {transfer.algorithm} on {site}, expected what is trained")


def _check_known(key: str, given: Iterable[str], names: Sequence[str]) -> None:
    for name in given:
        if name not in names:
            raise InputError(f"{key}: found the site {name!r}, expected some of: {', '.join(names)}")


def _part(experiment: Experiment, algorithm: str, site: Site, path: str, seed: int) -> Part:
    recipe = experiment.algorithms[algorithm]
    configs = [str(Path(config.absolute).resolve()) for config in recipe.configs]
    given = {**experiment.options, **recipe.options}
    altered = any(key.startswith("data.site.") for key in given)
    own = {
        "data.site": path,
        "runs": str(experiment.folder),
        "experiment": site.name,
        "label": algorithm,
        "seed_everything": seed,
    }
    clear = "--data.site=null"  # else what the site's file leaves out would be that of the configurations' site
    options = [*(f"--config={config}" for config in configs), clear, *_arguments(own), *_arguments(given)]
    settings = [yaml.safe_load(Path(config).read_bytes()) for config in configs]
    changes_a_rule = '"residual"' in json.dumps([settings, given], default=str)  # else no training looks at rules
    made_from = {
        "configs": settings,
        "site": content(site if changes_a_rule else dataclasses.replace(site, rules=Rules())),
        "options": given,
        "seed": seed,
    }
    rules = None if altered else Path(path)
    return Part(experiment.folder, site.name, algorithm, seed, tuple(options), _hash(made_from), rules)


def _arguments(options: Options) -> Iterator[str]:
    for key, value in options.items():
        yield f"--{key}={value if isinstance(value, str) else json.dumps(value)}"


def content(value: Any) -> Any:
    """Return plain data, with the content of files in place of their names."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return content(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {key: content(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [content(part) for part in value]
    return {"sha256": sha256_of(Path(value))} if isinstance(value, os.PathLike) else value


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()
