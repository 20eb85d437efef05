"""The trials of a search as runs: where they lie, what they came to, and the tables of them all."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import yaml

from litgrid.algorithms.agent import CONFIG
from litgrid.algorithms.configs import leaves
from litgrid.algorithms.files import write_whole
from litgrid.algorithms.metrics import read_metrics
from litgrid.algorithms.saved import LASTS, SIDE_FOLDERS
from litgrid.cli.experiments.config import Experiment
from litgrid.cli.experiments.parts import Part, parts
from litgrid.cli.experiments.study import Trial
from litgrid.evaluation.runs import METRICS, OWN
from litgrid.evaluation.tables import markdown

State = Literal["new", "unfinished", "failed", "done"]
Figures = dict[str, Any]
SPLIT = "validation"  # the only one whose years a search sees


@dataclass(frozen=True)
class Row:
    """What a trial came to.

    Attributes:
        number: of the trial.
        state: how far it is.
        options: of ``fit``, that the trial tries.
        objective: mean over the seeds, in the site's currency; None unless it is done.
        seeds: the objective of each seed; None where its run is not done, or is no longer there.
        service: least of the seeds, 0..1; None as above.
        minutes: of training, of all seeds together.
        note: why it failed.
    """

    number: int
    state: State
    options: dict[str, Any]
    objective: float | None
    seeds: dict[int, float | None]
    service: float | None
    minutes: float
    note: str


def runs_of(trial: Trial, experiment: Experiment) -> list[Part]:
    """The runs of a trial, one for each seed.

    Raises:
        InputError: the site or a configuration is wrong.
    """
    (recipe,) = experiment.algorithms.values()
    tried = dataclasses.replace(recipe, options=recipe.options | trial.options)
    return parts(dataclasses.replace(experiment, algorithms={f"trial-{trial.number}": tried}))


def result(part: Part) -> Figures | None:
    """The agent's figures on the validation years, with which ``fit`` ends; None where there are none."""
    path = part.folder / "evaluation.json"
    if not path.is_file():
        return None
    figures = json.loads(path.read_bytes())
    rows = [row for row in figures["controllers"] if row["controller"] == part.algorithm]
    if figures["split"] != SPLIT or len(rows) != 1:
        raise ValueError(f"{path}: found figures of {figures['split']} years, expected the agent's on {SPLIT} years")
    found: Figures = rows[0]
    return found


def score(runs: Sequence[Part]) -> float:
    """The objective on the validation years: mean over the runs of a trial, all done."""
    return fmean(row["objective"] for row in map(result, runs) if row is not None)


def drop_states(part: Part) -> None:
    """Remove what a run would go on from: it is done, and a replay buffer takes a gigabyte."""
    checkpoints = part.folder / "checkpoints"
    for side in SIDE_FOLDERS:
        shutil.rmtree(checkpoints / side, ignore_errors=True)
    for path in (*checkpoints.glob(LASTS), checkpoints / "last.ckpt"):
        path.unlink(missing_ok=True)


def row_of(trial: Trial, runs: Sequence[Part], note: str) -> Row:
    """Read what a trial came to.

    Args:
        trial: proposed.
        runs: of the trial.
        note: why it failed, empty if it did not.
    """
    results = {run.seed: result(run) for run in runs}
    services = [found["ev_service"] for found in results.values() if found is not None]
    begun = any(run.folder.is_dir() for run in runs)
    unclosed: State = "failed" if note else "unfinished" if begun else "new"
    return Row(
        trial.number,
        unclosed if trial.score is None else "done",
        trial.options,
        trial.score,
        {seed: None if found is None else found["objective"] for seed, found in results.items()},
        min(services) if len(services) == len(runs) else None,
        sum(map(_minutes, runs)),
        note,
    )


def _minutes(part: Part) -> float:
    path = part.folder / METRICS
    rows = read_metrics(path) if path.is_file() else []
    return float(rows[-1]["time/minutes"]) if rows else 0.0


def ranked(rows: Sequence[Row]) -> list[Row]:
    """The best first; those without an objective last, by number."""
    return sorted(rows, key=lambda row: (row.objective is None, row.objective or 0.0, row.number))


def figures_of(row: Row) -> Figures:
    """A row for CSV and JSON."""
    seeds = {f"objective_seed_{seed}": value for seed, value in row.seeds.items()}
    found: Figures = {"trial": row.number, "state": row.state, "objective": row.objective, **seeds}
    return found | {"ev_service": row.service, "minutes": row.minutes, **row.options, "note": row.note}


def as_csv(rows: Sequence[Row]) -> str:
    """All trials by number, figures in full precision, mappings and lists as JSON."""
    records = [figures_of(row) for row in rows]
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(records[0]))
    writer.writeheader()
    for record in records:
        writer.writerow({key: _plain(value) for key, value in record.items()})
    return file.getvalue()


def cells(rows: Sequence[Row]) -> list[list[str]]:
    """All trials for people, the best first."""
    head = [*(f"seed {seed}" for seed in rows[0].seeds), "service, %", "minutes", *map(_short, rows[0].options)]
    lines = [["trial", "state", "objective", *head]]
    for row in ranked(rows):
        money = [_money(value) for value in (row.objective, *row.seeds.values())]
        service = "-" if row.service is None else f"{row.service * 100:.2f}"
        options = [str(_plain(value)) for value in row.options.values()]
        lines.append([str(row.number), row.state, *money, service, f"{row.minutes:.1f}", *options])
    return lines


def _short(option: str) -> str:
    return option.removeprefix("model.").removeprefix("init_args.")


def _money(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value


def write_tables(folder: Path, rows: Sequence[Row], title: str) -> None:
    """Write ``trials.csv`` and ``trials.md``."""
    write_whole(folder / "trials.csv", as_csv(rows).encode())
    failures = [f"Trial {row.number} failed: {row.note}" for row in rows if row.note]
    write_whole(folder / "trials.md", ("\n\n".join([title, markdown(cells(rows)), *failures]) + "\n").encode())


def write_best(path: Path, best: Row, run: Part, about: str) -> None:
    """Write the settings of the best trial as a configuration for ``fit``: those of its first run, all of them."""
    config = yaml.safe_load((run.folder / CONFIG).read_text(encoding="utf-8"))
    for key, _ in list(leaves(config)):
        if key in OWN:
            _remove(config, key.split("."))
    tried = [f"#   {key}: {_plain(value)}" for key, value in best.options.items()]
    lines = [f"# {about}", "# What was tried:", *tried, yaml.safe_dump(config, sort_keys=False)]
    write_whole(path, "\n".join(lines).encode())


def _remove(config: dict[str, Any], names: list[str]) -> None:
    *above, last = names
    for name in above:
        config = config[name]
    del config[last]
