"""Every setting of ``fit`` beside the algorithm's arrives: those of the trainer, of the run, and of the site."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning import Trainer
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelSummary, Timer
from lightning.pytorch.loggers import WandbLogger

from litgrid.algorithms.base import Algorithm
from litgrid.cli import main
from litgrid.cli.progress import Progress
from litgrid.cli.train import UNHEEDED, TrainCLI
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.site.site import Site

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
Probe = Callable[[Trainer], Any]


def _callback(kind: type[Callback]) -> Probe:
    return lambda trainer: any(isinstance(callback, kind) for callback in trainer.callbacks)  # type: ignore[attr-defined]


TRAINER: dict[str, tuple[Any, Any, Probe]] = {
    "accelerator": ("cpu", "CPUAccelerator", lambda trainer: type(trainer.accelerator).__name__),
    "strategy": ("ddp", "DDPStrategy", lambda trainer: type(trainer.strategy).__name__),
    "devices": (2, 2, lambda trainer: trainer.num_devices),
    "num_nodes": (2, 2, lambda trainer: trainer.num_nodes),
    "precision": ("bf16-mixed", "bf16-mixed", lambda trainer: trainer.precision),
    "callbacks": ([{"class_path": "LearningRateMonitor"}], True, _callback(LearningRateMonitor)),
    "min_epochs": (2, 2, lambda trainer: trainer.min_epochs),
    "max_steps": (7, 7, lambda trainer: trainer.max_steps),
    "min_steps": (3, 3, lambda trainer: trainer.min_steps),
    "max_time": ("00:00:01:00", True, _callback(Timer)),
    "limit_train_batches": (0.5, 0.5, lambda trainer: trainer.limit_train_batches),
    "limit_val_batches": (0.25, 0.25, lambda trainer: trainer.limit_val_batches),
    "limit_test_batches": (0.125, 0.125, lambda trainer: trainer.limit_test_batches),
    "limit_predict_batches": (0.75, 0.75, lambda trainer: trainer.limit_predict_batches),
    "val_check_interval": (0.5, 0.5, lambda trainer: trainer.val_check_interval),
    "check_val_every_n_epoch": (2, 2, lambda trainer: trainer.check_val_every_n_epoch),
    "num_sanity_val_steps": (1, 1, lambda trainer: trainer.num_sanity_val_steps),
    "log_every_n_steps": (3, 3, lambda trainer: trainer.log_every_n_steps),
    "enable_model_summary": (True, True, _callback(ModelSummary)),
    "deterministic": (True, True, lambda _: torch.are_deterministic_algorithms_enabled()),
    "benchmark": (True, True, lambda _: torch.backends.cudnn.benchmark),
    "inference_mode": (False, False, lambda trainer: trainer.validate_loop.inference_mode),
    "use_distributed_sampler": (
        False,
        False,
        lambda trainer: trainer._accelerator_connector.use_distributed_sampler,
    ),
    "profiler": ("simple", "SimpleProfiler", lambda trainer: type(trainer.profiler).__name__),  # type: ignore[attr-defined]
    "detect_anomaly": (True, True, lambda trainer: trainer._detect_anomaly),
    "plugins": (
        [{"class_path": "lightning.pytorch.plugins.environments.LightningEnvironment"}],
        "LightningEnvironment",
        lambda trainer: type(trainer._accelerator_connector.cluster_environment).__name__,
    ),
    "sync_batchnorm": (True, True, lambda trainer: trainer._accelerator_connector._layer_sync is not None),
    "reload_dataloaders_every_n_epochs": (2, 2, lambda trainer: trainer.reload_dataloaders_every_n_epochs),  # type: ignore[attr-defined]
    "default_root_dir": (".", ".", lambda trainer: trainer.default_root_dir),
    "enable_autolog_hparams": (False, False, lambda trainer: trainer.enable_autolog_hparams),
    "model_registry": ("name", "name", lambda trainer: trainer._model_registry),
}
"""Setting of the trainer -> another value than the default, and what a probe finds then."""
ALONE: dict[str, tuple[Any, Any, Probe]] = {
    "fast_dev_run": (True, 1, lambda trainer: trainer.fast_dev_run),
    "overfit_batches": (0.5, 0.5, lambda trainer: trainer.overfit_batches),
    "enable_progress_bar": (
        False,
        False,
        _callback(Progress),
    ),
    "logger": (False, False, lambda trainer: any(isinstance(logger, WandbLogger) for logger in trainer.loggers)),
}
"""Those that exclude others."""
REFUSED = {
    "max_epochs": (3, "trainer.max_epochs: found 3, but it follows from model.budget"),
    "gradient_clip_val": (1.0, "trainer.gradient_clip_val: found 1.0, expected None: model.clip_norm clips"),
    "gradient_clip_algorithm": ("norm", "trainer.gradient_clip_algorithm: found"),
    "accumulate_grad_batches": (2, "trainer.accumulate_grad_batches: found 2, expected 1"),
    "enable_checkpointing": (False, "trainer: "),
    "barebones": (True, "trainer: "),
    "logger": ({"class_path": "CSVLogger", "init_args": {"save_dir": "."}}, "trainer.logger: found a logger"),
}
"""Settings of the trainer that a run has no use for."""


def load(site: Site, split: Split, folder: Path) -> ScenarioSet:  # noqa: ARG001
    """A few random days in place of years."""
    found = random_scenarios(site, 1, 3 * site.steps_per_day, len(split))
    return dataclasses.replace(found, split=split)


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Random days; and what settings of the trainer change in PyTorch is changed back."""
    monkeypatch.setattr("litgrid.scenarios.store.load", load)
    monkeypatch.setattr(TrainCLI, "before_fit", lambda _: None)
    monkeypatch.setattr(TrainCLI, "after_fit", lambda _: None)
    monkeypatch.setenv("WANDB_MODE", "offline")
    was = torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(was[0])
    torch.backends.cudnn.benchmark = was[1]


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Trainer, TrainCLI]]:
    """What ``fit`` would have trained with."""
    made: list[tuple[Trainer, TrainCLI]] = []
    run = TrainCLI._run_subcommand

    def keep(self: TrainCLI, subcommand: str) -> None:
        made.append((self.trainer, self))
        run(self, subcommand)

    monkeypatch.setattr(TrainCLI, "_run_subcommand", keep)
    monkeypatch.setattr(Trainer, "fit", lambda *_, **__: None)
    return made


