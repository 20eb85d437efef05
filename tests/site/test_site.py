"""Reading a site: every wrong key is one readable line that names file and key."""

from pathlib import Path

import pytest

from litgrid.errors import InputError
from litgrid.site.site import (
    PRESETS,
    Battery,
    Fleet,
    Forecast,
    ForecastErrors,
    Load,
    Location,
    Objective,
    Photovoltaics,
    Site,
    SocketGroup,
    Weather,
    read_site,
    replace,
)

IQUITOS = Path(__file__).resolve().parents[2] / "configs" / "sites" / "iquitos.yaml"


def changed(folder: Path, old: str, new: str) -> Path:
    """The site of Iquitos with one text replaced."""
    text = IQUITOS.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = folder / "site.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_iquitos() -> None:
    site = read_site(IQUITOS)
    assert (site.pv.dc_kwp, site.pv.ac_kw, site.pv.inverters) == (4162, 3201, 2)
    assert (site.battery.capacity_kwh, site.battery.power_kw) == (1632, 593)
    assert site.battery.min_soc == pytest.approx(0.2)
    assert [group.sockets for group in site.fleet.groups] == [112, 16]
    assert site.fleet.sockets == 128
    assert site.carbon.gasoline_kg_per_kwh == pytest.approx(2.596, abs=1e-3)
    assert (site.step_hours, site.steps_per_day, site.steps_per_year) == (1.0, 24, 8760)
    assert {key: getattr(site.objective, key) for key in PRESETS["balanced"]} == PRESETS["balanced"]


def test_steps_of_900_s() -> None:
    site = replace(read_site(IQUITOS), step_seconds=900)
    assert (site.step_hours, site.steps_per_day, site.steps_per_year) == (0.25, 96, 35040)


def test_overrides_replace_keys() -> None:
    site = read_site(IQUITOS, ["--site.battery.capacity_kwh=800", "--site.years.train=1"])
    assert (site.battery.capacity_kwh, site.battery.power_kw, site.years.train) == (800, 593, 1)


