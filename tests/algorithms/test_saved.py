"""Checkpoints are whole or not at all, and the newest good one is found by what is in it."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from litgrid.algorithms import saved
from litgrid.algorithms.agent import read_weights
from litgrid.errors import InputError, Stopped


def state(folder: Path, frames: int) -> Path:
    """Write a checkpoint with two side files."""
    files = []
    for path in (f"state/rank-0/{frames}.pt", f"buffer/rank-0/0-{frames}.pt"):
        files.append({"path": path, "sha256": saved.write(folder / path, {"x": torch.full((50,), frames)})})
    resume = {"world_size": 1, "rows": 0, "ranks": [{"state": files[0], "segments": files[1:]}]}
    whole = folder / saved.name_of(frames)
    saved.write(whole, {"litgrid": {"frames": frames}, "state_dict": {}, saved.RESUME: resume})
    return whole


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Checkpoints at 10, 20 and 30 frames."""
    for frames in (10, 20, 30):
        state(tmp_path, frames)
    return tmp_path


def newest(folder: Path) -> tuple[Path, list[str]]:
    lines: list[str] = []
    return saved.newest(folder, lines.append), lines


def test_the_newest_is_found_whatever_it_is_called_and_however_old_its_file_is(folder: Path) -> None:
    os.utime(folder / "last-30.ckpt", (1, 1))
    assert newest(folder) == (folder / "last-30.ckpt", [])
    (folder / "last-30.ckpt").replace(folder / "other")  # swapped
    (folder / "last-10.ckpt").replace(folder / "last-30.ckpt")
    (folder / "other").replace(folder / "last-10.ckpt")
    assert newest(folder) == (folder / "last-10.ckpt", [])


@settings(max_examples=30, deadline=None)
@given(st.floats(0.0, 1.0, exclude_max=True), st.sampled_from(["last-30.ckpt", "state", "buffer"]))
def test_what_is_cut_short_is_passed_over(tmp_path_factory: pytest.TempPathFactory, share: float, which: str) -> None:
    folder = tmp_path_factory.mktemp("cut")
    for frames in (20, 30):
        state(folder, frames)
    names = {"state": "state/rank-0/30.pt", "buffer": "buffer/rank-0/0-30.pt"}
    path = folder / names.get(which, which)
    os.truncate(path, int(share * path.stat().st_size))
    found, lines = newest(folder)
    assert found == folder / "last-20.ckpt"
    (line,) = lines
    assert line.startswith(f"{folder / 'last-30.ckpt'}: passed over: ")


def test_one_changed_bit_is_noticed(folder: Path) -> None:
    path = folder / "buffer/rank-0/0-30.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert newest(folder)[0] == folder / "last-20.ckpt"


@pytest.mark.parametrize("side", ["state/rank-0/30.pt", "buffer/rank-0/0-30.pt"])
def test_a_missing_file_is_noticed(folder: Path, side: str) -> None:
    (folder / side).unlink()
    found, lines = newest(folder)
    assert found == folder / "last-20.ckpt"
    assert lines == [f"{folder / 'last-30.ckpt'}: passed over: its file {side} is missing"]


def test_a_second_name_is_reported_once(folder: Path) -> None:
    (folder / "last.ckpt").hardlink_to(folder / "last-30.ckpt")
    (folder / "state/rank-0/30.pt").unlink()
    assert len(newest(folder)[1]) == 1


def test_none_at_all_is_wrong_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no good checkpoint in"):
        newest(tmp_path)
    saved.write(tmp_path / "last-10.ckpt", {"litgrid": {"frames": 10}})  # weights alone, as best.ckpt
    saved.write(tmp_path / "last-20.ckpt", {"litgrid": {"frames": 20}, saved.RESUME: {"other": 1}})
    with pytest.raises(InputError, match="found no good checkpoint in"):
        newest(tmp_path)


class Malicious:
    """Writes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return (open, (str(self.target), "w"))


@pytest.mark.parametrize("plain", [True, False])
def test_a_malicious_pickle_is_refused(folder: Path, plain: bool) -> None:
    target, path = folder / "stolen", folder / "last-40.ckpt"
    content = {"litgrid": {"frames": 40}, "state_dict": {}, "bad": Malicious(target)}
    path.write_bytes(pickle.dumps(content)) if plain else torch.save(content, path)
    with pytest.raises(saved.Damaged):
        saved.read(path)
    with pytest.raises(InputError):
        read_weights(path)
    found, lines = newest(folder)
    assert (found, len(lines)) == (folder / "last-30.ckpt", 1)
    assert not target.exists()
    torch.load(path, weights_only=False) if not plain else pickle.loads(path.read_bytes())
    assert target.exists()  # it would have


def test_a_disk_that_is_full_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = state(tmp_path, 10)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Stopped, match=r"last-10.ckpt: could not be written: No space left on device") as error:
        saved.write(path, {"x": 1})
    assert error.value.code == 1
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_what_belongs_to_no_kept_state_is_removed(folder: Path) -> None:
    (folder / "last-40.ckpt.part").touch()
    (folder / "state/rank-0/50.pt.part").touch()
    saved.tidy(folder, [saved.read(folder / "last-20.ckpt")[saved.RESUME]])
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    names = {f"last-{frames}.ckpt" for frames in (10, 20, 30)}
    assert left == names | {"state/rank-0/20.pt", "buffer/rank-0/0-20.pt"}
