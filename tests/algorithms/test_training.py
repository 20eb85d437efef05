"""Training itself, in process, on a small site with random years."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning import Trainer

from litgrid.algorithms.agent import load_agent
from litgrid.algorithms.base import Budget, Collection
from litgrid.algorithms.data import ScenarioData, Ticks
from litgrid.algorithms.keeping import Checkpoints
from litgrid.algorithms.metrics import MetricsFile, read_metrics
from litgrid.algorithms.networks import Network
from litgrid.algorithms.sac import SAC, Replay
from litgrid.algorithms.stopwatch import PARTS
from litgrid.errors import InputError
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.sim.env import EnvConfig
from litgrid.site.site import Site, Years, replace

NETWORK = Network(hidden=[8, 8], sockets=4)
WALL_CLOCK = {"time/minutes", "time/frames_per_second", "time/updates_per_second", *(f"time/{part}" for part in PARTS)}


@pytest.fixture
def site(small_site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The small site with random years in place of built ones."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, seed=len(split)), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    return replace(small_site, years=Years(1, 1, 1))


def make(epochs: int = 2, seed: int = 0, observation: str = "entity") -> SAC:
    """SAC with a budget of a few updates."""
    return SAC(
        env=EnvConfig(observation=observation, window_hours=6),  # type: ignore[arg-type]
        collection=Collection(envs=4, frames_per_batch=16),
        budget=Budget(total_frames=64 * epochs, frames_per_epoch=64, batches_per_row=2),
        replay=Replay(capacity=100, batch_size=8, updates_per_batch=2, warmup_frames=32),
        actor_network=NETWORK,
        critic_network=NETWORK,
        seed=seed,
    )


def fit(algorithm: SAC, site: Site, folder: Path, resume: Path | None = None) -> Trainer:
    """Train into a folder."""
    trainer = Trainer(
        max_epochs=algorithm.budget.total_frames // algorithm.budget.frames_per_epoch,
        logger=MetricsFile(folder, list(algorithm.METRICS)),
        callbacks=[Checkpoints(folder / "checkpoints")],
        accelerator="cpu",
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(algorithm, datamodule=ScenarioData(site), ckpt_path=resume)
    return trainer


def measured(folder: Path) -> list[dict[str, str]]:
    """The rows of a run without its wall-clock times."""
    rows = read_metrics(folder / "metrics.csv")
    return [{key: value for key, value in row.items() if key not in WALL_CLOCK} for row in rows]


Fit = Callable[..., Trainer]


@pytest.mark.parametrize("observation", ["entity", "flat"])
def test_a_fit_counts_logs_and_keeps(site: Site, tmp_path: Path, observation: str) -> None:
    algorithm = make(observation=observation)
    trainer = fit(algorithm, site, tmp_path)
    assert algorithm.frames == 128
    assert algorithm.updates == trainer.global_step == (128 - 16) // 16 * 2  # none after the first batch
    rows = read_metrics(tmp_path / "metrics.csv")
    assert list(rows[0]) == ["frames", *SAC.METRICS]
    assert [int(row["frames"]) for row in rows] == [0, 32, 64, 64, 96, 128, 128]
    assert [bool(row["val/objective"]) for row in rows] == [True, False, False, True, False, False, True]
    assert [bool(row["loss/critic"]) for row in rows] == [False, True, True, False, True, True, False]
    assert float(rows[-1]["val/return"]) == pytest.approx(-0.01 * float(rows[-1]["val/objective"]), rel=1e-5)
    assert float(rows[-1]["val/ev_service"]) == pytest.approx(1.0, abs=1e-6)
    assert len(algorithm.buffer) == 100


def test_the_first_update_has_to_wait_for_the_warm_up(site: Site, tmp_path: Path) -> None:
    algorithm = make(epochs=1)
    algorithm.replay = dataclasses.replace(algorithm.replay, warmup_frames=64)
    before = fit(algorithm, site, tmp_path).global_step
    assert before == 2  # after the fourth batch


def test_the_same_seed_gives_the_same_metrics(site: Site, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.manual_seed(hash(name))
        fit(make(seed=seed), site, tmp_path / name)
    assert measured(tmp_path / "a") == measured(tmp_path / "b")
    assert measured(tmp_path / "a") != measured(tmp_path / "c")


def test_a_checkpoint_holds_tensors_and_numbers_alone(site: Site, tmp_path: Path) -> None:
    algorithm = make()
    fit(algorithm, site, tmp_path)
    content = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert content["litgrid"] == {"algorithm": "sac", "frames": 128, "updates": 14}
    assert set(content["state_dict"]) == set(algorithm.state_dict())
    assert any("target_qvalue" in key for key in content["state_dict"])


def test_a_run_goes_on_from_its_checkpoint(site: Site, tmp_path: Path) -> None:
    first = make(epochs=1)
    fit(first, site, tmp_path)
    second = make(epochs=3)
    trainer = fit(second, site, tmp_path, resume=tmp_path / "checkpoints" / "last.ckpt")
    assert second.frames == 64 * 3
    assert second.updates == trainer.global_step
    assert second.updates > first.updates
    frames = [int(row["frames"]) for row in read_metrics(tmp_path / "metrics.csv")]
    assert frames == [0, 32, 64, 64, 96, 128, 128, 160, 192, 192]


def test_minutes_of_a_run_s_parts_add_up(site: Site, tmp_path: Path) -> None:
    first = make(epochs=1)
    first.clock.earlier = 6000.0
    fit(first, site, tmp_path)
    fit(make(epochs=2), site, tmp_path, resume=tmp_path / "checkpoints" / "last.ckpt")
    minutes = [float(row["time/minutes"]) for row in read_metrics(tmp_path / "metrics.csv")]
    assert minutes == sorted(minutes)
    assert minutes[0] >= 100.0
    assert len(minutes) == len([0, 32, 64, 64, 96, 128, 128])


def test_networks_optimiser_and_targets_are_taken_up(site: Site, tmp_path: Path) -> None:
    first = make(epochs=1)
    trainer = fit(first, site, tmp_path)
    again = make(epochs=1)
    resumed = fit(again, site, tmp_path, resume=tmp_path / "checkpoints" / "last.ckpt")
    for key, value in first.state_dict().items():
        torch.testing.assert_close(again.state_dict()[key], value)
    moments = [next(iter(one.optimizers[0].state.values()))["exp_avg"] for one in (trainer, resumed)]
    torch.testing.assert_close(*moments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"collection": {"envs": 3, "frames_per_batch": 16}}, "collection.frames_per_batch: found 16, expected a mul"),
        ({"collection": {"envs": 0, "frames_per_batch": 16}}, "collection.envs: found 0, expected at least 1"),
        ({"budget": {"total_frames": 10, "frames_per_epoch": 4}}, "budget.total_frames: found 10, expected a multiple"),
        ({"budget": {"total_frames": 9, "frames_per_epoch": 9}}, "budget.frames_per_epoch: found 9, expected a multi"),
    ],
)
def test_budgets_that_do_not_fit_are_refused(arguments: dict[str, dict[str, int]], message: str) -> None:
    kinds = {"collection": Collection, "budget": Budget}
    with pytest.raises(InputError, match=message):
        SAC(**{key: kinds[key](**values) for key, values in arguments.items()})


def test_ticks_have_a_length() -> None:
    assert (len(Ticks(3)), list(Ticks(3))) == (3, [0, 1, 2])


def test_an_agent_needs_the_configuration_of_its_run(site: Site, tmp_path: Path) -> None:
    fit(make(epochs=1), site, tmp_path)
    with pytest.raises(InputError, match=r"last.ckpt: found no .*config.yaml, expected the configuration"):
        load_agent(tmp_path / "checkpoints" / "last.ckpt")
