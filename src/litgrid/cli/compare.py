"""``compare``: agents of many runs, with their seeds, beside rules and the optimum, on the same years."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm  # type: ignore[import-untyped]

from litgrid.algorithms.agent import CONFIG, load_agent
from litgrid.algorithms.files import write_whole
from litgrid.algorithms.policy import AgentController
from litgrid.algorithms.saved import BEST
from litgrid.algorithms.sources import SiteYears, Source
from litgrid.cli.evaluate import common_source
from litgrid.cli.options import Parser, check_json, write_json
from litgrid.cli.wandb_comparison import log_comparison
from litgrid.controllers import CONTROLLERS, Controller, check_names, make
from litgrid.errors import InputError
from litgrid.evaluation import html, tables
from litgrid.evaluation.compare import compare
from litgrid.evaluation.comparison import Comparison
from litgrid.evaluation.references import references
from litgrid.evaluation.report import log_test
from litgrid.evaluation.rollout import label, rollouts
from litgrid.evaluation.runs import METRICS
from litgrid.scenarios import store
from litgrid.scenarios.scenario_set import SPLITS, ScenarioSet, Split
from litgrid.sim.simulator import Simulator
from litgrid.site.site import read_site

RULES = ("uncontrolled", "self_consumption", "time_of_use", "water_filling", "optimum", "optimum_served")
FILES = {"comparison.csv": tables.as_csv, "comparison.md": tables.as_markdown, "comparison.tex": tables.as_latex}


def parser() -> Parser:
    """The command's options."""
    options = Parser(prog="litgrid compare", description="Compare trained agents with rules and the optimum.")
    add = options.add_argument
    add("runs", nargs="+", type=Path, help="folders of runs, or folders above them, such as runs/iquitos")
    add("--controllers", nargs="*", default=list(RULES), help=f"beside the agents, of {', '.join(CONTROLLERS)}")
    add("--split", choices=SPLITS, default="test", help="which years")
    add("--config", type=Path, default=None, help="the site's file, where the runs are of different sites")
    add("--folder", type=Path, default=store.FOLDER, help="where scenarios are kept")
    add(
        "--out",
        type=Path,
        default=None,
        help="folder for the comparison as HTML, CSV, Markdown, LaTeX, JSON and in W&B",
    )
    add("--json", type=str, default=None, help="file for the figures, - for standard output")
    add("--wandb", type=bool | None, default=None, help="into W&B as well; true wherever there is an --out")
    return options


def run(argv: list[str]) -> None:
    """Run ``compare``.

    Args:
        argv: the command and its options.

    Raises:
        InputError: an option, or a run that it names, is wrong.
    """
    options = parser().parse_args(argv[1:])
    check_json(options.json)
    comparison = compare_runs(
        options.runs,
        options.out,
        controllers=[name for names in options.controllers for name in names.split(",")],
        split=options.split,
        config=options.config,
        folder=options.folder,
        with_wandb=options.wandb,
    )
    if options.json is not None:
        write_json(comparison.figures, options.json)
    if options.json != "-":
        print(tables.text(comparison))


def compare_runs(
    runs: Sequence[Path],
    out: Path | None = None,
    *,
    controllers: Sequence[str] = RULES,
    split: Split = "test",
    config: Path | None = None,
    folder: Path = store.FOLDER,
    with_wandb: bool | None = None,
) -> Comparison:
    """Evaluate the best checkpoint of every run, and rules, on the same years; log test evaluations with the runs.

    Args:
        runs: their folders, or folders above them.
        out: folder for the comparison's files; it may be there.
        controllers: names of rules and bounds.
        split: which years.
        config: of the site on which they are compared; by default the one that they were all trained on.
        folder: where scenarios are kept.
        with_wandb: log the comparison to W&B; by default where there is ``out``.

    Raises:
        InputError: a name or a folder is wrong, or the runs are of different sites; nothing is written then.
    """
    check_names(controllers)
    _check_out(out, with_wandb)
    found = find_runs(runs)
    checkpoints = [run / "checkpoints" / BEST for run in found]
    source = common_source(checkpoints, folder) if config is None else SiteYears(read_site(config), folder)
    agents = named([load_agent(checkpoint, source) for checkpoint in checkpoints], found)
    scenarios = source.load(split)
    if not isinstance(scenarios, ScenarioSet):
        raise InputError(f"{found[0]}: found an agent of a CityLearn data set, expected one of a site; see `evaluate`")
    comparison = _measure(scenarios, [*(make(name, scenarios) for name in controllers), *agents], found)
    comparison.figures["validation"] = _validation(source, controllers)
    if split == "test":
        _log_tests(comparison)
    if out is not None:
        write(comparison, out)
        if with_wandb is not False:
            log_comparison(comparison, out)
    return comparison


