"""The comparison that an experiment ends in: one of each site, of whatever is there."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from litgrid.algorithms.files import sha256_of, write_whole
from litgrid.algorithms.saved import BEST
from litgrid.cli.compare import compare_runs
from litgrid.cli.experiments.config import Experiment
from litgrid.cli.experiments.parts import COMPARISON, Part, content
from litgrid.evaluation.tables import text
from litgrid.scenarios import store
from litgrid.site.site import read_site

Figures = dict[str, Any]
MADE_FROM = "made_from.json"
FIGURES = "comparison.json"


def compare_sites(experiment: Experiment, planned: Sequence[Part], say: Callable[[str], None]) -> list[Figures]:
    """Compare the agents of each site, unless they were compared as they are; say what is missing.

    Returns:
        For each site ``site``, ``folder``, ``missing`` (names of parts), and the figures of ``compare`` (None where no
        part is done).
    """
    found = []
    for site in dict.fromkeys(part.site for part in planned):
        own = [part for part in planned if part.site == site]
        done = [part for part in own if part.state() == "done"]
        missing = [part.name for part in own if part not in done]
        folder = experiment.folder / COMPARISON / site
        if missing:
            say(f"{site}: compared without {', '.join(missing)}" if done else f"{site}: there is nothing to compare")
        figures = _compared(done, folder, experiment) if done else None
        if done:
            say(f"{site}: the comparison is in {folder}")
        found.append({"site": site, "folder": str(folder), "missing": missing, "figures": figures})
    return found


def _compared(done: Sequence[Part], folder: Path, experiment: Experiment) -> Figures:
    """Compare runs, or read what came of it when the same were compared before."""
    agents = {part.name: [part.settings, sha256_of(part.folder / "checkpoints" / BEST)] for part in done}
    sites = {part.rules for part in done}
    site = sites.pop() if len(sites) == 1 else None
    rules = None if site is None else content(read_site(site).rules)
    final = experiment.comparison
    made_from = {"agents": agents, "rules": rules, "controllers": final.on(done[0].site), "split": final.split}
    kept, path = folder / MADE_FROM, folder / FIGURES
    if not (path.is_file() and kept.is_file() and json.loads(kept.read_bytes()) == made_from):
        kept.unlink(missing_ok=True)
        _compare([part.folder for part in done], folder, experiment, site)
        write_whole(kept, (json.dumps(made_from, indent=2) + "\n").encode())
    figures: Figures = json.loads(path.read_bytes())
    return figures


def _compare(runs: list[Path], folder: Path, experiment: Experiment, site: Path | None) -> None:
    """Compare runs as ``compare`` does, its files into a folder."""
    final, scenarios = experiment.comparison, Path(experiment.options.get("data.folder", store.FOLDER))
    comparison = compare_runs(
        runs, folder, controllers=final.on(folder.name), split=final.split, config=site, folder=scenarios
    )
    print(text(comparison), flush=True)
