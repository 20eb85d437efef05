"""Scenarios for Lightning: of a site or a CityLearn data set, loaded by split, and the clock of training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from lightning import LightningDataModule
from torchrl.envs import EnvBase

from litgrid.algorithms.environments import make_env
from litgrid.algorithms.sources import CityLearnData, source_of
from litgrid.scenarios import store
from litgrid.scenarios.district_split import Part
from litgrid.sim.env import EnvConfig
from litgrid.sim.worlds import Scenarios
from litgrid.site.site import Site


class Ticks:
    """The numbers of an epoch's iterations: a tick is one batch from the collector and the updates that follow it.

    Lightning fetches from a loader without a length one batch ahead of what it trains on, and so would collect with
    a policy that is one update old; hence a length. A run that goes on within an epoch goes on with its next tick.
    """

    def __init__(self, ticks: int) -> None:
        self.ticks = ticks
        self._next = 0

    def __len__(self) -> int:
        return self.ticks

    def __iter__(self) -> Iterator[int]:
        for tick in range(self._next, self.ticks):
            self._next = (tick + 1) % self.ticks
            yield tick

    def state_dict(self) -> dict[str, int]:
        """Return the tick that comes next."""
        return {"next": self._next}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on with that tick."""
        self._next = state_dict["next"]


class ScenarioData(LightningDataModule):
    """The scenarios of one site, or of one CityLearn data set.

    Args:
        site: what stands there; a YAML file, or keys of it (``--data.site.objective.preset co2``).
        citylearn: a data set to train on instead (``--data.citylearn.path FOLDER``).
        folder: where scenario sets are kept, by a hash of everything that made them.
    """

    train: Scenarios
    validation: Scenarios

    def __init__(
        self, site: Site | None = None, citylearn: CityLearnData | None = None, folder: Path = store.FOLDER
    ) -> None:
        super().__init__()
        self.source = source_of(site, citylearn, folder)

    def load(self, split: Part) -> Scenarios:
        """Return the scenarios of a split; years of a site are built if they are missing."""
        return self.source.load(split)

    def prepare_data(self) -> None:
        """Build what training needs and is missing, in one process."""
        self.load("train")
        self.load("validation")

    def setup(self, stage: str) -> None:  # noqa: ARG002  (Lightning's signature)
        """Load the scenarios for training and validation."""
        self.train = self.load("train")
        self.validation = self.load("validation")

    def make_env(self, envs: int, config: EnvConfig, device: torch.device, seed: int) -> EnvBase:
        """Return the environments to train in; another data module may return any others of TorchRL's."""
        return make_env(self.train, envs, config, device, seed)

    def train_dataloader(self) -> Ticks:
        """Return the ticks of an epoch; the algorithm says how many there are."""
        assert self.trainer is not None
        return Ticks(int(self.trainer.lightning_module.ticks_per_epoch))  # type: ignore[arg-type]

    def val_dataloader(self) -> Ticks:
        """Return one tick: validation scenarios are run side by side."""
        return Ticks(1)
