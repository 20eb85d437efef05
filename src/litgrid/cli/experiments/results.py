"""The page of results that an experiment ends in, where its file asks for one: of all sites that were compared."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from litgrid.algorithms.agent import load_agent
from litgrid.algorithms.files import sha256_of, write_whole
from litgrid.algorithms.saved import BEST
from litgrid.algorithms.sources import SiteYears
from litgrid.cli.bench_tools import machine_in_words
from litgrid.cli.experiments.config import Experiment, Transfer
from litgrid.cli.experiments.final import FIGURES
from litgrid.cli.experiments.parts import COMPARISON, Part, content, sites_of
from litgrid.controllers import Controller, make
from litgrid.evaluation.compare import BOUNDS
from litgrid.evaluation.comparison import Curve
from litgrid.evaluation.flexibility import flexibility
from litgrid.evaluation.information import Maker, knowledge
from litgrid.evaluation.report import log_test
from litgrid.evaluation.results import curves as pictures
from litgrid.evaluation.results.page import Page, render
from litgrid.evaluation.results.site import site_results
from litgrid.evaluation.results.site_page import SitePage
from litgrid.evaluation.results.transfer import Moved, measure, moved
from litgrid.evaluation.runs import curve
from litgrid.scenarios import plot, store
from litgrid.scenarios.leaks import leaks
from litgrid.scenarios.scenario_set import SPLITS, ScenarioSet, Split
from litgrid.site.rules import Rules
from litgrid.site.site import Site, replace

Figures = dict[str, Any]
PAGE, JSON, IMAGES = "results.md", "results.json", "images"


class _Writer:
    """Makes the page's parts.

    Args:
        experiment: whose results.
        planned: its parts.
        say: gets a line for each step that takes time.
    """

    def __init__(self, experiment: Experiment, planned: Sequence[Part], say: Callable[[str], None]) -> None:
        assert experiment.results is not None
        self.experiment, self.asked, self.say = experiment, experiment.results, say
        self.done = [part for part in planned if part.state() == "done"]
        self.missing = [part for part in planned if part not in self.done]
        sites = sites_of(experiment)
        self.left_out = sites.left_out
        self.sites = {site.name: site for _, site in sites.present}

    def page(self, command: str) -> Page:
        """All of it; sites without a comparison are left out."""
        shown = [site for name, site in self.sites.items() if any(part.site == name for part in self.done)]
        return Page(
            command=command,
            machine=machine_in_words(),
            trained_on=self._trained_on(),
            jobs=(self.experiment.jobs, self.experiment.threads),
            sites=[self._site(site) for site in shown],
            left_out=self.left_out,
            measured=self.asked.measured,
            moved=[row for transfer in self.asked.transfer for row in self._moved(transfer)],
        )

    def _trained_on(self) -> dict[str, int]:
        """Machines, in words -> how many runs were trained on them alone."""
        return dict(Counter(", then on ".join(part.machines()) or "not noted" for part in self.done))

    def _site(self, site: Site) -> SitePage:
        figures, runs = self._figures(site.name), self._curves(site.name)
        found = site_results(figures, runs)
        self.say(f"{site.name}: days of the splits, and what decisions depend on")
        image = f"{IMAGES}/results-{site.name}.png"
        picture = pictures.draw(site.name, found.currency, runs, figures["validation"])
        (self.experiment.folder / IMAGES).mkdir(parents=True, exist_ok=True)
        plot.save(picture, self.experiment.folder / image)
        return SitePage(
            found=found,
            picture=image,
            missing=[part.name for part in self.missing if part.site == site.name],
            leaks=leaks({split: self._load(site, split) for split in SPLITS}),
            knowledge=knowledge(site, self._makers(site)),
            flexibility=self._flexibility(site) if site.name in self.asked.flexibility else None,
        )

    def _figures(self, site: str) -> Figures:
        figures: Figures = json.loads((self._folder(site) / FIGURES).read_bytes())
        return figures

    def _folder(self, site: str) -> Path:
        return self.experiment.folder / COMPARISON / site

    def _load(self, site: Site, split: Split) -> ScenarioSet:
        scenarios = self._source(site).load(split)
        assert isinstance(scenarios, ScenarioSet)
        return scenarios

    def _source(self, site: Site) -> SiteYears:
        return SiteYears(site, Path(self.experiment.options.get("data.folder", store.FOLDER)))

    def _curves(self, site: str) -> dict[str, list[Curve]]:
        found: dict[str, list[Curve]] = {}
        for part in self.done:
            if part.site == site:
                found.setdefault(part.algorithm, []).append(curve(part.folder, part.seed))
        return found

    def _makers(self, site: Site) -> dict[str, Maker]:
        """The controllers of a site's comparison that do not see the future, and each algorithm's first agent."""
        names = [name for name in self.experiment.comparison.on(site.name) if name not in BOUNDS]
        found: dict[str, Maker] = {name: partial(make, name) for name in names}
        for part in self.done:
            if part.site == site.name and part.algorithm not in found:
                agent = load_agent(_best(part), self._source(site))
                found[part.algorithm] = partial(_given, agent)
        return found

    def _flexibility(self, site: Site) -> list[Figures]:
        split = self.experiment.comparison.split
        made_from = {"site": content(replace(site, rules=Rules())), "split": split}

        def cases() -> list[Figures]:
            self.say(f"{site.name}: what flexibility is worth")
            return flexibility(self._load(site, split))

        return _kept(self._folder(site.name) / "flexibility.json", made_from, cases)

    def _moved(self, transfer: Transfer) -> list[Moved]:
        """Agents of a site on others; sites on which nothing is trained yet are left out."""
        agents = [part for part in self.done if (part.algorithm, part.site) == (transfer.algorithm, transfer.site)]
        trained = {part.site for part in self.done if part.algorithm == transfer.algorithm}
        found: list[Moved] = []
        for name in transfer.to:
            if agents and name in trained:
                rows = self._rows(transfer, self.sites[name], agents)
                found += moved(rows, _by_name(self._figures(name)), transfer.algorithm, transfer.site, name)
        return found

    def _rows(self, transfer: Transfer, site: Site, agents: Sequence[Part]) -> list[Figures]:
        split = self.experiment.comparison.split
        made_from = {
            "agents": {part.name: sha256_of(_best(part)) for part in agents},
            "site": content(replace(site, rules=Rules())),
            "split": split,
        }

        def rows() -> list[Figures]:
            self.say(f"{site.name}: {transfer.algorithm} from {transfer.site}")
            found = measure(self._load(site, split), [load_agent(_best(part), self._source(site)) for part in agents])
            for part, row in zip(agents, found if split == "test" else [], strict=False):
                log_test(part.folder, BEST, row)
            return found

        return _kept(self._folder(site.name) / f"{transfer.algorithm}-from-{transfer.site}.json", made_from, rows)


def write_results(experiment: Experiment, planned: Sequence[Part], command: str, say: Callable[[str], None]) -> Figures:
    """Write ``results.md``, its pictures and ``results.json`` into the experiment's folder.

    Args:
        experiment: whose file asks for them; its sites have been compared.
        planned: its parts.
        command: that makes the page.
        say: gets a line for each step that takes time.

    Returns:
        What ``results.json`` has.
    """
    page = _Writer(experiment, planned, say).page(command)
    figures = dataclasses.asdict(page)
    write_whole(experiment.folder / JSON, (json.dumps(figures, indent=2, allow_nan=False) + "\n").encode())
    write_whole(experiment.folder / PAGE, render(page).encode())
    say(f"the results are in {experiment.folder / PAGE}")
    return figures


def _given(agent: Controller, _: ScenarioSet) -> Controller:
    """An agent is the same whatever the scenarios."""
    return agent


def _best(part: Part) -> Path:
    return part.folder / "checkpoints" / BEST


def _by_name(figures: Figures) -> Mapping[str, list[Figures]]:
    found: dict[str, list[Figures]] = {}
    for row in figures["controllers"]:
        found.setdefault(row["controller"], []).append(row)
    return found


def _kept(path: Path, made_from: Figures, compute: Callable[[], list[Figures]]) -> list[Figures]:
    """Compute figures, or read what came of it when they were computed from the same."""
    if path.is_file():
        known = json.loads(path.read_bytes())
        if known["made_from"] == made_from:
            kept: list[Figures] = known["figures"]
            return kept
    figures = compute()
    write_whole(path, (json.dumps({"made_from": made_from, "figures": figures}, indent=2) + "\n").encode())
    return figures
