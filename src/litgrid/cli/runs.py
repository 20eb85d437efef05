"""The folders of runs: ``<runs>/<experiment>/<algorithm>/seed-<n>/``."""

from __future__ import annotations

from pathlib import Path

from litgrid.algorithms.agent import CONFIG
from litgrid.errors import InputError


def new_run(runs: Path, experiment: str, algorithm: str, seed: int) -> Path:
    """Choose the folder of a new run; it is not made yet.

    A run that is there already is never touched: the experiment then gets a number (``iquitos-2``), so that the same
    command can be given twice.

    Raises:
        InputError: a name is no name of a folder.
    """
    for key, name in (("experiment", experiment), ("label", algorithm)):
        if not name or Path(name).name != name:
            raise InputError(f"{key}: found {name!r}, expected a name without slashes")
    number = 1
    while True:
        name = experiment if number == 1 else f"{experiment}-{number}"
        folder = runs / name / algorithm / f"seed-{seed}"
        if not folder.exists():
            return folder
        number += 1


def latest_run(runs: Path, experiment: str, algorithm: str, seed: int) -> Path:
    """Return the folder of the newest run of a name: that of the experiment with the highest number.

    Raises:
        InputError: there is none.
    """
    names = {1: experiment}
    for path in runs.glob(f"{experiment}-*"):
        digits = path.name.removeprefix(f"{experiment}-")
        if digits.isdecimal():
            names[int(digits)] = path.name
    for number in sorted(names, reverse=True):
        folder = runs / names[number] / algorithm / f"seed-{seed}"
        if folder.is_dir():
            return folder
    missing = runs / experiment / algorithm / f"seed-{seed}"
    raise InputError(
        f"ckpt_path last: found no run {missing}, expected one to go on with; leave the option out to begin"
    )


def run_of(checkpoint: Path) -> Path:
    """Return the run that a checkpoint belongs to.

    Raises:
        InputError: there is no such file, or it lies outside a run.
    """
    if not checkpoint.is_file():
        raise InputError(f"ckpt_path: found no file {checkpoint}, expected a checkpoint")
    return folder_of(checkpoint)


def folder_of(checkpoint: Path) -> Path:
    """Return the run that a checkpoint belongs to, were it there.

    Raises:
        InputError: it would lie outside a run.
    """
    folder = checkpoint.parent.parent
    if not (folder / CONFIG).is_file():
        raise InputError(f"ckpt_path: found no {CONFIG} in {folder}, expected runs/.../checkpoints/<name>.ckpt")
    return folder
