"""The settings of a run, by dotted name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml


def settings(path: Path) -> dict[str, Any]:
    """Read every setting of a configuration file."""
    return dict(leaves(yaml.safe_load(path.read_text(encoding="utf-8"))))


def leaves(values: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the value of everything in nested mappings; a list counts as one value."""
    if isinstance(values, dict) and values:
        for key, value in values.items():
            yield from leaves(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, values
