"""Names that servers give, and parts of files."""

import hashlib
import os
from contextlib import closing
from pathlib import Path

import pytest

from marketplace.client import files
from marketplace.client.files import Part, safe_name
from marketplace.client.troubles import DiskTrouble, Trouble

CONTENT = b"1,2\n" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("人流 2026年度（札幌）.csv", "人流 2026年度（札幌）.csv"),
        ("がくぶち.csv", "がくぶち.csv"),
        ("../../etc/passwd", "_._.._etc_passwd"),
        ("/etc/passwd", "_etc_passwd"),
        ("..\\..\\autoexec.bat", "_._.._autoexec.bat"),
        ("C:evil.csv", "C_evil.csv"),
        ("a／b.csv", "a_b.csv"),
        (".bashrc", "_bashrc"),
        ("~root", "_root"),
        ("-rf", "_rf"),
        ("a\x00b\x1b[31m.csv", "a_b_[31m.csv"),
        ("invoice\u202efdp.exe", "invoice_fdp.exe"),
        ("..", "file"),
        (".", "file"),
        ("", "file"),
        ("   ", "file"),
    ],
    ids=range(16),
)
def test_a_name_stays_in_its_folder_and_keeps_its_letters(name: str, safe: str) -> None:
    assert safe_name(name) == safe
    assert "/" not in safe_name(name)


def test_a_long_name_is_shortened_between_letters_and_keeps_its_ending() -> None:
    short = safe_name("気" * 200 + ".parquet")
    assert len(short.encode()) <= files.NAME_BYTES_MAX
    assert short.endswith("気.parquet")
    assert len(safe_name("気" * 200).encode()) <= files.NAME_BYTES_MAX


def test_a_part_goes_on_where_it_was_left_and_gets_its_name_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "人流.csv"
    with closing(Part(target, SHA256)) as part:
        part.write(CONTENT[:1500])
    assert not target.exists()
    with closing(Part(target, SHA256)) as part:
        assert (part.at, part.is_right()) == (1500, False)
        part.write(CONTENT[1500:])
        assert part.is_right()
        part.finish()
    assert target.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [target]


def test_the_part_of_another_version_is_not_gone_on_with(tmp_path: Path) -> None:
    with closing(Part(tmp_path / "a.csv", "0" * 64)) as part:
        part.write(b"of before")
    with closing(Part(tmp_path / "a.csv", SHA256)) as part:
        assert part.at == 0


def test_one_at_a_time_writes_a_part(tmp_path: Path) -> None:
    with closing(Part(tmp_path / "a.csv", SHA256)) as first:
        first.write(b"mine")
        with pytest.raises(Trouble, match="Another command is fetching"):
            Part(tmp_path / "a.csv", SHA256)
        assert first.path.read_bytes() == b"mine"
    Part(tmp_path / "a.csv", SHA256).close()


def test_a_link_in_the_place_of_a_part_leads_nowhere(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    (tmp_path / f"a.csv.{SHA256[:12]}.part").symlink_to(precious)
    with pytest.raises(DiskTrouble):
        Part(tmp_path / "a.csv", SHA256)
    assert precious.read_bytes() == b"precious"


def test_a_full_disk_is_named_and_what_came_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Part(tmp_path / "a.csv", SHA256)) as part:
        part.write(CONTENT[:100])

        def full(_file: int, _piece: bytes) -> int:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(DiskTrouble, match="no room left") as trouble:
                part.write(CONTENT[100:])
        assert trouble.value.exit_code == 7
    assert part.path.read_bytes() == CONTENT[:100]


def test_a_write_that_takes_less_than_it_was_given_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, piece: write(file, piece[:700]))
    with closing(Part(tmp_path / "a.csv", SHA256)) as part:
        part.write(CONTENT)
        part.finish()
    assert (tmp_path / "a.csv").read_bytes() == CONTENT
