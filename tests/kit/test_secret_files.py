"""Secret files outlive a power cut under their names, in whatever new folder."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from marketplace.kit import secret_files

Disk = dict[Path, dict[str, bytes | None]]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """What a power cut leaves: of each folder what was in it when it was synced last."""
    found: Disk = {}

    def sync(descriptor: int) -> None:
        at = Path(f"/proc/self/fd/{descriptor}").readlink()
        if at.is_dir():
            found[at] = {one.name: one.read_bytes() if one.is_file() else None for one in at.iterdir()}

    monkeypatch.setattr(os, "fsync", sync)
    return found


@pytest.mark.parametrize("deed", [secret_files.create, secret_files.replace])
def test_a_new_secret_and_its_folders_outlive_a_power_cut(
    disk: Disk, tmp_path: Path, deed: Callable[[Path, bytes], None]
) -> None:
    folder = tmp_path / "new" / "keys"
    deed(folder / "secret", b"1")
    assert disk == {tmp_path: {"new": None}, tmp_path / "new": {"keys": None}, folder: {"secret": b"1"}}


def test_a_secret_that_was_replaced_does_not_come_back_after_a_power_cut(disk: Disk, tmp_path: Path) -> None:
    file = tmp_path / "keys" / "secret"
    secret_files.create(file, b"1")
    with secret_files.locked(file):
        secret_files.replace(file, b"2")
    assert disk[file.parent] == {"secret": b"2", ".secret.lock": b""}


def test_whoever_comes_second_relies_on_a_secret_that_outlives_a_power_cut(disk: Disk, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"1")  # another has got so far, and no further
    secret_files.create(file, b"2")
    assert disk == {tmp_path: {"secret": b"1"}}
