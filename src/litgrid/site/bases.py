"""Sites that build on another: a file with ``base: other.yaml`` has the other's keys wherever it states none itself.

Mappings are merged key by key; anything else, lists included, is replaced whole. jsonargparse reads every YAML file by
the loader that is set here, so that ``read_site`` and the options of ``fit`` take such a file alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from jsonargparse import get_loader, set_loader
from jsonargparse.typing import path_type

from litgrid.errors import InputError
from litgrid.site.explain import check_yaml

KEY = "base"
_Folder = path_type("dr")
_load_plain = get_loader("yaml")


def bases(path: Path, above: tuple[Path, ...] = ()) -> list[Path]:
    """The files that a site's file builds on, the nearest first; each is checked to hold YAML keys.

    Args:
        path: the file.
        above: files that build on it.

    Raises:
        InputError: a file is missing or no YAML, builds on itself, or its ``base`` is no file's name.
    """
    check_yaml(path)
    own = path.resolve()
    if own in above:
        raise InputError(f"{path}, {KEY}: found a file that builds on itself, expected another one")
    name = _load_plain(path.read_text(encoding="utf-8")).get(KEY)
    if name is None:
        return []
    if not isinstance(name, str):
        raise InputError(f"{path}, {KEY}: found {name!r}, expected the name of a site's file")
    base = path.parent / name
    return [base, *bases(base, (*above, own))]


def _load(text: str) -> Any:
    """Load YAML text; relative names are relative to the folder of the file that jsonargparse reads it from."""
    values = _load_plain(text)
    if not isinstance(values, dict) or not isinstance(values.get(KEY), str):
        return values
    first = Path(_Folder(".").absolute) / values[KEY]
    for path in [first, *bases(first)]:
        values = _merge(_load_plain(path.read_text(encoding="utf-8")), values)
    del values[KEY]
    return values


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """The keys of both, with the values of ``above`` where it has any."""
    both = {key: (below[key], value) for key, value in above.items() if key in below}
    merged = {key: _merge(*pair) for key, pair in both.items() if all(isinstance(value, dict) for value in pair)}
    return below | above | merged


set_loader("yaml", _load, exceptions=(yaml.YAMLError,))
