"""The picture of a week shows what was simulated."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from litgrid.controllers import make
from litgrid.errors import InputError
from litgrid.evaluation import plot
from litgrid.evaluation.rollout import Rollout, rollout
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site, replace


@pytest.fixture(scope="module")
def runs(small_site: Site, random_scenarios: Callable[..., ScenarioSet]) -> list[Rollout]:
    site = replace(small_site, first_weekday="wednesday")
    simulator = Simulator(random_scenarios(site, days=21), dtype=torch.float64)
    return [rollout(simulator, make(name, simulator.scenarios)) for name in ("uncontrolled", "self_consumption")]


def test_panels_days_and_curves(runs: list[Rollout]) -> None:
    figure = plot.draw(runs, number=2, year=1)
    power = [axes for axes in figure.axes if axes.get_ylabel() == "kW"]
    assert [axes.get_title("left") for axes in power] == ["uncontrolled", "self_consumption"]
    days = [text.get_text() for text in figure.axes[3].get_xticklabels()]
    assert days[0] == "Wed 8 Jan"
    assert days[-1] == "Tue 14 Jan"
    (drawn,) = [line for line in power[1].lines if line.get_label() == "import"]
    imported = runs[1].flows.grid_import[1, 7 * 24 : 14 * 24].numpy()
    np.testing.assert_allclose(np.asarray(drawn.get_ydata())[:-1], imported)


def test_file_is_a_png_and_nothing_else_is_left(runs: list[Rollout], tmp_path: Path) -> None:
    plot.week(runs, 1, tmp_path / "week.png")
    assert (tmp_path / "week.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["week.png"]


def test_wrong_requests(tmp_path: Path) -> None:
    plot.check(52, tmp_path / "week.png")
    with pytest.raises(InputError, match="--week: found 53, expected 1 to 52"):
        plot.check(53, tmp_path / "week.png")
    with pytest.raises(InputError, match=r"--plot: found .*week.pdf, expected a name that ends in .png"):
        plot.check(1, tmp_path / "week.pdf")
    with pytest.raises(InputError, match="in a folder that exists"):
        plot.check(1, tmp_path / "nowhere" / "week.png")
