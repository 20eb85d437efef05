"""``fit``, ``validate``, ``test`` and ``predict``: Lightning's command line for the algorithms."""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torch
import yaml
from jsonargparse import Namespace
from jsonargparse.typing import NonNegativeInt, Path_fr, PositiveInt
from lightning import Trainer
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from litgrid.algorithms import execution
from litgrid.algorithms.a2c import A2C
from litgrid.algorithms.agent import CONFIG, load_agent, load_untrained, read_weights
from litgrid.algorithms.base import Algorithm
from litgrid.algorithms.data import ScenarioData
from litgrid.algorithms.keeping import Checkpoints
from litgrid.algorithms.policy import AgentController
from litgrid.algorithms.ppo import PPO
from litgrid.algorithms.remedies import refuse_what_does_not_fit
from litgrid.algorithms.sac import SAC
from litgrid.algorithms.saved import BEST, LAST
from litgrid.algorithms.shac import SHAC
from litgrid.cli.messages import one_line, warn
from litgrid.cli.options import check_json, write_json
from litgrid.cli.progress import Progress
from litgrid.cli.records import KeepConfig, make_loggers, summarise, written
from litgrid.cli.resuming import checkpoint_to_resume, refuse_changes
from litgrid.cli.runs import folder_of, latest_run, new_run, run_of
from litgrid.cli.schedule import write_schedule
from litgrid.controllers import make
from litgrid.errors import InputError
from litgrid.evaluation.report import evaluate, log_test, table
from litgrid.scenarios.scenario_set import Split

ALGORITHMS = (SAC, PPO, A2C, SHAC)  # imported, so that `class_path: PPO` finds them
RULES = ("uncontrolled", "self_consumption")
LATEST = "last"  # as --ckpt_path of ``fit``: the newest good checkpoint of the newest run of this name
FOLLOW = {"model.init_args.seed": "seed_everything", "trainer.max_epochs": "model.budget"}
"""Settings that follow from others."""
UNHEEDED = {
    "gradient_clip_val": (None, "model.clip_norm clips"),
    "gradient_clip_algorithm": (None, "model.clip_norm clips"),
    "accumulate_grad_batches": (1, "an update is a batch"),
}
"""Settings of the trainer that manual optimisation has no use for: their only value, and why."""
TRAINER = {
    "devices": 1,
    "logger": True,  # metrics.csv and W&B; False leaves out W&B
    "log_every_n_steps": 1,  # algorithms choose what they log
    "num_sanity_val_steps": 0,
    "enable_model_summary": False,
}


class TrainParser(LightningArgumentParser):
    """A parser that reports wrong input as an ``InputError`` of one line."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise what argparse would print."""
        raise InputError(one_line(message)) from ex


