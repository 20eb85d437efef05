"""Weather files of any format, read into the same columns: CSV with named columns, and those of pvlib.iotools.

EPW and TMY3 hold means of the hour (EPW's are stamped at its start by pvlib, TMY3's at its end), PVGIS' typical years
instantaneous values in UTC, NSRDB's values of the middle of the interval, or instantaneous ones at its start.
"""

from __future__ import annotations

import functools
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
    read, stamp, first_line = _READERS[format_]
    try:
        frame, _ = read(str(path))
        columns = frame[list(PVLIB_COLUMNS)]
    except (ValueError, LookupError, TypeError, AttributeError, StopIteration) as error:
        found = " ".join(f"{type(error).__name__} {error}".split())
        raise InputError(f"{path}: found {found}, expected a {format_} file that pvlib.iotools reads") from error
    stamps = pd.DatetimeIndex(frame.index)
    interval = stamps[1] - stamps[0]
    if format_ == "nsrdb" and stamps[0].minute * 60 != interval.total_seconds() / 2:
        stamp = "instant"
    if format_ != "tmy3" and stamps.year.nunique() > 1 and len(stamps) * interval <= pd.Timedelta(days=366):
        columns = columns[~((stamps.month == 2) & (stamps.day == 29))]
        stamps = pd.DatetimeIndex([stamp.replace(year=TYPICAL_YEAR) for stamp in columns.index])
    return WeatherRows(stamps, columns, stamp, first_line)


_READERS: dict[str, tuple[Callable[[str], tuple[pd.DataFrame, object]], Stamp, int]] = {
    "epw": (pvlib.iotools.read_epw, "start", 9),
    "tmy3": (functools.partial(pvlib.iotools.read_tmy3, coerce_year=TYPICAL_YEAR), "end", 3),
    "pvgis": (pvlib.iotools.read_pvgis_tmy, "instant", 19),
    "nsrdb": (pvlib.iotools.read_nsrdb_psm4, "middle", 4),
}
