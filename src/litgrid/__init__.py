"""LitGrid: trains, compares and certifies controllers of sites with PV, a battery and electric-vehicle sockets.

Importing it registers ``litgrid/Site-v0`` with gymnasium, and imports neither torch nor gymnasium, which would take
longer than a command's help.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

ENVIRONMENT = "litgrid/Site-v0"


def register() -> None:
    """Tell gymnasium about the environment; what makes it is imported when it is made."""
    from gymnasium.envs import registration  # noqa: PLC0415 (gymnasium is slow to import)

    if ENVIRONMENT not in registration.registry:
        door = "litgrid.sim.gym"
        registration.register(ENVIRONMENT, f"{door}:make_site", vector_entry_point=f"{door}:make_sites")


class _WhenImported:
    """A finder of modules that registers at the end of gymnasium's own import, whenever that comes."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "gymnasium":
            return None
        others = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, others), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                register()

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


if "gymnasium" in sys.modules:
    register()
else:
    sys.meta_path.insert(0, _WhenImported())
