"""A site in Iquitos, and measured weather at it: seven tenths of the clear sky."""

from collections.abc import Callable

import pandas as pd
import pytest

from litgrid.site.site import Battery, Location, Photovoltaics, Site
from litgrid.site.sky import sun_and_clear_sky

IQUITOS = Location(-3.75, -73.25, 104.0, "America/Lima")


@pytest.fixture(scope="session")
def iquitos() -> Site:
    """The mall in Iquitos: 4,162 kWp of PV on two inverters."""
    return Site("iquitos", IQUITOS, Photovoltaics(4162.0, 3201.0, inverters=2), Battery(1632.0, 593.0))


@pytest.fixture(scope="session")
def sky_at() -> Callable[[pd.DatetimeIndex], pd.DataFrame]:
    """A function of instants: 70 % of the clear sky, 25 degrees C and 1 m/s, under a CSV's default column names."""

    def weather(times: pd.DatetimeIndex) -> pd.DataFrame:
        clear = 0.7 * sun_and_clear_sky(IQUITOS, times)
        columns = {f"{key}_w_per_m2": clear[key].round(1) for key in ("ghi", "dni", "dhi")}
        return pd.DataFrame({**columns, "temp_air_c": 25.0, "wind_speed_m_per_s": 1.0}, index=times)

    return weather


@pytest.fixture(scope="session")
def hours() -> pd.DatetimeIndex:
    """Starts of the hours of 2019 in Iquitos, UTC-5."""
    return pd.date_range("2019-01-01", periods=8760, freq="h", tz="Etc/GMT+5", name="datetime")
