"""The trials of a search: what Optuna proposes, and what came of it, kept in a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from litgrid.cli.experiments.config import Options
from litgrid.cli.experiments.space import Search, Setting
from litgrid.errors import InputError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

FILE = "search.db"
NAME = "search"  # of the study in the file
MADE_FROM = "made_from"
DIGITS = 4  # of a proposed number


@dataclass(frozen=True)
class Trial:
    """A proposal.

    Attributes:
        number: from 0 on.
        options: of ``fit``.
        score: what came of it; None while it is open.
    """

    number: int
    options: Options
    score: float | None


class Study:
    """Optuna's study of a search, one SQLite file.

    A proposal is a function of the search's seed, the trial's number and what the study says of earlier trials: no
    sampler lives from one proposal to the next. So a search that was interrupted proposes what it would have proposed.

    Args:
        folder: of the experiment.
        search: what is looked for.
        made_from: what all trials have in common, plain data by name.
        kept: False for a study that is not written, if there is none yet.

    Raises:
        InputError: the folder has a search that was made from something else.
    """

    def __init__(self, folder: Path, search: Search, made_from: dict[str, Any], *, kept: bool) -> None:
        import optuna  # noqa: PLC0415 (an optional dependency)

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        path = folder / FILE
        if kept:
            folder.mkdir(parents=True, exist_ok=True)
        storage = f"sqlite:///{path.absolute().as_posix()}" if kept or path.is_file() else None
        self._study = optuna.create_study(storage=storage, study_name=NAME, load_if_exists=True)
        self._search = search
        before = self._study.user_attrs.setdefault(MADE_FROM, made_from)
        for key, now in made_from.items():
            if before.get(key) != now:
                expected = f"those of the search in {folder}, or another name or folder for a new one"
                raise InputError(f"{key}: found others, expected {expected}")
        if kept:
            self._study.set_user_attr(MADE_FROM, made_from)

    @property
    def trials(self) -> list[Trial]:
        """All that were proposed, by number."""
        return [
            Trial(trial.number, options_of(self._search, trial.params), trial.value)
            for trial in self._study.get_trials(deepcopy=False)
        ]

    def propose(self) -> Trial:
        """Add an open trial; the file has all of it or nothing."""
        from optuna.trial import TrialState, create_trial  # noqa: PLC0415 (an optional dependency)

        earlier = self._study.get_trials(deepcopy=False)
        params = proposal(self._search, earlier)
        space = distributions(self._search)
        self._study.add_trial(create_trial(state=TrialState.RUNNING, params=params, distributions=space))
        return self.trials[-1]

    def tell(self, number: int, score: float) -> None:
        """Close a trial."""
        self._study.tell(number, score)


def proposal(search: Search, earlier: Sequence[FrozenTrial]) -> dict[str, Any]:
    """Return Optuna's parameters of the next trial.

    Args:
        search: what is looked for.
        earlier: all trials so far; open ones count as bad ones, so that the same is not proposed twice.
    """
    import optuna  # noqa: PLC0415 (an optional dependency)

    study = optuna.create_study(sampler=_sampler(search, len(earlier)))
    study.add_trials(earlier)
    found = study.ask(distributions(search)).params
    return {key: _rounded(setting, found[key]) for key, setting in search.space.items()}


def _sampler(search: Search, number: int) -> BaseSampler:
    """The sampler of one trial."""
    from optuna.samplers import RandomSampler, TPESampler  # noqa: PLC0415 (an optional dependency)

    seed = int(np.random.SeedSequence([search.seed, number]).generate_state(1)[0])
    return TPESampler(seed=seed, multivariate=True) if search.sampler == "tpe" else RandomSampler(seed=seed)


def _rounded(setting: Setting, value: Any) -> Any:
    """A number that people can read and copy, within its range."""
    if setting.floats is None:
        return value
    low, high = setting.floats
    return min(max(float(f"{value:.{DIGITS}g}"), low), high)


def distributions(search: Search) -> dict[str, BaseDistribution]:
    """The search's space as Optuna has it; choices as JSON, since Optuna takes no mappings."""
    from optuna.distributions import (  # noqa: PLC0415 (an optional dependency)
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    space: dict[str, BaseDistribution] = {}
    for key, setting in search.space.items():
        if setting.choices is not None:
            space[key] = CategoricalDistribution([json.dumps(choice) for choice in setting.choices])
        elif setting.floats is not None:
            space[key] = FloatDistribution(*setting.floats, log=setting.log)
        elif setting.ints is not None:
            space[key] = IntDistribution(*setting.ints, log=setting.log)
    return space


def options_of(search: Search, params: dict[str, Any]) -> Options:
    """Options of ``fit`` from Optuna's parameters, in the order of the space."""
    return {
        key: params[key] if setting.choices is None else json.loads(params[key])
        for key, setting in search.space.items()
    }
