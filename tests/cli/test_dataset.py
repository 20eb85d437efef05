"""``dataset`` as a user calls it: figures, JSON alone on standard output, a picture, one line for wrong input."""

import json
from pathlib import Path

import pytest

from litgrid.cli.main import main

IQUITOS = Path(__file__).resolve().parents[2] / "configs" / "sites" / "iquitos.yaml"
SMALL = """
name: small
location: {latitude_deg: -3.75, longitude_deg: -73.25, altitude_m: 104, timezone: America/Lima}
pv: {dc_kwp: 60, ac_kw: 50}
battery: {capacity_kwh: 40, power_kw: 15}
fleet:
  groups: [{name: moto, sockets: 3, power_kw: 2, battery_kwh: 2}]
  energy_kwh_per_day: 10
load: {annual_kwh: 120000, peak_kw: 30}
years: {train: 1, validation: 1, test: 1}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("site") / "small.yaml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where scenarios are kept, for all tests of this file."""
    return tmp_path_factory.mktemp("scenarios")


def dataset(*arguments: object) -> int:
    return main(["dataset", *map(str, arguments)])


def test_build_reports_every_year(config: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dataset("build", "--config", config, "--folder", folder, "--json", "-") == 0
    out, err = capsys.readouterr()
    figures = json.loads(out)  # standard output is the JSON alone
    assert figures["build_seconds"] > 0
    assert [row["split"] for row in figures["scenarios"]] == ["train", "validation", "test"]
    for row in figures["scenarios"]:
        assert row["ev_required_kwh_per_day"] == pytest.approx(10, rel=0.02)
        assert 0.6 < row["performance_ratio"] < 0.95
        assert row["sessions"] > 2000
        assert {"pv_kwh", "ghi_kwh_per_m2", "load_kwh", "load_peak_kw", "ev_impossible_kwh"} <= row.keys()
    assert "PV, kWh" in err
    assert "validation: 1 years built in" in err or "validation: 1 years found" in err


def test_a_table_and_a_json_file(
    config: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dataset("build", "--config", config, "--folder", folder, "--json", tmp_path / "figures.json") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[0].split()[:2] == ["split", "year"]
    assert len(json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))["scenarios"]) == 3


def test_overrides_make_another_site(config: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ("show", "--config", config, "--folder", folder, "--split", "test", "--json", "-")
    assert dataset(*command, "--site.fleet.energy_kwh_per_day", 5, "--site.pv.ac_kw=30") == 0
    (row,) = json.loads(capsys.readouterr().out)["scenarios"]
    assert row["ev_required_kwh_per_day"] == pytest.approx(5, rel=0.02)


def test_show_draws_a_week_beside_the_scenarios(config: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dataset("show", "--config", config, "--folder", folder, "--split", "test") == 0
    picture = Path(capsys.readouterr().err.splitlines()[-1].partition(": ")[2])
    assert picture.name == "week.png"
    assert picture.parent.name == "test"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert dataset("show", "--config", config, "--folder", folder, "--split", "test") == 0  # not taken for damage


def test_export_writes_a_citylearn_data_set(
    config: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "citylearn"
    assert dataset("export", "--config", config, "--scenarios", folder, "--folder", target) == 0
    schema = Path(capsys.readouterr().out.strip())
    assert schema == target / "schema.json"
    assert json.loads(schema.read_text(encoding="utf-8"))["seconds_per_time_step"] == 3600


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bild"], "dataset bild: unknown action, expected one of: build, show, export"),
        (["build"], "config"),
        (["build", "--config", "none.yaml"], "none.yaml: found No such file or directory"),
        (["build", "--config", "SITE", "--speed", "3"], "--speed"),
        (["build", "--config", "SITE", "--site.battery.power_kw", "-1"], "battery.power_kw: found -1.0, expected"),
        (["build", "--config", "SITE", "--site.battery.mass", "1"], "--site.battery.mass"),
        (["build", "--config", "SITE", "--site.fleet.energy_kwh_per_day=900"], "900 kWh a day, expected at most 48.8"),
        (["show", "--config", "SITE", "--split", "exam"], "--split"),
        (["show", "--config", "SITE", "--year", "two"], "year"),
        (["show", "--config", "SITE", "--week", "60"], "--week: found 60, expected 1 to 52"),
        (
            ["show", "--config", "SITE", "--plot", "week.gif"],
            "--plot: found week.gif, expected a name that ends in .png",
        ),
        (["export", "--config", "SITE"], "folder"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert dataset(*(str(config) if argument == "SITE" else argument for argument in arguments)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("action", ["show", "export"])
def test_a_year_that_is_not_there(
    config: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, action: str
) -> None:
    where = ["--scenarios", folder, "--folder", tmp_path / "out"] if action == "export" else ["--folder", folder]
    assert dataset(action, "--config", config, "--split", "test", "--year", 1, *where) == 2
    assert "--year: found 1, expected 0 to 0" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert dataset() == 0
    assert dataset("--help") == 0
    text = capsys.readouterr().out
    for action in ("build", "show", "export"):
        assert f"  {action} " in text


@pytest.mark.slow
def test_iquitos_is_the_plant_that_it_should_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """PV of 4.5 to 5.4 GWh at a performance ratio below 0.95, 3.09 GWh of load, 680 kWh a day of vehicles."""
    assert dataset("build", "--config", IQUITOS, "--folder", tmp_path, "--json", "-") == 0
    figures = json.loads(capsys.readouterr().out)
    splits = [row["split"] for row in figures["scenarios"]]
    assert splits == ["train"] * 8 + ["validation"] * 2 + ["test"] * 2
    for row in figures["scenarios"]:
        assert 4.5e6 < row["pv_kwh"] < 5.4e6
        assert 0.6 < row["performance_ratio"] < 0.95
        assert row["ev_required_kwh_per_day"] == pytest.approx(680, rel=0.02)
        assert row["ev_impossible_kwh"] == 0
        assert row["load_kwh"] == pytest.approx(3.09e6, rel=0.05)
        assert row["load_peak_kw"] == pytest.approx(700, rel=0.1)
        assert row["ghi_kwh_per_m2"] == pytest.approx(1668, rel=0.06)


def test_an_exported_year_is_checked_and_a_blank_state_is_refused(
    config: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "citylearn"
    assert dataset("export", "--config", config, "--scenarios", folder, "--folder", out) == 0
    assert dataset("check", out) == 0
    assert "as it is meant" in capsys.readouterr().out
    charger = next(path for path in sorted(out.glob("*.csv")) if "charger" in path.name)
    rows = charger.read_text(encoding="utf-8").splitlines()
    rows[5] = "," + rows[5].split(",", 1)[1]
    charger.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert dataset("check", out) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert charger.name in message
    assert "line 6" in message


def test_an_exported_year_is_imported(
    config: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "citylearn"
    assert dataset("export", "--config", config, "--scenarios", folder, "--folder", out) == 0
    capsys.readouterr()
    assert dataset("import", out, "--json", "-") == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["buildings"], figures["batteries"], figures["chargers"], figures["vehicles"]) == (1, 1, 3, 6)
    assert (figures["rows"], figures["step_seconds"]) == (8761, 3600)
    assert figures["load_kwh"] == pytest.approx(120000, rel=0.05)
    assert any("never simulated" in line for line in figures["warnings"])
    assert dataset("import", out) == 0
    shown = capsys.readouterr()
    assert "chargers        3" in shown.out
    assert "warning: row 8760" in shown.err
    assert dataset("import", tmp_path) == 2
    assert capsys.readouterr().err.count("\n") == 1
