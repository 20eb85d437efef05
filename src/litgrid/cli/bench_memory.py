"""Memory of long scenario sets: the simulator's tables, and the highest of a process that makes and steps them."""

from __future__ import annotations

import json
import subprocess
import sys

from litgrid.cli.bench_tools import Figures
from litgrid.errors import InputError

YEARS, SOCKETS, ENVS = 20, 128, 64
CODE = """
import json, sys
from pathlib import Path
from litgrid.cli.bench_tools import bench_scenarios
from litgrid.sim.env import EnvConfig, SiteEnv

def peak():
    if sys.platform == "darwin":
        import resource
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status = Path("/proc/self/status").read_text()  # Linux counts what the parent had in ru_maxrss
    return int(status.split("VmHWM:")[1].split()[0]) * 1024

before = peak()
years, sockets, envs = map(int, sys.argv[1:])
scenarios = bench_scenarios(sockets, years)
stored = sum(value.nbytes for part in (scenarios.series, scenarios.sessions) for value in part.values())
built = peak()
env = SiteEnv(scenarios, envs, EnvConfig())
env.rollout(48)
print(json.dumps({"program_bytes": before, "scenario_bytes": stored, "scenarios_peak_bytes": built,
    "table_bytes": env.table_bytes, "peak_bytes": peak()}))
"""


def measure() -> Figures:
    """Bytes, measured in a process of its own.

    Returns:
        ``years``, ``sockets``, ``program_bytes`` (with all libraries, before anything else), ``scenario_bytes`` (as
        stored), ``scenarios_peak_bytes`` (highest of the process when they are made), ``table_bytes`` (what steps
        read), ``peak_bytes`` (highest of the process).

    Raises:
        InputError: on Windows, where Python can't tell a process's highest memory.
    """
    if sys.platform == "win32":
        raise InputError("--memory: found Windows, expected Linux or macOS, where Python can read a process's memory")
    arguments = [str(number) for number in (YEARS, SOCKETS, ENVS)]
    done = subprocess.run([sys.executable, "-c", CODE, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    measured: Figures = json.loads(done.stdout.splitlines()[-1])
    return {"years": YEARS, "sockets": SOCKETS} | measured


def table(memory: Figures) -> str:
    """The figures for the terminal."""
    head = f"memory of {memory['years']} years with {memory['sockets']} sockets"
    sizes = [f"  {key:<24}{value / 1e6:>10,.0f} MB" for key, value in memory.items() if key.endswith("bytes")]
    return "\n".join([head, *sizes])
