"""The tests of a district's simulator: subclass ``Conformance``, say how to make yours, and run pytest."""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litgrid.scenarios.citylearn_import import read_district
from litgrid.scenarios.random_district import Features, write_random
from litgrid.sim.conformance import laws
from litgrid.sim.conformance.backend import Backend
from litgrid.sim.conformance.by_hand import BATTERIES, VEHICLES
from litgrid.sim.conformance.by_hand_limits import LIMITS
from litgrid.sim.conformance.data_set import write
from litgrid.sim.conformance.reference import DISTRICTS, WINDOWS, Reference, district, reference, year
from litgrid.sim.district_parity import Run, random_actions, worst_errors

STEPS, LATEST = 48, 20
BY_HAND = {case.name: case for case in (*BATTERIES, *VEHICLES, *LIMITS)}
FEATURES = st.builds(
    Features,
    steps=st.just(STEPS),
    step_seconds=st.sampled_from([3600, 1800, 900]),
    buildings=st.integers(1, 5),
    chargers=st.integers(0, 4),
    **dict.fromkeys(("v2g", "curves", "dead_band", "losses", "limits", "service", "outage"), st.booleans()),
)
ANY = {"features": FEATURES, "seed": st.integers(0, 2**31), "first": st.integers(0, LATEST)}
FEW = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.differing_executors])


class Conformance(ABC):
    """A suite for any simulator of districts; CityLearn passes it, and so does LitGrid's.

    Attributes:
        bound: of every error (``worst_errors``): 1e-6 where values are stored in float32 as CityLearn does, 1e-5 in
            float64, 1e-4 in float32.
        year_sockets: of the generated year, in which CityLearn takes a minute for every 50 sockets.
    """

    bound: float = 1e-5
    year_sockets: int = 128

    @abstractmethod
    def backend(self, folder: Path) -> Backend:
        """A simulator of the CityLearn data set in a folder, which stays where it is until the test ends."""

    @pytest.mark.parametrize("name", BY_HAND)
    def test_steps_by_hand(self, name: str, tmp_path: Path) -> None:
        """Every number that the case writes out."""
        case = BY_HAND[name]
        write(tmp_path / "data", case)
        run = self.backend(tmp_path / "data").run(torch.tensor(case.actions, dtype=torch.float64), case.first)
        for (quantity, asset), values in case.expected.items():
            for step, (found, value) in enumerate(zip(run[quantity][:, asset].tolist(), values, strict=True)):
                place = f"{name}: {quantity} of asset {asset} after step {step}"
                off = 0.0 if value is None else abs(found - value)
                assert off <= self.bound * max(1.0, abs(value or 0.0)), f"{place} is {found}, expected {value}"

    @FEW
    @given(**ANY)
    def test_laws_of_any_district(self, features: Features, seed: int, first: int) -> None:
        """The laws hold, also without actions; actions are clipped; a run is repeated exactly."""
        with tempfile.TemporaryDirectory() as folder:
            write_random(Path(folder) / "data", features, seed)
            self.obeys_the_laws(Path(folder) / "data", seed, first)

    @FEW
    @given(**ANY)
    def test_any_district_equals_the_reference(self, features: Features, seed: int, first: int) -> None:
        """Random actions from any of the first rows, as CityLearn's episode that begins there."""
        with tempfile.TemporaryDirectory() as folder:
            write_random(Path(folder) / "data", features, seed)
            self.equals(reference.__wrapped__(Path(folder) / "data", first=first, seed=seed), first)

    @pytest.mark.parametrize("name", DISTRICTS)
    def test_equals_the_reference(self, name: str) -> None:
        """200 steps of random actions."""
        self.equals(district(name))

    @pytest.mark.parametrize(("name", "first"), WINDOWS)
    def test_a_window_equals_the_reference(self, name: str, first: int) -> None:
        """An episode that begins within the data."""
        self.equals(district(name, first), first)

    @pytest.mark.slow
    def test_a_year_equals_the_reference(self) -> None:
        """A generated year, exported from a site."""
        self.equals(year(self.year_sockets))

    def equals(self, expected: Reference, first: int = 0) -> None:
        """Require that a run equals the reference within the bound, in every quantity."""
        run = self.backend(expected.folder).run(expected.actions, first)
        errors = worst_errors(run, expected.run, expected.district)
        print(type(self).__name__, expected.folder.name, {key: f"{error:.0e}" for key, error in errors.items()})
        assert max(errors.values()) <= self.bound, f"bound {self.bound:g}: {errors}"

    def obeys_the_laws(self, folder: Path, seed: int, first: int) -> None:
        """Require the laws of runs from a row on, with random actions and without."""
        found, _ = read_district(folder)
        backend, actions = self.backend(folder), random_actions(found, found.steps - first, seed)
        run = backend.run(actions, first)
        laws.Laws(found, first, run, self.bound).hold()
        laws.idle(found, first, backend.run(torch.zeros_like(actions), first), self.bound)
        _same(backend.run(actions, first), run, "a repeated run differs")
        clipped = self.backend(folder).run(actions.clamp(-1.0, 1.0), first)
        _same(clipped, run, "a run of another instance, with clipped actions, differs")


def _same(found: Run, expected: Run, message: str) -> None:
    different = [key for key, values in expected.items() if not torch.equal(found[key], values)]
    assert not different, f"{message} in {different}"