def test_a_stated_weight_replaces_the_presets() -> None:
    objective = replace(read_site(IQUITOS), objective=Objective(preset="co2", unserved_per_kwh=5.0)).objective
    assert (objective.bill, objective.carbon_per_kg, objective.unserved_per_kwh) == (0.0, 1.0, 5.0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("capacity_kwh: 1632", "capacity_kwh: -5", "battery.capacity_kwh: found -5.0, expected at least 0 kWh"),
        ("capacity_kwh: 1632", "capacity_kwh: .inf", "battery.capacity_kwh: found inf, expected at least 0 kWh"),
        ("capacity_kwh: 1632", "capacity_kwh: .nan", "battery.capacity_kwh: found nan, expected at least 0 kWh"),
        ("capacity_kwh: 1632", "capacity_kwh: lots", "battery.capacity_kwh: found lots, expected a number"),
        ("  capacity_kwh: 1632\n", "", "battery.capacity_kwh: found nothing, expected a value"),
        (
            "capacity_kwh: 1632",
            "capacity_khw: 1632",
            "battery.capacity_khw: found an unknown key, expected one of capacity_kwh, power_kw, depth_of_discharge, "
            "efficiency_one_way, initial_soc",
        ),
        (
            "depth_of_discharge: 0.80",
            "depth_of_discharge: 80",
            "battery.depth_of_discharge: found 80.0, expected above",
        ),
        ("sockets: 112", "sockets: many", "fleet.groups.sockets: found many, expected a whole number"),
        ("sockets: 112", "sockets: 0", "fleet.groups.moto.sockets: found 0, expected at least 1"),
        ("sockets: 112", "plugs: 112", "fleet.groups.plugs: found an unknown key, expected one of name, sockets"),
        ("sockets: 112, ", "", "fleet.groups.sockets: found nothing, expected a value"),
        ("stay_hours: [1, 6]", "stay_hours: [1]", "fleet.stay_hours: found [1], expected a tuple with 2 elements"),
        ("stay_hours: [1, 6]", "stay_hours: [1, 16]", "fleet.stay_hours: found [1.0, 16.0], expected [low, high]"),
        ("close_hour: 22", "close_hour: 8", "fleet.open_hour, fleet.close_hour: found 9.0 to 8.0, expected hours with"),
        (
            "preset: balanced",
            "preset: green",
            "objective.preset: found green, expected one of 'balanced', 'cost', 'co2'",
        ),
        (
            "  water_filling:\n",
            "  rules: {mpc: {load_margin: 0.1}}\n  water_filling:\n",
            "rules.rules: found an unknown key, expected one of time_of_use, water_filling, mpc",
        ),
        ("name: iquitos", "nome: iquitos", "nome: found an unknown key, expected one of name, location, pv, battery"),
        ("name: iquitos", "name: iquitos\nstep_seconds: 700", "step_seconds: found 700, expected a divisor of 3600"),
        (
            "annual_kwh: 3090000",
            "file: {path: none.csv, time_column: t, value_column: v, unit: kW, interval_minutes: 15, stamp: end}",
            "load.file.path: found no file ",
        ),
        (
            "annual_kwh: 3090000",
            "file: {path: site.yaml, time_column: t, value_column: v, interval_minutes: 15, stamp: end}",
            "load.file.unit: found nothing, expected a value",
        ),
        (
            "annual_kwh: 3090000",
            "file: {path: site.yaml, time_column: t, value_column: v, unit: MW, interval_minutes: 15, stamp: end}",
            "load.file.unit: found MW, expected one of 'kW', 'kWh'",
        ),
    ],
)
def test_a_wrong_key_is_one_line_that_names_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = changed(tmp_path, old, new)
    with pytest.raises(InputError) as raised:
        read_site(path)
    assert str(raised.value).startswith(f"{path}, {message}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "found None, expected the keys of a site"),
        (b"just text", "found 'just text', expected the keys of a site"),
        (b"a: [1,\n2", ", line 2: found YAML that can't be read: expected ',' or ']'"),
        (b"\xff\xfe\x00", "found 'utf-8' codec can't decode byte 0xff"),
    ],
)
def test_a_file_that_is_no_site(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as raised:
        read_site(path)
    assert str(raised.value).startswith(str(path))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml: found No such file or directory, expected a site's file"):
        read_site(tmp_path / "none.yaml")


def test_a_folder_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected a site's file"):
        read_site(tmp_path)


def test_a_wrong_override_is_named() -> None:
    with pytest.raises(InputError, match=r"--site.battery.power_kw=-1, battery.power_kw: found -1.0, expected"):
        read_site(IQUITOS, ["--site.battery.power_kw=-1"])
    with pytest.raises(InputError, match=r"--site.battery.mass"):
        read_site(IQUITOS, ["--site.battery.mass=1"])


def test_file_names_are_relative_to_the_sites_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "load.csv").write_text("t,v\n", encoding="utf-8")
    file = "file: {path: load.csv, time_column: t, value_column: v, unit: kW, interval_minutes: 15, stamp: end}"
    path = changed(tmp_path, "annual_kwh: 3090000", file)
    monkeypatch.chdir(IQUITOS.parent)
    load_file = read_site(path).load.file
    assert load_file is not None
    assert Path(load_file.path) == tmp_path / "load.csv"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Location(91, 0, 0, "UTC"), "location.latitude_deg: found 91"),
        (lambda: Photovoltaics(1, 1, module="a"), "pv.module, pv.inverter"),
        (lambda: Battery(1, 1, initial_soc=0.1), "battery.initial_soc: found 0.1, expected 0.2"),
        (lambda: SocketGroup("a", 1, 0, 1), "fleet.groups.a.power_kw: found 0"),
        (lambda: SocketGroup("a", 1, 1, 1, (0.9, 0.2)), "fleet.groups.a.soc_arrival: found"),
        (lambda: Fleet(peak_factor=0), "fleet.peak_factor: found 0"),
        (lambda: Load(annual_kwh=8760, peak_kw=0.5), "load.peak_kw: found 0.5, expected at least the mean of 1.0 kW"),
        (lambda: Weather(temp_air_c=[20.0]), "weather.temp_air_c: found 1 values, expected 12"),
        (lambda: Forecast(pv=ForecastErrors(-0.1, 0.1, 0.5)), "forecast.pv.day_error: found -0.1, expected at least 0"),
        (lambda: Forecast(load=ForecastErrors(0.1, 0.1, 1)), "forecast.load.hour_correlation: found 1, expected 0 to"),
    ],
)
def test_wrong_values_in_python(make: type, message: str) -> None:
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        make()


def test_replace_checks_again() -> None:
    site: Site = read_site(IQUITOS)
    with pytest.raises(InputError, match=r"seed: found -1"):
        replace(site, seed=-1)
