"""Prices, demand charges and carbon intensity."""

from pathlib import Path

import numpy as np
import pytest

from litgrid.errors import InputError
from litgrid.site import tariff
from litgrid.site.site import Carbon, CarbonFile, DemandCharge, EnergyPrice, Site, Tariff, read_site, replace

IQUITOS = Path(__file__).resolve().parents[2] / "configs" / "sites" / "iquitos.yaml"


@pytest.fixture
def site() -> Site:
    return read_site(IQUITOS)


@pytest.mark.parametrize("step_seconds", [3600, 900])
def test_iquitos_pays_more_from_18_to_23(site: Site, step_seconds: int) -> None:
    price = tariff.price_per_kwh(replace(site, step_seconds=step_seconds)).reshape(365, 24, -1)
    assert (price[:, 18:23] == 0.45).all()
    assert (price[:, :18] == 0.28).all()
    assert (price[:, 23:] == 0.28).all()


def test_the_first_window_that_holds_counts(site: Site) -> None:
    windows = [EnergyPrice(10, 12, 3.0), EnergyPrice(11, 14, 5.0)]
    price = tariff.price_per_kwh(replace(site, tariff=Tariff(price_per_kwh=1, windows=windows)))
    assert price[9:15].tolist() == [1, 3, 3, 5, 5, 1]


def test_a_tariff_without_windows_is_flat(site: Site) -> None:
    assert (tariff.price_per_kwh(replace(site, tariff=Tariff(price_per_kwh=1))) == 1).all()


def test_a_two_part_tariff_counts_every_step_once(site: Site) -> None:
    demand = [DemandCharge(48.5, 18, 23), DemandCharge(22.8, 18, 23, outside=True)]
    mask = tariff.demand_mask(replace(site, tariff=Tariff(demand=demand)))
    assert mask.shape == (2, 8760)
    assert (mask[0] ^ mask[1]).all()
    assert np.flatnonzero(mask[0, :24]).tolist() == [18, 19, 20, 21, 22]


def test_a_demand_charge_counts_the_whole_day_by_default(site: Site) -> None:
    assert tariff.demand_mask(site).tolist() == [[True] * 8760]
    assert tariff.demand_mask(replace(site, tariff=Tariff())).shape == (0, 8760)


def test_carbon_is_constant_by_default(site: Site) -> None:
    assert (tariff.carbon_kg_per_kwh(site) == 0.4521).all()


def _with_carbon(site: Site, path: Path, lines: list[str]) -> Site:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return replace(site, carbon=Carbon(file=CarbonFile(path=path, column="kg")))


def test_carbon_is_read_from_its_column(site: Site, tmp_path: Path) -> None:
    lines = ["hour,kg", *(f"{t},{t / 8760}" for t in range(8760))]
    series = tariff.carbon_kg_per_kwh(_with_carbon(site, tmp_path / "carbon.csv", lines))
    assert series == pytest.approx(np.arange(8760) / 8760)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["kg", *["0.4"] * 8759], r"carbon.csv: found 8759 rows, expected 8760"),
        (["kilos", *["0.4"] * 8760], r"carbon.csv: found the columns kilos, expected one named kg"),
        (["kg", "0.4", "", *["0.4"] * 8758], r"carbon.csv, line 3, kg: found nan, expected a number from 0 to 3"),
        (["kg", *["0.4"] * 8759, "inf"], r"carbon.csv, line 8761, kg: found inf, expected a number"),
        (["kg", "452.1", *["0.4"] * 8759], r"carbon.csv, line 2, kg: found 452.1, expected a number from 0 to 3"),
        ([""], r"carbon.csv: found No columns to parse from file, expected a CSV file"),
    ],
)
def test_a_wrong_carbon_file_is_refused(site: Site, tmp_path: Path, lines: list[str], message: str) -> None:
    wrong = _with_carbon(site, tmp_path / "carbon.csv", lines)
    with pytest.raises(InputError, match=message):
        tariff.carbon_kg_per_kwh(wrong)


def test_a_missing_carbon_file_is_named(site: Site, tmp_path: Path) -> None:
    missing = replace(site, carbon=Carbon(file=CarbonFile(path=tmp_path / "none.csv")))
    with pytest.raises(InputError, match=r"none.csv"):
        tariff.carbon_kg_per_kwh(missing)
