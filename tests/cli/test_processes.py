"""Training in two processes that share their gradients (gloo, on the CPU), through the command line."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from litgrid.algorithms import saved
from litgrid.algorithms.base import Budget, Collection
from litgrid.algorithms.metrics import read_metrics
from litgrid.algorithms.sac import SAC
from litgrid.errors import InputError

SMALL = Path(__file__).resolve().parents[2] / "configs" / "sites" / "small.yaml"
PROGRAM = """
# The command line, on random days in place of years; every process keeps its weights, and counts its evaluations.
import dataclasses, os, sys
import torch
import litgrid.evaluation.report as report
import litgrid.cli.train as train
import litgrid.scenarios.store as store
from litgrid.algorithms.base import Algorithm
from litgrid.cli import main
from litgrid.scenarios.random import random_scenarios

def load(site, split, folder):
    return dataclasses.replace(random_scenarios(site, 1, 35 * 24, len(split)), split=split)

def keep(algorithm):
    weights = {key: value.clone() for key, value in algorithm.state_dict().items()}
    torch.save(weights, f"{algorithm.name}-{algorithm.global_rank}.pt")

store.load = load
Algorithm.on_train_end = keep
if __name__ == "__main__":
    for command in sys.argv[1:]:
        code = main(command.split())
        if code:
            sys.exit(code)
"""
COMMON: dict[str, Any] = {
    "env": {"observation": "entity", "window_hours": 12},
    "collection": {"envs": 4, "frames_per_batch": 32},
    "budget": {"total_frames": 256, "frames_per_epoch": 128, "batches_per_row": 1},
    "actor_network": {"hidden": [8, 8], "sockets": 4},
    "critic_network": {"hidden": [8, 8], "sockets": 4},
}
OWN: dict[str, dict[str, Any]] = {
    "SAC": {"replay": {"capacity": 200, "batch_size": 8, "updates_per_batch": 2, "warmup_frames": 32}},
    "PPO": {"proximity": {"epochs": 4, "minibatch": 16, "target_kl": 0.001}},
    "A2C": {},
}
FRAMES = ["0", "64", "128", "128", "192", "256", "256"]
Start = tuple[str, ...]
LIGHTNING: Start = (sys.executable,)
TORCHRUN: Start = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where program, configurations and runs are."""
    path = tmp_path_factory.mktemp("processes")
    (path / "program.py").write_text(PROGRAM, encoding="utf-8")
    for name, own in OWN.items():
        values = {
            "model": {"class_path": name, "init_args": COMMON | own},
            "data": {"site": str(SMALL)},
            "trainer": {"accelerator": "cpu", "devices": 2},
        }
        (path / f"{name.lower()}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def run(folder: Path, start: Start, *commands: str) -> subprocess.CompletedProcess[str]:
    """Run commands one after the other in two processes, which the first one starts, or torchrun."""
    kept = {key: value for key, value in os.environ.items() if key not in ("RANK", "LOCAL_RANK", "WORLD_SIZE")}
    environment = kept | {"WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1"}
    command = [*start, "program.py", *commands]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=400
    )


def weights(folder: Path, name: str, rank: int) -> dict[str, torch.Tensor]:
    """What a process ended with."""
    loaded: dict[str, torch.Tensor] = torch.load(folder / f"{name}-{rank}.pt", weights_only=True)
    return loaded


def check(folder: Path, name: str) -> None:
    """Compare what both processes ended with."""
    first, second = (weights(folder, name, rank) for rank in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first), "the processes have learnt different weights"
    run = folder / "runs" / "small" / name / "seed-0"
    assert [row["frames"] for row in read_metrics(run / "metrics.csv")] == FRAMES
    checkpoint = saved.read_whole(saved.newest(run / "checkpoints", print))
    assert saved.frames_of(checkpoint) == int(FRAMES[-1])
    trained = checkpoint["state_dict"]
    assert all(torch.equal(first[key], trained[key]) for key in trained)
    resume = checkpoint[saved.RESUME]
    assert resume["world_size"] == len(resume["ranks"]) == 2
    states = [saved.read(run / "checkpoints" / rank["state"]["path"]) for rank in resume["ranks"]]
    for part in ("step", "bess_soc"):
        assert not torch.equal(*(state["run"]["env"][part] for state in states)), "the processes saw the same windows"
    assert not torch.equal(*(state["random"]["torch"] for state in states)), "the processes draw the same numbers"
    assert (run / "evaluation.json").is_file()


@pytest.mark.slow
def test_two_processes_learn_one_policy_from_different_windows(folder: Path) -> None:
    done = run(folder, LIGHTNING, "fit --config sac.yaml")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Training SAC on") == 1
    assert "4 environments in each of 2 processes" in done.stderr
    assert done.stdout.count("self_consumption") == 1, "the evaluation is made once"
    check(folder, "sac")
    assert [path.name for path in (folder / "runs").iterdir()] == ["small"]
    trained = weights(folder, "sac", 0)

    middle = "runs/small/sac/seed-0/checkpoints/last-128.ckpt"
    commands = ("fit --config ppo.yaml", "fit --config a2c.yaml", f"fit --config sac.yaml --ckpt_path {middle}")
    done = run(folder, TORCHRUN, *commands)
    assert done.returncode == 0, done.stderr
    for name in ("ppo", "a2c", "sac"):
        check(folder, name)
    again = weights(folder, "sac", 1)
    assert all(torch.equal(trained[key], again[key]) for key in trained), "going on changed the result"


def test_an_epoch_is_shared_in_whole_batches() -> None:
    model = SAC(collection=Collection(4, 32), budget=Budget(192, 96, 1))
    model.check_processes(3)
    with pytest.raises(InputError, match=r"frames_per_epoch: found 96, expected a multiple of .* x 2 processes \(64\)"):
        model.check_processes(2)