def fit(folder: Path, values: dict[str, Any]) -> int:
    """Call ``fit`` with a configuration that changes some values."""
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    site = ["--data.site", str(CONFIGS / "sites" / "small.yaml")] if "data" not in values else []
    runs = ["--runs", str(folder / "runs")] if "runs" not in values else []
    return main(["fit", "--config", str(CONFIGS / "sac.yaml"), *site, *runs, "--config", str(path)])


def test_every_setting_of_the_trainer_arrives(fits: list[tuple[Trainer, TrainCLI]], tmp_path: Path) -> None:
    assert fit(tmp_path, {"trainer": {name: value for name, (value, _, _) in TRAINER.items()}}) == 0
    trainer, command = fits[-1]
    known = {*TRAINER, *ALONE, *REFUSED}
    assert set(vars(command.config.fit.trainer)) - known == set(), "settings without a probe"
    assert set(UNHEEDED) <= set(REFUSED)
    found = {name: probe(trainer) for name, (_, _, probe) in TRAINER.items()}
    assert found == {name: expected for name, (_, expected, _) in TRAINER.items()}


def test_settings_that_exclude_others_arrive(fits: list[tuple[Trainer, TrainCLI]], tmp_path: Path) -> None:
    assert fit(tmp_path, {}) == 0
    plain = fits[-1][0]
    for name, (value, expected, probe) in ALONE.items():
        assert probe(plain) != expected
        assert fit(tmp_path, {"trainer": {name: value}}) == 0
        assert probe(fits[-1][0]) == expected, name


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_trainer_would_not_heed_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    value, message = REFUSED[name]
    assert fit(tmp_path, {"trainer": {name: value}}) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_settings_of_the_run_arrive(fits: list[tuple[Trainer, TrainCLI]], tmp_path: Path) -> None:
    values = {
        "seed_everything": 5,
        "experiment": "tried",
        "runs": str(tmp_path / "elsewhere"),
        "data": {"site": str(CONFIGS / "sites" / "small.yaml"), "folder": str(tmp_path / "scenarios")},
    }
    assert fit(tmp_path, values) == 0
    trainer, command = fits[-1]
    assert isinstance(command.model, Algorithm)
    assert command.model.seed == 5
    assert Path(trainer.checkpoint_callback.dirpath) == tmp_path / "elsewhere/tried/sac/seed-5/checkpoints"  # type: ignore[union-attr]
    assert command.datamodule.source.folder == tmp_path / "scenarios"  # type: ignore[attr-defined]
    others = {"config", "json", "ckpt_path", "weights_only", "trainer", "model", "data"}  # tests/cli/test_train.py
    assert set(vars(command.config.fit)) <= {*values, *others}
