"""The store: one key for one set of data, whole or not at all."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tensordict import MemoryMappedTensor

from litgrid.errors import InputError
from litgrid.scenarios import store
from litgrid.scenarios.scenario_set import SPLITS, ScenarioSet, Split
from litgrid.site.site import (
    Battery,
    Carbon,
    CarbonFile,
    DemandCharge,
    DemandRow,
    Objective,
    Site,
    SocketGroup,
    Tariff,
    Years,
    replace,
)

RandomScenarios = Callable[..., ScenarioSet]
Builds = list[Split]


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch, random_scenarios: RandomScenarios) -> Builds:
    """Random scenarios in place of the generators; the splits that were built."""
    built: Builds = []

    def build(site: Site, split: Split) -> ScenarioSet:
        built.append(split)
        drawn = random_scenarios(site, getattr(site.years, split), seed=SPLITS.index(split))
        return ScenarioSet(site, split, drawn.series, drawn.sessions)

    monkeypatch.setattr("litgrid.scenarios.build.build", build)
    return built


def test_what_is_missing_is_built_once(small_site: Site, builds: Builds, tmp_path: Path) -> None:
    first = store.load(small_site, "test", tmp_path)
    again = store.load(small_site, "test", tmp_path)
    assert builds == ["test"]
    for scenarios in (first, again):
        assert (scenarios.site, scenarios.split, len(scenarios)) == (small_site, "test", 2)
    assert (first.series == again.series).all()
    assert (first.sessions == again.sessions).all()
    assert isinstance(first.series["pv_kw"], MemoryMappedTensor)
    store.load(small_site, "train", tmp_path)
    assert builds == ["test", "train"]


def test_beside_the_data_stands_what_it_was_made_from(small_site: Site, builds: Builds, tmp_path: Path) -> None:
    store.load(small_site, "test", tmp_path)
    kept = tmp_path / store.key(small_site) / "test"
    made_from = json.loads((kept / "made_from.json").read_text(encoding="utf-8"))
    assert made_from["site"]["fleet"]["groups"][0]["sockets"] == 3
    figures = json.loads((kept / "figures.json").read_text(encoding="utf-8"))
    assert [row["year"] for row in figures] == [0, 1]
    assert builds == ["test"]


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "other"},
        {"battery": Battery(1.0, 1.0)},
        {"objective": Objective(preset="co2")},
        {"tariff": Tariff(currency="USD", windows=[], demand=[DemandCharge(1.0)])},
        {"carbon": Carbon(km_per_kwh=1.0, km_per_gallon=1.0, kg_per_gallon=1.0)},
    ],
)
def test_what_leaves_the_data_as_it_is_leaves_the_key(small_site: Site, changes: dict[str, object]) -> None:
    plain = replace(small_site, tariff=Tariff())
    assert store.key(replace(plain, **changes)) == store.key(plain)


def test_names_and_v2g_of_groups_are_no_data_but_their_figures_are(small_site: Site) -> None:
    def with_group(**changes: object) -> str:
        group = replace(SocketGroup("car", 2, 7.0, 30.0), **changes)
        return store.key(replace(small_site, fleet=replace(small_site.fleet, groups=[group])))

    assert with_group() == with_group(name="van") == with_group(v2g=True)
    assert len({with_group(), with_group(sockets=3), with_group(power_kw=8.0), with_group(soc_arrival=(0.1, 0.2))}) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"step_seconds": 900},
        {"first_weekday": "sunday"},
        {"years": Years(8, 2, 3)},
        {"tariff": Tariff(price_per_kwh=1.0)},
        {"carbon": Carbon(grid_kg_per_kwh=1.0)},
    ],
)
def test_what_changes_the_data_changes_the_key(small_site: Site, changes: dict[str, object]) -> None:
    assert store.key(replace(small_site, **changes)) != store.key(small_site)


def test_whole_numbers_are_numbers(small_site: Site) -> None:
    location = replace(small_site.location, altitude_m=104)
    assert store.key(replace(small_site, location=location)) == store.key(small_site)


def test_the_content_of_a_file_counts_and_not_its_name(small_site: Site, tmp_path: Path) -> None:
    def key(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return store.key(replace(small_site, carbon=Carbon(file=CarbonFile(tmp_path / name))))

    assert key("a.csv", "1") == key("b.csv", "1") != key("a.csv", "2")


def test_a_demand_rows_figures_count_and_not_its_table(small_site: Site, tmp_path: Path) -> None:
    def key(*rows: str) -> str:
        path = tmp_path / f"{len(rows)}.csv"
        path.write_text("\n".join(["escenario,tomas,cargas_dia,energia_dia_kwh", *rows]), encoding="utf-8")
        fleet = replace(small_site.fleet, demand_row=DemandRow(path, 1))
        return store.key(replace(small_site, fleet=fleet))

    assert key("1,5,10,20") == key("1,5,10,20", "2,9,9,9") != key("1,5,10,21", "2,9,9,9", "3,9,9,9")


def test_a_missing_file_is_named(small_site: Site, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.csv: found No such file"):
        store.key(replace(small_site, carbon=Carbon(file=CarbonFile(tmp_path / "none.csv"))))


@pytest.mark.parametrize(
    "where",
    ["tensordict.TensorDict.memmap", "litgrid.scenarios.store._checksums", "litgrid.scenarios.store._rename"],
)
def test_a_failed_write_leaves_nothing(
    small_site: Site, builds: Builds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, fail)
        with pytest.raises(KeyboardInterrupt):
            store.load(small_site, "test", tmp_path)
    assert list((tmp_path / store.key(small_site)).iterdir()) == []
    store.load(small_site, "test", tmp_path)
    assert builds == ["test", "test"]


KILLED = """
import os, sys
from pathlib import Path
from litgrid.scenarios import store
from litgrid.site.site import read_site
store._checksums = lambda part: os._exit(9)  # dies with all data written, before the stamp
store.load(read_site(sys.argv[1], ["--site.years.test=1"]), "test", Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_a_killed_build_leaves_nothing_that_passes_for_whole(tmp_path: Path) -> None:
    site = Path(__file__).resolve().parents[2] / "configs" / "sites" / "iquitos.yaml"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(site), str(tmp_path)], check=False)
    assert killed.returncode == 9
    (kept,) = tmp_path.iterdir()
    (part,) = kept.iterdir()
    assert part.name.startswith("test.part-")
    assert (part / "series" / "pv_kw.memmap").exists()
    again = KILLED.replace("store._checksums =", "unused =")
    subprocess.run([sys.executable, "-c", again, str(site), str(tmp_path)], check=True)
    assert (kept / "test" / store.STAMP).exists()


