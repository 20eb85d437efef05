"""Parts at work: each in a process of its own, on this machine or as a task of Ray."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from tqdm import tqdm  # type: ignore[import-untyped]

from litgrid.algorithms.signals import StopSignals
from litgrid.cli.experiments.config import Experiment
from litgrid.cli.experiments.parts import Part
from litgrid.errors import Stopped

POLL_SECONDS = 0.5
CHILD = ("-m", "litgrid.cli.experiments.child")
Status = Literal["done", "failed", "stopped"]


@dataclass(frozen=True)
class Job:
    """A process to start.

    Attributes:
        program: arguments of Python, before the lock.
        lock: file that the process holds.
        command: arguments of the program.
        log: file that its output is added to.
        folder: that it works in.
        environment: beside that of whoever starts it.
    """

    program: tuple[str, ...]
    lock: Path
    command: list[str]
    log: Path
    folder: Path
    environment: dict[str, str]


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


class Jobs(Protocol):
    """Runs jobs until it is told to stop."""

    def submit(self, job: Job) -> Future[int]:
        """Start a job; the result is its exit code."""

    def stop(self) -> None:
        """Have all jobs save their states and stop."""

    def close(self) -> None:
        """Stop, and give back what was taken."""


def job_of(part: Part, experiment: Experiment) -> Job:
    """Return the process that begins a part, or goes on with it."""
    return Job(
        CHILD,
        part.lock.absolute(),
        part.command,
        part.log.absolute(),
        Path.cwd(),
        {
            "OMP_NUM_THREADS": str(experiment.threads),
            "WANDB_RUN_GROUP": os.environ.get("WANDB_RUN_GROUP", f"{experiment.name}/{part.site}"),
        },
    )


def execute(job: Job, standard_input: int = subprocess.PIPE) -> int:
    """Run a job to its end.

    Args:
        job: the process.
        standard_input: it stops when the other end is closed.

    Returns:
        Its exit code.
    """
    inherited = {key: value for key, value in os.environ.items() if key != "WANDB_SERVICE"}  # its runs are not ours
    with job.log.open("ab") as log, _process(job, standard_input, log, inherited | job.environment) as process:
        while True:
            try:
                return process.wait(timeout=POLL_SECONDS)  # without a timeout Ray could not interrupt it
            except subprocess.TimeoutExpired:
                continue
            except KeyboardInterrupt:  # from Ray; of Ctrl-C only the main thread hears
                assert process.stdin is not None
                process.stdin.close()


def _process(job: Job, standard_input: int, log: IO[bytes], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    log.write(f"== {time.strftime('%Y-%m-%d %H:%M:%S')}: litgrid {shlex.join(job.command)}\n".encode())
    log.flush()
    return subprocess.Popen(
        [sys.executable, *job.program, str(job.lock), *job.command],
        stdin=standard_input,
        stdout=log,
        stderr=subprocess.STDOUT,
        cwd=job.folder,
        env=environment,
        start_new_session=True,  # so that Ctrl-C comes from us alone
    )


class Processes:
    """Jobs as processes of this machine; they stop when this one ends, whatever ends it.

    Args:
        jobs: most at a time.
    """

    def __init__(self, jobs: int) -> None:
        self._pool = ThreadPoolExecutor(jobs)
        self._input, held = os.pipe()
        self._held = os.fdopen(held, "wb")

    def submit(self, job: Job) -> Future[int]:
        """Start a job."""
        return self._pool.submit(execute, job, self._input)

    def stop(self) -> None:
        """Close the other end of every job's standard input."""
        self._held.close()

    def close(self) -> None:
        """Stop, and wait until all have."""
        self.stop()
        self._pool.shutdown()
        os.close(self._input)


class RayTasks:
    """Jobs as tasks of the cluster that ``RAY_ADDRESS`` names, else of a Ray of our own on this machine.

    Its machines have LitGrid, and see the same folders.

    Args:
        threads: CPUs of a task.
        gpus: of a task.
    """

    def __init__(self, threads: int, gpus: float) -> None:
        import ray  # noqa: PLC0415 (an optional dependency)

        self._ray = ray
        self._refs: list[Any] = []
        ray.init(address=os.environ.get("RAY_ADDRESS", "local"), log_to_driver=False)
        self._task = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=0)(execute)

    def submit(self, job: Job) -> Future[int]:
        """Hand a job to the cluster."""
        self._refs.append(self._task.remote(job))
        future: Future[int] = self._refs[-1].future()
        return future

    def stop(self) -> None:
        """Interrupt the tasks, which have their processes stop."""
        for ref in self._refs:
            self._ray.cancel(ref)

    def close(self) -> None:
        """Stop, and let go of the cluster."""
        self.stop()
        self._ray.shutdown()


def work(parts: Sequence[Part], experiment: Experiment, say: Callable[[str], None]) -> list[Outcome]:
    """Run parts, several at a time, until all have ended or a signal stops them.

    Args:
        parts: to begin, or to go on with.
        experiment: says how many at a time, and where.
        say: gets a line for each event.

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
        outcomes = _Crew(parts, experiment, jobs, say).work(signals)
    finally:
        jobs.close()
        signals.release()
    if signals.received:
        raise Stopped("stopped; the same command goes on", code=128 + signals.received)
    return outcomes


class _Crew:
    """The parts that wait, those at work, and those that have ended."""

    def __init__(self, parts: Sequence[Part], experiment: Experiment, jobs: Jobs, say: Callable[[str], None]) -> None:
        self.experiment, self.jobs, self.say = experiment, jobs, say
        self.waiting = deque(parts)
        self.running: dict[Future[int], tuple[Part, float]] = {}
        self.outcomes: list[Outcome] = []
        self.total = len(parts)
        self.began = time.monotonic()

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
        moved = part.prepare()
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
