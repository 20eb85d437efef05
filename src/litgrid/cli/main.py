"""The list of commands, and the exit codes: 0 done, 1 failed, 2 the input is wrong."""

import importlib
import os
import signal
import sys
from collections.abc import Sequence

from litgrid.cli.memory import keep_freed_memory
from litgrid.errors import InputError, Stopped

# command -> (module with ``run(argv)``, what it does); modules are imported when they are called
COMMANDS = {
    "fit": ("litgrid.cli.train", "train an agent; ends with the validation years"),
    "validate": ("litgrid.cli.train", "evaluate a checkpoint on the validation years"),
    "test": ("litgrid.cli.train", "evaluate a checkpoint on the test years"),
    "predict": ("litgrid.cli.train", "write a checkpoint's schedule of the test years, step by step"),
    "dataset": ("litgrid.cli.dataset", "build, show and export scenarios; check and import CityLearn folders"),
    "evaluate": ("litgrid.cli.evaluate", "compare controllers and checkpoints on one split: table, JSON, plot"),
    "compare": ("litgrid.cli.compare", "agents of many runs, with their seeds, beside rules: tables, advice, report"),
    "experiment": ("litgrid.cli.experiment", "algorithms x seeds x sites, several at a time, and their comparison"),
    "optimum": ("litgrid.cli.optimum", "the bound: perfect foresight over whole years, with its certificate"),
    "tune": ("litgrid.cli.tune", "find the numbers of a rule on the train years of a site"),
    "doctor": ("litgrid.cli.doctor", "before a training: device, precision, memory plan, where the time goes"),
    "bench": ("litgrid.cli.bench", "measure: sim and train (speed), parity (equality with CityLearn)"),
}


def usage() -> str:
    """The help page: every command in a line."""
    rows = "\n".join(f"  {name:<12}{text}" for name, (_, text) in COMMANDS.items())
    return (
        "usage: litgrid COMMAND [options]      (the same program as: python -m src.cli COMMAND)\n\n"
        "Trains, compares and certifies controllers of sites with PV, a battery and electric-vehicle sockets.\n\n"
        f"commands:\n{rows}\n\n"
        "`litgrid COMMAND --help` lists a command's options. Start with: litgrid fit --config configs/sac.yaml"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the command and its options; by default those of the process.

    Returns:
        The exit code: 0 done, 2 the input is wrong (one line on standard error), 128 plus a signal's number where it
        stopped the command, 1 where something else did (one line for a full disk or a training that diverged). Any
        other failure is an exception, which Python turns into a traceback and exit code 1.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    try:
        if arguments[0] != "bench":
            # Threads that spin while they wait gain nothing with small tensors, and cost a busy machine three quarters
            # of its speed (docs/performance.md). Only libraries that are loaded after this read it.
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        keep_freed_memory()
        if arguments[0] not in COMMANDS:
            raise InputError(f"unknown command {arguments[0]!r}; expected one of: {', '.join(COMMANDS)}")
        importlib.import_module(COMMANDS[arguments[0]][0]).run(arguments)
    except InputError as error:
        print(f"litgrid: {error}", file=sys.stderr)
        return 2
    except Stopped as stop:
        print(f"litgrid: {stop}", file=sys.stderr)
        return stop.code
    except KeyboardInterrupt:
        print("litgrid: stopped by Ctrl-C", file=sys.stderr)
        return 128 + signal.SIGINT
    return 0
