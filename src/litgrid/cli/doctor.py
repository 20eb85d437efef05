"""``doctor``: what there is to train with, whether it fits into memory, where the time goes, what to change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from jsonargparse.typing import PositiveFloat
from lightning import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser

from litgrid.algorithms.base import Algorithm
from litgrid.algorithms.memory import GB, Plan, plan
from litgrid.algorithms.remedies import explain, remedy
from litgrid.algorithms.sac import SAC
from litgrid.algorithms.sources import Source
from litgrid.cli.hardware import hardware
from litgrid.cli.messages import warn
from litgrid.cli.options import write_json
from litgrid.cli.probe import Change, Measured, changes, probe
from litgrid.cli.train import TrainCLI, parse_and_run

GAIN = 1.05  # times the frames per second from which on a change is advised


class DoctorTrainer(Trainer):
    """A trainer whose command is ``doctor``."""

    def doctor(self, model: LightningModule, datamodule: LightningDataModule) -> None:
        """Report hardware, memory and where the time of a training goes; options as for ``fit``."""
        raise NotImplementedError("the command line does it")


class DoctorCLI(TrainCLI):
    """The options of ``fit``; nothing is kept."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The command, and which arguments are no options."""
        return {"doctor": {"model", "datamodule"}}

    def add_default_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add how long to measure."""
        super().add_default_arguments_to_parser(parser)
        parser.add_argument("--seconds", type=PositiveFloat, default=10.0, help="length of the probe; 5 s for each try")

    def doctor(self, **_: Any) -> None:
        """Examine, from the cheapest to the dearest, and report as it goes."""
        device, target = self.trainer.strategy.root_device, self._get(self.config, "json")
        self._silent = target == "-"
        warn(self.datamodule.source)
        figures: dict[str, Any] = {"machine": hardware(device)}
        self._say(_machine(figures["machine"]))
        found = plan(self.model, self.datamodule.source, self.trainer)
        figures |= _of_plan(found)
        self._say(_memory(figures))
        advice = [] if found.fits else [explain(found, self.model, self.datamodule.source)]
        algorithm = self.model if found.fits else _that_fits(self.model, found, self.datamodule.source)
        if algorithm is None:
            figures |= {"bottleneck": None}
        else:
            measured = self._probe(algorithm, self._get(self.config, "seconds"))
            figures |= _of_probe(measured, self.model)
            self._say(_speed(figures))
            figures["tries"] = self._try(algorithm, measured, device, figures["machine"]["gflops"])
            advice += _advice(measured, self.model, figures["tries"])
        figures["advice"] = advice
        self._say("\n".join(["advice", *(f"  {line}" for line in advice or ["nothing: keep the settings"])]))
        if target is not None:
            write_json(figures, target)

    @property
    def _precision(self) -> str:
        return str(self.trainer.precision)

    def _say(self, text: str) -> None:
        if not self._silent:
            print(text + "\n", flush=True)

    def _probe(self, algorithm: Algorithm, seconds: float, **trainer: Any) -> Measured:
        def make(**options: Any) -> Trainer:
            return self._make_trainer(**options | trainer)

        return probe(algorithm, self.datamodule, make, seconds)

    def _try(
        self, algorithm: Algorithm, before: Measured, device: torch.device, gflops: dict[str, float | None]
    ) -> list[dict[str, Any]]:
        """Measure the changes that may help against the bottleneck."""
        bf16 = self._precision == "32-true" and gflops["bf16-mixed"] is not None
        rows = []
        for change in changes(algorithm, next(iter(before.shares)), device, bf16):
            found = self._probe(change.algorithm, min(5.0, self._get(self.config, "seconds")), **change.trainer)
            rows.append(_row(change, found, before))
            self._say("tried {setting}: {frames_per_second:,.0f} frames/s, {ratio:.2f} times".format(**rows[-1]))
        return rows


def _that_fits(algorithm: Algorithm, found: Plan, source: Source) -> Algorithm | None:
    """The training with a smaller buffer, where that is what does not fit, else none."""
    setting, value = remedy(found, algorithm, source)
    if not isinstance(algorithm, SAC) or setting.parts != ("replay",) or not value:
        return None
    algorithm.replay = replace(algorithm.replay, capacity=value)
    return algorithm


def _of_plan(found: Plan) -> dict[str, Any]:
    return {
        "memory_gb": {name: size / GB for name, size in found.parts.items()},
        "processes": found.ranks,
        "needed_gb": found.needed / GB,
        "free_gb": found.free / GB,
        "fits": found.fits,
    }


def _of_probe(found: Measured, algorithm: Algorithm) -> dict[str, Any]:
    epochs = algorithm.budget.total_frames / algorithm.budget.frames_per_epoch
    return {
        "bottleneck": next(iter(found.shares)),
        "shares": found.shares,
        "frames_per_second": found.frames_per_second,
        "updates_per_second": found.updates_per_second,
        "validation_seconds": found.validation_seconds,
        "budget_seconds": epochs * found.epoch_seconds,
    }


def _row(change: Change, found: Measured, before: Measured) -> dict[str, Any]:
    return {
        "setting": change.setting,
        "caution": change.caution,
        "frames_per_second": found.frames_per_second,
        "updates_per_second": found.updates_per_second,
        "ratio": found.frames_per_second / before.frames_per_second,
    }


def _advice(measured: Measured, algorithm: Algorithm, tries: list[dict[str, Any]]) -> list[str]:
    """Say what gave more, the best first; and of validations, what fewer would give."""
    better = sorted((row for row in tries if row["ratio"] >= GAIN), key=lambda row: -row["ratio"])
    lines = [
        f"{row['setting']}: {row['frames_per_second']:,.0f} instead of {measured.frames_per_second:,.0f} frames/s "
        f"({row['ratio']:.2f} times)" + (f"; {row['caution']}" if row["caution"] else "")
        for row in better
    ]
    if next(iter(measured.shares)) == "validation":
        frames = 2 * algorithm.budget.frames_per_epoch
        half = frames / (frames / measured.frames_per_second + measured.validation_seconds)
        lines.append(
            f"model.budget.frames_per_epoch {frames}: {half:,.0f} instead of "
            f"{measured.overall_frames_per_second:,.0f} frames/s with validations (computed)"
        )
    return lines


def _machine(facts: dict[str, Any]) -> str:
    speeds = facts["gflops"].items()
    shown = {key: value for key, value in facts.items() if key != "gflops" and value is not None}
    lines = [f"  {key:<20}{f'{value:,.1f}' if isinstance(value, float) else value}" for key, value in shown.items()]
    works = [f"{name} {'does not work' if speed is None else f'{speed:,.0f} GFLOP/s'}" for name, speed in speeds]
    return "\n".join(["machine", *lines, f"  {'precisions':<20}{', '.join(works)}"])


def _memory(figures: dict[str, Any]) -> str:
    lines = [f"  {name:<24}{size:>10,.3f} GB" for name, size in figures["memory_gb"].items()]
    verdict = "fits" if figures["fits"] else "DOES NOT FIT"
    end = f"  needed {figures['needed_gb']:,.2f} GB at the most, free {figures['free_gb']:,.2f} GB: it {verdict}"
    return "\n".join(["memory", *lines, end])


def _speed(figures: dict[str, Any]) -> str:
    shares = ", ".join(f"{name} {share:.0%}" for name, share in figures["shares"].items())
    return (
        f"time\n  {figures['frames_per_second']:,.0f} frames/s, {figures['updates_per_second']:,.1f} updates/s; "
        f"{figures['budget_seconds'] / 60:,.1f} minutes for the whole budget\n"
        f"  bottleneck: {figures['bottleneck']} ({shares})"
    )


def run(argv: list[str]) -> None:
    """The command ``doctor``; raises ``InputError`` as ``fit`` does."""
    parse_and_run(DoctorCLI, argv, trainer_class=DoctorTrainer)