class TrainCLI(LightningCLI):
    """The options of ``fit``, ``validate``, ``test`` and ``predict``, and what these commands do."""

    model: Algorithm
    datamodule: ScenarioData

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add what belongs to neither trainer nor model nor data."""
        add = parser.add_argument
        add("--seed_everything", type=NonNegativeInt, default=0, help="seed of everything that is drawn in training")
        add(
            "--experiment",
            type=str,
            default="",
            help="name of the experiment; that of the site or the data set by default",
        )
        add("--label", type=str, default="", help="name of the agent in folders and tables; the algorithm's by default")
        add("--runs", type=Path, default=Path("runs"), help="folder of all experiments")
        add("--keep_last", type=PositiveInt, default=2, help="states of the run that are kept, to go on from")
        add("--json", type=str | None, default=None, help="file for the figures, - for standard output")

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Say nothing twice: seed and number of epochs follow from what is configured already."""
        parser.link_arguments("seed_everything", "model.init_args.seed")
        parser.link_arguments("model", "trainer.max_epochs", compute_fn=epochs)

    def _parse_ckpt_path(self) -> None:
        """Read nothing: Lightning looks for hyperparameters in the checkpoint, which config.yaml has."""

    def before_instantiate_classes(self) -> None:
        """Refuse what can't be written and what would not be heeded, before anything is computed."""
        check_json(self._get(self.config, "json"))
        for path in self._get(self.config, "config") or []:
            check_followers(path, self.config[str(self.subcommand)])

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Make the trainer; for ``fit`` with the run's folder, loggers, checkpoints and progress."""
        if self.subcommand != "fit":
            return self._make_trainer(logger=False, **kwargs)
        wanted = self._get(self.config, "ckpt_path")
        self.folder = self._resumed_run(wanted) if wanted else self._run(new_run)
        self.save_config_callback = KeepConfig
        self.save_config_kwargs = {"folder": self.folder}
        config = self._get(self.config_init, "trainer")
        progress = [] if config["enable_progress_bar"] is False else [Progress()]
        checkpoints = Checkpoints(self.folder / "checkpoints", self._get(self.config, "keep_last"))
        self.trainer_defaults["callbacks"] = [*progress, checkpoints]
        with_wandb = config["logger"]
        if not isinstance(with_wandb, bool | None):
            raise InputError("trainer.logger: found a logger, expected true or false (metrics.csv alone, without W&B)")
        return self._make_trainer(logger=make_loggers(self.folder, self.model, with_wandb is not False), **kwargs)

    def _make_trainer(self, **kwargs: Any) -> Trainer:
        try:
            trainer = super().instantiate_trainer(**kwargs)
        except (TypeError, ValueError, MisconfigurationException) as error:  # all of it is the user's own choice
            raise InputError(f"trainer: {' '.join(str(error).split())}") from error
        for key, (only, why) in UNHEEDED.items():
            if getattr(trainer, key) != only:
                raise InputError(f"trainer.{key}: found {getattr(trainer, key)!s}, expected {only}: {why}")
        processes = trainer.num_devices * trainer.num_nodes
        self.model.check_processes(processes)
        execution.check(self.model.execution, trainer.strategy.root_device, processes)
        return trainer

    def _run(self, choose: Callable[[Path, str, str, int], Path]) -> Path:
        name = self._get(self.config, "experiment") or self.datamodule.source.name
        label = self._get(self.config, "label") or self.model.name
        return choose(self._get(self.config, "runs"), name, label, self.model.seed)

    def _resumed_run(self, wanted: str) -> Path:
        """Find the checkpoint to go on from, and return its run."""
        last = self._run(latest_run) / "checkpoints" / LAST if wanted == LATEST else Path(wanted)
        checkpoint = checkpoint_to_resume(last)
        refuse_changes(checkpoint, written(self._parser(self.subcommand), self.config[self.subcommand]))
        self.config_init[self.subcommand].ckpt_path = str(checkpoint)
        return checkpoint.parent.parent

    def before_fit(self) -> None:
        """Say what is going to happen."""
        source, model = self.datamodule.source, self.model
        if not self.trainer.is_global_zero:
            return
        warn(source)
        refuse_what_does_not_fit(model, source, self.trainer)
        processes = self.trainer.num_devices * self.trainer.num_nodes
        each = f" in each of {processes} processes" if processes > 1 else ""
        print(
            f"Training {model.name.upper()} on {source.details}.\n"
            f"{model.budget.total_frames:,} frames in {model.collection.envs} environments{each} on "
            f"{self.trainer.strategy.root_device.type} ({torch.get_num_threads()} threads), seed {model.seed}, "
            f"into {self.folder}\n"
            f"Years of a site that are missing are built first (about a minute). The validation objective is measured "
            f"every {model.budget.frames_per_epoch:,} frames.",
            file=sys.stderr,
        )

    def after_fit(self) -> None:
        """Evaluate the best policy and the untrained one on the validation scenarios, in one process."""
        if self.trainer.interrupted or not self.trainer.is_global_zero:
            return
        best = self.folder / "checkpoints" / BEST
        source = self.datamodule.source
        figures = self._evaluate("validation", [load_agent(best, source), load_untrained(best, source)])
        write_json(figures, str(self.folder / "evaluation.json"))
        summarise(self.trainer.loggers, self.folder, figures)
        print(f"\nThe run is in {self.folder}. On the test split: litgrid test --ckpt_path {best}", file=sys.stderr)

    def validate(self, ckpt_path: str, **_: Any) -> None:
        """Evaluate a checkpoint on the validation scenarios."""
        self._evaluate("validation", [self._agent(ckpt_path)])

    def test(self, ckpt_path: str, **_: Any) -> None:
        """Evaluate a checkpoint on the test scenarios, and log with its run that they were seen."""
        figures = self._evaluate("test", [self._agent(ckpt_path)])
        log_test(run_of(Path(ckpt_path)), Path(ckpt_path).name, figures["controllers"][-1])

    def predict(self, ckpt_path: str, **_: Any) -> None:
        """Write a checkpoint's schedule of the test scenarios into its run's folder."""
        path = run_of(Path(ckpt_path)) / "schedule-test.csv"
        write_schedule(self.datamodule.load("test"), self._agent(ckpt_path), path)
        print(f"The schedule of the test split is in {path}", file=sys.stderr)

    def _agent(self, ckpt_path: str) -> AgentController:
        warn(self.datamodule.source)
        return load_agent(Path(ckpt_path), self.datamodule.source)

    def _evaluate(self, split: Split, agents: list[AgentController]) -> dict[str, Any]:
        scenarios = self.datamodule.load(split)
        figures = evaluate(scenarios, [*(make(name, scenarios) for name in RULES), *agents])
        target = self._get(self.config, "json")
        if target is not None:
            write_json(figures, target)
        if target != "-":
            print("\n" + table(figures), flush=True)
        return figures


