"""From which checkpoint ``fit`` goes on, and whether its configuration is still the one of the run."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

from litgrid.algorithms import saved
from litgrid.algorithms.agent import CONFIG
from litgrid.algorithms.configs import leaves, settings
from litgrid.cli.runs import folder_of, run_of
from litgrid.errors import InputError

FRAMES = "model.init_args.budget.total_frames"
FREE = "data.site.rules."
"""Numbers of rules, which training does not look at."""
FIXED = (
    "seed_everything",
    "model",
    "data.site",
    "data.citylearn",
    "trainer.precision",
    "trainer.devices",
    "trainer.num_nodes",
)
"""What the rest of a run depends on; the number of frames may grow."""


def checkpoint_to_resume(path: Path) -> Path:
    """Return the checkpoint that ``fit --ckpt_path`` goes on from: for ``last.ckpt``, the newest good one beside it.

    Raises:
        InputError: it is outside a run, or damaged, or there is no good one.
    """
    if path.name == saved.LAST:
        folder_of(path)
        return saved.newest(path.parent, lambda line: print(f"litgrid: {line}", file=sys.stderr))
    run_of(path)
    try:
        saved.read_whole(path)
    except saved.Damaged as damage:
        raise InputError(f"{path}: {damage}; expected {saved.LAST} or {saved.LASTS}") from damage
    return path


def refuse_changes(checkpoint: Path, config: str) -> None:
    """Refuse to go on with settings that are not those of the run.

    Args:
        checkpoint: of the run.
        config: the whole configuration, as YAML.

    Raises:
        InputError: naming the first setting that differs.
    """
    kept = checkpoint.parent.parent / CONFIG
    before = settings(kept)
    now = dict(leaves(yaml.safe_load(config)))
    for key in before | now:
        fixed = any(key == name or key.startswith(f"{name}.") for name in FIXED)
        fixed = fixed and key != FRAMES and not key.startswith(FREE)
        if fixed and before.get(key) != now.get(key):
            raise InputError(f"{key}: found {now.get(key)}, expected {before.get(key)}, as in {kept} of the run")
    frames = saved.frames_of(saved.read(checkpoint))
    if now[FRAMES] < frames:
        raise InputError(f"{FRAMES}: found {now[FRAMES]}, expected at least the {frames} of {checkpoint.name}")
