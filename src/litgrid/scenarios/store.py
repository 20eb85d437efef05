"""Keep scenario sets on disk, under a key that hashes everything that they were made from.

``folder/<key>/<split>`` holds the memory-mapped TensorDicts ``series`` and ``sessions``, ``made_from.json`` (what the
key hashes, readable), ``figures.json`` (yearly figures) and ``stamp.json`` (a checksum of each of these files). A set
is written under a temporary name and renamed when it is whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tensordict import TensorDict

from litgrid.errors import InputError, MissingFile
from litgrid.scenarios import build as generator
from litgrid.scenarios import scenario_set, summary
from litgrid.scenarios.check import check
from litgrid.scenarios.scenario_set import ScenarioSet, Split
from litgrid.site import vehicles
from litgrid.site.site import Site

FOLDER = Path("data/scenarios")
STAMP = "stamp.json"
NOT_DATA = (
    *("name", "battery", "objective", "rules", "tariff.currency", "tariff.demand"),
    *("carbon.km_per_kwh", "carbon.km_per_gallon", "carbon.kg_per_gallon"),
    *("fleet.groups.name", "fleet.groups.v2g"),
    *("fleet.demand_row.table", "fleet.demand_row.scenario"),  # the row's own figures count
)
"""What of a site leaves its scenarios as they are. Everything else is part of the key, whatever is added later."""

DEFINITIONS = ("bases.py", "site.py", "rules.py")
"""Files of ``site/`` that generate nothing: what of them counts is in the site."""


def load(site: Site, split: Split, folder: Path = FOLDER) -> ScenarioSet:
    """Read a split's scenarios; build and keep them first if they are not there.

    Args:
        site: that the scenarios are for.
        split: train, validation or test.
        folder: where scenario sets are kept.

    Returns:
        The scenario set, memory-mapped: its tensors must not be written to.

    Raises:
        InputError: the site is wrong, or what is kept is damaged.
    """
    kept = path(site, split, folder)
    if not (kept / STAMP).exists():
        _keep(generator.build(site, split), kept)
    return _read(site, split, kept)


def path(site: Site, split: Split, folder: Path = FOLDER) -> Path:
    """Folder in which a split's scenarios are kept."""
    return folder / key(site) / split


def key(site: Site) -> str:
    """Hash of everything that the scenarios are made from, 16 hexadecimal digits."""
    return hashlib.sha256(_json(made_from(site)).encode()).hexdigest()[:16]


def made_from(site: Site) -> dict[str, Any]:
    """Everything that the scenarios are made from, and nothing else.

    The site without what ``NOT_DATA`` names, contents in place of file names; the source of the generators, which
    unlike a version number nobody can forget to change; and the packages whose models and random numbers they use.
    """
    sources = [
        *sorted(Path(vehicles.__file__).parent.glob("*.py")),
        Path(scenario_set.__file__),
        Path(generator.__file__),
    ]
    text = "".join(source.read_text(encoding="utf-8") for source in sources if source.name not in DEFINITIONS)
    return {
        "site": _data_of(dataclasses.asdict(site), ""),
        "generators_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "packages": {package: version(package) for package in ("numpy", "pvlib")},
    }


def _data_of(value: Any, name: str) -> Any:
    """A part of a site as plain data for the key; ``name`` is its dotted name."""
    if isinstance(value, dict):
        names = {key: f"{name}.{key}".removeprefix(".") for key in value}
        return {key: _data_of(part, names[key]) for key, part in value.items() if names[key] not in NOT_DATA}
    if isinstance(value, (list, tuple)):
        return [_data_of(part, name) for part in value]
    if name.endswith(".file.path"):
        return {"sha256": _checksum(Path(value))}
    return float(value) if isinstance(value, int) else value  # 104 and 104.0 are the same altitude


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def _checksum(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        kind = MissingFile if isinstance(error, FileNotFoundError) else InputError
        raise kind(f"{file}: found {error.strerror}, expected a file that can be read") from error


def _keep(scenarios: ScenarioSet, kept: Path) -> None:
    """Write a scenario set whole or not at all; another process may do the same at the same time."""
    part = kept.with_name(f"{kept.name}.part-{uuid.uuid4().hex[:8]}")
    try:
        part.mkdir(parents=True)
        # The maps are let go at once: Windows renames no folder with open files in it.
        scenarios.series.memmap(part / "series")
        scenarios.sessions.memmap(part / "sessions")
        (part / "made_from.json").write_text(_json(made_from(scenarios.site)), encoding="utf-8")
        (part / "figures.json").write_text(_json(summary.figures(scenarios)), encoding="utf-8")
        (part / STAMP).write_text(_json(_checksums(part)), encoding="utf-8")
        _rename(part, kept)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _rename(part: Path, kept: Path) -> None:
    if kept.exists() and not (kept / STAMP).exists():
        shutil.rmtree(kept)  # not whole, so not ours
    try:
        part.rename(kept)
    except OSError:
        if not (kept / STAMP).exists():  # otherwise another process was faster, with the same data
            raise


def _checksums(folder: Path) -> dict[str, str]:
    """Checksum of every file in a folder but the stamp, by relative name."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != STAMP)
    return {file.relative_to(folder).as_posix(): _checksum(file) for file in files}


def _read(site: Site, split: Split, kept: Path) -> ScenarioSet:
    damaged = f"expected the files as they were built; delete the folder {kept} to have it built again"
    try:
        stamp: dict[str, str] = json.loads((kept / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{kept / STAMP}: found {' '.join(str(error).split())}, {damaged}") from error
    for name, checksum in stamp.items():
        if not (kept / name).exists() or _checksum(kept / name) != checksum:
            raise InputError(f"{kept / name}: found it missing or changed, {damaged}")
    series, sessions = (TensorDict.load_memmap(kept / name) for name in ("series", "sessions"))
    scenarios = ScenarioSet(site, split, series, sessions, kept)
    check(scenarios)
    return scenarios
