"""The picture of a week."""

from collections.abc import Callable
from pathlib import Path

import pytest

from litgrid.errors import InputError
from litgrid.scenarios import plot
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.site.site import Fleet, Site, replace

RandomScenarios = Callable[..., ScenarioSet]


@pytest.mark.parametrize(("number", "first", "last"), [(1, "Mon 1 Jan", "Sun 7 Jan"), (52, "Mon 24 Dec", "Sun 30 Dec")])
def test_a_week_is_drawn(
    small_site: Site, random_scenarios: RandomScenarios, tmp_path: Path, *, number: int, first: str, last: str
) -> None:
    figure = plot.draw(random_scenarios(small_site), 1, number)
    names = [tick.get_text() for tick in figure.axes[-1].get_xticklabels()]
    assert (names[0], names[-1]) == (first, last)
    plot.save(figure, tmp_path / "week.png")
    assert (tmp_path / "week.png").read_bytes().startswith(b"\x89PNG")
    assert [file.name for file in tmp_path.iterdir()] == ["week.png"]


def test_a_site_without_sockets_is_drawn(small_site: Site, random_scenarios: RandomScenarios) -> None:
    scenarios = random_scenarios(small_site)
    scenarios.sessions["arrival"].fill_(8760)
    scenarios.sessions["departure"].fill_(8760)
    bare = ScenarioSet(replace(small_site, fleet=Fleet()), "test", scenarios.series, scenarios.sessions)
    assert len(plot.draw(bare, 0, 1).axes) == 3


@pytest.mark.parametrize(
    ("number", "name", "message"),
    [
        (0, "week.png", "--week: found 0, expected 1 to 52"),
        (53, "week.png", "--week: found 53, expected 1 to 52"),
        (1, "week.pdf", "--plot: found .*week.pdf, expected a name that ends in .png"),
        (1, "none/week.png", "in a folder that exists"),
    ],
)
def test_what_can_not_be_drawn_is_refused(tmp_path: Path, number: int, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        plot.check(number, tmp_path / name)
