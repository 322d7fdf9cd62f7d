"""What docs/auditing.md has a newcomer type: the demo world is exported while it is off, verified, changed and caught."""

import re
import subprocess
import sys
from pathlib import Path

from tests.live import ROOT, environment

PAGE = (ROOT / "docs" / "auditing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)


def typed(block: str) -> str:
    """Return what is typed, for the interpreter and the checkout of this test; what `make` installs is there."""
    spelled = (
        ("make demo KEEP=world", f"{sys.executable} -m marketplace demo --keep world"),
        (".venv/bin/marketplace", f"{sys.executable} -m marketplace"),
        ("python verify_audit.py", f"{sys.executable} -I {ROOT / 'verify_audit.py'}"),
    )
    for said, meant in spelled:
        block = re.sub(rf"^{re.escape(said)}\b", meant, block, flags=re.MULTILINE)
    return block


def type_in(folder: Path, block: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", typed(block)],
        cwd=folder,
        env=environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=600,
        check=False,
    )


def test_a_world_that_is_switched_off_is_exported_found_sound_and_one_changed_yen_is_named(open_folder: Path) -> None:
    made, verified, changed = (type_in(open_folder, block) for block in BLOCKS[:3])
    assert made.returncode == 0, made.stderr
    assert "is switched off" in made.stdout
    assert (verified.returncode, verified.stdout.endswith("the record is sound\n")) == (0, True), verified.stdout
    assert "note:" not in verified.stdout  # the key came from outside the archive
    assert changed.returncode == 1, changed.stderr
    assert "WRONG ledger.ndjson line 3" in changed.stdout
    assert "it is not what the record says was booked" in changed.stdout
    assert "does not balance ({'JPY': 1})" in changed.stdout


def test_the_page_types_what_the_makefile_knows() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert '$(if $(KEEP),--keep "$(KEEP)")' in makefile
    assert BLOCKS[0].startswith("make demo KEEP=world")
