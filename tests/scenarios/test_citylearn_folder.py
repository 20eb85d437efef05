"""What a CityLearn data set is refused for: each fault planted in a good one, each answered in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from litgrid.errors import InputError
from litgrid.scenarios.citylearn_folder import check_folder
from litgrid.scenarios.export import export
from litgrid.scenarios.scenario_set import ScenarioSet
from litgrid.site.site import Site

PUBLIC = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "citylearn_2022_phase_1"


@pytest.fixture(scope="module")
def good(
    small_site: Site, random_scenarios: Callable[..., ScenarioSet], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("good") / "data"
    export(random_scenarios(small_site, scenarios=1, days=2), 0, folder)
    return folder


@pytest.fixture
def folder(good: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(good, tmp_path / "data"))


def plant(path: Path, line: int, column: str, value: str) -> None:
    """Overwrite one field; the header is line 1."""
    lines = path.read_text(encoding="utf-8").splitlines()
    fields = lines[line - 1].split(",")
    fields[lines[0].split(",").index(column)] = value
    lines[line - 1] = ",".join(fields)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "column", "value", "expected"),
    [
        ("charger_001", "electric_vehicle_charger_state", "", "a blank, expected 1 (connected), 2 (incoming) or 3"),
        ("charger_001", "electric_vehicle_charger_state", "1.0", "'1.0', expected 1 (connected)"),
        ("charger_001", "electric_vehicle_charger_state", "NaN", "'NaN', expected 1 (connected)"),
        ("charger_001", "electric_vehicle_departure_time", "soon", "'soon', expected a number or a blank"),
        ("charger_001", "electric_vehicle_required_soc_departure", "120", "'120', expected a SOC in 0..1 or 0..100"),
        ("charger_001", "electric_vehicle_estimated_soc_arrival", "-0.2", "'-0.2', expected a SOC in 0..1"),
        ("building", "non_shiftable_load", "", "a blank, expected a finite number"),
        ("building", "solar_generation", "inf", "'inf', expected a finite number"),
        ("pricing", "electricity_pricing", "nan", "'nan', expected a finite number"),
        ("carbon_intensity", "carbon_intensity", "", "a blank, expected a finite number"),
        ("carbon_intensity", "carbon_intensity", "x", "'x', expected a finite number"),
        ("weather", "outdoor_relative_humidity", "", "a blank, expected a finite number"),
    ],
)
def test_a_wrong_value_is_named_with_file_line_and_column(
    folder: Path, name: str, column: str, value: str, expected: str
) -> None:
    path = folder / f"{name}.csv"
    plant(path, 17, column, value)
    with pytest.raises(InputError) as raised:
        check_folder(folder)
    message = str(raised.value)
    assert message.startswith(f"{path}, line 17, column {column}: found {expected}")
    assert "\n" not in message


def test_percent_and_fraction_in_one_column_are_refused(folder: Path) -> None:
    path = folder / "charger_000.csv"
    column = "electric_vehicle_required_soc_departure"
    plant(path, 9, column, "85")
    with pytest.raises(InputError, match=f"column {column}: .* expected percent"):
        check_folder(folder)


@pytest.mark.parametrize("state", ["1", "2"])
def test_an_unknown_vehicle_is_refused(folder: Path, state: str) -> None:
    path = folder / "charger_002.csv"
    plant(path, 5, "electric_vehicle_charger_state", state)
    plant(path, 5, "electric_vehicle_id", "nobody")
    with pytest.raises(InputError, match="line 5, column electric_vehicle_id: found 'nobody', expected a vehicle of"):
        check_folder(folder)


def test_another_vehicle_than_announced_is_refused(folder: Path) -> None:
    path = folder / "charger_002.csv"
    for line, state, vehicle in ((4, "2", "a"), (5, "1", "b"), (6, "3", "")):
        plant(path, line, "electric_vehicle_charger_state", state)
        plant(path, line, "electric_vehicle_id", f"charger_002_vehicle_{vehicle}" if vehicle else "")
    with pytest.raises(InputError, match=r"line 5, column electric_vehicle_id: .* the line before announces"):
        check_folder(folder)


def test_missing_files_columns_and_rows_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"found no such file, expected a CityLearn data set's schema.json"):
        check_folder(folder.parent)
    price = folder / "pricing.csv"
    lines = price.read_text(encoding="utf-8").splitlines()
    price.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"pricing.csv: found 48 rows, expected 49 \(simulation_end_time_step"):
        check_folder(folder)
    price.write_text("\n".join(line.partition(",")[2] for line in lines) + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"pricing.csv: found no column electricity_pricing, expected the columns"):
        check_folder(folder)
    price.write_text('"', encoding="utf-8")
    with pytest.raises(InputError, match=r"pricing.csv: found no table"):
        check_folder(folder)
    price.unlink()
    with pytest.raises(InputError, match=r"pricing.csv: found no such file, which schema.json names"):
        check_folder(folder)


def test_a_broken_schema_is_refused(folder: Path) -> None:
    path = folder / "schema.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="found no valid JSON"):
        check_folder(folder)
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="found no key buildings"):
        check_folder(folder)


def test_a_building_that_is_left_out_is_not_read(folder: Path) -> None:
    path = folder / "schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    schema["buildings"]["other"] = {"include": False, "energy_simulation": "nowhere.csv"}
    path.write_text(json.dumps(schema), encoding="utf-8")
    check_folder(folder)


@pytest.mark.skipif(not PUBLIC.is_dir(), reason=f"the public data set is not at {PUBLIC}")
def test_a_public_data_set_passes() -> None:
    check_folder(PUBLIC)