def check_followers(path: Path_fr, config: Namespace) -> None:
    """Refuse a configuration file that sets what follows from other settings, and sets it otherwise.

    The configuration that a run keeps has its seed twice; it may be started with another one.

    Args:
        path: of the file.
        config: what all files and options come to.

    Raises:
        InputError: naming the setting to use instead.
    """
    stated = yaml.safe_load(path.read_text())
    for key, source in FOLLOW.items():
        value: Any = stated
        for name in key.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value not in (None, config[key], stated.get(source)):
            raise InputError(f"{path}: {key}: found {value}, but it follows from {source}; set that instead")


def epochs(model: Namespace) -> int:
    """Return the number of epochs of a model's budget."""
    budget = model.init_args.budget
    return int(budget.total_frames) // int(budget.frames_per_epoch)


def with_config(argv: list[str]) -> list[str]:
    """Check the checkpoint of a command line, and add its run's configuration where none is given.

    Raises:
        InputError: the checkpoint is missing though the command needs one, or it is outside a run.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--ckpt_path")
    parser.add_argument("--config", "-c", action="append")
    options, _ = parser.parse_known_args(argv[1:])
    if options.ckpt_path is None:
        if argv[0] == "fit" and len(argv) == 1:
            raise InputError("fit: found no options, expected a configuration such as --config configs/sac.yaml")
        if argv[0] == "fit" or "--help" in argv or "-h" in argv:
            return argv
        raise InputError(f"{argv[0]}: found no --ckpt_path, expected one such as runs/.../checkpoints/{BEST}")
    checkpoint = Path(options.ckpt_path)
    if argv[0] != "fit":
        read_weights(checkpoint)
    elif options.config:
        return argv  # the checkpoint is looked for when the run is known
    elif options.ckpt_path == LATEST:
        raise InputError("ckpt_path last: found no --config, expected that of the run, or the path of its last.ckpt")
    return argv if options.config else [argv[0], "--config", str(folder_of(checkpoint) / CONFIG), *argv[1:]]


def quiet() -> None:
    """Silence what Lightning and TorchRL say about things that are meant to be so."""
    for name in ("lightning.pytorch", "lightning.fabric", "torchrl"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in ("profilers.profiler", "callbacks.early_stopping"):  # they are asked for, and say it at this level
        logging.getLogger(f"lightning.pytorch.{name}").setLevel(logging.INFO)
    for message in (
        "LightningCLI's args parameter",
        r".*does not have many workers",
        r"Checkpoint directory .* exists and is not empty",
        r"`isinstance\(treespec, LeafSpec\)` is deprecated",
        r"Tensordict is registered in PyTree",  # until the first CUDA graph
        r"Initializing zero-element tensors is a no-op",  # networks that don't look at sockets
    ):
        warnings.filterwarnings("ignore", message=message)


def run(argv: list[str]) -> None:
    """Run ``fit``, ``validate``, ``test`` or ``predict``; raises as ``parse_and_run`` does.

    Args:
        argv: the command and its options.
    """
    parse_and_run(TrainCLI, with_config(argv))


def parse_and_run(cli: type[TrainCLI], argv: list[str], trainer_class: type[Trainer] = Trainer) -> None:
    """Run one of a command line's commands.

    Args:
        cli: the command line.
        argv: the command and its options.
        trainer_class: whose methods the commands are.

    Raises:
        InputError: an option, the configuration or a file that it names is wrong.
    """
    quiet()
    try:
        cli(
            Algorithm,
            ScenarioData,
            subclass_mode_model=True,
            parser_class=TrainParser,
            trainer_class=trainer_class,
            trainer_defaults=dict(TRAINER),
            save_config_callback=None,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            args=argv,
        )
    except InputError:
        raise
    except SystemExit as end:
        if isinstance(end.__context__, KeyboardInterrupt):  # Lightning's answer to Ctrl-C where it is not yet training
            raise KeyboardInterrupt from end
        raise
    except ValueError as error:
        if "Given value type" in str(error):  # jsonargparse wraps what the configuration's own checks raise
            raise InputError(one_line(str(error))) from error
        raise
