"""``experiment``: algorithms x seeds x sites in one command that can be interrupted; ends in the comparison."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from jsonargparse import Namespace

from litgrid.cli.experiments.config import Experiment, read_experiment
from litgrid.cli.experiments.final import compare_sites
from litgrid.cli.experiments.parts import Part, parts, sites_of
from litgrid.cli.experiments.results import write_results
from litgrid.cli.experiments.search import Trials
from litgrid.cli.experiments.space import Search
from litgrid.cli.experiments.work import Outcome, work
from litgrid.cli.options import Parser, check_json, write_json
from litgrid.errors import Stopped

LOCK = ".lock"
STOPPING_SECONDS = 600  # that parts of an earlier call may take to save their states
PLANS = {
    "new": "begins",
    "unfinished": "goes on",
    "changed": "begins anew",
    "done": "is done",
}
Figures = dict[str, Any]


def parser() -> Parser:
    """The command's options."""
    options = Parser(prog="litgrid experiment", description="Train algorithms x seeds x sites, and compare them.")
    add = options.add_argument
    add("--config", type=Path, required=True, help="the experiment's file, as configs/experiments/iquitos.yaml")
    add("--seeds", type=int | None, default=None, help="how many, from 0 on, in place of the file's")
    add("--jobs", type=int | None, default=None, help="parts at a time, in place of the file's")
    add("--dry-run", action="store_true", help="say what would be done, and do nothing")
    add("--json", type=str, default=None, help="file for the figures, - for standard output")
    return options


def run(argv: list[str]) -> None:
    """Run ``experiment``.

    Args:
        argv: the command and its options.

    Raises:
        InputError: an option, or a file that it names, is wrong.
        Stopped: a signal stopped it, parts failed, or another call works on the same experiment.
    """
    options = parser().parse_args(argv[1:])
    check_json(options.json)
    experiment = read_experiment(options.config, options.seeds, options.jobs)
    if experiment.search is not None:
        _search(experiment, experiment.search, options)
        return
    planned = parts(experiment)
    for site, reason in sites_of(experiment).left_out.items():
        _say(f"{site}: left out: {reason}")
    if options.dry_run:
        for part in planned:
            _say(f"{part.name}: {PLANS[part.state()]}")
        outcomes, comparisons, results = [], [], None
    else:
        with _alone(experiment.folder):
            outcomes = _train(experiment, planned)
            comparisons = compare_sites(experiment, planned, _say)
            results = _results(experiment, planned, f"litgrid {shlex.join(argv)}")
    if options.json is not None:
        figures = {"experiment": experiment.name, "parts": [_row(part, outcomes) for part in planned]}
        write_json({**figures, "comparisons": comparisons, "results": results}, options.json)
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    if failed:
        raise Stopped(f"{failed} of {len(planned)} parts failed; the same command tries them again")


def _results(experiment: Experiment, planned: Sequence[Part], command: str) -> Figures | None:
    """Write the page of results where the file asks for one and anything is trained."""
    if experiment.results is None or not any(part.state() == "done" for part in planned):
        return None
    return write_results(experiment, planned, command, _say)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other calls off an experiment.

    Raises:
        Stopped: there is one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        held = FileLock(folder / LOCK).acquire(timeout=0)
    except Timeout as error:
        raise Stopped(f"{folder}: another call works on this experiment") from error
    with held:
        yield


def _train(experiment: Experiment, planned: Sequence[Part]) -> list[Outcome]:
    """Train what is not trained yet."""
    _wait_for_earlier_ones(planned)
    to_do = [part for part in planned if part.state() != "done"]
    _say(f"{experiment.name}: {len(planned)} parts, {len(planned) - len(to_do)} of them done; into {experiment.folder}")
    return work(to_do, experiment, _say) if to_do else []


def _search(experiment: Experiment, search: Search, options: Namespace) -> None:
    """Search settings; arguments and errors as for ``run``."""
    if options.dry_run:
        trials = Trials(experiment, search, _say, kept=False)
        for row in trials.rows:
            _say(f"trial-{row.number}: {'is done' if row.state == 'done' else 'goes on'}")
        _say(f"{experiment.name}: {trials.total - len(trials.rows)} of {trials.total} trials are not proposed yet")
    else:
        with _alone(experiment.folder):
            trials = Trials(experiment, search, _say, kept=True)
            _wait_for_earlier_ones(trials.runs_to_do())
            _say(f"{experiment.name}: {trials.total} trials, {trials.done} of them done; into {experiment.folder}")
            trials.work()
        print(trials.text(), flush=True)
    if options.json is not None:
        write_json({"experiment": experiment.name, **trials.figures()}, options.json)
    if trials.notes:
        raise Stopped(f"{len(trials.notes)} of {trials.total} trials failed; the same command tries them again")


def _wait_for_earlier_ones(planned: Sequence[Part]) -> None:
    """Wait for parts of a call that was killed: they are saving their states."""
    for part in planned:
        part.lock.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(part.lock)
        try:
            with lock.acquire(timeout=0):
                continue
        except Timeout:
            _say(f"{part.name}: still there from an earlier call; waiting until it has stopped")
        try:
            with lock.acquire(timeout=STOPPING_SECONDS):
                pass
        except Timeout as error:
            raise Stopped(f"{part.name}: it has not stopped for {STOPPING_SECONDS} s (log: {part.log})") from error


def _row(part: Part, outcomes: Sequence[Outcome]) -> Figures:
    row: Figures = {"site": part.site, "algorithm": part.algorithm, "seed": part.seed, "state": part.state()}
    row |= {"folder": str(part.folder), "log": str(part.log)}
    for outcome in outcomes:
        if outcome.part == part:
            row |= {"status": outcome.status, "exit_code": outcome.code, "seconds": outcome.seconds}
    return row


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
