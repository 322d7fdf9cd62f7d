"""The folder of a witness: its memory is there before its key, and a key whose memory is gone watches nothing."""

import socket
from pathlib import Path

import click
import pytest

from marketplace.kit import notes
from marketplace.witness import watching
from tests.witness.test_judging import LOG, NAME, PRIVATE


def test_a_witness_begins_with_nothing_signed_once(tmp_path: Path) -> None:
    folder = tmp_path / "witness"
    with socket.create_server(("127.0.0.1", 0)) as taken:

        def watch() -> None:
            logs = (notes.key_of(LOG, PRIVATE).text,)
            watching.watch(NAME, logs, folder, "127.0.0.1", taken.getsockname()[1])

        with pytest.raises(click.ClickException, match="cannot be listened on"):  # it was ready to
            watch()
        assert (folder / "signed.json").read_text() == "{}\n"
        key = (folder / "key.pem").read_bytes()
        (folder / "signed.json").unlink()
        with pytest.raises(click.ClickException, match=r"signed\.json .*others have seen"):
            watch()
    assert not (folder / "signed.json").exists()
    assert (folder / "key.pem").read_bytes() == key
