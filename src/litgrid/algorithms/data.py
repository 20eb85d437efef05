"""The scenarios of a site, for Lightning: built if they are missing, loaded by split, and the clock of training."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lightning import LightningDataModule

from litgrid.scenarios import store
from litgrid.scenarios.scenario_set import ScenarioSet, Split
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
    """The scenarios of one site.

    Args:
        site: what stands there; a YAML file, or keys of it (``--data.site.objective.preset co2``).
        folder: where scenario sets are kept, by a hash of everything that made them.
    """

    train: ScenarioSet
    validation: ScenarioSet

    def __init__(self, site: Site, folder: Path = Path("data/scenarios")) -> None:
        super().__init__()
        self.site = site
        self.folder = folder

    def load(self, split: Split) -> ScenarioSet:
        """Return the scenarios of a split; they are built if they are missing."""
        return store.load(self.site, split, self.folder)

    def prepare_data(self) -> None:
        """Build what training needs and is missing, in one process."""
        self.load("train")
        self.load("validation")

    def setup(self, stage: str) -> None:  # noqa: ARG002  (Lightning's signature)
        """Load the training and validation years."""
        self.train = self.load("train")
        self.validation = self.load("validation")

    def train_dataloader(self) -> Ticks:
        """Return the ticks of an epoch; the algorithm says how many there are."""
        assert self.trainer is not None
        return Ticks(int(self.trainer.lightning_module.ticks_per_epoch))  # type: ignore[arg-type]

    def val_dataloader(self) -> Ticks:
        """Return one tick: the validation years are run side by side."""
        return Ticks(1)
