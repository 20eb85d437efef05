"""The page says what the comparison says, and loads nothing."""

import dataclasses
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch

from litgrid.controllers import make
from litgrid.evaluation import html
from litgrid.evaluation.compare import compare
from litgrid.evaluation.comparison import Comparison
from litgrid.evaluation.html.page import DASH, MINUS, number, setting
from litgrid.evaluation.rollout import rollout
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.sim.simulator import Simulator
from litgrid.site.site import Site


class Reader(HTMLParser):
    """Collects a page's tables, links, elements and scripts with an id."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.values: list[list[str]] = []
        self.texts: dict[str, str] = {}
        self.ids: list[str] = []
        self.loaded: list[str] = []
        self.links: list[str] = []
        self._open: list[str] = []
        self._cell = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a note of an element."""
        found = {key: value or "" for key, value in attrs}
        self.ids += [found["id"]] if "id" in found else []
        self.loaded += [found[key] for key in ("src", "srcset", "data", "action") if key in found]
        (self.links if tag == "a" else self.loaded).extend([found["href"]] if "href" in found else [])
        self._open = [found["id"]] if tag == "script" and "id" in found else []
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
            self.values.append([])
        elif tag in ("td", "th"):
            self._cell = True
            self.tables[-1][-1].append("")
            self.values[-1] += [found["data-value"]] if "data-value" in found else []

    def handle_data(self, data: str) -> None:
        """Take a note of text."""
        if self._open:
            self.texts[self._open[0]] = data
        elif self._cell:
            self.tables[-1][-1][-1] += data.strip()

    def handle_endtag(self, tag: str) -> None:
        """Take a note that an element is over."""
        self._open = []
        self._cell = self._cell and tag not in ("td", "th")


@pytest.fixture(scope="module")
def page(stand_ins: Comparison, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    html.write(stand_ins, path)
    assert [one.name for one in path.parent.iterdir()] == ["report.html"]
    return path.read_text(encoding="utf-8")


def described(page: str) -> dict[str, Any]:
    """What the page's scripts draw."""
    found: dict[str, Any] = json.loads(Reader(page).texts["described"])
    return found


def test_it_begins_with_the_advice(stand_ins: Comparison, page: str) -> None:
    first = re.search(r"<p[^>]*>(.*?)</p>", page, re.DOTALL)
    assert first is not None
    escaped = stand_ins.advice.replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;")
    assert first[1] == escaped


def test_ranking_table_has_the_comparison_s_figures(stand_ins: Comparison, page: str) -> None:
    reader = Reader(page)
    rows = reader.tables[0][1:]
    names = [entry.name + ("" if entry.served else "!") for entry in stand_ins.entries]
    assert [row[0] for row in rows] == names
    values = [row for row in reader.values if row][: len(rows)]
    for entry, shown in zip(stand_ins.entries, values, strict=True):
        assert float(shown[1]) == entry.standing.objective.value
        means = {key: sum(row[key] for row in entry.rows) / len(entry.rows) for key in ("ev_service", "co2_kg", "bill")}
        assert [float(one) for one in shown[5:8]] == pytest.approx(
            [100 * means["ev_service"], means["co2_kg"] / 1000, means["bill"]]
        )
        assert shown[2:5] == ["", "", ""]  # shares, without an optimum
    objective = stand_ins.entries[0].standing.objective
    assert number(objective.value) in rows[0][2]


def test_intervals_stand_only_where_seeds_allow_them(stand_ins: Comparison, page: str) -> None:
    shown = {row[0].rstrip("!"): row[2] for row in Reader(page).tables[0][1:]}
    for entry in stand_ins.entries:
        assert ("[" in shown[entry.name]) == (len(entry.rows) > 1)
    assert page.count('class="span"') == 1


def test_ladder_has_every_rung_and_their_sum(stand_ins: Comparison, page: str) -> None:
    rungs = Reader(page).tables[2][1:]
    figures = stand_ins.figures
    expected = [*figures["ladder"], *(one[-1] for one in figures["ladders"].values())]
    expected = [rung for place, rung in enumerate(expected) if rung not in expected[:place]]
    assert [[float(text.replace(MINUS, "-").replace(",", "")) for text in row[1:]] for row in rungs[:-1]] == [
        [round(rung[key] / 1000, 1) for key in ("co2_kg", "reduction_kg", "direct_kg", "indirect_kg")]
        for rung in expected
    ]
    assert rungs[-1][2] == number(figures["ladder_total"]["reduction_kg"] / 1000, 1)


def test_settings_that_differ(stand_ins: Comparison, page: str) -> None:
    head, *rows = Reader(page).tables[3]
    assert head[0] == "setting"
    assert {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows} == {
        one.setting: {run: setting(value) for run, value in one.values.items()} for one in stand_ins.differences
    }


def test_learning_curves(stand_ins: Comparison, page: str) -> None:
    agents = {agent["name"]: agent["curves"] for agent in described(page)["agents"]}
    assert set(agents) == {entry.name for entry in stand_ins.entries if entry.kind == "agent"}
    assert agents["sac"][1] == {
        "seed": 1,
        "frames": [0, 640],
        "minutes": [0.5, 2.25],
        "objective": [300000.0, 200000.0],
    }
    assert agents["<script>alert(1)</script>"][0]["minutes"] == [0.5, None]


def test_nothing_is_loaded(page: str) -> None:
    reader = Reader(page)
    assert reader.loaded == ["data:,"]
    assert set(re.findall(r"https?://[^\s\"']*", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\burl\(|@import|\bfetch\(|XMLHttpRequest|import\(", page)
    assert "default-src 'none'" in page


def test_links_stay_in_the_page_and_ids_are_unique(page: str) -> None:
    reader = Reader(page)
    assert len(reader.ids) == len(set(reader.ids))
    assert all(link.startswith("#") and link[1:] in reader.ids for link in reader.links)


def test_names_can_not_become_markup(page: str) -> None:
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)</script> (seed 0)" in [one["name"] for one in described(page)["controllers"]]


def test_rules_alone_without_vehicles(
    small_site: Site, random_scenarios: Callable[..., ScenarioSet], tmp_path: Path
) -> None:
    scenarios = random_scenarios(small_site, scenarios=1, days=8)
    scenarios = dataclasses.replace(scenarios, sessions=scenarios.sessions[:, :0])
    simulator = Simulator(scenarios, dtype=torch.float64)
    run = rollout(simulator, make("uncontrolled", scenarios))
    html.write(compare(simulator, [run], [None]), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "No vehicle came in these years." in page
    assert "No agent was compared." in page
    assert "Nothing: no run was compared." in page
    assert (described(page)["left"], described(page)["right"]) == (0, 0)


def test_numbers() -> None:
    assert [number(1234567.8), number(-0.04, 1), number(-1.25, 2), number(None)] == [
        "1,234,568",
        "0.0",
        f"{MINUS}1.25",
        DASH,
    ]
