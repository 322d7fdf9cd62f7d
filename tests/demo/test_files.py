"""The user's own folder is listed as it is: every file that is not hidden, each under a name of its own."""

import os
from pathlib import Path

import pytest

from marketplace.demo import files
from marketplace.demo.party import DemoFailed


def folder_of(home: Path, *names: str) -> Path:
    for name in names:
        path = home / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return home / "data"


def listed(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in files.files_of(folder)]


def names_of(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): name for path, name in files.names_of(files.files_of(folder)).items()}


def test_what_is_hidden_or_lies_in_a_hidden_folder_is_not_listed(tmp_path):
    folder = folder_of(tmp_path, ".env", ".git/config", ".git/a/b.csv", "下/.隠し/c.csv", "下/d.csv", "e.csv")
    assert listed(folder) == ["e.csv", "下/d.csv"]


def test_a_folder_or_a_file_that_the_user_names_is_listed_though_it_is_hidden(tmp_path):
    folder = folder_of(tmp_path, "a.csv").rename(tmp_path / ".data")
    assert listed(folder) == ["a.csv"]
    hidden = (folder / "a.csv").rename(folder / ".a.csv")
    assert files.files_of(hidden) == [hidden]


def test_files_of_one_name_are_listed_under_their_paths_and_others_under_their_names(tmp_path):
    folder = folder_of(tmp_path, "x.csv", "a/x.csv", "b/c/x.csv", "b/y.csv")
    assert names_of(folder) == {
        "x.csv": "x.csv",
        "a/x.csv": "a_x.csv",
        "b/c/x.csv": "b_c_x.csv",
        "b/y.csv": "y.csv",
    }


@pytest.mark.parametrize("twin", ["X.CSV", "ｘ.csv"])
def test_names_that_the_exchange_takes_for_the_same_are_kept_apart(tmp_path, twin):
    assert set(names_of(folder_of(tmp_path, "a/x.csv", f"b/{twin}")).values()) == {"a_x.csv", f"b_{twin}"}


def test_a_path_that_reads_like_another_file_is_numbered(tmp_path):
    folder = folder_of(tmp_path, "a_x.csv", "a/x.csv", "x.csv", "b/c_d", "b_c/d", "b/c/d")
    names = names_of(folder)
    assert (names["a_x.csv"], names["x.csv"], names["a/x.csv"]) == ("a_x.csv", "x.csv", "a_x_2.csv")
    assert len(set(names.values())) == len(names)


def test_names_written_by_older_systems_are_read_in_paths_too(tmp_path):
    folder = folder_of(tmp_path, "b/x.csv")
    older = folder / os.fsdecode("人口".encode("cp932"))
    older.mkdir()
    (older / "x.csv").write_bytes(b"1")
    assert sorted(files.names_of(files.files_of(folder)).values()) == ["b_x.csv", "人口_x.csv"]


def test_a_file_that_cannot_be_read_is_named_with_a_cure(tmp_path):
    folder = folder_of(tmp_path, "a.csv")
    (folder / "b.csv").symlink_to("/proc/self/mem")  # fails at its first byte, whoever reads it
    with pytest.raises(DemoFailed, match=r"b\.csv cannot be read \(Input/output error\): give yourself the right"):
        files.files_of(folder)


def test_a_folder_that_cannot_be_read_is_named_with_a_cure(tmp_path):
    folder = folder_of(tmp_path, "a.csv")
    sink(folder, 17)
    with pytest.raises(DemoFailed, match=r"下下 cannot be read \(File name too long\): .* take it out of the folder"):
        files.files_of(folder)


def sink(folder: Path, depth: int) -> None:
    """Nest folders until no path reaches the last, which therefore nobody can read, root included."""
    at = os.open(folder, os.O_DIRECTORY)
    for _ in range(depth):
        os.mkdir("下" * 85, dir_fd=at)
        inner = os.open("下" * 85, os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)


def test_a_file_that_goes_while_it_is_listed_is_named(tmp_path):
    gone = tmp_path / "gone.csv"
    for look in (files.size_bytes, lambda path: list(files.pieces(path))):
        with pytest.raises(DemoFailed, match=r"gone\.csv cannot be read \(No such file or directory\)"):
            look(gone)
