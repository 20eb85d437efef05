"""The processes of parts, on this machine or as tasks of Ray."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from litgrid.cli.experiments.config import Experiment
from litgrid.cli.experiments.parts import Part

POLL_SECONDS = 0.5
CHILD = ("-m", "litgrid.cli.experiments.child")


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
