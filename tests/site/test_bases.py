"""Sites that build on another: merged key by key, by ``read_site`` and by the options of ``fit`` alike."""

from pathlib import Path

import pytest
from jsonargparse import ArgumentParser

from litgrid.errors import InputError
from litgrid.site.site import DemandCharge, Site, read_site

GROUND = """
name: ground
location: {latitude_deg: -3.75, longitude_deg: -73.25, altitude_m: 104, timezone: America/Lima}
pv: {dc_kwp: 60, ac_kw: 50}
battery: {capacity_kwh: 40, power_kw: 15, efficiency_one_way: 0.9}
tariff:
  demand: [{price_per_kw: 1}, {price_per_kw: 2}]
load: {annual_kwh: 60000, peak_kw: 14}
"""
LEVEL = "base: ground.yaml\nname: level\nbattery: {capacity_kwh: 10}\ntariff: {demand: [{price_per_kw: 3}]}\n"
TOP = "base: ../level.yaml\nname: top\nbattery: {power_kw: 5}\npv: {tilt_deg: 20}\n"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A site in a folder of its own, on one that builds on a third."""
    (tmp_path / "own").mkdir()
    for name, text in (("ground.yaml", GROUND), ("level.yaml", LEVEL), ("own/top.yaml", TOP)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / "own" / "top.yaml"


def check(site: Site) -> None:
    assert site.name == "top"
    assert (site.battery.capacity_kwh, site.battery.power_kw, site.battery.efficiency_one_way) == (10, 5, 0.9)
    assert (site.pv.dc_kwp, site.pv.tilt_deg) == (60, 20)
    assert site.tariff.demand == [DemandCharge(3.0)]  # a list is replaced whole
    assert site.load.peak_kw == 14


def test_keys_are_merged_and_the_nearest_counts(top: Path) -> None:
    check(read_site(top))


def test_overrides_count_most(top: Path) -> None:
    assert read_site(top, ["--site.battery.capacity_kwh=7"]).battery.capacity_kwh == 7


def test_a_configuration_that_names_such_a_site(top: Path) -> None:
    """As ``fit`` reads it: the site's name is relative to the configuration, its base's to the site."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(Site, "data.site")
    config = top.parents[1] / "fit.yaml"
    config.write_text("data:\n  site: own/top.yaml\n", encoding="utf-8")
    check(parser.instantiate(parser.parse_args([f"--config={config}"])).data.site)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: none.yaml", r"none\.yaml: found No such file or directory, expected a site's file"),
        ("base: top.yaml", r"top\.yaml, base: found a file that builds on itself, expected another one"),
        ("base: [1]", r"top\.yaml, base: found \[1\], expected the name of a site's file"),
        (
            "base: ../level.yaml\nbatery: {power_kw: 5}",
            r"top\.yaml, based on .*level\.yaml, based on .*ground\.yaml, batery: found an unknown key, expected one",
        ),
    ],
)
def test_what_is_wrong_is_one_line(top: Path, text: str, message: str) -> None:
    top.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message) as raised:
        read_site(top)
    assert "\n" not in str(raised.value)


def test_two_sites_that_build_on_each_other(top: Path) -> None:
    (top.parents[1] / "ground.yaml").write_text("base: own/top.yaml", encoding="utf-8")
    with pytest.raises(InputError, match=r"found a file that builds on itself"):
        read_site(top)
