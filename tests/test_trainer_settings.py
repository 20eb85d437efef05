"""Every setting of ``fit`` beside the algorithm's arrives: those of the trainer, of the run, and of the site."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from jsonargparse import Namespace
from lightning import Trainer
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelSummary, Timer
from lightning.pytorch.loggers import WandbLogger

from litgrid.algorithms.base import Algorithm
from litgrid.cli import main
from litgrid.cli.progress import Progress
from litgrid.cli.train import UNHEEDED, TrainCLI
from litgrid.controllers import make
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios import store
from litgrid.scenarios.random import random_scenarios
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site, read_site

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
Probe = Callable[[Trainer], Any]


def _attribute(name: str) -> Probe:
    return lambda trainer: getattr(trainer, name)


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
    "log_every_n_steps": (3, 3, _attribute("log_every_n_steps")),
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
    "fast_dev_run": (True, 1, _attribute("fast_dev_run")),
    "overfit_batches": (0.5, 0.5, _attribute("overfit_batches")),
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
        "label": "mine",
        "keep_last": 3,
        "runs": str(tmp_path / "elsewhere"),
        "data": {"site": str(CONFIGS / "sites" / "small.yaml"), "folder": str(tmp_path / "scenarios")},
    }
    assert fit(tmp_path, values) == 0
    trainer, command = fits[-1]
    assert isinstance(command.model, Algorithm)
    assert command.model.seed == 5
    assert Path(trainer.checkpoint_callback.folder) == tmp_path / "elsewhere/tried/mine/seed-5/checkpoints"  # type: ignore[union-attr]
    assert trainer.checkpoint_callback.keep == 3  # type: ignore[union-attr]
    assert command.datamodule.source.folder == tmp_path / "scenarios"  # type: ignore[attr-defined]
    others = {"config", "json", "ckpt_path", "weights_only", "trainer", "model", "data"}  # tests/cli/test_train.py
    assert set(vars(command.config.fit)) <= {*values, *others}


SITE: dict[str, Any] = {
    "name": "another",
    "location.latitude_deg": -4.0,
    "location.longitude_deg": -74.0,
    "location.altitude_m": 200.0,
    "location.timezone": "America/Bogota",
    "pv.dc_kwp": 61.0,
    "pv.ac_kw": 51.0,
    "pv.inverters": 2,
    "pv.tilt_deg": 5.0,
    "pv.azimuth_deg": 10.0,
    "pv.losses_percent": 10.0,
    "pv.module": "Kyocera_Solar_KC200GT_2008__E__",
    "pv.inverter": "ABB__MICRO_0_25_I_OUTD_US_208__208V_",
    "battery.capacity_kwh": 41.0,
    "battery.power_kw": 16.0,
    "battery.depth_of_discharge": 0.7,
    "battery.efficiency_one_way": 0.9,
    "battery.initial_soc": 0.6,
    "fleet.groups.0.name": "bike",
    "fleet.groups.0.sockets": 9,
    "fleet.groups.0.power_kw": 2.5,
    "fleet.groups.0.battery_kwh": 2.5,
    "fleet.groups.0.soc_arrival": [0.1, 0.3],
    "fleet.groups.0.soc_required": [0.8, 0.9],
    "fleet.groups.0.efficiency_one_way": 0.9,
    "fleet.groups.0.v2g": True,
    "fleet.open_hour": 8.0,
    "fleet.close_hour": 21.0,
    "fleet.stay_hours": [1.0, 5.0],
    "fleet.peak_hours": [17.0, 20.0],
    "fleet.peak_factor": 1.5,
    "fleet.energy_kwh_per_day": 55.0,
    "load.annual_kwh": 61000.0,
    "load.peak_kw": 15.0,
    "load.closures_per_year": 2.0,
    "weather.ghi_kwh_per_m2": 1700.0,
    "weather.monthly_clearness": [0.6] * 12,
    "weather.temp_air_c": [25.0] * 12,
    "weather.wind_speed_m_per_s": 1.0,
    "forecast.pv.day_error": 0.1,
    "forecast.pv.hour_error": 0.1,
    "forecast.pv.hour_correlation": 0.5,
    "forecast.load.day_error": 0.1,
    "forecast.load.hour_error": 0.1,
    "forecast.load.hour_correlation": 0.5,
    "tariff.currency": "USD",
    "tariff.price_per_kwh": 0.3,
    "tariff.windows.0.from_hour": 17.0,
    "tariff.windows.0.to_hour": 22.0,
    "tariff.windows.0.price_per_kwh": 0.5,
    "tariff.demand.0.price_per_kw": 50.0,
    "tariff.demand.0.from_hour": 18.0,
    "tariff.demand.0.to_hour": 23.0,
    "tariff.demand.0.outside": True,
    "carbon.grid_kg_per_kwh": 0.5,
    "carbon.km_per_kwh": 30.0,
    "carbon.km_per_gallon": 100.0,
    "carbon.kg_per_gallon": 8.0,
    "objective.preset": "cost",
    "objective.bill": 0.9,
    "objective.carbon_per_kg": 0.2,
    "objective.unserved_per_kwh": 2.0,
    "objective.wear_per_kwh": 0.01,
    "rules.time_of_use.spread": False,
    "rules.time_of_use.grid_charge_kw": 12.0,
    "rules.time_of_use.grid_charge_hours": 0.0,
    "rules.water_filling.forecast": "persistence",
    "rules.water_filling.load_margin": 0.4,
    "rules.water_filling.pv_margin": 0.9,
    "rules.water_filling.load_memory": 0.2,
    "rules.water_filling.pv_memory": 0.2,
    "rules.water_filling.peak_share": 0.1,
    "rules.water_filling.floor_kw": 30.0,
    "rules.water_filling.precharge_share": 0.2,
    "rules.mpc.horizon_hours": 6.0,
    "rules.mpc.load_margin": 0.4,
    "rules.mpc.load_memory": 0.2,
    "rules.mpc.pv_memory": 0.2,
    "rules.mpc.hold_per_kwh": 0.1,
    "rules.mpc.terminal_value_per_kwh": 0.01,
    "years.train": 2,
    "years.validation": 3,
    "years.test": 4,
    "step_seconds": 900,
    "first_weekday": "tuesday",
    "seed": 7,
}
"""Setting of the site -> another value than that of configs/sites/small.yaml."""
FILES = {"fleet.demand_row", "load.file", "weather.file", "carbon.file"}  # tests/site and tests/scenarios have files
DAY = [*[0.9] * 10, *[-1.0] * 8, *[0.05] * 5, 1.0]
"""Actions of its hours: the battery gets full and empty, and the month's peak may be the last hour's."""
LABELS = {"name", "fleet.groups.0.name", "tariff.currency"}  # of tables and folders; nothing is computed from them


def flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a tree with dotted names; parts of a list of trees have their number."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif isinstance(value, Namespace):
        value = vars(value)
    elif isinstance(value, list) and value and not isinstance(value[0], str | float):
        value = {str(number): part for number, part in enumerate(value)}
    if not isinstance(value, dict):
        yield name, value
        return
    for key, part in value.items():
        yield from flat(part, f"{name}.{key}" if name else key)


def changed(tree: Any, path: list[str], value: Any) -> Any:
    """The same tree with another value at a place."""
    if not path:
        return value
    key, *rest = path
    if isinstance(tree, list):
        return [changed(part, rest, value) if number == int(key) else part for number, part in enumerate(tree)]
    return (tree or {}) | {key: changed((tree or {}).get(key), rest, value)}


def write_site(folder: Path, values: dict[str, Any]) -> Path:
    """The small site with other values."""
    tree = yaml.safe_load((CONFIGS / "sites" / "small.yaml").read_text(encoding="utf-8"))
    for name, value in values.items():
        tree = changed(tree, name.split("."), value)
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def effect(site: Site) -> tuple[Any, ...]:
    """What years are made from, how many, what simulated days cost and emit, and what the rules make of them."""
    simulator = Simulator(load(site, "train", Path()), dtype=torch.float64)
    state, totals = simulator.initial(torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64)), []
    for step in range(simulator.steps):
        action = torch.full((1, 1 + simulator.sockets), DAY[int(step * site.step_hours) % 24], dtype=torch.float64)
        state, flows, costs = simulator.step(state, action)
        totals += [float(costs.total), float(costs.co2_kg), float(flows.grid_import)]
    rules = [rollout(simulator, make(name, simulator.scenarios)) for name in ("time_of_use", "water_filling", "mpc")]
    return store.key(site), totals, [run.costs.total.sum().item() for run in rules]


def test_every_setting_of_the_site_arrives(fits: list[tuple[Trainer, TrainCLI]], tmp_path: Path) -> None:
    assert fit(tmp_path, {"data": {"site": str(write_site(tmp_path, SITE))}}) == 0
    command = fits[-1][1]
    parsed = {name for name, _ in flat(command.config.fit.data.site) if name.split(".")[0] != "__path__"}
    assert {name for name in parsed if ".1." not in name} - FILES == set(SITE), "settings without another value"
    found = dict(flat(command.datamodule.source.site))  # type: ignore[attr-defined]
    as_lists = {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
    assert {name: as_lists[name] for name in SITE} == SITE


def test_every_setting_of_the_site_changes_something(tmp_path: Path) -> None:
    def of(values: dict[str, Any]) -> tuple[Any, ...]:
        return effect(read_site(write_site(tmp_path, values)))

    plain = of({})
    pairs, charged = {"pv.module", "pv.inverter"}, "rules.time_of_use.grid_charge_kw"
    without = set()
    for name, value in SITE.items():
        both = {other: SITE[other] for other in pairs} if name in pairs else {name: value}
        if name == "rules.time_of_use.grid_charge_hours":
            same = of({name: value, charged: SITE[charged]}) == of({charged: SITE[charged]})
        else:
            same = of(both) == plain
        if same:
            without.add(name)
    assert without == LABELS
