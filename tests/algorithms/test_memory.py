"""The memory plan against what a real training allocates."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from lightning import Trainer

from litgrid.algorithms.a2c import A2C
from litgrid.algorithms.allocations import Allocations
from litgrid.algorithms.base import Algorithm, Budget, Collection
from litgrid.algorithms.data import ScenarioData
from litgrid.algorithms.memory import Plan, plan
from litgrid.algorithms.networks import Network
from litgrid.algorithms.ppo import PPO, Proximity
from litgrid.algorithms.remedies import refuse_what_does_not_fit, remedy
from litgrid.algorithms.sac import SAC, Replay
from litgrid.algorithms.shac import SHAC, Regression
from litgrid.algorithms.sources import CityLearnData, Folder
from litgrid.errors import InputError
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.random_district import Features, write_random
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.sim.env import EnvConfig
from litgrid.site.site import Site, Years, replace

FRAMES = 2048
SPECIAL: dict[type[Algorithm], dict[str, Any]] = {
    SAC: {"replay": Replay(capacity=3000, batch_size=512, updates_per_batch=2, warmup_frames=100)},
    PPO: {"proximity": Proximity(epochs=2, minibatch=512)},
    A2C: {},
    SHAC: {"regression": Regression(epochs=2, minibatch=512)},
}


@pytest.fixture
def site(small_site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The small site with random years in place of built ones."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, getattr(site.years, split)), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    return replace(small_site, years=Years(2, 1, 1))


def make(kind: type[Algorithm], observation: str, frames: int = FRAMES) -> Algorithm:
    """An algorithm whose memory is mostly that of its frames."""
    network = Network(hidden=[64, 64], sockets=8)
    return kind(
        env=EnvConfig(observation=observation, window_hours=6),  # type: ignore[arg-type]
        collection=Collection(envs=64, frames_per_batch=frames),
        budget=Budget(total_frames=3 * frames, frames_per_epoch=3 * frames, batches_per_row=2),
        actor_network=network,  # type: ignore[call-arg]
        critic_network=network,
        **SPECIAL[kind],
    )


def make_trainer() -> Trainer:
    """A trainer that only trains."""
    return Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def allocated(algorithm: Algorithm, data: ScenarioData) -> dict[str, float]:
    """What a training of a few batches allocates, in bytes."""
    trainer = make_trainer()
    algorithm.frames = 1  # no validation at the start: it is slow under a count
    data.setup("fit")
    with Allocations() as memory:
        trainer.fit(algorithm, datamodule=data)
        peak = memory.peak
    states = trainer.optimizers[0].state.values()
    return {
        "needed": peak,
        "gradients": sum(p.grad.nbytes for p in algorithm.parameters() if p.grad is not None),
        "optimizer": sum(value.nbytes for state in states for value in state.values()),
        "replay": algorithm.buffer.storage[:].bytes() if isinstance(algorithm, SAC) else 0.0,
    }


@pytest.mark.parametrize("observation", ["entity", "flat"])
@pytest.mark.parametrize("kind", [SAC, PPO, A2C, SHAC])
def test_a_plan_is_what_training_allocates(
    kind: type[Algorithm], observation: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within 15 % for the whole, exactly for what stays; rehearsed at a quarter of the sizes or less."""
    monkeypatch.setattr("litgrid.algorithms.memory.REHEARSED_BYTES", 0.7e6)
    data = ScenarioData(site)
    foreseen = plan(make(kind, observation), data.source, make_trainer())
    found = allocated(make(kind, observation), data)
    print(
        kind.name,
        observation,
        foreseen.needed / 1e6,
        found["needed"] / 1e6,
        {k: v / 1e6 for k, v in foreseen.parts.items()},
    )
    assert foreseen.needed == pytest.approx(found["needed"], rel=0.15)
    for key in ("gradients", "optimizer"):
        assert foreseen.parts[key] == found[key]
    assert foreseen.parts["replay"] == pytest.approx(found["replay"], rel=0.01)


@pytest.mark.parametrize("kind", [SAC, PPO])
def test_a_plan_for_a_data_set(kind: type[Algorithm], tmp_path: Path) -> None:
    write_random(tmp_path / "village", Features(steps=24 * 8, buildings=2, v2g=True), seed=1)
    data = ScenarioData(citylearn=CityLearnData(Folder(str(tmp_path / "village"))))
    foreseen = plan(make(kind, "flat"), data.source, make_trainer())
    assert foreseen.needed == pytest.approx(allocated(make(kind, "flat"), data)["needed"], rel=0.15)


def test_a_buffer_that_does_not_fit_is_refused_with_the_capacity_that_would(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ScenarioData(site).source
    large = make(SAC, "flat")
    assert isinstance(large, SAC)
    large.replay = dataclasses.replace(large.replay, capacity=1_000_000)
    monkeypatch.setattr("litgrid.algorithms.remedies.free_bytes", lambda _: 0.5e9)
    monkeypatch.setattr("litgrid.algorithms.memory.free_bytes", lambda _: 0.5e9)
    expected = r"^model.replay.capacity: found 1,000,000, which takes 1.63 GB of .*; 0.50 GB are free, at most .* would"
    with pytest.raises(InputError, match=expected) as raised:
        refuse_what_does_not_fit(large, source, make_trainer())
    right = int(str(raised.value).split("at most ")[1].split(" ")[0].replace(",", ""))
    for capacity, fits in ((right, True), (right + 1000, False)):
        large.replay = dataclasses.replace(large.replay, capacity=capacity)
        assert plan(large, source, make_trainer()).fits == fits


def test_what_surely_fits_is_not_planned(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litgrid.algorithms.remedies.plan", lambda *_: pytest.fail("planned"))
    refuse_what_does_not_fit(make(PPO, "flat"), ScenarioData(site).source, make_trainer())


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("environments", "model.collection.envs", 32),
        ("rollout", "model.collection.frames_per_batch", 1024),
        ("activations", "model.collection.frames_per_batch", 1024),
        ("scenarios", "data.site.years.train", 1),
    ],
)
def test_the_setting_that_takes_the_most_is_named(part: str, key: str, value: int, site: Site) -> None:
    """Half of it would fit."""
    names = ("environments", "rollout", "activations", "scenarios", "scenarios_while_built", "networks")
    found = Plan(dict.fromkeys(names, 0.0) | {part: 2e9}, free=1e9)
    setting, right = remedy(found, make(A2C, "flat"), ScenarioData(site).source)
    assert (setting.key, right) == (key, value)


def test_processes_share_memory_and_tables_are_made_first() -> None:
    found = Plan({"scenarios": 1e9, "scenarios_while_built": 2e9, "activations": 1e9}, free=5e9, ranks=2)
    assert (found.needed, found.fits) == (6e9, False)


def test_networks_larger_than_memory_are_refused(site: Site) -> None:
    network = Network(hidden=[1_000_000, 1_000_000])
    with pytest.raises(InputError, match=r"critic_network.hidden: found .*, whose weights, .* 16,\d\d\d.\d GB"):
        plan(SAC(critic_network=network), ScenarioData(site).source, make_trainer())
