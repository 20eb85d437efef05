"""Precision, storage and matrix products: what is configured arrives, trains, and gives the same to rounding."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning import Trainer
from lightning.pytorch.plugins import MixedPrecision
from tensordict import MemoryMappedTensor, TensorDict

from litgrid.algorithms.a2c import A2C
from litgrid.algorithms.base import Algorithm, Budget, Collection
from litgrid.algorithms.data import ScenarioData
from litgrid.algorithms.environments import make_env
from litgrid.algorithms.networks import Network
from litgrid.algorithms.ppo import PPO
from litgrid.algorithms.sac import SAC, Replay
from litgrid.algorithms.shac import SHAC
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.sim.env import EnvConfig
from litgrid.site.site import Site

NETWORK = Network(hidden=[16, 16], sockets=4)
KINDS: tuple[type[Algorithm], ...] = (SAC, PPO, A2C, SHAC)


@pytest.fixture
def site(small_site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The small site with random years in place of built ones."""

    def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
        return dataclasses.replace(random_scenarios(site, 1, seed=len(split)), split=split)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    return small_site


def make(kind: type[Algorithm], **arguments: Any) -> Any:
    """An algorithm with a budget of a few updates."""
    if kind is SAC and "replay" not in arguments:
        arguments["replay"] = Replay(capacity=100, batch_size=8, updates_per_batch=2, warmup_frames=32)
    shared: dict[str, Any] = {"actor_network": NETWORK, "critic_network": NETWORK}
    return kind(
        env=EnvConfig(observation="entity", window_hours=6),
        collection=Collection(envs=4, frames_per_batch=32),
        budget=Budget(total_frames=128, frames_per_epoch=128),
        **shared,
        **arguments,
    )


def fit(algorithm: Any, site: Site, **trainer: Any) -> dict[str, torch.Tensor]:
    """Train without validation; returns the actor's weights."""
    Trainer(
        max_epochs=1,
        limit_val_batches=0,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        **trainer,
    ).fit(algorithm, datamodule=ScenarioData(site))
    return {key: value.clone() for key, value in algorithm.actor.state_dict().items()}


def spread(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> float:
    """Largest difference of two sets of weights."""
    return max(float((ours[key] - theirs[key]).abs().max()) for key in ours)


@pytest.mark.parametrize("kind", KINDS)
def test_mixed_precision_trains_close_to_full_precision(site: Site, kind: type[Algorithm]) -> None:
    full, mixed = (fit(make(kind), site, precision=precision) for precision in ("32-true", "bf16-mixed"))
    assert all(value.dtype == torch.float32 for value in mixed.values() if value.is_floating_point())
    assert 0.0 < spread(full, mixed) < 0.01


@pytest.mark.parametrize("battery", ["raw", "residual"])
def test_the_simulation_is_in_full_precision(site: Site, battery: Any) -> None:
    """Within Lightning's autocast, a step gives what it gives without: products in bfloat16 would have three digits."""
    config = EnvConfig(observation="entity", window_hours=6, battery=battery)
    plain, within = (make_env(random_scenarios(site, 1), 4, config) for _ in range(2))
    action = torch.rand(plain.action_spec.shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for _ in range(12):
        acted = TensorDict({"action": action}, batch_size=4)
        expected = plain.step_and_maybe_reset(acted.clone())
        with torch.autocast("cpu", torch.bfloat16):
            found = within.step_and_maybe_reset(acted.clone())
        for ours, theirs in zip(found, expected, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_a_validation_is_in_full_precision(site: Site) -> None:
    """It measures the policy as it will be evaluated, to the last digit."""
    algorithm = make(PPO)
    fit(algorithm, site)
    algorithm.trainer.datamodule.setup("fit")
    expected = algorithm.validation_metrics()
    with torch.autocast("cpu", torch.bfloat16):
        found = algorithm.validation_metrics()
    assert found == expected


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_unscaled_before_they_are_clipped(
    site: Site, kind: type[Algorithm], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a loss scaled by 1,024, what is clipped is the gradient itself."""
    norms: list[float] = []
    clip = torch.nn.utils.clip_grad_norm_

    def note(*arguments: Any) -> torch.Tensor:
        norms.append(float(clip(*arguments)))
        return torch.tensor(norms[-1])

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", note)
    scaled = MixedPrecision(precision="16-mixed", device="cpu", scaler=torch.amp.GradScaler("cpu", init_scale=1024.0))
    algorithm = make(kind)
    fit(algorithm, site, precision="32-true")
    plain = norms.copy()
    norms.clear()
    algorithm = make(kind)
    fit(algorithm, site, plugins=[scaled])
    assert scaled.state_dict()["_growth_tracker"] == algorithm.updates
    assert norms[:2] == pytest.approx(plain[:2], rel=0.05)
    optimizer = algorithm.optimizers().optimizer
    if kind is not A2C:
        assert optimizer.defaults["fused"] is False


def test_memory_mapped_frames_are_those_in_memory(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    replay = Replay(capacity=100, batch_size=8, updates_per_batch=2, warmup_frames=32)
    mapped = make(SAC, replay=dataclasses.replace(replay, storage="memmap"))
    assert spread(fit(mapped, site), fit(make(SAC, replay=replay), site)) == 0.0
    assert isinstance(mapped.buffer[:]["site"], MemoryMappedTensor)


def test_precision_of_products_is_set(site: Site) -> None:
    before = torch.get_float32_matmul_precision()
    try:
        fit(make(A2C, matmul="high"), site)
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision(before)
