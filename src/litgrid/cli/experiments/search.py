"""A search of settings: trials one after the other or several at a time, each the runs of all seeds."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from litgrid.cli.experiments.config import Experiment
from litgrid.cli.experiments.parts import Part, parts
from litgrid.cli.experiments.space import Search
from litgrid.cli.experiments.study import Study, Trial
from litgrid.cli.experiments.trials import (
    Figures,
    Row,
    cells,
    drop_states,
    figures_of,
    ranked,
    row_of,
    runs_of,
    score,
    write_best,
    write_tables,
)
from litgrid.cli.experiments.work import Outcome, work
from litgrid.evaluation.report import align

BEST = "best.yaml"


class Trials:
    """The trials of an experiment's search.

    Trial n begins when trial n - jobs and all before it have ended, and the study hears of results in the order of the
    trials: so what is proposed does not depend on how long each takes.

    Args:
        experiment: with one site and one algorithm.
        search: its search.
        say: gets a line for each event.
        kept: False to look at what is there and write nothing.

    Raises:
        InputError: a site or a configuration is wrong, or the folder has a search that was made from something else.
    """

    def __init__(self, experiment: Experiment, search: Search, say: Callable[[str], None], *, kept: bool) -> None:
        self.experiment, self.search, self.say = experiment, search, say
        untried = parts(experiment)
        self.seeds = [run.seed for run in untried]
        made_from = {
            "search.space": json.loads(json.dumps(dataclasses.asdict(search)["space"])),
            "seeds": self.seeds,
            "configs, options or site": untried[0].settings,
        }
        self.study = Study(experiment.folder, search, made_from, kept=kept)
        self.working: dict[int, list[Part]] = {}  # runs that have not ended yet, by trial
        self.notes: dict[int, str] = {}  # why a trial failed
        self._known: dict[int, list[Part]] = {}

    @property
    def total(self) -> int:
        """Trials that there will be in the end."""
        return max(self.search.trials, len(self.study.trials))

    @property
    def done(self) -> int:
        """Trials that have a score."""
        return sum(trial.score is not None for trial in self.study.trials)

    def runs_to_do(self) -> list[Part]:
        """Runs of the trials that earlier calls left unfinished."""
        return [run for trial in self.study.trials if trial.score is None for run in self._to_do(trial)]

    def work(self) -> None:
        """Work until all trials have ended or a signal stops them.

        Raises:
            Stopped: by a signal, once all runs have saved their states.
        """
        self.working = {trial.number: self._to_do(trial) for trial in self.study.trials if trial.score is None}
        going_on = self.runs_to_do()
        left = len(going_on) + (self.total - len(self.study.trials)) * len(self.seeds)
        work([*going_on, *self._advance()], self.experiment, self.say, further=self._ended, total=left)

    def _runs(self, trial: Trial) -> list[Part]:
        if trial.number not in self._known:
            self._known[trial.number] = runs_of(trial, self.experiment)
        return self._known[trial.number]

    def _to_do(self, trial: Trial) -> list[Part]:
        return [run for run in self._runs(trial) if run.state() != "done"]

    def _ended(self, outcome: Outcome) -> list[Part]:
        """Take in what became of a run, and return those that can begin."""
        if outcome.status == "stopped":
            return []
        number = next(number for number, runs in self.working.items() if outcome.part in runs)
        self.working[number].remove(outcome.part)
        if outcome.status == "done":
            drop_states(outcome.part)
        else:
            self.notes[number] = f"{outcome.part.name}: {outcome.last_words}"
        return self._advance()

    def _advance(self) -> list[Part]:
        """Close trials in their order, propose one for each, and return the runs of these."""
        begun = self._propose()
        while self.working and not next(iter(self.working.values())):
            self._close(next(iter(self.working)))
            begun += self._propose()
        self._write()
        return begun

    def _propose(self) -> list[Part]:
        begun: list[Part] = []
        while (number := len(self.study.trials)) < self.total and self._oldest(number) > number - self.experiment.jobs:
            self.working[number] = self._to_do(self.study.propose())
            begun += self.working[number]
        return begun

    def _oldest(self, number: int) -> int:
        """The first trial at work, or this number."""
        return next(iter(self.working), number)

    def _close(self, number: int) -> None:
        del self.working[number]
        if number in self.notes:
            return
        self.study.tell(number, score(self._runs(self.study.trials[number])))
        scores = {trial.number: trial.score for trial in self.study.trials if trial.score is not None}
        best = min(scores, key=scores.__getitem__)
        self.say(f"trial-{number}: objective {scores[number]:,.0f}; lowest so far {scores[best]:,.0f}, of trial-{best}")

    @property
    def rows(self) -> list[Row]:
        """What all trials came to, by number."""
        return [row_of(trial, self._runs(trial), self.notes.get(trial.number, "")) for trial in self.study.trials]

    def _write(self) -> None:
        """Write the tables, and the best trial's configuration."""
        rows = self.rows
        write_tables(self.experiment.folder, rows, f"# {self._title}")
        best = ranked(rows)[0]
        if best.objective is not None:
            run = self._runs(self.study.trials[best.number])[0]
            about = f"Trial {best.number} of {self._title}: {best.objective:,.2f}"
            write_best(self.experiment.folder / BEST, best, run, about)

    @property
    def _title(self) -> str:
        seeds = ", ".join(map(str, self.seeds))
        return (
            f"{self.experiment.name}: {self.done} of {self.total} trials, objective on the validation years "
            f"(mean over seeds {seeds})"
        )

    def text(self) -> str:
        """All trials for the terminal."""
        return "\n".join(align(cells(self.rows)))

    def figures(self) -> Figures:
        """What ``--json`` reports: ``trials``, by number, and ``best`` (a number, None where no trial is done)."""
        rows = self.rows
        best: Any = next((row.number for row in ranked(rows) if row.objective is not None), None)
        return {"trials": [figures_of(row) for row in rows], "best": best}
