"""Weather files of any format, read into the same columns: CSV with named columns, and those of pvlib.iotools.

EPW and TMY3 hold means of the hour (pvlib stamps EPW's at its start, TMY3's at its end), typical years of PVGIS
instantaneous values in UTC (at an offset that newer files state), NSRDB's files values of the middle of the hour, or
instantaneous ones where they are finer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
import pvlib

from litgrid.errors import InputError
from litgrid.site.site import WeatherFile
from litgrid.site.table import read_text

COLUMNS = ("ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2", "temp_air_c", "wind_speed_m_per_s")
PVLIB_COLUMNS = ("ghi", "dni", "dhi", "temp_air", "wind_speed")
TYPICAL_YEAR = 2019
"""Calendar year given to typical years, whose months come from different years."""

Stamp = Literal["instant", "start", "middle", "end"]


@dataclass(frozen=True)
class WeatherRows:
    """Rows of a weather file.

    Attributes:
        stamps: with UTC offset, or without one in local standard time.
        columns: text or numbers in the order of ``COLUMNS``, under the file's own names.
        stamp: when a row's values hold.
        first_line: line of the first row in the file.
    """

    stamps: pd.DatetimeIndex
    columns: pd.DataFrame
    stamp: Stamp
    first_line: int


def read_weather(file: WeatherFile) -> WeatherRows:
    """Read a weather file of any of the formats, with nothing checked but that it is one.

    Raises:
        InputError: the file is missing, not of its format, or lacks a column.
    """
    path = Path(file.path)
    if not path.is_file():
        raise InputError(f"{path}: found no such file, expected measured weather ({file.format})")
    return _csv(path, file) if file.format == "csv" else _iotools(path, file.format)


def parse_stamps(path: Path, text: pd.Series, time_format: str | None = None) -> pd.DatetimeIndex:
    """Parse time stamps; the result has a time zone (UTC) where they carry an offset.

    Args:
        path: file that they are from, for the message.
        text: of the time stamps.
        time_format: as in Python's ``strptime``; ISO 8601 where it is absent.

    Raises:
        InputError: a text is no time stamp of that format.
    """
    offset = text.str.contains(r"(?:[+-]\d\d:?\d\d|Z)$", na=False)
    stamps = pd.to_datetime(text, format=time_format or "ISO8601", errors="coerce", utc=bool(offset.any()))
    wrong = stamps.isna() | (offset != offset.iloc[0])
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        expected = f"a time stamp such as {time_format or '2024-01-31 13:00:00-05:00'}, all with or all without offset"
        raise InputError(f"{path}, line {row + 2}, {text.name}: found {text.iloc[row]}, expected {expected}")
    return pd.DatetimeIndex(stamps)


def _csv(path: Path, file: WeatherFile) -> WeatherRows:
    names = [getattr(file, key) for key in COLUMNS]
    text = read_text(path, [file.time_column, *names])
    return WeatherRows(parse_stamps(path, text[file.time_column]), text[names], file.stamp, first_line=2)


def _iotools(path: Path, format_: str) -> WeatherRows:
    try:
        frame, stamp, first_line = _READERS[format_](path)
        columns = frame[list(PVLIB_COLUMNS)]
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration) as error:
        found = " ".join(f"{type(error).__name__} {error}".split())
        raise InputError(f"{path}: found {found}, expected a {format_} file that pvlib.iotools reads") from error
    stamps = pd.DatetimeIndex(frame.index)
    one_year = len(stamps) > 1 and len(stamps) * (stamps[1] - stamps[0]) <= pd.Timedelta(days=366)
    if stamp != "end" and one_year and stamps.year.nunique() > 1:
        columns = columns[~((stamps.month == 2) & (stamps.day == 29))]
        stamps = pd.DatetimeIndex([stamp.replace(year=TYPICAL_YEAR) for stamp in columns.index])
    return WeatherRows(stamps, columns, stamp, first_line)


def _epw(path: Path) -> tuple[pd.DataFrame, Stamp, int]:
    return pvlib.iotools.read_epw(str(path))[0], "start", 9


def _tmy3(path: Path) -> tuple[pd.DataFrame, Stamp, int]:
    return pvlib.iotools.read_tmy3(str(path), coerce_year=TYPICAL_YEAR)[0], "end", 3


def _pvgis(path: Path) -> tuple[pd.DataFrame, Stamp, int]:
    frame, meta = pvlib.iotools.read_pvgis_tmy(str(path))
    offset_hours = meta["inputs"].get("irradiance time offset")  # in newer CSV files, on a line of its own
    frame.index += pd.Timedelta(hours=offset_hours or 0.0)
    return frame, "instant", 18 if offset_hours is None else 19


def _nsrdb(path: Path) -> tuple[pd.DataFrame, Stamp, int]:
    frame = pvlib.iotools.read_nsrdb_psm4(str(path))[0]
    middle = frame.index[0] - frame.index[0].floor("h") == (frame.index[1] - frame.index[0]) / 2
    return frame, "middle" if middle else "instant", 4


_READERS: dict[str, Callable[[Path], tuple[pd.DataFrame, Stamp, int]]] = {
    "epw": _epw,
    "tmy3": _tmy3,
    "pvgis": _pvgis,
    "nsrdb": _nsrdb,
}
