"""Real processes, killed at random moments: a run that went on equals the one that was never interrupted."""

import multiprocessing
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import yaml

SMALL = Path(__file__).resolve().parents[2] / "configs" / "sites" / "small.yaml"
CAPACITY = 700
INTERRUPTIONS = 7  # of each algorithm
CODE = """
import dataclasses, os, sys
os.environ["WANDB_MODE"] = "disabled"
sys.stdout = sys.stderr = open({log!r}, "a", buffering=1)
os.dup2(sys.stderr.fileno(), 2)
import litgrid.scenarios.store as store
from litgrid.scenarios.random import random_scenarios
store.load = lambda site, split, _: dataclasses.replace(random_scenarios(site, 1, 35 * 24, len(split)), split=split)
import litgrid.algorithms.base as base
from litgrid.algorithms.validation import Validation
from litgrid.cli import main, train
def glance(simulator, controller):  # one action in place of the validation years
    start = base.torch.zeros(1, dtype=base.torch.int64)
    return Validation(float(controller.act(simulator.view(simulator.initial(start, start))).sum()), 1.0, 1.0)
base.validate = glance
train.TrainCLI.after_fit = lambda _: None
sys.exit(main({arguments!r}))
"""
COMMON = {
    "env": {"observation": "entity", "window_hours": 12},
    "collection": {"envs": 8, "frames_per_batch": 32},
    "budget": {"total_frames": 1600, "frames_per_epoch": 320, "batches_per_row": 3},
    "actor_network": {"hidden": [16, 16], "sockets": 4},
    "critic_network": {"hidden": [16, 16], "sockets": 4},
}
OWN: dict[str, dict[str, Any]] = {
    "SAC": {"replay": {"capacity": CAPACITY, "batch_size": 16, "updates_per_batch": 4, "warmup_frames": 64}},
    "PPO": {"proximity": {"epochs": 4, "minibatch": 8}},
    "A2C": {},
    "SHAC": {"regression": {"epochs": 2, "minibatch": 16}},
}

WholeState = Callable[[Path, int], dict[str, Any]]


class Runs:
    """The runs of one algorithm, in their own folder, each in a process that is forked with everything imported."""

    def __init__(self, folder: Path, algorithm: str) -> None:
        folder.mkdir()
        self.folder, self.log, self.config = folder, folder / "log", folder / "config.yaml"
        values = {
            "model": {"class_path": algorithm, "init_args": COMMON | OWN[algorithm]},
            "data": {"site": str(SMALL)},
            "runs": str(folder / "runs"),
        }
        self.config.write_text(yaml.safe_dump(values), encoding="utf-8")
        self.random = random.Random(algorithm)
        self.torn = 0  # times that a process died while it was writing a file
        self.context = multiprocessing.get_context("forkserver")

    def run_of(self, experiment: str) -> Path:
        """The folder of a run."""
        return next((self.folder / "runs" / experiment).glob("*/seed-0"), self.folder / "none")

    def rows(self, experiment: str) -> int:
        """Lines of metrics.csv."""
        path = self.run_of(experiment) / "metrics.csv"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def start(self, experiment: str) -> BaseProcess:
        """Begin a run, or go on with it."""
        arguments = ["fit", "--config", str(self.config), "--experiment", experiment]
        if list(self.run_of(experiment).glob("checkpoints/last-*.ckpt")):
            arguments += ["--ckpt_path", "last"]
        else:  # killed before there was anything to go on from
            shutil.rmtree(self.run_of(experiment), ignore_errors=True)
        code = CODE.format(log=str(self.log), arguments=arguments)
        process = self.context.Process(target=exec, args=(code, {}))
        process.start()
        return process

    def finish(self, experiment: str) -> Path:
        """Run to the end."""
        process = self.start(experiment)
        process.join()
        assert process.exitcode == 0, self.log.read_text(encoding="utf-8")
        return self.run_of(experiment)

    def interrupt(self, experiment: str) -> int | None:
        """Interrupt a run at a random moment; return its exit code where it was in time, else None."""
        kind = self.random.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT, None])
        rows = self.rows(experiment) + self.random.randint(0, 5)
        process = self.start(experiment)
        while process.is_alive() and self.rows(experiment) < rows:
            time.sleep(0.001)
        time.sleep(self.random.uniform(0.0, 0.2))
        while kind is None and process.is_alive() and not list(self.run_of(experiment).glob("checkpoints/**/*.part")):
            time.sleep(0.0005)  # until a file is being written
        assert process.pid is not None
        if process.is_alive():
            os.kill(process.pid, kind or signal.SIGKILL)
        process.join()
        self.torn += bool(list(self.run_of(experiment).glob("checkpoints/**/*.part")))
        assert process.exitcode in {0, 130, 143, -signal.SIGKILL, -signal.SIGTERM}  # the last: before training began
        return process.exitcode or None


def interrupted_equals_uninterrupted(folder: Path, algorithm: str, read: WholeState) -> tuple[list[int], int]:
    """Compare runs until there were enough interruptions; return their exit codes, and how many tore a file."""
    runs = Runs(folder / algorithm, algorithm)
    expected = read(runs.finish("whole"), CAPACITY)
    codes: list[int] = []
    while len(codes) < INTERRUPTIONS:
        experiment = f"interrupted{len(codes)}"
        while len(codes) < INTERRUPTIONS and (code := runs.interrupt(experiment)) is not None:
            codes.append(code)
        found = read(runs.finish(experiment), CAPACITY)
        differ = [key for key in expected | found if expected.get(key) != found.get(key)]
        assert not differ, (algorithm, codes, differ[:20])
    return codes, runs.torn


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither these signals nor fork")
def test_runs_go_on_bit_for_bit(tmp_path: Path, whole_state: WholeState) -> None:
    multiprocessing.get_context("forkserver").set_forkserver_preload(["litgrid.cli.train"])
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda name: interrupted_equals_uninterrupted(tmp_path, name, whole_state), OWN))
    print(results)
    assert sum(len(codes) for codes, _ in results) >= 20
    assert sum(torn for _, torn in results) > 0
