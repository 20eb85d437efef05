"""gymnasium's spaces of a site: actions and observations, with bounds that hold for every scenario of that site.

The bounds come from the site and from what ``scenarios.check`` lets through, never from the years at hand: an agent
that learnt on one split has the spaces of the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from litgrid.scenarios.check import LIMITS
from litgrid.sim.action_maps import MOST_TOLD
from litgrid.sim.env import SiteEnv
from litgrid.sim.observations import (
    ERROR_SHARE,
    ERRORS,
    FORECASTS,
    SITE_FEATURES,
    SOCKET_FEATURES,
    scales,
    site_columns,
)
from litgrid.site.site import DAYS_PER_YEAR, HOURS_PER_DAY, Site

Bounds = dict[str, tuple[float, float]]

ROUNDING = 1e-5
"""Of float32: bounds are so much wider, relative to themselves or to 1."""


def site_bounds(site: Site) -> Bounds:
    """Lowest and highest value of each of ``SITE_FEATURES``."""
    scale = scales(site)
    load_kw, pv_kw = LIMITS["load_kw"][1], site.pv.ac_kw
    import_kw = load_kw + site.battery.power_kw + sum(group.sockets * group.power_kw for group in site.fleet.groups)
    highest = {
        "pv": pv_kw / scale["pv"],
        "load": load_kw / scale["load"],
        "price": LIMITS["price_per_kwh"][1] / scale["price"],
        "carbon": LIMITS["carbon_kg_per_kwh"][1] / scale["carbon"],
    }
    larger = max(scale["load"], scale["pv"])
    bounds = {key: (-1.0, 1.0) for key in SITE_FEATURES if key.endswith(("_sin", "_cos"))}
    bounds |= dict.fromkeys(("month_elapsed", "demand_counted", "bess_soc", "vehicles"), (0.0, 1.0))
    bounds |= {key: (0.0, highest[key]) for key in ("pv", "load")}
    bounds |= {key: (0.0, highest[unit]) for key, (_, unit, _) in FORECASTS.items()}
    bounds |= {key: (-highest[what] / ERROR_SHARE, highest[what] / ERROR_SHARE) for key, what in ERRORS.items()}
    return bounds | {"net": (-pv_kw / larger, load_kw / larger), "peak": (0.0, import_kw / scale["load"])}


def socket_bounds(site: Site) -> Bounds:
    """Lowest and highest value of each of ``SOCKET_FEATURES``."""
    efficiency = min(group.efficiency_one_way for group in site.fleet.groups)
    bounds = dict.fromkeys(SOCKET_FEATURES, (0.0, 1.0))
    longest_stay = DAYS_PER_YEAR * HOURS_PER_DAY / site.fleet.stay_hours[1]
    return bounds | {"hours_left": (0.0, longest_stay), "energy_needed": (0.0, 1 / efficiency), "laxity": (-1.0, 1.0)}


def _box(bounds: list[tuple[float, float]], shape: tuple[int, ...] | None = None) -> spaces.Box:
    """A box of float32; the last dimension of ``shape`` is that of the bounds."""
    values: NDArray[np.float64] = np.array(bounds, dtype=np.float64)
    slack = ROUNDING * np.maximum(1.0, np.abs(values))
    low, high = values[:, 0] - slack[:, 0], values[:, 1] + slack[:, 1]
    wanted = low.shape if shape is None else shape
    return spaces.Box(np.broadcast_to(low, wanted).astype(np.float32), np.broadcast_to(high, wanted).astype(np.float32))


def observation_space(env: SiteEnv) -> spaces.Space[Any]:
    """A box [F + G N], or a dict of boxes ``site`` [F], ``sockets`` [N, G] and the bits ``mask`` [N]."""
    site, sockets = env.simulator.site, env.simulator.sockets
    blocks = site_bounds(site)
    by_length = sorted(blocks, key=len, reverse=True)  # load_mean7_0 belongs to load_mean7, not to load
    of_site = [blocks[next(key for key in by_length if name.startswith(key))] for name in site_columns(site)]
    of_site += [(-MOST_TOLD, MOST_TOLD)] * env.told
    of_socket = list(socket_bounds(site).values())
    if env.config.observation == "flat":
        return _box(of_site + [bounds for bounds in of_socket for _ in range(sockets)])
    entity = {"site": _box(of_site), "sockets": _box(of_socket, (sockets, len(of_socket)))}
    return spaces.Dict(entity | {"mask": spaces.MultiBinary(sockets)})


def action_space(env: SiteEnv) -> spaces.Box:
    """A box [1 + N]: the battery in [-1, 1], sockets in [0, 1] ([-1, 1] with V2G)."""
    low = env.action_spec.space.low[0].cpu().numpy().astype(np.float32)
    return spaces.Box(low, np.ones_like(low))