def _check_out(out: Path | None, with_wandb: bool | None) -> None:
    if out is not None and out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: found a file, expected a folder or nothing")
    if out is None and with_wandb:
        raise InputError("--wandb: found true without --out, expected a folder for W&B's files")


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """Find the runs in folders; a run without a best checkpoint is reported and left out.

    Raises:
        InputError: one of the folders has none.
    """
    found: dict[Path, None] = {}
    for path in paths:
        folders = [config.parent for config in sorted(path.rglob(CONFIG)) if (config.parent / METRICS).is_file()]
        finished = [folder for folder in folders if (folder / "checkpoints" / BEST).is_file()]
        if not finished:
            raise InputError(f"{path}: found no run with a {BEST}, expected runs/<experiment>/<algorithm>/seed-<n>")
        for folder in folders:
            if folder not in finished:
                print(f"warning: {folder} is left out: it has no {BEST} yet", file=sys.stderr)
        found |= dict.fromkeys(folder.resolve() for folder in finished)
    return list(found)


def named(agents: Sequence[AgentController], runs: Sequence[Path]) -> list[AgentController]:
    """Name agents by their algorithm, with the experiment before it where there are several.

    Raises:
        InputError: two agents would be the same seed of one name.
    """
    experiments = [run.parent.parent for run in runs]
    common = _common(experiments)
    taken: dict[tuple[str, int | None], Path] = {}
    for agent, run, experiment in zip(agents, runs, experiments, strict=True):
        agent.name = (experiment.relative_to(common) / agent.name).as_posix()
        other = taken.setdefault((agent.name, agent.seed), run)
        if other != run:
            raise InputError(f"{run}: found {label(agent.name, agent.seed)} as in {other}, expected another seed")
    return list(agents)


def _common(folders: Sequence[Path]) -> Path:
    """The innermost folder that holds all of these, or is them."""
    return next(path for path in [folders[0], *folders[0].parents] if all(f.is_relative_to(path) for f in folders))


def _measure(scenarios: ScenarioSet, controllers: Sequence[Controller], runs: Sequence[Path]) -> Comparison:
    """Simulate and compare; the last controllers are the agents of the runs."""
    simulator = Simulator(scenarios, dtype=torch.float64)
    with tqdm(total=len(controllers), unit="controller", disable=not sys.stderr.isatty()) as progress:
        found = rollouts(simulator, controllers, progress.update)
    return compare(simulator, found, [*[None] * (len(found) - len(runs)), *runs])


def _validation(source: Source, controllers: Sequence[str]) -> dict[str, float]:
    """What rules and the optimum would have had as validation objective during training."""
    scenarios = source.load("validation")
    assert isinstance(scenarios, ScenarioSet)  # as the years of the comparison
    return references(scenarios, controllers)


def _log_tests(comparison: Comparison) -> None:
    for entry in comparison.entries:
        for run, row in zip(entry.runs, entry.rows, strict=False):
            log_test(run, BEST, row)


def write(comparison: Comparison, out: Path) -> None:
    """Write the comparison's files into a folder."""
    for name, text in FILES.items():
        write_whole(out / name, text(comparison).encode())
    write_json(comparison.figures, str(out / "comparison.json"))
    html.write(comparison, out / "report.html")
