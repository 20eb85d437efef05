"""Compare the speed of environment steps between revisions: alternating in time, so that a busy machine is fair to all.

    python scripts/compare_speed.py main HEAD --envs 1024 --compile

Each revision is checked out next to the others (``.`` is the working tree) and runs in its own process, a window of 48
steps at a time, in turns. Medians over the rounds: wall-clock time of a step, CPU time of all threads, and the ratio of
the first revision's CPU time to it within each round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORKER = """
import sys, time
import torch
try:
    from litgrid.cli.bench_tools import bench_site
except ImportError:  # revisions before that module
    from litgrid.cli.bench import bench_site
from litgrid.scenarios.random import random_scenarios
from litgrid.sim.env import EnvConfig, make_env
envs, sockets, compile, steps = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True", 48
torch.set_grad_enabled(False)
env = make_env(random_scenarios(bench_site(sockets), 2), envs, EnvConfig(window_hours=steps, compile=compile))
actions, carried = [env.action_spec.rand() for _ in range(8)], env.reset()
def window():
    global carried
    for step in range(steps):
        carried["action"] = actions[step % 8]
        carried = env.step_and_maybe_reset(carried)[1]
window()
print("ready", flush=True)
for repeats in sys.stdin:
    cpu, wall = time.process_time(), time.perf_counter()
    for _ in range(int(repeats)):
        window()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(wall / (int(repeats) * steps) * 1e3, cpu / (int(repeats) * steps) * 1e3, flush=True)
"""


class Worker:
    """A process that runs windows of one revision when it is told to.

    Args:
        folder: the checked-out revision.
        options: number of environments, number of sockets, whether steps are compiled.
        threads: that PyTorch may use.
    """

    def __init__(self, folder: Path, options: list[str], threads: int) -> None:
        environment = os.environ | {"PYTHONPATH": str(folder / "src"), "OMP_NUM_THREADS": str(threads)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, *options],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._read()

    def _read(self) -> list[str]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a worker ended: {self._process.args!r}")
        return line.split()

    def run(self, windows: int) -> list[float]:
        """Wall-clock and CPU milliseconds of a step."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{windows}\n")
        self._process.stdin.flush()
        return [float(part) for part in self._read()]


def checkout(revision: str, folder: Path) -> Path:
    """The revision's files; the working tree for ``.``."""
    if revision == ".":
        return ROOT
    subprocess.run(["git", "worktree", "add", "--detach", str(folder), revision], cwd=ROOT, check=True)
    return folder


def compare(revisions: list[str], options: list[str], threads: int, rounds: int, windows: int) -> None:
    """Print a line for each revision."""
    with tempfile.TemporaryDirectory() as folder:
        folders = [checkout(revision, Path(folder) / str(i)) for i, revision in enumerate(revisions)]
        try:
            workers = [Worker(each, options, threads) for each in folders]
            measured = [[worker.run(windows) for worker in workers] for _ in range(rounds)]
        finally:
            for revision, each in zip(revisions, folders, strict=True):
                if revision != ".":
                    subprocess.run(["git", "worktree", "remove", "--force", str(each)], cwd=ROOT, check=True)
    for number, revision in enumerate(revisions):
        wall, cpu = (statistics.median(each[number][what] for each in measured) for what in range(2))
        ratio = statistics.median(each[0][1] / each[number][1] for each in measured)
        print(f"{revision:<12} wall {wall:8.4f} ms, CPU {cpu:8.4f} ms, {ratio:5.2f} x the first")


def main() -> None:
    """Read the options and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revisions", nargs="+")
    parser.add_argument("--envs", type=int, default=1024)
    parser.add_argument("--sockets", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--windows", type=int, default=3, help="of 48 steps, in each round")
    parser.add_argument("--compile", action="store_true")
    chosen = parser.parse_args()
    options = [str(chosen.envs), str(chosen.sockets), str(chosen.compile)]
    compare(chosen.revisions, options, chosen.threads, chosen.rounds, chosen.windows)


if __name__ == "__main__":
    main()
