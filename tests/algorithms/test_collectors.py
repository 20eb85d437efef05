"""Experience from several processes."""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from litgrid.algorithms import saved
from litgrid.algorithms.base import Collection
from litgrid.algorithms.collectors import Backend, MakeEnv, experience
from litgrid.algorithms.metrics import read_metrics
from litgrid.algorithms.networks import Network, Spaces, make_actor
from litgrid.cli import main
from litgrid.errors import InputError
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.env import EnvConfig, make_env
from litgrid.site.site import Site

CONFIG = EnvConfig(observation="entity", window_hours=12)
SMALL = Path(__file__).resolve().parents[2] / "configs" / "sites" / "small.yaml"


def ray_is_usable() -> bool:
    """Whether it is installed, and what it imports where it is there: pyarrow may be made for another numpy."""
    try:
        importlib.import_module("pyarrow")
    except ModuleNotFoundError:
        pass
    except ImportError:
        return False
    return importlib.util.find_spec("ray") is not None


NEEDS_RAY = pytest.mark.skipif(not ray_is_usable(), reason="needs the extra ray, with a pyarrow for this numpy")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["process", pytest.param("ray", marks=NEEDS_RAY)])
def test_workers_go_on_from_batch_to_batch_with_the_present_policy(
    small_site: Site, random_scenarios: Callable[..., ScenarioSet], backend: Backend
) -> None:
    scenarios = random_scenarios(small_site, 1, 35)
    actor = make_actor(Spaces.of(make_env(scenarios, 1, CONFIG)), Network(hidden=[8, 8], sockets=4))
    workers = [MakeEnv(scenarios, 2, CONFIG, seed) for seed in (1, 2)]
    batches = experience(lambda: workers, actor, 32, backend, torch.device("cpu"))
    first = next(batches)
    assert first.shape == (4, 8)
    assert len(first["site"][:, 0].unique(dim=0)) == 4, "the workers started in the same windows"
    assert len(first["action"][:, 0].unique(dim=0)) == 4
    before = actor.get_dist(first).loc
    torch.testing.assert_close(before, first["loc"])
    with torch.no_grad():
        for parameter in actor.parameters():
            parameter.add_(0.1)
    second = next(batches)
    after = actor.get_dist(second).loc
    torch.testing.assert_close(after, second["loc"])
    assert not torch.allclose(before, after)
    goes_on = ~first["next", "done"][:, -1, 0]
    torch.testing.assert_close(first["next", "site"][:, -1][goes_on], second["site"][:, 0][goes_on])
    assert goes_on.any()
    assert "collector" not in first
    batches.close()  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_run_with_a_worker_trains_and_goes_on(
    random_scenarios: Callable[..., ScenarioSet],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(site: Site, *_: Any) -> ScenarioSet:
        return random_scenarios(site, 1, 35)

    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setattr("litgrid.cli.train.TrainCLI.after_fit", lambda _: None)
    monkeypatch.setenv("WANDB_MODE", "disabled")
    init = {
        "env": {"observation": "entity", "window_hours": 12},
        "collection": {"envs": 4, "frames_per_batch": 32, "workers": 1},
        "budget": {"total_frames": 64, "frames_per_epoch": 64, "batches_per_row": 1},
        "actor_network": {"hidden": [8, 8], "sockets": 4},
        "critic_network": {"hidden": [8, 8], "sockets": 4},
    }
    values = {"model": {"class_path": "A2C", "init_args": init}, "data": {"site": str(SMALL)}}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    arguments = ["fit", "--config", str(tmp_path / "tiny.yaml"), "--runs", str(tmp_path)]
    assert main(arguments) == 0
    assert main([*arguments, "--model.budget.total_frames", "128", "--ckpt_path", "last"]) == 0
    run = tmp_path / "small" / "a2c" / "seed-0"
    assert [row["frames"] for row in read_metrics(run / "metrics.csv")] == ["0", "32", "64", "64", "96", "128", "128"]
    assert saved.frames_of(saved.read_whole(saved.newest(run / "checkpoints", print))) == 128


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"workers": 3}, r"collection.envs: found 4, expected a multiple of collection.workers \(3\)"),
        ({"backend": "ray"}, "collection.backend: found ray with workers 0, expected at least 1"),
        ({"workers": -1}, "collection.workers: found -1, expected at least 1"),
    ],
)
def test_workers_that_can_t_share_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Collection(envs=4, frames_per_batch=32, **values)


def test_ray_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"expected pip install 'litgrid\[ray\]'"):
        Collection(envs=4, frames_per_batch=32, workers=2, backend="ray")
