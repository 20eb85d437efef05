"""Which setting to change, and to what, where a training would not fit into memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lightning import Trainer

from litgrid.algorithms.agent import spaces
from litgrid.algorithms.base import Algorithm
from litgrid.algorithms.free_memory import free_bytes
from litgrid.algorithms.memory import GB, Plan, plan
from litgrid.algorithms.sac import SAC
from litgrid.algorithms.sources import SiteYears, Source
from litgrid.errors import InputError

CERTAIN = 4.0  # what needs less than free memory over this, by its observations alone, is not planned before a run


@dataclass(frozen=True)
class Setting:
    """A number of the configuration that memory grows with.

    Attributes:
        key: on the command line.
        value: as configured.
        multiple: that it has to be of.
        parts: of the plan, that are in proportion to it.
    """

    key: str
    value: int
    multiple: int
    parts: tuple[str, ...]


def _settings(algorithm: Algorithm, source: Source) -> list[Setting]:
    collection = algorithm.collection
    frames = ("model.collection.frames_per_batch", collection.frames_per_batch, collection.envs)
    found = [Setting("model.collection.envs", collection.envs, 1, ("environments",))]
    if isinstance(source, SiteYears):
        found.append(Setting("data.site.years.train", source.site.years.train, 1, ("scenarios",)))
    if not isinstance(algorithm, SAC):
        return [*found, Setting(*frames, ("rollout", "activations"))]
    replay = algorithm.replay
    return [
        *found,
        Setting(*frames, ("rollout",)),
        Setting("model.replay.batch_size", replay.batch_size, 1, ("activations",)),
        Setting("model.replay.capacity", replay.capacity, 1000, ("replay",)),
    ]


def remedy(found: Plan, algorithm: Algorithm, source: Source) -> tuple[Setting, int]:
    """Return the setting that takes most of the memory, and the largest value that would fit; 0 if none would."""
    taken = {setting: sum(found.parts[part] for part in setting.parts) for setting in _settings(algorithm, source)}
    setting, most = max(taken.items(), key=lambda item: item[1])
    share = 1.0 - (found.needed - found.free) / found.ranks / most
    return setting, max(0, math.floor(setting.value * share / setting.multiple) * setting.multiple)


def explain(found: Plan, algorithm: Algorithm, source: Source) -> str:
    """Say in a line why a training does not fit, and what would."""
    setting, value = remedy(found, algorithm, source)
    most = found.ranks * sum(found.parts[part] for part in setting.parts) / GB
    right = f"at most {value:,} would fit" if value else "no value of it alone would fit"
    return (
        f"{setting.key}: found {setting.value:,}, which takes {most:,.2f} GB of the {found.needed / GB:,.2f} GB that "
        f"training needs; {found.free / GB:,.2f} GB are free, {right}"
    )


def refuse_what_does_not_fit(algorithm: Algorithm, source: Source, trainer: Trainer) -> None:
    """Refuse a training whose memory is not there, before it is allocated; arguments as for ``plan``.

    A plan takes seconds, and is made only where the observations that are kept, each with the one after it, take a good
    part of what is free.

    Raises:
        InputError: it does not fit.
    """
    shapes = spaces(source.sample(), algorithm.env_config).shapes.values()
    frames = algorithm.replay.capacity if isinstance(algorithm, SAC) else algorithm.collection.frames_per_batch
    least = 2 * 4 * sum(map(math.prod, shapes)) * frames * trainer.num_devices
    if least * CERTAIN < free_bytes(trainer.strategy.root_device):
        return
    found = plan(algorithm, source, trainer)
    if not found.fits:
        raise InputError(explain(found, algorithm, source))
