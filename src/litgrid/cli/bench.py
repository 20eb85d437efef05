"""``bench``: how fast this machine simulates and trains, and how far our simulator is from CityLearn."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from litgrid.algorithms.execution import Execution
from litgrid.cli import bench_growth, bench_memory, bench_speed, bench_train, parity
from litgrid.cli.bench_tools import Figures, bench_scenarios, machine
from litgrid.cli.options import Parser, check_json, write_json
from litgrid.errors import InputError
from litgrid.scenarios.plot import check as check_plot


def run(argv: list[str]) -> None:
    """The command ``bench``."""
    parser = Parser(prog="litgrid bench", description="Measure this machine.")
    commands = parser.add_subcommands(dest="command", required=True)
    commands.add_subcommand("sim", _sim_options())
    commands.add_subcommand("train", _train_options())
    commands.add_subcommand("parity", _parity_options())
    chosen = parser.parse_args(argv[1:])
    options = chosen[chosen.command]
    check_json(options.json)
    figures, text = {"sim": _sim, "train": _train, "parity": _parity}[chosen.command](options)
    if options.json != "-":
        print(text)
    if options.json is not None:
        write_json(figures, options.json)
    if not figures.get("passed", True):
        raise SystemExit(1)


def _sim_options() -> Parser:
    sim = Parser(description="Environment steps a second, with random actions, observations, rewards and resets.")
    sim.add_argument("--envs", type=str, default="1,64,1024,8192", help="how many environments side by side")
    sim.add_argument("--sockets", type=str, default="128", help="sockets of the site, one or more: 8,32,128,512")
    sim.add_argument("--seconds", type=float, default=2.0, help="least length of each measurement")
    sim.add_argument("--plot", type=Path, default=None, help="measure growth too, and draw it into this PNG file")
    sim.add_argument("--memory", action="store_true", help="measure the memory of 20 years with 128 sockets too")
    sim.add_argument("--json", type=str, default=None, help="file for the figures, - for standard output")
    return sim


def _parity_options() -> Parser:
    same = Parser(description="Random CityLearn data sets through CityLearn and our simulator: the worst differences.")
    same.add_argument("--cases", type=int, default=200, help="how many random data sets")
    same.add_argument("--steps", type=int, default=200, help="of each")
    same.add_argument("--seed", type=int, default=0, help="of all that is drawn")
    same.add_argument("--json", type=str, default=None, help="file for the figures, - for standard output")
    return same


def _train_options() -> Parser:
    train = Parser(
        description="Frames and updates a second of SAC, PPO and A2C, beside plain PyTorch and Stable-Baselines3."
    )
    add = train.add_argument
    add("--algorithms", type=list[Literal["sac", "ppo", "a2c"]], default=["sac", "ppo", "a2c"], help="as [sac,ppo]")
    add("--envs", type=str, default="1,64,1024", help="how many environments side by side")
    add("--sockets", type=int, default=128, help="sockets of the site")
    add("--observation", type=Literal["flat", "entity"], default="flat", help="of the agents")
    add("--precision", type=Literal["32-true", "bf16-mixed"], default="32-true", help="of the networks")
    add("--device", type=Literal["cpu", "cuda"] | None, default=None, help="null: the GPU where there is one")
    add("--execution", type=Execution, default="eager", help="of updates and policy, as for fit; plain loops are eager")
    add("--seconds", type=float, default=3.0, help="least length of each measurement")
    add("--repeats", type=int, default=2, help="of each measurement, in turns; the fastest counts")
    add("--sb3", type=bool, default=True, help="Stable-Baselines3, too, where it is installed")
    add("--json", type=str, default=None, help="file for the figures, - for standard output")
    return train


def _sim(options: Any) -> tuple[Figures, str]:
    envs, sockets = _counts("--envs", options.envs), _counts("--sockets", options.sockets, least=2)
    if options.plot is not None:
        check_plot(1, options.plot)
    figures = bench_speed.measure(envs, sockets, options.seconds)
    texts = [bench_speed.table(figures)]
    if options.plot is not None:
        figures["growth"] = bench_growth.measure(options.seconds)
        bench_growth.draw(figures["growth"], options.plot)
        texts.append(bench_growth.table(figures["growth"]))
    if options.memory:
        figures["memory"] = bench_memory.measure()
        texts.append(bench_memory.table(figures["memory"]))
    return figures, "\n\n".join(texts)


def _train(options: Any) -> tuple[Figures, str]:
    envs, sockets = _counts("--envs", options.envs), _counts("--sockets", str(options.sockets), least=2)[0]
    rows = bench_train.measure(
        bench_scenarios(sockets),
        options.algorithms,
        envs,
        observation=options.observation,
        precision=options.precision,
        device=options.device,
        how=options.execution,
        seconds=options.seconds,
        repeats=options.repeats,
        sb3=options.sb3,
    )
    return {"machine": machine(), "rows": rows}, bench_train.table(rows)


def _parity(options: Any) -> tuple[Figures, str]:
    figures = parity.measure(options.cases, options.steps, options.seed)
    return figures, parity.table(figures)


def _counts(option: str, text: str, least: int = 1) -> list[int]:
    counts = [int(part) if part.strip().isdigit() else 0 for part in text.split(",")]
    if min(counts) < least:
        raise InputError(f"{option}: found {text!r}, expected whole numbers from {least} on, as in 8,64,512")
    return counts