def test_two_builders_at_once_end_well(
    small_site: Site, random_scenarios: RandomScenarios, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have built before either writes; both read the same data, and no part is left over."""
    both = threading.Barrier(2)

    def build(site: Site, split: Split) -> ScenarioSet:
        drawn = random_scenarios(site, site.years.test)
        both.wait(timeout=60)
        return ScenarioSet(site, split, drawn.series, drawn.sessions)

    monkeypatch.setattr("litgrid.scenarios.build.build", build)
    read: list[ScenarioSet] = []
    threads = [threading.Thread(target=lambda: read.append(store.load(small_site, "test", tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(read) == 2
    assert (read[0].series == read[1].series).all()
    assert [path.name for path in (tmp_path / store.key(small_site)).iterdir()] == ["test"]


def test_a_set_without_its_stamp_is_built_anew(small_site: Site, builds: Builds, tmp_path: Path) -> None:
    kept = tmp_path / store.key(small_site) / "test"
    (kept / "series").mkdir(parents=True)
    (kept / "series" / "pv_kw.memmap").write_bytes(b"half")
    store.load(small_site, "test", tmp_path)
    assert builds == ["test"]


def _truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


def _change(file: Path) -> None:
    values = np.fromfile(file, np.uint8)
    values[1000] ^= 1
    values.tofile(file)


@pytest.mark.parametrize("damage", [_truncate, _change, Path.unlink])
@pytest.mark.parametrize("name", ["series/load_kw.memmap", "sessions/arrival.memmap"])
def test_a_damaged_set_is_refused_with_what_to_do(
    small_site: Site, builds: Builds, tmp_path: Path, *, damage: Callable[[Path], None], name: str
) -> None:
    store.load(small_site, "test", tmp_path)
    kept = tmp_path / store.key(small_site) / "test"
    damage(kept / name)
    with pytest.raises(InputError) as raised:
        store.load(small_site, "test", tmp_path)
    assert str(raised.value).startswith(f"{kept / name}: found it missing or changed")
    assert f"delete the folder {kept}" in str(raised.value)
    assert builds == ["test"]


def test_a_damaged_stamp_is_refused(small_site: Site, builds: Builds, tmp_path: Path) -> None:
    store.load(small_site, "test", tmp_path)
    kept = tmp_path / store.key(small_site) / "test"
    _truncate(kept / store.STAMP)
    with pytest.raises(InputError, match=r"stamp.json: found .*; delete the folder"):
        store.load(small_site, "test", tmp_path)
    assert builds == ["test"]
