"""What a search looks for: options of ``fit``, and the values that each may have."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from typing import Any, Literal

from litgrid.errors import InputError

Sampler = Literal["tpe", "random"]


@dataclass(frozen=True)
class Setting:
    """The values that an option may have, given in one of three ways.

    Args:
        choices: some values, whatever they are: also ``{envs: 64, frames_per_batch: 3072}``, where settings have to
            fit together.
        floats: lowest and highest number.
        ints: lowest and highest whole number.
        log: ranges are searched evenly in the logarithm.
    """

    choices: list[Any] | None = None
    floats: tuple[float, float] | None = None
    ints: tuple[int, int] | None = None
    log: bool = False

    def check(self, key: str) -> None:
        """Refuse what is no set of values.

        Args:
            key: of the setting, for the message.

        Raises:
            InputError: it is given in several ways or in none, it is empty, or its logarithm is.
        """
        given = [name for name in ("choices", "floats", "ints") if getattr(self, name) is not None]
        _require(len(given) == 1, key, " and ".join(given) or "nothing", "one of choices, floats and ints")
        ends = self.floats or self.ints
        if ends is None:
            _require(bool(self.choices), f"{key}.choices", "none", "at least one")
            _require(not self.log, f"{key}.log", "true with choices", "floats or ints")
            return
        low, high = ends
        bounded = math.isfinite(low) and math.isfinite(high)
        _require(bounded and low < high, key, list(ends), "a lower and a higher number")
        _require(low > 0 or not self.log, key, f"{list(ends)} with log", "numbers above 0")


@dataclass(frozen=True)
class Search:
    """The search of an experiment: trials, each a training with every seed of the experiment.

    Args:
        space: dotted name of an option of ``fit`` -> the values that it may have.
        trials: how many.
        sampler: ``tpe`` learns from earlier trials where to look (tree-structured Parzen estimator, Bergstra et al.
            2011, as in Optuna; its first ten trials are drawn at random), ``random`` does not.
        seed: of the sampler.
    """

    space: dict[str, Setting]
    trials: int = 20
    sampler: Sampler = "tpe"
    seed: int = 0

    def check(self) -> None:
        """Refuse what can't be searched; the experiment asks for it, since the parser hides errors of parts of a file.

        Raises:
            InputError: a setting, the number of trials or the seed is wrong, or Optuna is not installed.
        """
        _require(len(self.space) > 0, "search.space", "none", "at least one option of fit")
        for key, setting in self.space.items():
            setting.check(f"search.space.{key}")
        _require(self.trials >= 1, "search.trials", self.trials, "at least 1")
        _require(self.seed >= 0, "search.seed", self.seed, "none below 0")
        installed = importlib.util.find_spec("optuna") is not None
        _require(installed, "search", "no Optuna, which it needs", "pip install 'litgrid[search]'")


def _require(holds: bool, key: str, found: object, expected: str) -> None:
    if not holds:
        raise InputError(f"{key}: found {found}, expected {expected}")
