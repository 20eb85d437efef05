"""A replay buffer on disk: segments of frames, each written once, when it is new.

Frame g of a ring of C frames stands at place g modulo C. A segment holds the frames from ``first`` up to ``end``, in
the order in which they were added; a save writes those that came since the last one, and a segment that is wholly
overwritten in the ring is no longer named.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tensordict import TensorDict
from torchrl.data import ReplayBuffer

from litgrid.algorithms.saved import read, write

SEGMENT_FRAMES = 8192  # of a segment, at most: what a save holds in memory a second time


@dataclass(frozen=True)
class Segment:
    """A file of frames.

    Attributes:
        path: relative to the folder of the checkpoints.
        sha256: of its content.
        first: number of its first frame, from 0.
        end: number of the frame after its last.
    """

    path: str
    sha256: str
    first: int
    end: int


class ReplayStore:
    """Writes and reads the replay buffer of one process.

    Args:
        folder: of the checkpoints.
        rank: of the process.
    """

    def __init__(self, folder: Path, rank: int) -> None:
        self._folder = folder
        self._rank = rank
        self._segments: list[Segment] = []

    def save(self, buffer: ReplayBuffer, added: int) -> list[dict[str, Any]]:
        """Write the frames that are new.

        Args:
            buffer: a ring, filled from the start.
            added: frames that were ever added to it.

        Returns:
            The segments that hold the buffer's frames, as plain data.

        Raises:
            Stopped: they could not be written.
        """
        oldest = max(0, added - capacity(buffer))
        first = max([oldest, *(segment.end for segment in self._segments)])
        for start in range(first, added, SEGMENT_FRAMES):
            self._segments.append(self._write(buffer, start, min(start + SEGMENT_FRAMES, added)))
        self._segments = [segment for segment in self._segments if segment.end > oldest]
        return [asdict(segment) for segment in self._segments]

    def restore(self, buffer: ReplayBuffer, segments: list[dict[str, Any]], added: int) -> None:
        """Fill an empty buffer as it was, at the same places and with the same cursor.

        Args:
            buffer: empty, with the capacity that it had.
            segments: as ``save`` returned them.
            added: frames that were ever added.
        """
        self._segments = [Segment(**segment) for segment in segments]
        size = capacity(buffer)
        for segment in self._segments:
            first = max(segment.first, added - size)
            frames = TensorDict(read(self._folder / segment.path), batch_size=[segment.end - segment.first])
            place = torch.arange(first, segment.end) % size
            device = buffer.storage.device
            buffer.storage.set(place.to(device), frames[first - segment.first :].to(device))
        buffer.writer.load_state_dict({"_cursor": added % size, "_write_count": added})

    def _write(self, buffer: ReplayBuffer, first: int, end: int) -> Segment:
        place = torch.arange(first, end) % capacity(buffer)
        frames = buffer.storage.get(place.to(buffer.storage.device)).cpu()
        path = f"buffer/rank-{self._rank}/{first}-{end}.pt"
        return Segment(path, write(self._folder / path, frames.to_dict()), first, end)


def capacity(buffer: ReplayBuffer) -> int:
    """Return the frames that a buffer holds at most."""
    return int(buffer.storage.max_size)
