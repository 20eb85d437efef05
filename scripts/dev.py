"""Makes the project's environment on first use, then runs the program or the tests in it.

Standard library only. Any Python from 3.8 on can start this file; the environment itself needs one of ``SUPPORTED``.
What it says goes to standard error, so that ``--json -`` of the program stays clean.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, NoReturn

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

WINDOWS = sys.platform == "win32"
SUPPORTED = ("3.11", "3.12", "3.13")  # in the order in which they are looked for: CityLearn installs on 3.11 alone
ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile")  # two processes of tests, a file in one of them; -n 0 for one process
STAMP = "litgrid-stamp"  # a file in the environment, written last: Python version, folder, hash of what was installed

HELP = """usage: python scripts/dev.py COMMAND [options]

Makes the environment .venv on first use (Python 3.11 to 3.13, versions of constraints.txt), then runs

  python scripts/dev.py test [pytest options]    the tests
  python scripts/dev.py COMMAND [options]        anything else: the program, as python -m src.cli COMMAND [options]

For example: python scripts/dev.py fit --config configs/sac.yaml
             python scripts/dev.py help          every command of the program
             python scripts/dev.py test -m "not slow" -x

Paths are relative to the project's folder. The environment is made with the Python that starts this file, or else
with another one that it finds; only 3.11 has the CityLearn back end. To change it, delete .venv and start this file
with the other Python. The program's own command `test` (a checkpoint on the test years) is called as `litgrid test`
in the activated environment."""


def say(text: str) -> None:
    """Print a line on standard error at once."""
    print(f"dev.py: {text}", file=sys.stderr, flush=True)


def stop(text: str, code: int) -> NoReturn:
    """Print a line and exit."""
    say(text)
    sys.exit(code)


def version_of(command: list[str]) -> str | None:
    """The version of the Python that a command starts, such as "3.11"; None where it starts none."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(
            [*command, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def base_python() -> tuple[list[str], str]:
    """Find the Python to make the environment with: the running one, else the first supported one on the machine.

    Returns:
        The command that starts it, and its version. Exits with code 2 where there is none.
    """
    running = "{}.{}".format(*sys.version_info[:2])
    if running in SUPPORTED:
        # inside an environment, perhaps .venv itself, this is the Python that the environment was made with
        return [getattr(sys, "_base_executable", None) or sys.executable], running
    for version in SUPPORTED:
        command = ["py", f"-{version}"] if WINDOWS else [f"python{version}"]
        if version_of(command) == version:
            return command, version
    stop(f"this is Python {running}, and no Python 3.11, 3.12 or 3.13 was found; install 3.11 (python.org)", 2)


def venv_python(venv: Path) -> Path:
    """The environment's Python."""
    return venv / "Scripts" / "python.exe" if WINDOWS else venv / "bin" / "python"


def pins(root: Path) -> str:
    """Hash of the files that say what is installed."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def origin_of(venv: Path) -> str:
    """What can't change under an environment: the version of its Python, and its folder, which its scripts name."""
    return f"{version_of([str(venv_python(venv))])}\n{venv}"


def state(venv: Path, wanted: str) -> str:
    """What there is of the environment.

    Args:
        venv: its folder.
        wanted: hash that ``pins`` gives now.

    Returns:
        "absent", "half-made" (no stamp: the installation did not end), "broken" (its Python does not start, or it
        was made with another one or in another folder), "outdated" (made from other pins) or "ready".
    """
    if not venv.exists():
        return "absent"
    if not (venv / STAMP).is_file():
        return "half-made"
    origin, _, made_from = (venv / STAMP).read_text(encoding="utf-8").rpartition("\n")
    if origin != origin_of(venv):
        return "broken"
    return "ready" if made_from == wanted else "outdated"


def try_lock(descriptor: int) -> bool:
    """Lock an open file, unless another process has locked it. The system unlocks it when the process ends."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold a lock file, whose descriptor is yielded; wait for whoever holds it."""
    with path.open("a", encoding="utf-8") as file:
        if not try_lock(file.fileno()):
            say("waiting for another process, which is making .venv")
            while not try_lock(file.fileno()):
                time.sleep(0.5)
        yield file.fileno()


def step(what: str, command: list[str], lock: int) -> None:
    """Run a step of the installation; exits with code 1 where it fails.

    The step inherits the lock (Windows can't do that): if this process is killed, the next one waits until the
    orphaned step has ended, instead of working in the same folder.
    """
    process = subprocess.Popen(command, cwd=ROOT, stdout=2, pass_fds=() if WINDOWS else (lock,))
    try:
        code = process.wait()
    except KeyboardInterrupt:
        try:  # Ctrl-C has reached the step as well, and it cleans up
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.terminate()
        raise
    if code != 0:
        stop(f"{what} failed with exit code {code}, see above; the same command tries again", 1)


def remove(venv: Path) -> None:
    """Remove the environment, its stamp first: if this is interrupted, it counts as half-made."""
    try:
        (venv / STAMP).unlink(missing_ok=True)
        shutil.rmtree(venv)
    except OSError as error:
        stop(f"could not remove .venv ({error}); close the programs that use it and try again", 1)


def create(found: str, lock: int) -> None:
    """Make the empty environment, in the place of what was found."""
    base, version = base_python()
    if found != "absent":
        say(f"the .venv here is {found}: removing it")
        remove(VENV)
    without = "" if version == SUPPORTED[0] else f" (without the CityLearn back end, which needs {SUPPORTED[0]})"
    say(f"making .venv with Python {version}{without}")
    step("making .venv", [*base, "-m", "venv", str(VENV)], lock)
    say("installing the packages: 2 to 5 minutes; 6 to 7 GB on Linux, where PyTorch brings CUDA along, else less")


def install(lock: int) -> None:
    """Install the project and its packages, and stamp the environment as ready."""
    (VENV / STAMP).unlink(missing_ok=True)
    made_from = pins(ROOT)
    pip = [
        str(venv_python(VENV)),
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "-e",
        ".[dev]",
        "-c",
        "constraints.txt",
    ]
    step("installing the packages", pip, lock)
    (VENV / STAMP).write_text(f"{origin_of(VENV)}\n{made_from}", encoding="utf-8")
    say(".venv is ready; to activate it: " + (r".venv\Scripts\activate" if WINDOWS else "source .venv/bin/activate"))


def ensure() -> None:
    """Make the environment unless it is ready. Of several processes at once, one makes it and the others wait."""
    if state(VENV, pins(ROOT)) == "ready":
        return
    with locked(ROOT / ".venv.lock") as lock:
        found = state(VENV, pins(ROOT))
        if found == "outdated":
            say("pyproject.toml or constraints.txt has changed: bringing .venv up to date")
        elif found != "ready":
            create(found, lock)
        if found != "ready":
            install(lock)


def command_line(argv: list[str], venv: Path) -> list[str]:
    """The command that ``python scripts/dev.py ARGV`` stands for."""
    python = str(venv_python(venv))
    if argv[0] == "test":
        return [python, "-m", "pytest", *SIDE_BY_SIDE, *argv[1:]]
    return [python, "-m", "src.cli", *argv]


def hand_over(command: list[str]) -> int:
    """Run the command in place of this process, whose signals and exit code are then the command's own."""
    if not WINDOWS:
        os.chdir(ROOT)
        os.execv(command[0], command)
    # Windows can't replace a process. Ctrl-C reaches both, and what it means is the command's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.call(command, cwd=ROOT)


def main(argv: list[str]) -> int:
    """Run one command and return its exit code."""
    if not argv or argv[0] in ("-h", "--help"):
        print(HELP)
        return 0
    try:
        ensure()
    except KeyboardInterrupt:
        stop("interrupted; the next call makes an unfinished .venv anew", 130)
    if (
        argv[0] == "test"
    ):  # threads that spin while they wait cost a busy machine most of its speed (docs/performance.md)
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return hand_over(command_line(argv, VENV))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
