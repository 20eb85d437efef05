"""The last states of a run: saved by all its processes, pruned, and taken up again."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

from lightning import Trainer

from litgrid.algorithms import random_streams, saved
from litgrid.algorithms.base import Algorithm
from litgrid.algorithms.files import PART, write_whole
from litgrid.algorithms.metrics import MetricsFile
from litgrid.algorithms.replay_store import ReplayStore
from litgrid.algorithms.saved import LAST, LASTS, Content
from litgrid.errors import InputError, Stopped


class LastStates:
    """Saves the state of a run, and keeps the newest few.

    Every process writes its own files; then the first one, which got their names and SHA-256, writes the checkpoint.

    Args:
        folder: of the checkpoints; all processes see the same.
        keep: number of states that are kept.
        rank: of this process.

    Attributes:
        entry: ``resume`` of the checkpoint that is being written, else None.
    """

    def __init__(self, folder: Path, keep: int, rank: int) -> None:
        self.entry: Content | None = None
        self._folder = folder
        self._keep = keep
        self._rank = rank
        self._store = ReplayStore(folder, rank)
        self._kept: dict[Path, Content] = {}  # oldest first; the first process has them

    @property
    def newest(self) -> Path | None:
        """The newest state that is kept."""
        return next(reversed(self._kept), None)

    def save(self, trainer: Trainer, algorithm: Algorithm) -> None:
        """Save the present state.

        Raises:
            Stopped: it could not be written; the states before it are as they were.
        """
        path = self._folder / saved.name_of(algorithm.frames)
        try:
            ranks = _gathered(trainer, self._write_own(algorithm))
            seconds = algorithm.clock.seconds
            self.entry = {
                "world_size": trainer.world_size,
                "rows": _rows(trainer),
                "seconds": seconds,
                "ranks": ranks,
            }
            trainer.save_checkpoint(path)
            if trainer.is_global_zero:
                self._kept.pop(path, None)
                self._kept[path] = self.entry
                self._prune()
        except Stopped:
            if trainer.is_global_zero:
                self._forget(path)
            raise
        finally:
            self.entry = None
        trainer.strategy.barrier("the last state is kept")

    def restore(self, trainer: Trainer, algorithm: Algorithm, entry: Content) -> None:
        """Go on from a state; later ones, of a future that is given up, are removed.

        Args:
            trainer: that has loaded the checkpoint.
            algorithm: whose environments and buffer are built.
            entry: ``resume`` of the checkpoint.

        Raises:
            InputError: the run had another number of processes.
        """
        if entry["world_size"] != trainer.world_size:
            found = f"{trainer.world_size} processes (trainer.devices x num_nodes)"
            raise InputError(f"ckpt_path: found {found}, expected {entry['world_size']}, as the run had")
        own = entry["ranks"][self._rank]
        if trainer.is_global_zero:
            self._give_up_later_ones(algorithm.frames)
            _metrics_file(trainer).cut(entry["rows"])
        state = saved.read(self._folder / own["state"]["path"])
        algorithm.load_run_state(state["run"])
        algorithm.clock.earlier = entry.get("seconds", math.nan)  # a run of an earlier version does not know
        if algorithm.buffer is not None:
            self._store.restore(algorithm.buffer, own["segments"], algorithm.own_frames)
        random_streams.restore(state["random"], algorithm.device)
        trainer.strategy.barrier("the last state is restored")

    def _write_own(self, algorithm: Algorithm) -> Content:
        """Write the files of this process; say what they are, or why they could not be written."""
        state = {"run": algorithm.run_state(), "random": random_streams.state(algorithm.device)}
        path = f"state/rank-{self._rank}/{algorithm.frames}.pt"
        try:
            segments = [] if algorithm.buffer is None else self._store.save(algorithm.buffer, algorithm.own_frames)
            return {"state": {"path": path, "sha256": saved.write(self._folder / path, state)}, "segments": segments}
        except Stopped as error:
            return {"error": str(error)}

    def _forget(self, path: Path) -> None:
        """Leave nothing of a state that could not be saved."""
        if path not in self._kept:
            path.unlink(missing_ok=True)
        saved.tidy(self._folder, self._kept.values())

    def _prune(self) -> None:
        """Give the newest state its second name, and remove what is no longer kept."""
        while len(self._kept) > self._keep:
            oldest = next(iter(self._kept))
            del self._kept[oldest]
            oldest.unlink(missing_ok=True)
        newest = self.newest
        assert newest is not None
        second = self._folder / (LAST + PART)
        second.unlink(missing_ok=True)
        try:
            second.hardlink_to(newest)
            second.replace(self._folder / LAST)
        except OSError:  # a file system without links
            write_whole(self._folder / LAST, newest.read_bytes())
        saved.tidy(self._folder, self._kept.values())

    def _give_up_later_ones(self, frames: int) -> None:
        """Know again what is kept up to these frames; remove what is newer, and what can't be read."""
        found: dict[Path, Content] = {}
        for path in self._folder.glob(LASTS):
            with contextlib.suppress(saved.Damaged):
                content = saved.read(path)
                if saved.frames_of(content) <= frames:
                    found[path] = content
            if path not in found:
                path.unlink()
        for path in sorted(found, key=lambda path: saved.frames_of(found[path])):
            self._kept[path] = found[path][saved.RESUME]
        self._prune()


def _gathered(trainer: Trainer, own: Content) -> list[Content]:
    """Return what every process says of its files.

    Raises:
        Stopped: one of them could not write.
    """
    ranks: list[Content] = [trainer.strategy.broadcast(own, src=rank) for rank in range(trainer.world_size)]
    for rank in ranks:
        if "error" in rank:
            raise Stopped(rank["error"])
    return ranks


def _metrics_file(trainer: Trainer) -> MetricsFile:
    return next(logger for logger in trainer.loggers if isinstance(logger, MetricsFile))


def _rows(trainer: Trainer) -> int:
    """Return the rows of metrics.csv, once the disk has them."""
    file = _metrics_file(trainer)
    file.sync()
    return file.rows
