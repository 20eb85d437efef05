"""The job of the earlier reports on this plant: SAC, PPO and A2C one after the other, and what each is worth.

    python scripts/seed_job.py --settings seed ours --json seed_job.json

``seed`` trains with configs/seed, ``ours`` with configs. Options that the script does not know go to every
``fit``. Years of the site are built beforehand and not counted; the test years are seen once, at the end of each run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from litgrid.cli import main as litgrid
from litgrid.cli.options import check_json, write_json

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
FOLDERS = {"seed": CONFIGS / "seed", "ours": CONFIGS}
ALGORITHMS = ("sac", "ppo", "a2c")
TABLE = "{:<10}{:<18}{:>10}{:>9}{:>10}{:>10}{:>14}{:>14}"
HEAD = ("settings", "controller", "frames", "updates", "wall s", "CPU s", "validation", "test")

Figures = dict[str, Any]


def main(argv: list[str] | None = None) -> int:
    """Run the job and report it.

    Args:
        argv: options; by default those of the process.

    Returns:
        The exit code of the first command that failed, or 0.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settings", nargs="+", choices=sorted(FOLDERS), default=["seed", "ours"])
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of all experiments")
    parser.add_argument("--json", default=None, help="file for the figures, - for standard output")
    options, others = parser.parse_known_args(argv)
    check_json(options.json)
    rows: list[Figures] = []
    for settings in options.settings:
        for algorithm in ALGORITHMS:
            code, found = train(settings, algorithm, options.runs, others)
            if code:
                return code
            rows += found if not rows else found[-1:]  # the rule is the same every time
    if options.json != "-":
        print(table(rows))
    if options.json is not None:
        machine = {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
        write_json({"machine": machine, "rows": rows}, options.json)
    return 0


def train(settings: str, algorithm: str, runs: Path, others: list[str]) -> tuple[int, list[Figures]]:
    """Train and evaluate one agent.

    Args:
        settings: ``seed`` or ``ours``.
        algorithm: its name.
        runs: folder of all experiments.
        others: options of ``fit``.

    Returns:
        The exit code, and the rows of the rule and of the agent.
    """
    from litgrid.algorithms.metrics import read_metrics  # noqa: PLC0415 (the first command sets up what torch reads)
    from litgrid.cli.runs import new_run  # noqa: PLC0415

    experiment = f"seed-job-{settings}"
    folder = new_run(runs, experiment, algorithm, 0)
    config = ["--config", str(FOLDERS[settings] / f"{algorithm}.yaml"), "--seed_everything", "0"]
    start = time.perf_counter(), time.process_time()
    code = litgrid(["fit", *config, "--experiment", experiment, "--runs", str(runs), *others])
    seconds = time.perf_counter() - start[0], time.process_time() - start[1]
    if code:
        return code, []
    tested = folder / "test.json"
    code = litgrid(["test", "--ckpt_path", str(folder / "checkpoints" / "best.ckpt"), "--json", str(tested)])
    if code:
        return code, []
    last = read_metrics(folder / "metrics.csv")[-1]
    done = {"frames": int(last["frames"]), "updates": int(float(last["updates"]))}
    work = done | {"wall_seconds": seconds[0], "cpu_seconds": seconds[1]}
    rule, agent = (objectives(folder, tested, name) for name in ("self_consumption", algorithm))
    return 0, [rule, {"settings": settings} | agent | work]


def objectives(folder: Path, tested: Path, controller: str) -> Figures:
    """The objective of a controller in validation and test years, in the site's currency."""
    row: Figures = {"controller": controller}
    for split, path in (("validation", folder / "evaluation.json"), ("test", tested)):
        controllers = json.loads(path.read_text(encoding="utf-8"))["controllers"]
        (row[split],) = [found["objective"] for found in controllers if found["controller"] == controller]
    return row


def table(rows: list[Figures]) -> str:
    """The figures for the terminal."""
    keys = ("settings", "controller", "frames", "updates", "wall_seconds", "cpu_seconds", "validation", "test")
    lines = [TABLE.format(*HEAD)]
    for row in rows:
        cells = [row.get(key, "-") for key in keys]
        lines.append(TABLE.format(*(f"{cell:,.0f}" if isinstance(cell, int | float) else cell for cell in cells)))
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
