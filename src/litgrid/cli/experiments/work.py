"""The work on an experiment: so many parts at a time, until all have ended or a signal stops them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Literal

from tqdm import tqdm  # type: ignore[import-untyped]

from litgrid.algorithms.signals import StopSignals
from litgrid.cli.bench_tools import machine_in_words
from litgrid.cli.experiments.config import Experiment
from litgrid.cli.experiments.jobs import POLL_SECONDS, Jobs, Processes, RayTasks, job_of
from litgrid.cli.experiments.parts import Part
from litgrid.errors import Stopped

Status = Literal["done", "failed", "stopped"]


@dataclass(frozen=True)
class Outcome:
    """How a part ended.

    Attributes:
        part: of the experiment.
        status: a part that was stopped has saved its state.
        code: exit code of the process, negative where a signal killed it.
        seconds: in this call.
    """

    part: Part
    status: Status
    code: int
    seconds: float

    @property
    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.part.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def work(
    parts: Sequence[Part],
    experiment: Experiment,
    say: Callable[[str], None],
    *,
    further: Callable[[Outcome], Sequence[Part]] = lambda _: (),
    total: int | None = None,
) -> list[Outcome]:
    """Run parts, several at a time, until all have ended or a signal stops them.

    Args:
        parts: to begin, or to go on with.
        experiment: says how many at a time, and where.
        say: gets a line for each event.
        further: is told what became of a part, and returns those that can begin now.
        total: parts that there will be; those given by default.

    Returns:
        What became of them, in the order in which they ended.

    Raises:
        Stopped: by a signal, once all have saved their states.
    """
    local = experiment.backend == "process"
    jobs = Processes(experiment.jobs) if local else RayTasks(experiment.threads, experiment.gpus)
    signals = StopSignals()
    signals.watch()
    try:
        outcomes = _Crew(parts, experiment, jobs, say, further=further, total=total or len(parts)).work(signals)
    finally:
        jobs.close()
        signals.release()
    if signals.received:
        raise Stopped("stopped; the same command goes on", code=128 + signals.received)
    return outcomes


class _Crew:
    """The parts that wait, those at work, and those that have ended."""

    def __init__(
        self,
        parts: Sequence[Part],
        experiment: Experiment,
        jobs: Jobs,
        say: Callable[[str], None],
        *,
        further: Callable[[Outcome], Sequence[Part]],
        total: int,
    ) -> None:
        self.experiment, self.jobs, self.say, self.further = experiment, jobs, say, further
        self.waiting = deque(parts)
        self.running: dict[Future[int], tuple[Part, float]] = {}
        self.outcomes: list[Outcome] = []
        self.total = total
        self.began = time.monotonic()
        self.machine = machine_in_words() if experiment.backend == "process" else None  # Ray chooses one

    def work(self, signals: StopSignals) -> list[Outcome]:
        stopping = False
        while self.running or (self.waiting and not stopping):
            while self.waiting and len(self.running) < self.experiment.jobs and not stopping:
                self._begin(self.waiting.popleft())
            ended, _ = wait(self.running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            if signals.received and not stopping:
                stopping = True
                self.jobs.stop()
            for future in ended:
                self._end(future, stopping)
        return self.outcomes

    def _begin(self, part: Part) -> None:
        verb = "goes on" if part.state() == "unfinished" else "begins"
        moved = part.prepare(self.machine)
        if moved is not None:
            self.say(f"{part.name}: its configuration has changed; the run that was there is now {moved}")
        self.running[self.jobs.submit(job_of(part, self.experiment))] = part, time.monotonic()
        self.say(f"{part.name}: {verb} (log: {part.log})")

    def _end(self, future: Future[int], stopping: bool) -> None:
        part, began = self.running.pop(future)
        code = _code(future, part)
        whole = code == 0 and part.state() == "done"
        status: Status = "done" if whole else "stopped" if stopping else "failed"
        outcome = Outcome(part, status, code, time.monotonic() - began)
        self.outcomes.append(outcome)
        took = tqdm.format_interval(outcome.seconds)
        if status == "failed":
            self.say(f"{part.name}: failed with exit code {code} after {took}: {outcome.last_words} (log: {part.log})")
        else:
            self.say(f"{part.name}: {status} after {took}; {self._progress()}")
        self.waiting.extend(self.further(outcome))

    def _progress(self) -> str:
        """How many have ended, and the time to the end at the pace of this call."""
        ended = len(self.outcomes)
        left = (time.monotonic() - self.began) * (self.total - ended) / ended
        return f"{ended} of {self.total}" + (f", about {tqdm.format_interval(left)} left" if left else "")


def _code(future: Future[int], part: Part) -> int:
    """Return a job's exit code; 1 where it could not be run, with the reason in its log."""
    try:
        return future.result()
    except Exception as error:  # of the system or of Ray: the other parts go on
        with part.log.open("a", encoding="utf-8") as log:
            log.write(f"{type(error).__name__}: {' '.join(str(error).split())}\n")
        return 1
