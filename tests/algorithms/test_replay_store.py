"""Segments of a replay buffer on disk: what is restored is what was there, at the same places."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensordict import TensorDict
from torchrl.data import LazyTensorStorage, TensorDictReplayBuffer

from litgrid.algorithms import replay_store
from litgrid.algorithms.replay_store import ReplayStore


def ring(capacity: int) -> TensorDictReplayBuffer:
    """An empty buffer."""
    return TensorDictReplayBuffer(storage=LazyTensorStorage(capacity), batch_size=4)


def frames(first: int, count: int) -> TensorDict:
    """Frames that know their number."""
    number = torch.arange(first, first + count)
    values = {"x": number.double().unsqueeze(-1), "next": {"mask": number % 2 == 0}}
    return TensorDict(values, batch_size=[count])


def sizes(segments: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [(segment["first"], segment["end"]) for segment in segments]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 12).flatmap(
        lambda capacity: st.tuples(
            st.just(capacity),
            st.lists(st.tuples(st.integers(1, capacity), st.sampled_from(["add", "save", "go on"])), max_size=14),
        )
    )
)
def test_a_restored_buffer_is_the_same(case: tuple[int, list[tuple[int, str]]]) -> None:
    capacity, steps = case
    added, buffer = 0, ring(capacity)
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay_store, "SEGMENT_FRAMES", 3)
        store = ReplayStore(Path(name), 0)
        for count, then in [(1, "add"), *steps, (1, "go on")]:
            buffer.extend(frames(added, count))
            added += count
            if then == "add":
                continue
            segments = store.save(buffer, added)
            live = max(0, added - capacity)
            assert segments[0]["first"] <= live < segments[0]["end"]
            assert [first for first, _ in sizes(segments)[1:]] == [end for _, end in sizes(segments)[:-1]]
            if then == "save":
                continue
            again, store = ring(capacity), ReplayStore(Path(name), 0)
            store.restore(again, segments, added)
            assert len(again) == len(buffer)
            assert again.writer.state_dict() == buffer.writer.state_dict()
            torch.manual_seed(added)
            sample = buffer.sample()
            torch.manual_seed(added)
            assert (sample == again.sample()).all()
            assert (buffer.storage.get(slice(None)) == again.storage.get(slice(None)))[: len(buffer)].all()
            buffer = again


def test_only_what_is_new_is_written_and_only_what_is_filled(tmp_path: Path) -> None:
    buffer, store = ring(1000), ReplayStore(tmp_path, 3)
    buffer.extend(frames(0, 10))
    assert sizes(store.save(buffer, 10)) == [(0, 10)]
    first = tmp_path / "buffer" / "rank-3" / "0-10.pt"
    assert first.stat().st_size < 4000  # of 1,000 frames that would be 9,000
    first.unlink()
    buffer.extend(frames(10, 5))
    assert sizes(store.save(buffer, 15)) == [(0, 10), (10, 15)]
    assert not first.exists()
    assert sizes(store.save(buffer, 15)) == [(0, 10), (10, 15)]


def test_segments_that_are_overwritten_are_named_no_more(tmp_path: Path) -> None:
    buffer, store = ring(10), ReplayStore(tmp_path, 0)
    for added in (4, 8, 12, 16):
        buffer.extend(frames(added - 4, 4))
        segments = store.save(buffer, added)
    assert sizes(segments) == [(4, 8), (8, 12), (12, 16)]
